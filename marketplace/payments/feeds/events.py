"""What stands in an expert's calendar: weeks of work and their deadlines, pay to come and pay that came."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager, joinedload

from marketplace import clock
from marketplace.accounts.grants import actor_for
from marketplace.accounts.models import Person
from marketplace.contracts.limits import spell
from marketplace.contracts.models import Contract, Reservation, Timesheet
from marketplace.contracts.rolling import enter_until
from marketplace.contracts.states import ReservationState, TimesheetState
from marketplace.contracts.weeks import WEEK
from marketplace.gigs.models import Gig
from marketplace.i18n import gettext as _
from marketplace.i18n import reading
from marketplace.money import Money
from marketplace.payments import earnings
from marketplace.payments.models import ConnectedAccount, ConnectedPayout
from marketplace.settings import current

if TYPE_CHECKING:
    from icalendar import Event

# How far back it reaches; what is older stands in the statements.
BACK = timedelta(days=180)
DAY = timedelta(days=1)
HANDED_IN = (TimesheetState.SUBMITTED, TimesheetState.APPROVED)


def calendar(session: Session, person: Person) -> bytes:
    """The calendar as an iCalendar file, in the person's language. The same data gives the same bytes."""
    from icalendar import Calendar

    file = Calendar()
    file.add("prodid", f"-//{current().operator_name}//Work and pay//EN")
    file.add("version", "2.0")
    file.add("method", "PUBLISH")
    with reading(person.locale, person.time_zone):
        file.add("x-wr-calname", _("Work and pay at %(site)s", site=current().operator_name))
        for event in sorted(_events(session, person), key=lambda each: str(each["uid"])):
            file.add_component(event)
    said: bytes = file.to_ical()
    return said


def _events(session: Session, person: Person) -> Iterator[Event]:
    yield from _weeks(session, person)
    yield from _pay_to_come(session, person)
    yield from _deposits(session, person)


def _weeks(session: Session, person: Person) -> Iterator[Event]:
    rows = session.execute(
        sa.select(Reservation, Timesheet.state)
        .join(Reservation.contract)
        .outerjoin(
            Timesheet,
            sa.and_(
                Timesheet.contract_id == Reservation.contract_id,
                Timesheet.week_start_at == Reservation.week_start_at,
            ),
        )
        .where(
            Contract.person_id == person.id,
            Contract.test_id.is_(None),
            Reservation.minutes > 0,
            Reservation.week_end_at > clock.now() - BACK,
            (Reservation.state == ReservationState.HELD) | Timesheet.state.in_(HANDED_IN),
        )
        .options(
            contains_eager(Reservation.contract).options(
                joinedload(Contract.gig), joinedload(Contract.organization)
            )
        )
    )
    for reservation, state in rows:
        contract = reservation.contract
        monday = reservation.week_start_at.astimezone(contract.zone).date()
        key, about = f"{contract.public_id}-{monday}", _about(contract.gig, contract)
        hours = spell(reservation.minutes)
        yield _event(
            f"week-{key}", _("%(hours)s reserved: %(gig)s", hours=hours, gig=about), monday,
            monday + WEEK, contract.signed_at,
        )  # fmt: skip
        if state not in HANDED_IN:
            last = enter_until(reservation)
            yield _event(
                f"submit-{key}", _("Hand in the week: %(gig)s", gig=about), last - timedelta(hours=1), last,
                contract.signed_at,
            )  # fmt: skip


def _pay_to_come(session: Session, person: Person) -> Iterator[Event]:
    me = actor_for(session, person.id, request_id="calendar")
    query = earnings.weeks_of(me).where(Timesheet.week_end_at > clock.now() - BACK)
    for week in earnings.earned(session, session.scalars(query.order_by(Timesheet.id)).unique()):
        if week.expected is None or week.arrived:
            continue
        about = _about(week.sheet.contract.gig, week.sheet.contract)
        line = f"-{week.dispute.public_id}" if week.dispute else ""
        yield _event(
            f"pay-{week.sheet.public_id}{line}",
            _("About %(pay)s expected: %(gig)s", pay=week.pay, gig=about),
            week.expected, week.expected + DAY, week.sheet.submitted_at or week.sheet.week_end_at,
        )  # fmt: skip


def _deposits(session: Session, person: Person) -> Iterator[Event]:
    payouts = session.scalars(
        sa.select(ConnectedPayout)
        .join(ConnectedPayout.account)
        .where(
            ConnectedAccount.person_id == person.id,
            ConnectedPayout.status == "paid",
            ConnectedPayout.arrival_date > (clock.now() - BACK).date(),
        )
    )
    for payout in payouts:
        said = _("%(pay)s in your bank", pay=Money(payout.amount, payout.currency))
        day = payout.arrival_date
        yield _event(f"deposit-{payout.public_id}", said, day, day + DAY, payout.created_at)


def _about(gig: Gig, contract: Contract) -> str:
    return f"{gig.title}, {contract.organization.name}"


def _event(uid: str, said: str, start: date, end: date, stamp: datetime) -> Event:
    """An event of days, or of moments in UTC; it takes no time, so that one stays free for others."""
    from icalendar import Event

    event = Event()
    event.add("uid", f"{uid}@{urlsplit(current().base_url).hostname}")
    event.add("dtstamp", stamp.astimezone(UTC).replace(microsecond=0))
    event.add("dtstart", start)
    event.add("dtend", end)
    event.add("summary", said)
    event.add("transp", "TRANSPARENT")
    return event
