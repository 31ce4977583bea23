"""Decisions, appeals and notifications in the browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, reasons
from marketplace.reasons.hooks import nothing, on_upheld
from marketplace.reasons.models import Statement
from tests.cast import Cast
from tests.reasons.test_reasons import ANSWER, BECAUSE, TEXT, stated
from tests.visitor import words


@pytest.fixture(autouse=True)
def undoing(app: Flask) -> Iterator[None]:
    """The site has registered what really undoes things; here the subjects are made up."""
    before = dict(on_upheld)
    on_upheld["credential"] = nothing
    yield
    on_upheld.clear()
    on_upheld.update(before)


@pytest.fixture
def statement(session: Session, cast: Cast) -> Statement:
    return stated(session, cast.rev, cast.ana)


def test_a_person_reads_why_and_appeals_and_an_operator_decides(
    cast: Cast, app: Flask, statement: Statement
) -> None:
    ana, opa = cast.visitor(app, cast.ana), cast.visitor(app, cast.opa)
    page = f"/decisions/{statement.public_id}"
    assert "Credential rejected" in words(ana.get("/decisions"))
    seen = words(ana.get(page))
    assert BECAUSE in seen
    assert "Rev Rao" in seen
    assert TEXT in words(ana.post(page, text=TEXT))
    assert "Ana Alvarez" in words(opa.get("/appeals"))
    appeal = statement.appeal
    assert appeal is not None
    answer = opa.post(f"/appeals/{appeal.public_id}", outcome="upheld", answer=ANSWER)
    assert "the person is told" in words(answer)
    assert "the decision is undone" in words(ana.get(page))


def test_a_refused_appeal_keeps_what_was_typed(cast: Cast, app: Flask, statement: Statement) -> None:
    ana = cast.visitor(app, cast.ana)
    page = f"/decisions/{statement.public_id}"
    ana.get(page)
    answer = ana.post(page, text="<b>no</b>")
    assert answer.status_code == 422
    assert "&lt;b&gt;no&lt;/b&gt;" in answer.text


def test_after_the_time_to_appeal_there_is_no_form(cast: Cast, app: Flask, statement: Statement) -> None:
    with clock.at(statement.appeal_until):
        answer = cast.visitor(app, cast.ana).get(f"/decisions/{statement.public_id}")
    assert 'name="text"' not in answer.text


def test_a_decision_is_nobody_elses_to_see(cast: Cast, app: Flask, statement: Statement) -> None:
    for who in (cast.ben, cast.carla, cast.fin, cast.rev, cast.opa, cast.zed):
        assert cast.visitor(app, who).get(f"/decisions/{statement.public_id}").status_code == 404


def test_who_decided_may_read_the_appeal_and_not_decide_it(session: Session, cast: Cast, app: Flask) -> None:
    own = stated(session, cast.opa, cast.ana)
    appeal = reasons.appeal(session, cast.ana, own.public_id, TEXT)
    opa = cast.visitor(app, cast.opa)
    page = opa.get(f"/appeals/{appeal.public_id}")
    assert "A colleague decides" in words(page)
    assert 'name="outcome"' not in page.text
    answer = opa.post(f"/appeals/{appeal.public_id}", outcome="dismissed", answer=ANSWER)
    assert answer.status_code == 422


def test_a_notification_leads_to_its_page_and_is_then_read(
    cast: Cast, app: Flask, statement: Statement
) -> None:
    ana, zed = cast.visitor(app, cast.ana), cast.visitor(app, cast.zed)
    listed = ana.get("/notifications")
    assert "New" in words(listed)
    path = listed.text.split('action="/notifications/')[2].split('"')[0]
    zed.get("/notifications")
    assert zed.post(f"/notifications/{path}").status_code == 404
    assert "Credential rejected" in words(ana.post(f"/notifications/{path}"))
    assert "Mark all as read" not in words(ana.get("/notifications"))
