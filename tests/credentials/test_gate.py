"""The gate is exact: to the moment, in the place that issued it, and never on hope."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.credentials import claims, gate
from marketplace.credentials.gate import Requirement, Verdict
from tests.factories.credentials import PDF, a_claim, a_verified_credential, attested

ONE = timedelta(microseconds=1)
START = datetime(2026, 11, 2, 15, 30, tzinfo=UTC)
LAST = date(2026, 12, 31)
# The end of 31 December in California.
END = datetime(2027, 1, 1, 8, 0, tzinfo=UTC)
LICENCE = Requirement("us_medical_license", "US-CA", 4, None)


@pytest.fixture
def licensed(session: Session, ana: Actor, rev: Actor) -> Actor:
    with clock.at(START):
        a_verified_credential(session, ana, rev, expires_on=LAST)
    return ana


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        (START - ONE, Verdict.FAIL),
        (START, Verdict.PASS),
        (END - ONE, Verdict.PASS),
        (END, Verdict.FAIL),
    ],
)
def test_it_holds_from_the_check_to_the_end_of_the_last_day(
    session: Session, licensed: Actor, at: datetime, verdict: Verdict
) -> None:
    holding = gate.holds(session, licensed.id, LICENCE, at)
    assert holding.verdict is verdict
    assert (holding.until == END) == (verdict is Verdict.PASS)


@pytest.mark.parametrize(
    "other",
    [
        Requirement("us_npi", None, 2, None),
        Requirement("us_medical_license", "US-NY", 2, None),
    ],
)
def test_another_type_or_place_does_not_do(session: Session, licensed: Actor, other: Requirement) -> None:
    assert gate.holds(session, licensed.id, other, START).verdict is Verdict.FAIL


def test_any_place_will_do_when_none_is_named(session: Session, licensed: Actor) -> None:
    asked = Requirement("us_medical_license", None, 3, None)
    assert gate.holds(session, licensed.id, asked, START).verdict is Verdict.PASS


def test_a_check_grows_old(session: Session, licensed: Actor) -> None:
    asked = Requirement("us_medical_license", "US-CA", 4, 30)
    assert gate.valid_intervals(session, licensed.id, asked) == [(START, START + timedelta(days=30))]


def test_a_fresh_check_joins_on_without_a_gap(session: Session, licensed: Actor, rev: Actor) -> None:
    asked = Requirement("us_medical_license", "US-CA", 4, 30)
    held = gate.holds(session, licensed.id, asked, START).credential
    assert held is not None
    again = START + timedelta(days=29)
    with clock.at(again):
        claims.resubmit_credential(session, licensed, held.public_id)
        attested(session, rev, held)
    [(start, end)] = gate.valid_intervals(session, licensed.id, asked)
    assert (start, end) == (START, again + timedelta(days=30))


def test_a_gap_between_two_checks_stays_a_gap(session: Session, licensed: Actor, rev: Actor) -> None:
    asked = Requirement("us_medical_license", "US-CA", 4, 30)
    held = gate.holds(session, licensed.id, asked, START).credential
    assert held is not None
    again = START + timedelta(days=31)
    with clock.at(again):
        claims.resubmit_credential(session, licensed, held.public_id)
        attested(session, rev, held)
    assert gate.valid_intervals(session, licensed.id, asked) == [
        (START, START + timedelta(days=30)),
        (again, END),
    ]
    at = again - ONE
    assert gate.holds(session, licensed.id, asked, at).verdict is Verdict.FAIL


def test_a_shallower_check_later_takes_nothing_away(session: Session, licensed: Actor, rev: Actor) -> None:
    held = gate.holds(session, licensed.id, LICENCE, START).credential
    assert held is not None
    with clock.at(START + timedelta(days=5)):
        claims.resubmit_credential(session, licensed, held.public_id, document=PDF)
        attested(session, rev, held, source_url=None)
    assert gate.valid_intervals(session, licensed.id, LICENCE) == [(START, END)]


def test_a_corrected_last_day_is_believed(session: Session, licensed: Actor, rev: Actor) -> None:
    held = gate.holds(session, licensed.id, LICENCE, START).credential
    assert held is not None
    with clock.at(START + timedelta(days=5)):
        claims.resubmit_credential(session, licensed, held.public_id)
        attested(session, rev, held, valid_to=date(2026, 11, 30))
    assert gate.valid_intervals(session, licensed.id, LICENCE) == [
        (START, datetime(2026, 12, 1, 8, 0, tzinfo=UTC))
    ]


def test_one_claimed_is_unknown_and_none_is_a_fail(session: Session, ana: Actor, ben: Actor) -> None:
    a_claim(session, ana)
    assert gate.holds(session, ana.id, LICENCE, clock.now()).verdict is Verdict.UNKNOWN
    assert gate.holds(session, ben.id, LICENCE, clock.now()).verdict is Verdict.FAIL


def test_many_people_are_read_at_once(session: Session, licensed: Actor, ben: Actor) -> None:
    checks = gate.checks_of(session, [licensed.id, ben.id])
    assert [(check.start, check.end) for check in checks[licensed.id]] == [(START, END)]
    assert checks[ben.id] == []


def test_a_check_speaks_for_the_whole_minute_in_which_it_was_made(
    session: Session, ana: Actor, rev: Actor
) -> None:
    with clock.at(START.replace(second=40)):
        a_verified_credential(session, ana, rev)
    at = START.replace(second=0, microsecond=0)
    assert gate.holds(session, ana.id, LICENCE, at).verdict is Verdict.PASS
    assert gate.holds(session, ana.id, LICENCE, at - ONE).verdict is Verdict.FAIL
