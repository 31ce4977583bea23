"""A client's wire: asked for by reference, credited when its bank line is in, else kept apart."""

from __future__ import annotations

import io
import typing
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from stdnum import iso11649

from marketplace import clock, ledger, settings
from marketplace.actor import SITE, Actor, Role
from marketplace.errors import FreshFactorNeeded, Invalid, NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.payments import fundings, wires
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import Funding
from marketplace.payments.refunds import planning, releasing
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import FundingState, Rail
from marketplace.reconciliation import bank_accounts, booking, matches, passes, proofs, statements
from marketplace.reconciliation import wires as arriving
from marketplace.reconciliation.models import BankAccount, OpenItem, StatementLine, StatementMatch
from marketplace.reconciliation.states import ItemState, Kind, LineState, MatchState
from marketplace.settings import ClientBank
from tests.cast import Cast
from tests.factories.accounts import a_person, an_actor
from tests.factories.gigs import a_client, a_project
from tests.ledger import journal
from tests.reconciliation.camt import Entry, Statement, document
from tests.reconciliation.world import MONDAY, NOON, a_sweep, finance
from tests.visitor import words

CLIENTS = ClientBank("Marginalia Client Money", "First Bank", "DE89370400440532013000", "COBADEFFXXX")


@pytest.fixture(autouse=True)
def thursday(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(wires, "current", lambda: replace(settings.current(), client_bank=CLIENTS))
    with clock.at(NOON + timedelta(days=3)):
        yield


@pytest.fixture
def fin(session: Session) -> Actor:
    return finance(session)[0]


@pytest.fixture
def lumen(session: Session) -> tuple[Actor, uuid.UUID]:
    client, organization = a_client(session)
    return client, a_project(session, client, organization).public_id


def asked(session: Session, lumen: tuple[Actor, uuid.UUID], amount: int = 5_000_00) -> Funding:
    return fundings.prepare_funding(session, lumen[0], lumen[1], amount, Rail.WIRE)


def bank_says(
    session: Session, fin: Actor, *entries: Entry, opening: int = 0, on: date = MONDAY + timedelta(days=2)
) -> None:
    """A statement of the account for clients' money comes in and is matched."""
    data = document(Statement(on, opening, entries, account=CLIENTS.number))
    statements.import_statement(session, fin, f"{on}.xml", data, new_account=True)
    passes.run(session)


def wire(lot: Funding, amount: int | None = None, **more: str) -> Entry:
    said = {"text": "INVOICE", "payer": "Lumen Ltd", "payer_account": "GB33BUKB20201555555555", **more}
    return Entry(amount or lot.amount, creditor_ref=lot.reference or "", **said)


def the_line(session: Session) -> StatementLine:
    return session.scalars(sa.select(StatementLine)).one()


def free(session: Session, project: uuid.UUID) -> int:
    return -ledger.balance(session, chart.project_funds(project), "USD")


def drifts(session: Session) -> list[str]:
    return [drift.subject for proof in proofs.PROOFS for drift in proof.run(session)]


@given(st.integers(1, 10**12))
def test_a_reference_has_right_check_digits_and_reads_back_as_people_write_it(number: int) -> None:
    reference = wires.reference_of(number)
    assert iso11649.is_valid(reference)
    assert wires.read_reference(wires.written(reference).lower()) == reference


@given(st.integers(1, 10**9), st.integers(0, 9), st.data())
def test_one_wrong_digit_is_no_reference(number: int, digit: int, data: st.DataObject) -> None:
    reference = wires.reference_of(number)
    place = data.draw(st.integers(4, len(reference) - 1))
    wrong = f"{reference[:place]}{digit}{reference[place + 1 :]}"
    assert (wires.read_reference(wrong) == reference) == (wrong == reference)
    assert wrong == reference or wires.read_reference(wrong) is None


def test_the_standard_example() -> None:
    assert wires.reference_of(1042) == "RF61FR1042"


def test_a_request_waits_and_counts_nothing(session: Session, lumen) -> None:
    lot = asked(session, lumen)
    assert (lot.state, lot.charge_amount, lot.session_id) == (FundingState.OPEN, 5_000_00, None)
    assert asked(session, lumen).public_id == lot.public_id
    assert free(session, lumen[1]) == 0
    assert drifts(session) == []


def test_it_is_not_paid_at_stripe(session: Session, lumen) -> None:
    lot = asked(session, lumen)
    with pytest.raises(Refused, match="by wire"):
        fundings.open_checkout(
            session, typing.cast(Gateway, None), lumen[0], lot.public_id, return_url="", cancel_url=""
        )


def test_nobody_is_offered_a_wire_without_an_account(session: Session, lumen, monkeypatch) -> None:
    monkeypatch.setattr(wires, "current", settings.current)
    with pytest.raises(Invalid, match="not taken here"):
        asked(session, lumen)


def test_the_wire_with_its_reference_is_credited_once(session: Session, lumen, fin) -> None:
    lot = asked(session, lumen)
    bank_says(session, fin, wire(lot))
    session.refresh(lot)
    assert (lot.state, lot.net, lot.fee) == (FundingState.PAID, 5_000_00, 0)
    assert lot.paid_from == "Lumen Ltd · GB33BUKB20201555555555"
    assert journal.rows(session, {lumen[1]: "lumen"}, f"funding:{lot.public_id}") == [
        ("funding paid", [("1020", "", "5,000.00", ""), ("2010", "lumen", "", "5,000.00")])
    ]
    assert ledger.balance(session, chart.bank_client(), "USD") == 5_000_00
    assert free(session, lumen[1]) == 5_000_00
    assert passes.run(session).confirmed == {}
    assert len(ledger.entries_for(session, f"funding:{lot.public_id}")) == 1
    assert drifts(session) == []


def test_the_reference_in_the_text_does_too_when_nothing_else_fits(session: Session, lumen, fin) -> None:
    lot = asked(session, lumen)
    said = wires.written(lot.reference or "")
    bank_says(session, fin, Entry(5_000_00, text=f"your ref. {said.lower()} thank you"))
    session.refresh(lot)
    assert lot.state is FundingState.PAID
    (match,) = session.scalars(sa.select(StatementMatch))
    assert (match.pass_number, match.reasons) == (7, ["reference_in_text", "amount"])


def test_a_longer_number_is_another_request(session: Session, lumen, fin) -> None:
    lot = asked(session, lumen)
    bank_says(session, fin, Entry(5_000_00, text=f"ref {lot.reference}7"))
    session.refresh(lot)
    assert lot.state is FundingState.OPEN
    assert arriving.is_unapplied(session, the_line(session))


@pytest.mark.parametrize("amount", [4_999_99, 5_000_01, 1])
def test_another_amount_is_kept_until_a_person_applies_it(session: Session, lumen, fin, amount) -> None:
    lot = asked(session, lumen)
    bank_says(session, fin, wire(lot, amount))
    line = the_line(session)
    assert line.state is LineState.MATCHED
    assert arriving.unapplied(session) == [line]
    assert (free(session, lumen[1]), ledger.balance(session, chart.bank_client(), "USD")) == (0, amount)
    assert arriving.suggested(session, line) == lot

    paid = arriving.apply(session, fin, line.public_id, lot.reference or "")
    assert (paid.public_id, paid.state, paid.net) == (lot.public_id, FundingState.PAID, amount)
    assert free(session, lumen[1]) == amount
    assert ("less than" if amount < 5_000_00 else "more than") in wires.difference(paid)
    assert arriving.unapplied(session) == []
    with pytest.raises(Refused, match="not unapplied"):
        arriving.apply(session, fin, line.public_id, lot.reference or "")
    assert drifts(session) == []


def test_a_second_wire_under_the_same_reference_becomes_a_request_of_its_own(
    session: Session, lumen, fin
) -> None:
    lot = asked(session, lumen)
    bank_says(session, fin, wire(lot))
    bank_says(session, fin, wire(lot, 300_00, text="AGAIN"), opening=5_000_00, on=MONDAY + timedelta(days=3))
    (line,) = arriving.unapplied(session)
    other = arriving.apply(session, fin, line.public_id, lot.reference or "")
    assert other.public_id != lot.public_id
    assert (other.net, other.project_id) == (300_00, lot.project_id)
    assert free(session, lumen[1]) == 5_300_00
    assert drifts(session) == []


def test_a_small_one_does_too_and_its_request_ends_when_that_was_wrong(session: Session, lumen, fin) -> None:
    lot = asked(session, lumen)
    bank_says(session, fin, wire(lot))
    bank_says(session, fin, wire(lot, 9, text="AGAIN"), opening=5_000_00, on=MONDAY + timedelta(days=3))
    (line,) = arriving.unapplied(session)
    other = arriving.apply(session, fin, line.public_id, lot.reference or "")
    applied = session.scalars(sa.select(StatementMatch).filter_by(leg="applied")).one()
    matches.undo_match(session, fin, applied.public_id, "another client's")
    session.refresh(other)
    session.refresh(lot)
    assert (other.state, lot.state) == (FundingState.EXPIRED, FundingState.PAID)
    assert arriving.unapplied(session) == [line]
    third = arriving.apply(session, fin, line.public_id, other.reference or "")
    assert (third.state, third.net, third == other) == (FundingState.PAID, 9, False)
    assert drifts(session) == []


@pytest.mark.parametrize(("given", "said"), [("", "{a} {b}"), ("{a}", "re {b}"), ("{a}", "{b}")])
def test_a_line_that_names_another_request_too_is_kept(session: Session, lumen, fin, given, said) -> None:
    a, b = asked(session, lumen, 6_000_00), asked(session, lumen)
    given, said = (each.format(a=a.reference, b=b.reference) for each in (given, said))
    bank_says(session, fin, Entry(5_000_00, text=said, creditor_ref=given))
    session.refresh(b)
    assert b.state is FundingState.OPEN
    (line,) = arriving.unapplied(session)
    assert arriving.suggested(session, line) == (a if given else None)


@given(
    st.integers(1, 10**9),
    st.sampled_from(["", " ", "-", ". "]),
    st.sampled_from(["", " 2026-11-02", ", MERCI"]),
)
def test_a_reference_is_read_out_of_a_text(number: int, between: str, after: str) -> None:
    reference = wires.reference_of(number)
    assert reference in wires.references_in(f"invoice 12 {between.join(reference)}{after}".lower())
    assert wires.references_in(f"X{reference}") | wires.references_in(f"{reference}X") == set()


def test_two_wires_for_one_request_are_both_kept(session: Session, lumen, fin) -> None:
    lot = asked(session, lumen)
    bank_says(session, fin, wire(lot, text="A"), wire(lot, text="B"))
    session.refresh(lot)
    assert lot.state is FundingState.OPEN
    assert len(arriving.unapplied(session)) == 2


def test_the_operators_own_account_credits_nobody(session: Session, lumen, fin) -> None:
    lot = asked(session, lumen)
    data = document(Statement(MONDAY, 0, [wire(lot)]))
    statements.import_statement(session, fin, "own.xml", data)
    passes.run(session)
    session.refresh(lot)
    assert lot.state is FundingState.OPEN
    assert the_line(session).state is LineState.IMPORTED


def test_undone_it_is_open_again_and_the_same_two_are_not_joined_again(session: Session, lumen, fin) -> None:
    lot = asked(session, lumen)
    bank_says(session, fin, wire(lot))
    (match,) = session.scalars(sa.select(StatementMatch))
    matches.undo_match(session, fin, match.public_id, "It was Vega's")
    session.refresh(lot)
    assert (lot.state, lot.net, free(session, lumen[1])) == (FundingState.OPEN, None, 0)
    passes.run(session)
    session.refresh(lot)
    assert lot.state is FundingState.OPEN
    line = the_line(session)
    assert arriving.is_unapplied(session, line)
    assert drifts(session) == []
    arriving.apply(session, fin, line.public_id, lot.reference or "")
    session.refresh(lot)
    assert lot.state is FundingState.PAID
    assert drifts(session) == []


def test_what_was_applied_is_taken_from_there_before_its_line_is_undone(session: Session, lumen, fin) -> None:
    lot = asked(session, lumen)
    bank_says(session, fin, wire(lot, 100_00))
    line = the_line(session)
    arriving.apply(session, fin, line.public_id, lot.reference or "")
    applied = session.scalars(sa.select(StatementMatch).filter_by(leg="applied")).one()
    kept = session.scalars(sa.select(StatementMatch).filter_by(leg="bank")).one()
    with pytest.raises(Refused, match="applied to a request"):
        matches.undo_match(session, fin, kept.public_id, "no")
    matches.undo_match(session, fin, applied.public_id, "another client's")
    assert arriving.unapplied(session) == [line]
    matches.undo_match(session, fin, kept.public_id, "our own")
    passes.run(session)
    session.refresh(line)
    assert (line.state, arriving.unapplied(session)) == (LineState.IMPORTED, [])
    with pytest.raises(Refused, match="never the operator"):
        booking.book_line(session, fin, line.public_id, booking.BookAs.CAPITAL, "Moved by us")
    arriving.keep(session, fin, line.public_id)
    assert arriving.unapplied(session) == [line]
    assert ledger.balance(session, chart.bank_client(), "USD") == 100_00
    assert drifts(session) == []


def test_money_that_is_spent_stays_matched(session: Session, lumen, fin) -> None:
    lot = asked(session, lumen)
    bank_says(session, fin, wire(lot))
    project = chart.project_funds(lumen[1])
    ledger.post(
        session, SITE, source="reservation:x", event="reserved", currency="USD", occurred_at=clock.now(),
        lines=[(project, 1), (chart.project_reserved(lumen[1]), -1)], memo="",
    )  # fmt: skip
    session.commit()
    (match,) = session.scalars(sa.select(StatementMatch))
    with pytest.raises(Refused, match="holds"):
        matches.undo_match(session, fin, match.public_id, "wrong")


def test_only_finance_applies_and_only_to_a_request_of_ours(session: Session, lumen, fin) -> None:
    lot = asked(session, lumen)
    bank_says(session, fin, wire(lot, 1_00))
    line = the_line(session)
    with pytest.raises(NotAllowed):
        arriving.apply(session, lumen[0], line.public_id, lot.reference or "")
    for wrong in (wires.reference_of(999_999), "RF00FR1", ""):
        with pytest.raises(Invalid, match="No request"):
            arriving.apply(session, fin, line.public_id, wrong)


def test_what_was_paid_out_by_hand_is_matched_with_its_line(session: Session, lumen, fin) -> None:
    lot = asked(session, lumen)
    bank_says(session, fin, wire(lot))
    entry = ledger.post(
        session, SITE, source="refund:x", event="paid_out", currency="USD", occurred_at=NOON, memo="Back",
        lines=[(chart.project_funds(lumen[1]), 200_00), (chart.bank_client(), -200_00)],
    )  # fmt: skip
    session.commit()
    passes.run(session)
    assert drifts(session) == []
    assert Kind.TIMING in session.scalars(sa.select(OpenItem.kind).filter_by(state=ItemState.OPEN)).all()
    back = Entry(-200_00, text="BACK")
    bank_says(session, fin, back, opening=5_000_00, on=MONDAY + timedelta(days=3))
    line = session.scalars(sa.select(StatementLine).filter_by(text="BACK")).one()
    match = matches.match_entry(session, fin, line.public_id, entry.public_id)
    assert (drifts(session), match.state) == ([], MatchState.CONFIRMED)
    assert session.scalars(sa.select(OpenItem.kind).filter_by(state=ItemState.OPEN)).all() == []
    matches.undo_match(session, fin, match.public_id, "another")
    assert ledger.balance(session, chart.bank_client(), "USD") == 4_800_00


def test_a_wires_unused_money_goes_back_by_hand(session: Session, lumen, fin) -> None:
    lot = asked(session, lumen)
    bank_says(session, fin, wire(lot))
    session.refresh(lot)
    (part,) = planning.plan(session, lot.project, planning.unprepared(session, lot.project))
    assert (part.lot, part.lot.charge if part.lot else "?") == (lot, None)


@pytest.mark.parametrize("undone", [False, True])
def test_whose_money_an_account_holds_stays_once_it_was_booked(session: Session, lumen, fin, undone) -> None:
    bank_says(session, fin, Entry(1_00, text="?"))
    account = session.scalars(sa.select(BankAccount)).one()
    assert account.client_money
    if undone:
        (match,) = session.scalars(sa.select(StatementMatch))
        matches.undo_match(session, fin, match.public_id, "wrong")
    with pytest.raises(Refused, match="booked already"):
        bank_accounts.hold_client_money(session, fin, account.public_id, clients=False)
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(sa.update(BankAccount).values(client_money=False))


def test_an_opening_that_was_booked_keeps_it_too(session: Session, fin, monkeypatch) -> None:
    bank_says(session, fin, opening=9_000_00)
    account = session.scalars(sa.select(BankAccount)).one()
    with pytest.raises(Refused, match="told to wire"):
        bank_accounts.hold_client_money(session, fin, account.public_id, clients=False)
    booking.book_opening(session, fin, account.public_id)
    booking.take_opening_back(session, fin, account.public_id, "wrong")
    monkeypatch.setattr(wires, "current", settings.current)
    with pytest.raises(Refused, match="booked already"):
        bank_accounts.hold_client_money(session, fin, account.public_id, clients=False)
    with pytest.raises(FreshFactorNeeded):
        bank_accounts.hold_client_money(
            session, replace(fin, second_factor_at=None), account.public_id, clients=False
        )


def test_a_refund_that_is_prepared_meanwhile_keeps_its_wire_matched(
    session: Session, lumen, fin, monkeypatch
) -> None:
    lot = asked(session, lumen)
    bank_says(session, fin, wire(lot))
    (match,) = session.scalars(sa.select(StatementMatch))
    real = ledger.require_cover

    def waited(session: Session, *needs: typing.Any) -> None:
        """What somebody else committed while the lock of the funds was waited for."""
        session.add(a_refund(lot, lumen[0]))
        session.flush()
        real(session, *needs)

    monkeypatch.setattr(ledger, "require_cover", waited)
    with pytest.raises(Refused, match="goes back to the client"):
        matches.undo_match(session, fin, match.public_id, "wrong")


def test_a_refund_is_not_released_once_its_wire_is_undone(session: Session, lumen, fin) -> None:
    lot, other = asked(session, lumen), asked(session, lumen, 7_000_00)
    bank_says(session, fin, wire(lot), wire(other))
    refund = a_refund(lot, lumen[0])
    session.add(refund)
    session.flush()
    lot.state, lot.paid_at, lot.net, lot.fee, lot.paid_from = FundingState.OPEN, None, None, None, None
    session.commit()
    gil = an_actor(session, a_person(session, "Gil", Role.FINANCE_RELEASER))
    with pytest.raises(Refused, match="not paid any more"):
        releasing.release_refund(session, gil, refund.public_id)


def a_refund(lot: Funding, client: Actor) -> Refund:
    return Refund(
        project=lot.project, funding=lot, amount=lot.amount, currency="USD", asked_by=client.id,
        prepared_at=clock.now(),
    )  # fmt: skip


def test_a_clients_wire_is_no_sweep(session: Session, fin) -> None:
    sweep = a_sweep(session, finance(session), 700_00)
    bank_says(session, fin, Entry(700_00, text="?"))
    (match,) = session.scalars(sa.select(StatementMatch))
    matches.undo_match(session, fin, match.public_id, "wrong")
    with pytest.raises(Refused, match="operator’s own"):
        matches.match_by_hand(session, fin, the_line(session).public_id, sweep.public_id)


def test_the_database_keeps_reference_and_rail(session: Session, lumen) -> None:
    lot = asked(session, lumen)
    for change in ({"reference": "RF1"}, {"rail": Rail.CARD}, {"charge": "ch_1"}):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(sa.update(Funding).where(Funding.id == lot.id).values(**change))


def test_the_proofs_see_a_wire_that_no_line_brought(session: Session, lumen) -> None:
    lot = asked(session, lumen)
    lot.state, lot.net, lot.fee, lot.paid_at = FundingState.PAID, 1, 0, clock.now()
    session.flush()
    assert f"wire {lot.reference}" in drifts(session)
    held = chart.unapplied("statement_line:00000000-0000-0000-0000-000000000000")
    ledger.post(
        session, SITE, source="x:1", event="y", currency="USD", occurred_at=NOON, memo="",
        lines=[(held, 5), (chart.bank_client(), -5)],
    )  # fmt: skip
    assert f"2030 {held.key}" in drifts(session)


def test_the_client_is_told_where_to_send_it_and_finance_places_it(
    app: Flask, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, carla, fin = cast.session, cast.visitor(app, cast.carla), cast.visitor(app, cast.fin)
    project = a_project(session, cast.carla, cast.lumen.public_id)
    path = f"/projects/{project.public_id}/funding"
    assert "Wire to our own account" in words(carla.get(path))
    said = words(carla.post(path, amount="5,000", rail="wire"))
    lot = session.scalars(sa.select(Funding).filter_by(rail=Rail.WIRE)).one()
    for told in (wires.written(lot.reference or ""), CLIENTS.number, CLIENTS.code, CLIENTS.holder):
        assert told in said

    data = document(Statement(MONDAY, 0, [wire(lot, 4_990_00)], account=CLIENTS.number))
    fin.get("/reconciliation/import")
    fin.post("/reconciliation/import", file=(io.BytesIO(data), "bank.xml"))
    assert "$4,990.00" in words(fin.get("/reconciliation/unapplied"))
    line = the_line(session)
    page = words(fin.get(f"/reconciliation/lines/{line.public_id}"))
    assert "asks for $5,000.00" in page
    wrong = words(fin.post(f"/reconciliation/lines/{line.public_id}/application", reference="RF00X"))
    assert "No request has this reference" in wrong
    done = words(fin.post(f"/reconciliation/lines/{line.public_id}/application", reference=lot.reference))
    assert "$10.00 less than the $5,000.00" in done
    assert "$10.00 less than" in words(carla.get(f"/fundings/{lot.public_id}"))
    assert "Clients’ money, account 1020" in words(
        fin.get(f"/reconciliation/bank-accounts/{session.scalars(sa.select(BankAccount)).one().public_id}")
    )
    assert "account 1020" in words(fin.get("/reconciliation/"))
