"""An expert's statements: opening, what came in and went out, and closing tie to the ledger, to the cent."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader
from sqlalchemy.orm import Session

from marketplace import clock, ledger, pdf
from marketplace.accounts.models import Person
from marketplace.actor import SITE
from marketplace.contracts import rolling
from marketplace.contracts.disputes import turns
from marketplace.contracts.periods import Period, month_of, period_of
from marketplace.errors import NotFound
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.payments import payouts, sending
from marketplace.payments.gateway import Gateway
from marketplace.payments.statements import documents
from marketplace.payments.statements.building import Section, statement
from marketplace.payments.statements.movements import months
from tests.demo.stripe_server.harness import Handle
from tests.factories.accounts import a_person, enter
from tests.factories.contracts import MONDAY, Deal, a_deal, person_of
from tests.factories.disputes import WEDNESDAY, a_week_of_lines, questioned
from tests.factories.gigs import an_expert
from tests.factories.payments import a_paid_deal, a_released_batch, an_approved_week
from tests.visitor import Visitor, words

NEW_YORK = ZoneInfo("America/New_York")
JUNE = Period(2026, 6, NEW_YORK)
FRIDAY = MONDAY + timedelta(days=4)
LATER = datetime(2026, 9, 1, tzinfo=UTC)


def usd(amount: int) -> Money:
    return Money(amount, "USD")


def section(session: Session, person: Person, period: Period = JUNE) -> Section:
    with clock.at(max(clock.now(), LATER)):
        [found] = statement(session, person, period).sections
    return found


def table(section_of: Section) -> list[tuple[str, int]]:
    return [(line.what, line.amount.amount) for line in section_of.lines]


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


def test_pay_that_was_approved_is_added_line_by_line(session: Session, deal: Deal) -> None:
    an_approved_week(session, deal, MONDAY, 90)
    found = section(session, person_of(session, deal.expert))
    assert (found.opening, found.added, found.taken, found.closing) == (
        usd(0), usd(225_00), usd(0), usd(225_00),
    )  # fmt: skip
    [line] = found.lines
    assert (line.client, line.minutes, line.rate, line.amount) == (
        deal.project.organization_id and deal.contract.organization.name, 90, usd(150_00), usd(225_00),
    )  # fmt: skip
    assert (line.worked_on, line.on) == (MONDAY.date(), (MONDAY + timedelta(days=2)).date())


def test_what_a_statement_closes_with_the_next_one_opens_with(session: Session, deal: Deal) -> None:
    for weeks in range(6):
        start = MONDAY + timedelta(weeks=weeks)
        with clock.at(start):
            rolling.roll_weeks(session)
        an_approved_week(session, deal, start, 60)
    person = person_of(session, deal.expert)
    june, july = section(session, person), section(session, person, Period(2026, 7, NEW_YORK))
    assert june.closing == july.opening
    year = section(session, person, Period(2026, None, NEW_YORK))
    assert (year.opening, year.closing) == (usd(0), usd(6 * 150_00))
    assert year.added == june.added + july.added
    assert len(year.lines) == 6


def test_questioned_lines_stand_apart_until_somebody_says_what_they_pay(session: Session, deal: Deal) -> None:
    sheet = a_week_of_lines(session, deal)
    first, second = questioned(session, deal, sheet, 2, 7, offered=10)
    person = person_of(session, deal.expert)
    found = section(session, person)
    assert found.closing == usd(8 * 75_00)
    assert [(each.minutes, each.pay, each.waits) for each in found.apart] == [(30, usd(75_00), True)] * 2
    with clock.at(WEDNESDAY + timedelta(days=1)):
        turns.agree(session, deal.expert, first.public_id, 10)
    with clock.at(datetime(2026, 7, 2, tzinfo=UTC)):
        turns.agree(session, deal.client, second.public_id, 30)
    june, july = section(session, person), section(session, person, Period(2026, 7, NEW_YORK))
    assert ("Approved after a question", 25_00) in table(june)
    # Twenty of the first are not paid in the end; the second still waited when June was over.
    assert [(e.minutes, e.pay, e.waits) for e in june.apart] == [
        (20, usd(50_00), False), (30, usd(75_00), True),
    ]  # fmt: skip
    assert table(july) == [("Approved after a question", 75_00)]
    assert not july.apart


def test_what_was_paid_out_names_its_deposit(session: Session, gateway: Gateway, stripe: Handle) -> None:
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
    an_approved_week(session, deal, MONDAY)
    person = person_of(session, deal.expert)
    with clock.at(FRIDAY):
        batch = a_released_batch(session)
        assert table(section(session, person)) == [("Approved", 150_00)]
        sending.send_batch(session, gateway, batch.public_id)
    assert section(session, person).lines[-1].reference == "No deposit yet"
    stripe.settle()
    with clock.at(FRIDAY + timedelta(days=5)):
        payouts.track_payouts(session, gateway)
    found = section(session, person)
    assert table(found) == [("Approved", 150_00), ("Paid out", -150_00)]
    assert found.closing == usd(0)
    assert "Jun 2026, " in found.lines[-1].reference
    printed = PdfReader(io.BytesIO(pdf.render(documents.document(statement(session, person, JUNE)))))
    text = " ".join("".join(page.extract_text() for page in printed.pages).split())
    assert "Statement for June 2026" in text
    assert "Owed to you at the end $0.00" in text
    assert "1 h 00 min $150.00 $150.00" in text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["came", "released", "sent", "refused", "back"]),
            st.integers(1, 10**7),
            st.integers(0, 150 * 24 * 60),
            st.sampled_from(["USD", "EUR"]),
        ),
        max_size=25,
    ),
    st.sampled_from(["America/New_York", "Asia/Kathmandu", "Pacific/Auckland", "UTC"]),
)
def test_every_history_ties_to_the_ledger(
    session: Session, history: list[tuple[str, int, int, str]], zone: str
) -> None:
    person = a_person(session, "Ana Silva", time_zone=zone)
    owed, flying = chart.expert_payable(person.public_id), chart.expert_in_flight(person.public_id)
    lines = {
        "came": [(chart.owner_capital(), 1), (owed, -1)],
        "back": [(owed, 1), (chart.owner_capital(), -1)],
        "released": [(owed, 1), (flying, -1)],
        "refused": [(flying, 1), (owed, -1)],
        "sent": [(flying, 1), (chart.stripe_balance(), -1)],
    }
    begin = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for event, amount, minutes, currency in history:
        ledger.post(
            session, SITE, source=f"by_hand:{uuid.uuid4()}", event=event, currency=currency,
            lines=[(account, sign * amount) for account, sign in lines[event]],
            occurred_at=begin + timedelta(minutes=minutes), memo="By hand",
        )  # fmt: skip
    with clock.at(datetime(2026, 12, 31, tzinfo=UTC)):
        opening: dict[str, Money] = {}
        for month in range(1, 8):
            try:
                sections = statement(session, person, Period(2026, month, ZoneInfo(zone))).sections
            except NotFound:
                continue
            for each in sections:
                assert each.opening == opening.get(each.currency, Money(0, each.currency))
                total = sum(line.amount.amount for line in each.lines)
                assert each.closing.amount == each.opening.amount + total
                assert each.closing == each.opening + each.added - each.taken
                opening[each.currency] = each.closing
    for currency, closing in opening.items():
        held = ledger.balances(session, [owed, flying], currency)
        assert closing.amount == -sum(held.values())
    newest = {each.closing.currency: each for each in reversed(months(session, person.public_id, zone))}
    assert {currency: each.closing for currency, each in newest.items()} == {
        currency: closing
        for currency, closing in opening.items()
        if any(event in ("came", "back", "sent") and c == currency for event, _a, _m, c in history)
    }


def test_a_month_begins_at_midnight_of_the_expert(session: Session) -> None:
    person = a_person(session, "Kiran Rai", time_zone="Asia/Kathmandu")
    kathmandu = ZoneInfo("Asia/Kathmandu")
    for n, moment in enumerate(
        (datetime(2026, 5, 31, 18, 14, tzinfo=UTC), datetime(2026, 5, 31, 18, 15, tzinfo=UTC))
    ):
        ledger.post(
            session, SITE, source=f"by_hand:{n}", event="came", currency="USD", occurred_at=moment, memo="x",
            lines=[(chart.owner_capital(), 1 + n), (chart.expert_payable(person.public_id), -1 - n)],
        )  # fmt: skip
    assert section(session, person, Period(2026, 5, kathmandu)).added == usd(1)
    assert section(session, person, Period(2026, 6, kathmandu)).added == usd(2)


@pytest.mark.parametrize("key", ["2026-13", "2026-0", "26-01", "2026-06-01", "x", "2026-12", "2027"])
def test_no_such_month(key: str) -> None:
    with clock.at(datetime(2026, 11, 30, tzinfo=UTC)), pytest.raises(NotFound):
        period_of(key, NEW_YORK)


def test_the_months_are_listed_and_their_files_are_only_mine(
    session: Session, app: Flask, deal: Deal
) -> None:
    an_approved_week(session, deal, MONDAY)
    ana = Visitor(enter(app.test_client(), session, deal.expert))
    listed = words(ana.get("/pay/statements"))
    assert "June 2026 $150.00 $0.00 $150.00" in listed
    assert "midnight, New York time" in listed
    answer = ana.client.get("/pay/statements/2026-06/pdf")
    assert (answer.content_type, answer.data[:5]) == ("application/pdf", b"%PDF-")
    assert ana.client.get("/pay/statements/2026/pdf").status_code == 200
    assert ana.get("/pay/statements/2026-05/csv").status_code == 404
    ben = Visitor(enter(app.test_client(), session, an_expert(session, "Ben Other")))
    assert "No statements yet" in words(ben.get("/pay/statements"))
    assert ben.get("/pay/statements/2026-06/csv").status_code == 404
    assert ben.get("/pay/statements/2026-06/pdf").status_code == 404
    client = Visitor(enter(app.test_client(), session, deal.client))
    assert client.get("/pay/statements").status_code == 404


def test_the_table_for_spreadsheets_adds_up_and_holds_no_formula(
    session: Session, app: Flask, deal: Deal
) -> None:
    an_approved_week(session, deal, MONDAY, 90)
    deal.gig.title = '=HYPERLINK("http://evil")'
    session.commit()
    answer = Visitor(enter(app.test_client(), session, deal.expert)).get("/pay/statements/2026-06/csv")
    head, *rows = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert all(len(row) == len(head) for row in rows)
    assert [row[1] for row in rows] == ["Opening balance", "Approved", "Closing balance"]
    line = dict(zip(head, rows[1], strict=True))
    assert line["Gig"] == '\'=HYPERLINK("http://evil")'
    assert (line["Added"], line["Minutes"], line["Worked on"]) == ("225.00", "90", "2026-06-01")
    assert rows[-1][head.index("Owed after it")] == "225.00"


def test_the_month_of_a_day() -> None:
    assert month_of(MONDAY.date(), NEW_YORK) == JUNE
    assert (JUNE.key, JUNE.label, str(JUNE.last_day)) == ("2026-06", "June 2026", "2026-06-30")
