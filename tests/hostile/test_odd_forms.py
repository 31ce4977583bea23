"""What a form cannot use is said beside the input, and the page stays."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import wtforms
from flask import Flask
from sqlalchemy.orm import Session
from wtforms import FormField, IntegerField, RadioField, SelectMultipleField, StringField, TimeField
from wtforms.validators import Length, NumberRange, Optional

from marketplace.web import Form, Part
from marketplace.web import words as ours
from marketplace.web.forms import day_field
from tests.cast import Cast
from tests.factories.gigs import a_client, a_project
from tests.visitor import words


@pytest.mark.parametrize("amount", [" ", "\t", "\u00a0", "\u2003 "])
def test_a_blank_amount_is_asked_for_again(session: Session, app: Flask, cast: Cast, amount: str) -> None:
    client, organization = a_client(session)
    path = f"/projects/{a_project(session, client, organization).public_id}/funding"
    carla = cast.visitor(app, client)
    answer = carla.post(path, amount=amount, rail="card")
    assert answer.status_code in (200, 422)
    assert "Fill this in." in words(answer)


class _Row(Part):
    points = IntegerField("Points")


class _Asked(Form):
    row = FormField(_Row)
    title = StringField("Title", [Length(max=5)])
    languages = SelectMultipleField("Languages", choices=["en"])
    people = IntegerField("People")
    hours = IntegerField("Hours", [NumberRange(1, 80)])
    starts_on = day_field("First day", required=False)
    at = TimeField("At", [Optional()])
    kind = RadioField("Kind", choices=["a"], validate_choice=True)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"title": "too long"}, "Write at most 5 characters."),
        ({"people": "many"}, "Write a whole number, such as 40."),
        ({"row-points": "many"}, "Write a whole number, such as 40."),
        ({"hours": "81"}, "Write a number from 1 to 80."),
        ({"starts_on": "soon"}, "Write a day as year-month-day, such as 2026-05-31."),
        ({"at": "noon"}, "Write a time as hours and minutes, such as 14:30."),
        ({"kind": "b"}, "Choose one of the list."),
        ({"languages": "zz"}, "One choice is not on the list. Choose again."),
    ],
)
def test_what_is_too_long_or_not_on_the_list_is_said_beside_it(
    app: Flask, sent: dict[str, str], said: str
) -> None:
    with app.test_request_context("/", method="POST", data=sent):
        form = _Asked(meta={"csrf": False})
        assert not form.validate()
        assert said in [str(error) for field in [*form, *form.row.form] for error in field.errors]


# What no form here uses, or what only tells a programmer.
NOT_SHOWN = (
    "Choices cannot",
    "Invalid field name",
    "Invalid IP",
    "Invalid Mac",
    "This field cannot be edited",
)


def test_every_sentence_of_the_library_is_said_in_our_words() -> None:
    folder = Path(wtforms.__file__).parent
    text = "".join(each.read_text() for each in [*folder.glob("fields/*.py"), folder / "validators.py"])
    single = re.findall(r"[ .]gettext\(\s*\"([^\"]+)\"", text)
    plural = re.findall(r"ngettext\(\s*\"[^\"]+\",\s*\"([^\"]+)\"", text)
    assert len(single) > 20
    assert len(plural) > 3
    left = [each for each in single if ours.sentence(each) == each]
    assert [each for each in left if not each.startswith((*NOT_SHOWN, "This field is disabled"))] == []
    assert [each for each in plural if ours.counted(each, 2) == each] == []
