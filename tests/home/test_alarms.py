"""A proof that does not hold raises an alarm, which stops what it makes unsafe, until it holds again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Thread

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import alarms, clock, ledger, proofs
from marketplace.actor import SITE
from marketplace.alarms import stops
from marketplace.alarms.models import Alarm
from marketplace.alarms.stops import Stops
from marketplace.contracts.approvals import approve_timesheet
from marketplace.errors import NotFound, Refused
from marketplace.ledger import chart
from marketplace.payments import tasks, topups
from marketplace.payments.models import ConnectedAccount, PayoutBatch, PayoutItem
from marketplace.payments.preparing import prepare_batch
from marketplace.payments.releasing import release_batch
from marketplace.payments.runs import pausing
from marketplace.payments.setup.stops import WAITS, stop_of
from marketplace.payments.states import BatchState, Blocker, TransfersState
from marketplace.proof import Drift, Proof
from marketplace.proofs import watching
from marketplace.proofs.tasks import watch_all
from tests.cast import Cast
from tests.conftest import Committed
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, a_deal, a_submitted_week
from tests.factories.payments import Finance, finance
from tests.visitor import Visitor, words

assert tasks


def proof(code: str) -> Proof:
    return Proof(code, f"{code} holds", lambda _session: ())


def raised(session: Session, code: str, subject: str = "2010 project:x:funds", found: str = "-1") -> None:
    alarms.record(session, proof(code), [Drift(subject, "0", found)])


def lasting(session: Session) -> list[tuple[str, str, str]]:
    return [(each.code, each.subject, each.found) for each in alarms.standing(session)]


def test_an_alarm_stands_until_its_proof_holds_again(session: Session) -> None:
    with clock.at(clock.now()):
        raised(session, "P4")
        since = alarms.standing(session)[0].since
    with clock.at(since + timedelta(hours=1)):
        raised(session, "P4", found="-2")
    [alarm] = alarms.standing(session)
    assert (alarm.since, alarm.seen_at, alarm.found) == (since, since + timedelta(hours=1), "-2")
    alarms.record(session, proof("P5"), [])
    assert lasting(session) == [("P4", "2010 project:x:funds", "-2")]
    alarms.record(session, proof("P4"), [])
    assert lasting(session) == []
    raised(session, "P4")
    assert session.scalar(sa.select(sa.func.count()).select_from(Alarm)) == 2


def test_what_moves_on_while_it_stands_makes_no_new_alarm(session: Session) -> None:
    raised(session, "P2", "1100 USD, as of Mon 2 Mar 2026 at 10:00")
    raised(session, "P2", "1100 USD, as of Mon 2 Mar 2026 at 11:00")
    assert lasting(session) == [("P2", "1100 USD", "-1")]


def test_what_has_ended_is_not_brought_back(session: Session) -> None:
    raised(session, "P4")
    alarms.record(session, proof("P4"), [])
    with pytest.raises(DBAPIError, match="has ended"), session.begin_nested():
        session.execute(sa.update(Alarm).values(ended_at=None))


def test_each_proof_stops_only_what_it_makes_unsafe(session: Session) -> None:
    known = {each.code for each in proofs.every()}
    assert set(stops.STOPS) <= known
    for code, stopped in stops.STOPS.items():
        raised(session, code)
        for each in set(Stops) - {Stops.NOTHING, Stops.ACCOUNT}:
            if each is stopped:
                with pytest.raises(Refused, match="An alarm stops this"):
                    alarms.require_none(session, each)
            else:
                alarms.require_none(session, each)
        alarms.record(session, proof(code), [])


def test_an_alarm_of_the_books_stops_sending_between_two_payments(session: Session) -> None:
    anything = uuid.uuid4()
    assert not pausing.stands_still(session, anything)
    raised(session, "P2")
    assert not pausing.stands_still(session, anything)
    raised(session, "I4")
    assert pausing.stands_still(session, anything)
    alarms.record(session, proof("I4"), [])
    assert not pausing.stands_still(session, anything)


def test_one_account_that_differs_stops_that_account(session: Session) -> None:
    raised(session, "P6", "9110 acct_1 USD, as of Mon 2 Mar 2026 at 10:00")
    assert alarms.accounts(session) == {"acct_1"}


@pytest.fixture
def paying(session: Session) -> tuple[Finance, PayoutBatch]:
    """Two people of finance, and a batch of one expert that is prepared."""
    with clock.at(MONDAY):
        deal = a_deal(session)
    with clock.at(MONDAY + timedelta(days=7, hours=1)):
        sheet = a_submitted_week(session, deal, MONDAY)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    session.add(
        ConnectedAccount(
            person_id=deal.expert.id, stripe_id="acct_1", country="US",
            transfers=TransfersState.ACTIVE, requirements=[], owes={}, created_at=clock.now(),
        )
    )  # fmt: skip
    session.commit()
    desk = finance(session)
    return desk, prepare_batch(session, desk.fin, clock.now())


def test_a_batch_is_not_released_while_an_alarm_stops_sending(session: Session, paying) -> None:
    desk, batch = paying
    gil = replace(desk.gil, second_factor_at=clock.now())
    raised(session, "I4", "payout_item x")
    with pytest.raises(Refused, match="An alarm stops this"):
        release_batch(session, gil, batch.public_id)
    alarms.record(session, proof("I4"), [])
    # What only sweeps wait for keeps nobody's pay back.
    raised(session, "P2", "1100 USD")
    assert release_batch(session, gil, batch.public_id).state is BatchState.RELEASED


def test_what_an_alarm_is_about_is_looked_at_once_more_before_anything_is_refused(
    session: Session, paying
) -> None:
    desk, batch = paying
    gil = replace(desk.gil, second_factor_at=clock.now())
    told = next(each for each in proofs.every() if each.code == "I4")
    alarms.record(session, told, [Drift("payout_item x", "booked once", "not booked")])
    assert release_batch(session, gil, batch.public_id).state is BatchState.RELEASED
    assert lasting(session) == []


def test_pay_to_an_account_that_differs_waits_and_other_pay_does_not(session: Session, paying) -> None:
    _desk, batch = paying
    [item] = session.scalars(sa.select(PayoutItem).filter_by(batch_id=batch.id))
    raised(session, "P6", "9110 acct_2 USD")
    assert stop_of(session, item) is None
    raised(session, "P6", "9110 acct_1 USD")
    assert stop_of(session, item) is Blocker.ACCOUNT_DIFFERS
    assert Blocker.ACCOUNT_DIFFERS in WAITS
    alarms.record(session, proof("P6"), [])
    assert stop_of(session, item) is None


def test_a_top_up_is_not_released_while_what_is_in_transit_is_not_certain(session: Session) -> None:
    ledger.post(
        session, SITE, source="funding:x", event="paid", currency="USD", occurred_at=clock.now(), memo="",
        lines=[(chart.bank_client(), 500), (chart.project_funds(uuid.uuid4()), -500)],
    )  # fmt: skip
    session.commit()
    desk: Finance = finance(session)
    made = topups.prepare_top_up(session, desk.fin, 500)
    raised(session, "T1")
    gil = replace(desk.gil, second_factor_at=clock.now())
    with pytest.raises(Refused, match="An alarm stops this"):
        topups.release_top_up(session, gil, made.public_id)
    alarms.record(session, proof("T1"), [])
    topups.release_top_up(session, gil, made.public_id)


def test_whoever_looks_into_it_is_named(session: Session) -> None:
    desk = finance(session)
    raised(session, "P4")
    [alarm] = alarms.standing(session)
    alarms.look_into(session, desk.fin, alarm.public_id)
    assert alarms.standing(session)[0].looker_id == desk.fin.id
    with pytest.raises(Refused, match="already"):
        alarms.look_into(session, desk.fin, alarm.public_id)
    alarms.look_into(session, desk.gil, alarm.public_id)
    alarms.record(session, proof("P4"), [])
    with pytest.raises(NotFound):
        alarms.look_into(session, desk.fin, alarm.public_id)


def test_proofs_run_by_themselves_raise_them(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def drifts(_session: Session) -> Iterator[Drift]:
        yield Drift("1100 USD", "1", "2")

    monkeypatch.setattr(
        proofs, "every", lambda: [Proof("P4", "No project is overdrawn", drifts), proof("P5")]
    )
    assert watching.watch(session, {"P5"}) == 0
    watch_all(session)
    assert lasting(session) == [("P4", "1100 USD", "2")]


def test_a_proof_that_cannot_be_run_hides_no_other_and_ends_nothing(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(session: Session) -> Iterator[Drift]:
        session.execute(sa.text("SELECT 1 / 0"))
        yield from ()

    def drifts(_session: Session) -> Iterator[Drift]:
        yield Drift("1100 USD", "1", "2")

    raised(session, "P1", "entry x")
    broken = Proof("P1", proof("P1").title, breaks)
    monkeypatch.setattr(proofs, "every", lambda: [broken, Proof("P4", "No project is overdrawn", drifts)])
    watch_all(session)
    assert lasting(session) == [
        ("P1", "entry x", "-1"),
        ("P1", "the proof itself", "could not be run: DataError"),
        ("P4", "1100 USD", "2"),
    ]
    assert proofs.failing(session)[0].startswith("P1 the proof itself: expected run")


def test_however_many_accounts_differ_each_is_stopped(session: Session) -> None:
    found = [Drift(f"9110 acct_{nth} USD, as of now", "1", "2") for nth in range(150)]
    alarms.record(session, proof("P6"), found)
    assert len(alarms.accounts(session)) == 150


@pytest.mark.committed
def test_what_a_slow_round_found_before_ends_no_newer_alarm(
    committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the nightly round is at its second proof, the watcher finds that the first fails."""
    wrong: list[str] = []

    def books(_session: Session) -> Iterator[Drift]:
        yield from (Drift(each, "1", "2") for each in wrong)

    def slow(_session: Session) -> Iterator[Drift]:
        if not wrong:
            wrong.append("account x")
            with committed.session() as other:
                assert watching.watch(other, {"P1"}) == 1
        yield from ()

    monkeypatch.setattr(
        proofs, "every", lambda: [Proof("P1", "Books", books), Proof("I7", "What was paid", slow)]
    )
    with committed.session() as session:
        assert watching.watch(session) == 0
        assert lasting(session) == [("P1", "account x", "2")]


@pytest.mark.committed
def test_a_proof_is_run_after_whoever_looks_at_it_is_done(committed: Committed) -> None:
    """Two look at the same proof: the second waits for the first, and sees what is then."""
    looked: list[str] = []

    def wrong(_session: Session) -> Iterator[Drift]:
        looked.append("second")
        yield Drift("account x", "1", "2")

    def right(_session: Session) -> list[Drift]:
        second.start()
        second.join(0.2)
        assert looked == []
        return []

    def later() -> None:
        with committed.session() as other:
            alarms.look(other, proof("P1"), partial(wrong, other))

    second = Thread(target=later)
    with committed.session() as session:
        assert alarms.look(session, proof("P1"), partial(right, session)) == 0
        second.join()
        assert lasting(session) == [("P1", "account x", "2")]


def test_what_runs_all_the_time_and_after_fetching_exists() -> None:
    known = {each.code for each in proofs.every()}
    assert known >= watching.CONTINUOUSLY | watching.AFTER_FETCHING
    # Whoever releases a batch looks at these again.
    assert {"P1", "P4", "P5"} <= watching.CONTINUOUSLY


def test_the_finance_page_says_what_stands_and_what_it_stops(
    app: Flask, session: Session, cast: Cast
) -> None:
    raised(session, "P4")
    raised(session, "V2")
    [alarm, _other] = alarms.standing(session)
    visitor = Visitor(enter(app.test_client(), session, cast.fin))
    page = words(visitor.get("/finance"))
    assert "No batch is released and no transfer is sent until it holds again." in page
    assert "Nobody looks into it yet." in page
    told = words(visitor.post(f"/finance/alarms/{alarm.public_id}/looking"))
    assert f"{cast.fin.name} looks into it" in told
    ana = Visitor(enter(app.test_client(), session, cast.ana))
    assert ana.post(f"/finance/alarms/{alarm.public_id}/looking").status_code == 404
    assert ana.post("/finance/proofs").status_code == 404
