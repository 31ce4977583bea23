"""What is filled in while a test is taken and graded. Shape only: the use cases know the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wtforms import IntegerField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from marketplace.contracts.sittings.graders import Candidate
from marketplace.contracts.sittings.grading import LineGrade
from marketplace.contracts.sittings.taking import LONGEST_ANSWER
from marketplace.gigs.forms import Checkboxes
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.web import Form

COMMENT = Length(max=2_000)


class GradersForm(Form):
    """Who grades a test."""

    people = Checkboxes(lazy("Graders"))

    def __init__(self, *args: Any, candidates: list[Candidate], **kwargs: Any) -> None:
        chosen = [str(each.person.public_id) for each in candidates if each.chosen]
        super().__init__(*args, people=chosen, **kwargs)
        self.people.choices = [(str(each.person.public_id), each.person.full_name) for each in candidates]


def answers_form(test: QualificationTest, answers: Mapping[int, str]) -> Any:
    """A form with an answer for each question, as `answer_1` and so on, with what is kept."""
    fields: dict[str, Any] = {
        f"answer_{each.position}": TextAreaField(
            _("Your answer to question %(n)s", n=each.position), [Optional(), Length(max=LONGEST_ANSWER)]
        )
        for each in test.questions
    }
    kept = {f"answer_{position}": text for position, text in answers.items()}
    return type("AnswersForm", (Form,), fields)(**kept)


def answers(form: Any, test: QualificationTest) -> dict[int, str]:
    """What was written, by the position of the question."""
    return {each.position: form[f"answer_{each.position}"].data or "" for each in test.questions}


def grade_form(test: QualificationTest) -> Any:
    """A form with points and a comment for each line of the rubric, as `points_1`, `comment_1` and so on."""
    fields: dict[str, Any] = {}
    for line in test.rubric:
        within = NumberRange(0, line.points, _("Give between 0 and %(most)s points.", most=line.points))
        fill_in = InputRequired(_("Fill this in."))
        fields[f"points_{line.position}"] = IntegerField(
            _("Points, of %(most)s", most=line.points), [fill_in, within]
        )
        fields[f"comment_{line.position}"] = TextAreaField(_("What is missing"), [Optional(), COMMENT])
    return type("GradeForm", (Form,), fields)()


def grades(form: Any, test: QualificationTest) -> dict[int, LineGrade]:
    """What was given, by the position of the line."""
    return {
        line.position: LineGrade(
            form[f"points_{line.position}"].data, form[f"comment_{line.position}"].data or ""
        )
        for line in test.rubric
    }
