"""New rates: an hour keeps what it was worth, a lower rate needs a signature, a raise has money behind it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import Actor, Role
from marketplace.audit.models import AuditEvent
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.ending import end_contract
from marketplace.contracts.entries import Work, add_entry
from marketplace.contracts.lines import lines_of
from marketplace.contracts.models import ContractRate, Reservation, Timesheet
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.rates.answering import accept_rate, decline_rate, expire_rates
from marketplace.contracts.rates.models import RateProposal
from marketplace.contracts.rates.proposing import RateDraft, look, propose_rate, withdraw_rate
from marketplace.contracts.rates.queries import history, stands
from marketplace.contracts.rolling import roll_weeks
from marketplace.contracts.states import OfferState, Source, TimeKind
from marketplace.contracts.timer import start_timer, stop_timer
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.contracts.weeks import split
from marketplace.errors import DomainError, Invalid, NotAllowed, NotFound, Refused
from marketplace.gigs.models import ExpertProfile
from marketplace.ledger import chart
from marketplace.notifications.models import Notification
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import MONDAY, RATE, Deal, a_deal, a_submitted_week, an_entry, work
from tests.factories.gigs import a_client, an_expert
from tests.visitor import Visitor, words

ZONE = "America/New_York"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TUESDAY, WEDNESDAY = MONDAY + DAY, MONDAY + 2 * DAY
# Thursday of the first week, and the Monday after it, as days and as the moments at which they begin.
THURSDAY, NEXT_MONDAY = date(2026, 6, 4), date(2026, 6, 8)
MIDNIGHT = clock.midnight(THURSDAY, ZONE)
LOWER, HIGHER = RATE - 10_00, RATE + 20_00


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def propose(session: Session, deal: Deal, rate: int, day: date = THURSDAY, why: str = "") -> RateProposal:
    return propose_rate(session, deal.client, deal.contract.public_id, RateDraft(rate, day, why))


def signed(session: Session, deal: Deal, rate: int, day: date = THURSDAY) -> RateProposal:
    return accept_rate(session, deal.expert, propose(session, deal, rate, day).public_id, deal.expert.name)


def told(session: Session, actor: Actor) -> list[str]:
    kinds = sa.select(Notification.kind).filter_by(person_id=actor.id).order_by(Notification.id)
    return [kind for kind in session.scalars(kinds) if kind.startswith("rate.")]


def held(session: Session, deal: Deal) -> list[int]:
    query = sa.select(Reservation.amount).filter_by(contract_id=deal.contract.id)
    return list(session.scalars(query.order_by(Reservation.week_start_at)))


def values(session: Session, deal: Deal) -> list[tuple[int, int, int, int]]:
    """Each line that was ever worked: minutes, rate, pay and fee."""
    session.expire_all()
    weeks = sa.select(Timesheet).filter_by(contract_id=deal.contract.id).order_by(Timesheet.week_start_at)
    lines = [line for sheet in session.scalars(weeks) for line in lines_of(sheet)]
    return [(line.minutes, line.rate, line.pay, line.fee) for line in lines]


def test_a_lower_rate_works(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        proposal = propose(session, deal, LOWER, why="The second phase is simpler.")
        assert proposal.state is OfferState.MADE
        assert proposal.expires_at == MIDNIGHT == proposal.from_at
        assert deal.contract.rate_at(MIDNIGHT) == RATE
        accept_rate(session, deal.expert, proposal.public_id, "ana  expert")
    assert proposal.state is OfferState.ACCEPTED
    assert proposal.signed_name == deal.expert.name
    assert [each.rate for each in deal.contract.rates] == [RATE, LOWER]
    assert (deal.contract.rate_at(MIDNIGHT - HOUR), deal.contract.rate_at(MIDNIGHT)) == (RATE, LOWER)
    assert told(session, deal.expert) == ["rate.proposed"]
    assert told(session, deal.client) == ["rate.accepted"]
    acts = session.scalars(sa.select(AuditEvent.verb).where(AuditEvent.verb.startswith("rate.")))
    assert sorted(acts) == ["rate.accepted", "rate.agreed", "rate.proposed"]
    no_drift(session)


def test_the_expert_reads_the_difference(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        outlook = look(session, deal.client, deal.contract.public_id, RateDraft(LOWER, THURSDAY))
        propose(session, deal, LOWER)
    assert outlook.difference.said() == (
        "From $150.00 to $140.00: $10.00 less an hour, about $100.00 less a week of 10 hours."
    )
    [body] = session.scalars(sa.select(Notification.body).filter_by(kind="rate.proposed"))
    assert outlook.difference.said() in body
    assert "Nothing changes unless you sign it." in body


def test_nothing_is_lower_without_the_experts_own_name(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        proposal = propose(session, deal, LOWER)
        with pytest.raises(Invalid, match="Type your name"):
            accept_rate(session, deal.expert, proposal.public_id, "Somebody Else")
        for other in (deal.client, deal.approver):
            with pytest.raises(NotAllowed):
                accept_rate(session, other, proposal.public_id, deal.expert.name)
    assert [each.rate for each in deal.contract.rates] == [RATE]


def test_a_no_changes_nothing(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        proposal = propose(session, deal, LOWER)
        decline_rate(session, deal.expert, proposal.public_id)
        assert proposal.state is OfferState.DECLINED
        with pytest.raises(Refused):
            accept_rate(session, deal.expert, proposal.public_id, deal.expert.name)
        assert told(session, deal.client) == ["rate.declined"]
        # And the client may ask again.
        propose(session, deal, LOWER)
    assert [each.rate for each in deal.contract.rates] == [RATE]
    assert deal.contract.state == "active"


def test_no_answer_is_a_no(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        proposal = propose(session, deal, LOWER)
    with clock.at(MIDNIGHT - HOUR):
        assert expire_rates(session) == 0
    with clock.at(MIDNIGHT):
        assert stands(proposal) is OfferState.EXPIRED
        with pytest.raises(Refused, match="time for an answer is over"):
            accept_rate(session, deal.expert, proposal.public_id, deal.expert.name)
        assert expire_rates(session) == 1
        assert expire_rates(session) == 0
    assert proposal.state is OfferState.EXPIRED
    assert told(session, deal.expert) == ["rate.proposed", "rate.expired"]
    assert told(session, deal.client) == ["rate.expired"]
    assert deal.contract.rate_at(MIDNIGHT) == RATE


def test_a_proposal_is_open_for_a_week_at_most(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        proposal = propose(session, deal, LOWER, date(2026, 7, 6))
    assert proposal.expires_at == TUESDAY + 7 * DAY


def test_one_that_ran_out_is_in_nobodys_way(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        propose(session, deal, LOWER)
    with clock.at(MIDNIGHT + HOUR):
        assert history(session, deal.contract).waiting is None
        again = propose(session, deal, LOWER, NEXT_MONDAY)
    assert again.state is OfferState.MADE


def test_a_client_takes_it_back(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        proposal = propose(session, deal, LOWER)
        with pytest.raises(NotAllowed):
            withdraw_rate(session, deal.approver, proposal.public_id)
        withdraw_rate(session, deal.client, proposal.public_id)
        assert told(session, deal.expert) == ["rate.proposed", "rate.withdrawn"]
        with pytest.raises(Refused):
            accept_rate(session, deal.expert, proposal.public_id, deal.expert.name)


def test_one_waits_at_a_time(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        propose(session, deal, LOWER)
        with pytest.raises(Refused, match="waits for the expert's answer already"):
            propose(session, deal, HIGHER)


@pytest.mark.parametrize(
    ("rate", "day", "why"),
    [
        (LOWER, date(2026, 6, 2), "Wed 3 Jun 2026 at the earliest"),
        (HIGHER, date(2026, 5, 1), "Wed 3 Jun 2026 at the earliest"),
        (HIGHER, date(2027, 6, 2), "Choose a day up to"),
        (RATE, THURSDAY, "the rate already"),
        (99_99, THURSDAY, r"advertises \$100.00"),
    ],
)
def test_what_cannot_be_proposed(session: Session, deal: Deal, rate: int, day: date, why: str) -> None:
    with clock.at(TUESDAY), pytest.raises(Invalid, match=why):
        propose(session, deal, rate, day)


def test_the_first_day_is_one_of_the_contracts_zone(session: Session, deal: Deal) -> None:
    """It is Wednesday in Greenwich, and still Tuesday evening in New York: Wednesday has not begun."""
    with clock.at(TUESDAY + 9 * HOUR):
        assert propose(session, deal, HIGHER, date(2026, 6, 3)).state is OfferState.ACCEPTED


def test_only_who_administers_the_client_proposes(session: Session, deal: Deal) -> None:
    other, _organization = a_client(session)
    zed = an_actor(session, a_person(session, "Zed Zeller", Role.EXPERT))
    with clock.at(TUESDAY):
        proposal = propose(session, deal, LOWER).public_id
        for actor, refusal in (
            (deal.approver, NotAllowed), (deal.expert, NotAllowed), (other, NotFound), (zed, NotFound)
        ):  # fmt: skip
            with pytest.raises(refusal):
                propose_rate(session, actor, deal.contract.public_id, RateDraft(HIGHER, THURSDAY))
        for stranger in (other, zed):
            tries: list[Callable[[], object]] = [
                lambda who=stranger: accept_rate(session, who, proposal, "Zed Zeller"),
                lambda who=stranger: decline_rate(session, who, proposal),
                lambda who=stranger: withdraw_rate(session, who, proposal),
            ]
            for attempt in tries:
                with pytest.raises(NotFound):
                    attempt()


def test_a_raise_is_agreed_at_once_with_money_behind_it(session: Session, deal: Deal) -> None:
    assert held(session, deal) == [1_800_00, 1_800_00]
    with clock.at(TUESDAY):
        outlook = look(session, deal.client, deal.contract.public_id, RateDraft(HIGHER, THURSDAY))
        assert str(outlook.needed) == "$480.00"
        proposal = propose(session, deal, HIGHER)
    assert (proposal.state, proposal.signed_name) == (OfferState.ACCEPTED, None)
    assert held(session, deal) == [2_040_00, 2_040_00]
    assert told(session, deal.expert) == ["rate.raised"]
    week = f"reservation:{deal.contract.public_id}:2026-06-01"
    assert [
        (entry.event, [(p.account.code, p.amount) for p in entry.postings])
        for entry in ledger.entries_for(session, week)
    ] == [
        ("reserved", [("2010", 1_800_00), ("2020", -1_800_00)]),
        ("raised 2026-06-04", [("2010", 240_00), ("2020", -240_00)]),
    ]
    no_drift(session)


def test_only_weeks_that_it_touches_are_topped_up(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        propose(session, deal, HIGHER, NEXT_MONDAY)
    assert held(session, deal) == [1_800_00, 2_040_00]
    with clock.at(MONDAY + 7 * DAY):
        roll_weeks(session)
    assert held(session, deal) == [1_800_00, 2_040_00, 2_040_00]
    no_drift(session)


def test_a_week_reserved_after_a_raise_was_agreed_has_its_rate(session: Session, deal: Deal) -> None:
    """From the Wednesday of a week that is not reserved yet."""
    with clock.at(TUESDAY):
        propose(session, deal, HIGHER, date(2026, 6, 17))
    assert held(session, deal) == [1_800_00, 1_800_00]
    with clock.at(MONDAY + 7 * DAY):
        roll_weeks(session)
    assert held(session, deal)[2:] == [2_040_00]


def test_a_raise_without_money_is_refused_with_what_is_missing(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session, funds=3_700_00)
    with clock.at(TUESDAY):
        with pytest.raises(Refused, match=r"has \$100.00 free; .* need \$480.00 more"):
            propose(session, deal, HIGHER)
        assert session.scalars(sa.select(RateProposal)).all() == []
    assert [each.rate for each in deal.contract.rates] == [RATE]
    assert held(session, deal) == [1_800_00, 1_800_00]
    no_drift(session)


def test_a_lower_rate_leaves_the_surplus_until_the_week_closes(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        signed(session, deal, LOWER)
    assert held(session, deal) == [1_800_00, 1_800_00]
    with clock.at(clock.midnight(date(2026, 6, 6), ZONE)):
        sheet = a_submitted_week(session, deal, MIDNIGHT + 12 * HOUR, 600)
        approval = approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    assert (approval.expert_amount, approval.fee_amount) == (1_400_00, 280_00)
    reserved = chart.project_reserved(deal.project.public_id)
    assert ledger.balance(session, reserved, "USD") == -1_800_00
    no_drift(session)


def test_f54_a_rate_changed_mid_week_leaves_what_was_worked_and_what_was_approved(
    session: Session, deal: Deal
) -> None:
    """F54: the rate in force on the work date; approved sheets unchanged."""
    with clock.at(MONDAY + 7 * DAY):
        # The first week is approved, the second half worked, when the rates change.
        sheet = a_submitted_week(session, deal, WEDNESDAY, 120)
        first = approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    frozen = (first.expert_amount, first.fee_amount, first.lines_sha256)
    tuesday, thursday = MONDAY + 8 * DAY, MONDAY + 10 * DAY
    with clock.at(tuesday + 2 * HOUR):
        an_entry(session, deal, tuesday, 60)
        signed(session, deal, LOWER, date(2026, 6, 11))
    with clock.at(thursday + 2 * HOUR):
        an_entry(session, deal, thursday, 60)
        # Entered late, for the day before the change.
        late = an_entry(session, deal, tuesday - 3 * HOUR, 60)
        propose(session, deal, HIGHER, date(2026, 6, 12))
    with clock.at(thursday + DAY + 2 * HOUR):
        an_entry(session, deal, thursday + DAY, 60)
        sheet = submit_timesheet(session, deal.expert, late.timesheet.public_id, late.timesheet.version)
        second = approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    assert [line.rate for line in second.lines] == [RATE, RATE, LOWER, HIGHER]
    assert (first.expert_amount, first.fee_amount, first.lines_sha256) == frozen
    assert [line.rate for line in first.lines] == [RATE]
    no_drift(session)


def test_an_entry_over_a_new_rate_becomes_two(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        signed(session, deal, LOWER)
    with clock.at(MIDNIGHT + 12 * HOUR):
        over = Work(MIDNIGHT - HOUR, MIDNIGHT + 2 * HOUR, "review", items=7)
        first = add_entry(session, deal.expert, deal.contract.public_id, over)
    one, two = first.timesheet.entries
    assert (one.ended_at, two.started_at) == (MIDNIGHT, MIDNIGHT)
    assert [(line.minutes, line.rate) for line in lines_of(first.timesheet)] == [(60, RATE), (120, LOWER)]
    assert (one.items, two.items) == (None, 7)


def test_two_halves_of_a_week_together_take_no_more_than_is_reserved(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session, hours=1)
    with clock.at(TUESDAY):
        signed(session, deal, LOWER)
    with clock.at(MIDNIGHT + 12 * HOUR), pytest.raises(Refused, match="1 h 00 min of reserved time left"):
        add_entry(session, deal.expert, deal.contract.public_id, work(MIDNIGHT - timedelta(minutes=50), 100))


def test_a_timer_over_a_new_rate_is_split(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        propose(session, deal, HIGHER)
    with clock.at(MIDNIGHT - HOUR):
        start_timer(session, deal.expert, deal.contract.public_id, "review", "Late studies")
    with clock.at(MIDNIGHT + 2 * HOUR):
        stopped = stop_timer(session, deal.expert)
    assert [(e.minutes, e.source, e.note) for e in stopped.entries] == [
        (60, Source.TIMER, "Late studies"),
        (120, Source.TIMER, "Late studies"),
    ]
    [sheet] = {entry.timesheet for entry in stopped.entries}
    assert [line.rate for line in lines_of(sheet)] == [RATE, HIGHER]
    no_drift(session)


def test_time_is_cut_at_weeks_and_at_rates() -> None:
    sunday = clock.midnight(date(2026, 6, 7), ZONE)
    monday = sunday + DAY
    pieces = split(sunday - HOUR, monday + HOUR, ZONE, [sunday, monday, monday + 5 * HOUR])
    assert pieces == [(sunday - HOUR, sunday), (sunday, monday), (monday, monday + HOUR)]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    worked=st.lists(st.integers(0, 47), min_size=1, max_size=3, unique=True),
    edits=st.lists(st.tuples(st.integers(100_00, 250_00), st.integers(1, 20)), min_size=1, max_size=3),
)
def test_no_later_edit_of_a_rate_changes_a_past_line(
    session: Session, worked: list[int], edits: list[tuple[int, int]]
) -> None:
    """Whatever is proposed and signed afterwards, each line keeps minutes, rate, pay and fee."""
    with clock.at(MONDAY):
        deal = a_deal(session, funds=1_000_000_00, hours=40)
    now = MONDAY + 2 * DAY
    with clock.at(now):
        for hour in worked:
            an_entry(session, deal, MONDAY + hour * HOUR, 37)
    before = values(session, deal)
    assert len(before) == len(worked)
    for rate, ahead in edits:
        with clock.at(now):
            day = clock.today(ZONE) + ahead * DAY
            try:
                proposal = propose(session, deal, rate, day)
            except Invalid:
                continue
            if proposal.state is OfferState.MADE:
                accept_rate(session, deal.expert, proposal.public_id, deal.expert.name)
            assert values(session, deal) == before
        now = clock.midnight(day, ZONE) + 13 * HOUR
        with clock.at(now):
            roll_weeks(session)
            an_entry(session, deal, now - HOUR, 37)
        after = values(session, deal)
        assert after[: len(before)] == before
        assert after[-1][1] == rate
        before = after
    no_drift(session)


@pytest.mark.parametrize("change", ["UPDATE contract_rates SET rate = 1", "DELETE FROM contract_rates"])
def test_the_database_keeps_a_past_rate(session: Session, deal: Deal, change: str) -> None:
    with pytest.raises(DBAPIError, match=r"permission denied|append-only"):
        session.execute(sa.text(change))


@pytest.mark.parametrize(
    ("rate", "from_at", "why"),
    [
        (HIGHER, MONDAY - DAY, "keeps its rate"),
        (HIGHER, TUESDAY + HOUR / 2, "keeps its rate"),
        (HIGHER, WEDNESDAY, "keeps its rate"),
        (LOWER, MIDNIGHT, "nobody signed a lower rate"),
    ],
)
def test_the_database_refuses_a_rate_for_hours_that_were_worked_and_a_lower_one_that_nobody_signed(
    session: Session, deal: Deal, rate: int, from_at: datetime, why: str
) -> None:
    with clock.at(WEDNESDAY):
        an_entry(session, deal, TUESDAY)
    row = {"contract_id": deal.contract.id, "rate": rate, "from_at": from_at, "agreed_at": WEDNESDAY}
    with pytest.raises(DBAPIError, match=why):
        session.execute(sa.insert(ContractRate).values(**row))


def test_the_database_lets_what_is_reserved_only_grow(session: Session, deal: Deal) -> None:
    with pytest.raises(DBAPIError, match="only grows"):
        session.execute(sa.text("UPDATE reservations SET amount = amount - 1"))


def test_below_the_experts_least_only_with_their_signature(session: Session, deal: Deal) -> None:
    session.get_one(ExpertProfile, deal.expert.id).min_rate = RATE
    session.commit()
    with clock.at(TUESDAY):
        outlook = look(session, deal.client, deal.contract.public_id, RateDraft(LOWER, THURSDAY))
        assert str(outlook.least) == "$150.00"
        assert signed(session, deal, LOWER).state is OfferState.ACCEPTED


def test_with_the_contract_ends_what_was_proposed(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        proposal = propose(session, deal, LOWER)
        end_contract(session, deal.expert, deal.contract.public_id)
        assert proposal.state is OfferState.WITHDRAWN
        with pytest.raises(DomainError):
            accept_rate(session, deal.expert, proposal.public_id, deal.expert.name)
        with pytest.raises(Refused, match="has ended"):
            propose(session, deal, HIGHER)


def test_unpaid_time_has_no_rate_to_keep(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        signed(session, deal, LOWER)
    with clock.at(MIDNIGHT + 12 * HOUR):
        waiting = Work(MIDNIGHT - HOUR, MIDNIGHT + HOUR, "review", kind=TimeKind.UNPAID)
        entry = add_entry(session, deal.expert, deal.contract.public_id, waiting)
    assert lines_of(entry.timesheet) == []


def browsers(app: Flask, session: Session, deal: Deal) -> SimpleNamespace:
    return SimpleNamespace(
        **{
            name: Visitor(enter(app.test_client(), session, getattr(deal, name)))
            for name in ("client", "approver", "expert")
        }
    )


def test_both_sides_by_hand(app: Flask, session: Session, deal: Deal) -> None:
    contract = f"/contracts/{deal.contract.public_id}"
    with clock.at(TUESDAY):
        at = browsers(app, session, deal)
        assert "Propose another rate" in words(at.client.get(contract))
        assert "Propose another rate" not in words(at.approver.get(contract))
        asked = {"rate": "140.00", "from_on": "2026-06-04", "why": "Simpler studies."}
        shown = words(at.client.post(f"{contract}/rate", **asked))
        assert "$10.00 less an hour, about $100.00 less a week of 10 hours" in shown
        assert "Send it to the expert" in shown
        assert session.scalars(sa.select(RateProposal)).all() == []
        # What was looked at is what is sent: a changed rate is shown first.
        looked = {"looked_at": "14000 2026-06-04"}
        changed = words(at.client.post(f"{contract}/rate", **{**asked, "rate": "141.00"}, **looked))
        assert "$9.00 less an hour" in changed
        sent = words(at.client.post(f"{contract}/rate", **asked, **looked))
        assert "Nothing changes unless they sign it." in sent
        proposal = session.scalars(sa.select(RateProposal)).one()
        page = words(at.expert.get(contract))
        assert "A lower rate waits for your answer" in page
        path = f"/rates/{proposal.public_id}"
        read = words(at.expert.get(path))
        assert "From $150.00 to $140.00" in read
        assert "Simpler studies." in read
        assert "Every hour before Thu 4 Jun 2026 keeps its rate" in read
        assert "Type it as it stands" in words(at.expert.post(f"{path}/acceptance", signed_name="Nobody"))
        done = words(at.expert.post(f"{path}/acceptance", signed_name=deal.expert.name))
        assert "The new rate is agreed." in done
        assert f"signed by {deal.expert.name}" in done
        assert "$150.00" in done


def test_a_raise_by_hand_says_what_it_costs(app: Flask, session: Session, deal: Deal) -> None:
    path = f"/contracts/{deal.contract.public_id}/rate"
    asked = {"rate": "170", "from_on": "2026-06-04"}
    with clock.at(TUESDAY):
        at = browsers(app, session, deal)
        at.client.get(path)
        shown = words(at.client.post(path, **asked))
        assert "$480.00 more, pay and fee, is reserved at once" in shown
        done = words(at.client.post(path, **asked, looked_at="17000 2026-06-04"))
    assert "The higher rate is agreed" in done
    assert "to come" in done


def test_a_strangers_rates_are_not_there(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        proposal = propose(session, deal, LOWER).public_id
        other, _organization = a_client(session)
        rival = Visitor(enter(app.test_client(), session, other))
        zed = Visitor(enter(app.test_client(), session, an_expert(session, "Zed Stranger")))
        for stranger in (rival, zed):
            assert stranger.get(f"/rates/{proposal}").status_code == 404
        assert rival.get(f"/contracts/{deal.contract.public_id}/rate").status_code == 404
        assert rival.post(f"/rates/{proposal}/withdrawal").status_code == 404
        assert zed.post(f"/rates/{proposal}/refusal").status_code == 404
