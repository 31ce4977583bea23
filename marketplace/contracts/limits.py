"""What keeps an hour from being worked: the contract's time, a credential, or money that is not reserved."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts import reservations
from marketplace.contracts.consents import asking as consents
from marketplace.contracts.models import Contract, TimeEntry
from marketplace.contracts.states import ContractState, TimeKind
from marketplace.contracts.weeks import Week, to_minute, week_of
from marketplace.credentials.gate import Requirement, Verdict, holdings, holds
from marketplace.errors import Invalid, Refused
from marketplace.gigs.models import Gig
from marketplace.gigs.payable import pay_gap
from marketplace.i18n import gettext as _
from marketplace.i18n import zoned

# More than this at a stretch is a forgotten timer or a slip of the pen.
LONGEST = timedelta(hours=12)


def begins(contract: Contract) -> datetime:
    """The first minute that can be worked: signed, and on its first day or later."""
    return max(to_minute(contract.signed_at), clock.midnight(contract.starts_on, contract.time_zone))


def requirements(gig: Gig) -> list[Requirement]:
    """What the gate asks for."""
    return [
        Requirement(each.type, each.jurisdiction, each.level, each.max_age_days) for each in gig.requirements
    ]


def require_credentials(
    session: Session, gig: Gig, person_id: int, start: datetime, end: datetime | None = None
) -> None:
    """Raise Refused when a required credential does not hold at `start`, or ends before `end`."""
    for requirement in requirements(gig):
        holding = holds(session, person_id, requirement, start)
        if holding.verdict is not Verdict.PASS:
            raise Refused(
                _(
                    "This work needs a credential that does not count at that time. %(why)s",
                    why=holding.sentence,
                )
            )
        if end is not None and holding.until is not None and holding.until < end:
            raise Refused(_("%(why)s Enter the time before that moment only.", why=holding.sentence))


def require_payable(session: Session, contract: Contract) -> None:
    """Raise Refused, with the way to mend it, before the contract's first hour when its expert could not be
    paid for it. Once work has begun it goes on: what was earned stays owed."""
    begun = sa.exists().where(TimeEntry.contract_id == contract.id, TimeEntry.kind == TimeKind.PAID)
    if session.scalar(sa.select(begun)):
        return
    gap = pay_gap(session, contract.person_id)
    if gap is not None:
        raise Refused(
            _("Before your first hour you have to be set up to be paid. %(why)s See “%(page)s” under Money.",
              why=gap.sentence, page=gap.label)
        )  # fmt: skip


def credential_gap(session: Session, contract: Contract) -> str | None:
    """Which required credential does not count now, in a sentence, if any."""
    return credential_gaps(session, [contract]).get(contract.id)


def credential_gaps(session: Session, contracts: Iterable[Contract]) -> dict[int, str]:
    """As `credential_gap`, by the ids of the contracts that have one and on which work would go on."""
    asked = [
        (contract, requirement)
        for contract in contracts
        if contract.state is ContractState.ACTIVE
        for requirement in requirements(contract.gig)
    ]
    if not asked:
        return {}
    held = holdings(session, [(contract.person_id, each) for contract, each in asked], clock.now())
    gaps: dict[int, str] = {}
    for (contract, _requirement), holding in zip(asked, held, strict=True):
        if holding.verdict is not Verdict.PASS:
            gaps.setdefault(contract.id, holding.sentence)
    return gaps


def require_time(contract: Contract, start: datetime, end: datetime) -> None:
    """Raise Invalid or Refused when the interval is not one of this contract, or has not happened yet."""
    if end <= start:
        raise Invalid(_("The end must come after the start."), field="ends")
    if end > clock.now():
        raise Invalid(_("This time has not passed yet. Enter what you have worked."), field="ends")
    if start < begins(contract):
        raise Refused(
            _(
                "This contract begins on %(when)s; earlier time cannot be entered.",
                when=zoned(begins(contract), contract.time_zone),
            )
        )
    if contract.state is ContractState.ENDED and contract.ended_at is not None and end > contract.ended_at:
        raise Refused(
            _(
                "This contract ended on %(when)s; later time cannot be entered.",
                when=zoned(contract.ended_at, contract.time_zone),
            )
        )


def require_by_hand(contract: Contract) -> None:
    """Raise Refused for a paid test, whose time is measured from the signature to the end."""
    if contract.test_id is not None:
        raise Refused(_("The time of a test is measured by the site, so nothing is entered by hand."))


def require_consent(session: Session, contract: Contract, start: datetime, end: datetime) -> None:
    """Raise Refused for time after the days in which the expert had to agree to another use of the work, when
    they had not answered."""
    answer_by = consents.unanswered(session, contract, start, end)
    if answer_by is not None:
        raise Refused(
            _(
                "The use of your work has changed, and you had until %(when)s to answer. Time after that "
                "counts once you agree on the contract’s page. Time before that moment can still be entered.",
                when=zoned(answer_by, contract.time_zone),
            )
        )


def require_open(contract: Contract, now: datetime) -> None:
    """Raise Refused when work cannot be started on this contract at `now`."""
    if contract.state is ContractState.ENDED:
        raise Refused(_("This contract has ended."))
    if now < begins(contract):
        begin = zoned(begins(contract), contract.time_zone)
        raise Refused(_("This contract begins on %(when)s.", when=begin))


def require_reserved(session: Session, contract: Contract, week: Week, minutes: int) -> None:
    """Raise Refused, with what is left, when a week has fewer reserved minutes than this."""
    left = reservations.minutes_left(session, contract, week)
    if minutes > left:
        raise Refused(
            _(
                "This week has %(left)s of reserved time left, and this entry takes %(needed)s. "
                "Shorten it, or ask the client to reserve more.",
                left=spell(left),
                needed=spell(minutes),
            )
        )


def timer_end(session: Session, entry: TimeEntry) -> tuple[datetime, str]:
    """When a timer has to stop, and why: after twelve hours, or when another use of the work was not agreed
    to in time; a paid one also where the reserved time is used up, or a required credential ends."""
    start, contract = entry.started_at, entry.contract
    ends = [(start + LONGEST, _("A timer runs for twelve hours at most. Enter by hand what comes after."))]
    if contract.test is not None:
        ends.append((start + timedelta(minutes=contract.test.minutes), _("The time of the test was over.")))
    answer_by = consents.unanswered(session, contract, start, start + LONGEST)
    if answer_by is not None:
        ends.append(
            (max(answer_by, start), _("The use of your work has changed, and you have not answered yet."))
        )
    if entry.kind is TimeKind.PAID:
        ends.append(_reserved_end(session, contract, start))
        for requirement in requirements(contract.gig):
            holding = holds(session, contract.person_id, requirement, start)
            if holding.until is not None:
                ends.append((to_minute(holding.until), holding.sentence))
    return min(ends, key=lambda end: end[0])


def spell(minutes: int) -> str:
    """`2 h 05 min`."""
    return _("%(hours)s h %(minutes)02d min", hours=minutes // 60, minutes=minutes % 60)


def _reserved_end(session: Session, contract: Contract, start: datetime) -> tuple[datetime, str]:
    week = week_of(start, contract.time_zone)
    while True:
        left = timedelta(minutes=reservations.minutes_left(session, contract, week))
        if start + left < week.end:
            return start + left, _("That is where the reserved hours of the week end.")
        week, start = week.next, week.end
