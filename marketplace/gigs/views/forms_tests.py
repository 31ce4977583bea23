"""What clients fill in about a paid test. Shape only: the use cases know the rules."""

from __future__ import annotations

from typing import Any

from wtforms import FieldList, FormField, IntegerField, StringField, TextAreaField
from wtforms.validators import Length, NumberRange, Optional

from marketplace.gigs.forms import FILL_IN, LINE, PARAGRAPH
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.qualification.writing import (
    LONGEST,
    MOST_LINES,
    MOST_POINTS,
    MOST_QUESTIONS,
    SHORTEST,
    QualificationDraft,
)
from marketplace.i18n import lazy
from marketplace.web import Form, Part

POINTS = NumberRange(1, MOST_POINTS, lazy("Give between 1 and 100 points."))


class LineForm(Part):
    """A line of the rubric; none while `text` is empty."""

    text = StringField(lazy("What is looked at"), [Optional(), Length(max=300)])
    points = IntegerField(lazy("Points"), [Optional(), POINTS])


class QualificationForm(Form):
    """A paid test, with as many questions and lines as there can be."""

    title = StringField(lazy("Title"), [FILL_IN, LINE])
    introduction = TextAreaField(lazy("What it is about"), [Optional(), PARAGRAPH])
    minutes = IntegerField(
        lazy("Minutes, at most"),
        [FILL_IN, NumberRange(SHORTEST, LONGEST, lazy("A test takes between 5 minutes and 4 hours."))],
    )
    questions = FieldList(
        TextAreaField(lazy("Question"), [Optional(), PARAGRAPH]),
        min_entries=MOST_QUESTIONS,
        max_entries=MOST_QUESTIONS,
    )
    rubric = FieldList(FormField(LineForm), min_entries=MOST_LINES, max_entries=MOST_LINES)
    pass_points = IntegerField(
        lazy("Points needed to pass"),
        [FILL_IN, NumberRange(1, MOST_LINES * MOST_POINTS, lazy("Give a number of points."))],
    )

    @classmethod
    def of(cls, test: QualificationTest) -> QualificationForm:
        """The form with what the test says."""
        return cls(
            title=test.title,
            introduction=test.introduction,
            minutes=test.minutes,
            pass_points=test.pass_points,
            questions=[each.text for each in test.questions],
            rubric=[{"text": each.text, "points": each.points} for each in test.rubric],
        )

    def draft(self) -> QualificationDraft:
        """What was filled in. A line without points brings none, which the use case refuses."""
        return QualificationDraft(
            title=self.title.data or "",
            introduction=self.introduction.data or "",
            minutes=self.minutes.data or 0,
            pass_points=self.pass_points.data or 0,
            questions=tuple(each.data or "" for each in self.questions),
            rubric=tuple(_line(each.form) for each in self.rubric),
        )


def _line(form: Any) -> tuple[str, int]:
    return form.text.data or "", form.points.data or 0
