"""Statements of reasons and appeals: nothing adverse without a why, and a second look by somebody else."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, reasons
from marketplace.actor import SITE, Actor
from marketplace.db import violated
from marketplace.errors import DomainError, Invalid, NotAllowed, NotFound, Refused
from marketplace.mail import OutboxMail
from marketplace.notifications import unread_count
from marketplace.reasons import codes, queries
from marketplace.reasons.appeals import default_overdue
from marketplace.reasons.hooks import on_upheld
from marketplace.reasons.models import Appeal, Outcome, Statement
from tests.cast import Cast

SUBJECT = uuid.UUID(int=7)
BECAUSE = "The register says that the licence lapsed on 1 November."
TEXT = "I renewed it last week; the board has not updated its page."
ANSWER = "The board confirmed the renewal by mail today."


def stated(session: Session, by: Actor, about: Actor, **changed: Any) -> Statement:
    asked: dict[str, Any] = {
        "subject_kind": "credential",
        "subject_id": SUBJECT,
        "decision": "rejected",
        "reason_code": "lapsed",
        "explanation": BECAUSE,
        "evidence": {"Register": "https://board.example/licence/7"},
    }
    return reasons.state(session, by, person_id=about.id, **{**asked, **changed})


@pytest.fixture
def undone() -> Iterator[list[tuple[int | None, uuid.UUID]]]:
    """What upheld appeals undid: who by, and which subject."""
    calls: list[tuple[int | None, uuid.UUID]] = []
    before = dict(on_upheld)
    on_upheld["credential"] = lambda _session, actor, subject: calls.append((actor.person_id, subject))
    yield calls
    on_upheld.clear()
    on_upheld.update(before)


def test_the_person_is_told_why_by_whom_and_until_when_they_may_appeal(session: Session, cast: Cast) -> None:
    statement = stated(session, cast.rev, cast.ana)
    assert statement.decided_by == cast.rev.id
    assert statement.appeal_until - statement.decided_at == timedelta(days=30)
    assert unread_count(session, cast.ana.id) == 1
    mail = session.scalars(sa.select(OutboxMail)).one()
    assert mail.to_address == cast.person(cast.ana).email
    assert codes.sentence("credential", "lapsed") in mail.text
    assert f"/decisions/{statement.public_id}" in mail.text


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"reason_code": "because"}, "reason_code"),
        ({"subject_kind": "mood"}, "reason_code"),
        ({"explanation": " no  "}, "explanation"),
        ({"evidence": {}}, "evidence"),
        ({"evidence": {"Register": ""}}, "evidence"),
    ],
)
def test_a_decision_without_code_explanation_or_evidence_is_refused(
    session: Session, cast: Cast, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        stated(session, cast.rev, cast.ana, **wrong)
    assert refusal.value.field == field
    assert session.scalars(sa.select(Statement)).all() == []


def test_the_site_cannot_decide_against_a_person_and_nobody_decides_about_themselves(
    session: Session, cast: Cast
) -> None:
    with pytest.raises(NotAllowed):
        stated(session, SITE, cast.ana)
    with pytest.raises(Refused):
        stated(session, cast.rev, cast.rev)


@pytest.mark.parametrize(
    "change",
    ["UPDATE statements_of_reasons SET explanation = 'nothing to see'", "DELETE FROM statements_of_reasons"],
)
def test_a_statement_stays_as_it_was_written(session: Session, cast: Cast, change: str) -> None:
    stated(session, cast.rev, cast.ana)
    with pytest.raises(DBAPIError, match="permission denied"), session.begin_nested():
        session.execute(sa.text(change))


def test_an_upheld_appeal_undoes_the_decision(session: Session, cast: Cast, undone: list[Any]) -> None:
    statement = stated(session, cast.rev, cast.ana)
    opened = reasons.appeal(session, cast.ana, statement.public_id, TEXT)
    assert opened.decide_by - opened.opened_at == timedelta(days=14)
    closed = reasons.decide(session, cast.opa, opened.public_id, "upheld", ANSWER)
    assert closed.outcome is Outcome.UPHELD
    assert undone == [(cast.opa.id, SUBJECT)]
    assert unread_count(session, cast.ana.id) == 2


def test_an_appeal_about_what_nobody_can_undo_is_not_upheld_in_silence(session: Session, cast: Cast) -> None:
    before = on_upheld.pop("credential", None)
    opened = reasons.appeal(session, cast.ana, stated(session, cast.rev, cast.ana).public_id, TEXT)
    with pytest.raises(KeyError):
        reasons.decide(session, cast.opa, opened.public_id, "upheld", ANSWER)
    if before is not None:
        on_upheld["credential"] = before
    session.refresh(opened)
    assert opened.outcome is None


def test_a_dismissed_appeal_undoes_nothing(session: Session, cast: Cast, undone: list[Any]) -> None:
    opened = reasons.appeal(session, cast.ana, stated(session, cast.rev, cast.ana).public_id, TEXT)
    reasons.decide(session, cast.opa, opened.public_id, "dismissed", ANSWER)
    assert undone == []


def test_who_decided_first_does_not_decide_the_appeal(session: Session, cast: Cast) -> None:
    opened = reasons.appeal(session, cast.ana, stated(session, cast.opa, cast.ana).public_id, TEXT)
    assert session.scalars(queries.waiting(cast.opa)).all() == []
    with pytest.raises(Refused, match="Somebody else"):
        reasons.decide(session, cast.opa, opened.public_id, "dismissed", ANSWER)


@pytest.mark.parametrize("who", ["opa", "ana"])
def test_the_database_refuses_the_same_even_if_the_code_forgets(
    session: Session, cast: Cast, who: str
) -> None:
    opened = reasons.appeal(session, cast.ana, stated(session, cast.opa, cast.ana).public_id, TEXT)
    values = {
        "outcome": "dismissed",
        "decided_by": getattr(cast, who).id,
        "decided_at": clock.now(),
        "answer": ANSWER,
    }
    with pytest.raises(DBAPIError) as refusal, session.begin_nested():
        session.execute(sa.update(Appeal).where(Appeal.id == opened.id).values(**values))
    assert violated(refusal.value) == "ck_appeals_another_person"


def test_the_site_itself_may_uphold_but_never_dismiss(session: Session, cast: Cast) -> None:
    opened = reasons.appeal(session, cast.ana, stated(session, cast.rev, cast.ana).public_id, TEXT)
    values = {"outcome": "dismissed", "decided_at": clock.now(), "answer": ANSWER}
    with pytest.raises(DBAPIError) as refusal, session.begin_nested():
        session.execute(sa.update(Appeal).where(Appeal.id == opened.id).values(**values))
    assert violated(refusal.value) == "ck_appeals_only_a_person_dismisses"


@pytest.mark.parametrize("who", ["ana", "carla", "fin", "rev", "zed"])
def test_only_operators_decide_appeals(session: Session, cast: Cast, who: str) -> None:
    opened = reasons.appeal(session, cast.ana, stated(session, cast.rev, cast.ana).public_id, TEXT)
    with pytest.raises(NotAllowed):
        reasons.decide(session, getattr(cast, who), opened.public_id, "dismissed", ANSWER)
    with pytest.raises(NotAllowed):
        queries.waiting(getattr(cast, who))


def test_nobody_appeals_for_somebody_else_or_reads_their_statement(session: Session, cast: Cast) -> None:
    statement = stated(session, cast.rev, cast.ana)
    for stranger in (cast.ben, cast.zed, cast.opa):
        with pytest.raises(NotFound):
            reasons.appeal(session, stranger, statement.public_id, TEXT)
        with pytest.raises(NotFound):
            queries.statement(session, stranger, statement.public_id)


def test_there_is_one_appeal_in_time_with_a_text_and_it_is_decided_once(session: Session, cast: Cast) -> None:
    statement = stated(session, cast.rev, cast.ana)
    with pytest.raises(Invalid):
        reasons.appeal(session, cast.ana, statement.public_id, "no.")
    with clock.at(statement.appeal_until), pytest.raises(Refused, match="time to appeal ended"):
        reasons.appeal(session, cast.ana, statement.public_id, TEXT)
    opened = reasons.appeal(session, cast.ana, statement.public_id, TEXT)
    with pytest.raises(Refused, match="already appealed"):
        reasons.appeal(session, cast.ana, statement.public_id, TEXT)
    reasons.decide(session, cast.opa, opened.public_id, "dismissed", ANSWER)
    with pytest.raises(Refused, match="already decided"):
        reasons.decide(session, cast.opa, opened.public_id, "upheld", ANSWER)


def test_an_appeal_that_nobody_decides_in_time_is_decided_for_the_person(
    session: Session, cast: Cast, undone: list[Any]
) -> None:
    opened = reasons.appeal(session, cast.ana, stated(session, cast.rev, cast.ana).public_id, TEXT)
    with clock.at(opened.decide_by - timedelta(seconds=1)):
        assert default_overdue(session) == 0
    with clock.at(opened.decide_by):
        assert default_overdue(session) == 1
        assert default_overdue(session) == 0
    session.refresh(opened)
    assert (opened.outcome, opened.decided_by) == (Outcome.UPHELD, None)
    assert undone == [(None, SUBJECT)]
    assert "in your favour" in (opened.answer or "")


def test_every_code_has_a_sentence_and_nothing_else_passes() -> None:
    for kind, known in codes.reasons().items():
        for code in known:
            assert codes.sentence(kind, code).endswith(".")
    with pytest.raises(DomainError):
        codes.sentence("credential", "places_filled")
