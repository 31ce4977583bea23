"""What a form cannot use is said beside the input, and the page stays."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from wtforms import SelectMultipleField, StringField
from wtforms.validators import Length

from marketplace.web import Form
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


class _Asked(Form):
    title = StringField("Title", [Length(max=5)])
    languages = SelectMultipleField("Languages", choices=["en"])


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"title": "too long"}, "Field cannot be longer than 5 characters."),
        ({"languages": "zz"}, "'zz' is not a valid choice for this field."),
    ],
)
def test_what_is_too_long_or_not_on_the_list_is_said_beside_it(
    app: Flask, sent: dict[str, str], said: str
) -> None:
    with app.test_request_context("/", method="POST", data=sent):
        form = _Asked(meta={"csrf": False})
        assert not form.validate()
        assert said in [str(error) for field in form for error in field.errors]
