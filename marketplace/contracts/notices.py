"""What both sides are told while something stands still: a credential that lapsed, a week nobody corrects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.actor import CLIENT
from marketplace.contracts import limits, queries
from marketplace.contracts.models import Contract, Timesheet
from marketplace.contracts.states import ContractState, TimesheetState
from marketplace.contracts.timesheets import by_itself
from marketplace.credentials import hooks
from marketplace.db import use_case
from marketplace.gigs.members import people_with, tell
from marketplace.i18n import day, zoned
from marketplace.i18n import gettext as _
from marketplace.notifications.models import Notification

# A returned week that its expert leaves alone for so long is spoken of again, and again after as long.
REMINDED_AFTER = timedelta(days=3)
# So long after a client heard of a lapse, another change of the same credential is no news.
HEARD_FOR = timedelta(days=14)
LAPSED, UNANSWERED = "contract.lapsed", "timesheet.unanswered"


def tell_of_lapse(session: Session, person_id: int) -> None:
    """Tell the clients for whom this expert (internal id) cannot work any more."""
    query = sa.select(Contract).filter_by(person_id=person_id, state=ContractState.ACTIVE)
    contracts = {each.id: each for each in session.scalars(query)}
    for contract_id in limits.credential_gaps(session, contracts.values()):
        _tell_of_lapse(session, contracts[contract_id])


def remind_returned(session: Session) -> int:
    """Remind the experts of the weeks that were returned to them days ago; how many."""
    recently = clock.now() - REMINDED_AFTER
    returned = (
        sa.select(Timesheet.id)
        .join(Timesheet.contract)
        .where(Timesheet.state == TimesheetState.RETURNED, queries.returned_at() <= recently)
        .where(
            ~sa.exists().where(
                Notification.person_id == Contract.person_id,
                Notification.kind == UNANSWERED,
                Notification.path == sa.func.concat("/timesheets/", Timesheet.public_id),
                Notification.created_at > recently,
            )
        )
    )
    return jobs.one_by_one(session, _remind, session.scalars(returned).all())


@use_case
def _remind(session: Session, timesheet_id: int) -> bool:
    sheet = session.get_one(Timesheet, timesheet_id, with_for_update=True, populate_existing=True)
    path = f"/timesheets/{sheet.public_id}"
    if sheet.state is not TimesheetState.RETURNED or _told(
        session, [sheet.contract.person_id], UNANSWERED, path, REMINDED_AFTER
    ):
        return False
    tell(
        session,
        sheet.contract.person_id,
        UNANSWERED,
        path,
        lambda: (_("A week that was returned to you waits"), _unanswered(session, sheet)),
    )
    return True


def _unanswered(session: Session, sheet: Timesheet) -> str:
    gig, monday = sheet.contract.gig.title, day(sheet.starts_on)
    due = by_itself(session, sheet)
    if due:
        return _(
            "%(gig)s, week from %(monday)s. Correct it and submit it again; on %(when)s it is submitted for "
            "you as it is. If you disagree, appeal.",
            gig=gig,
            monday=monday,
            when=zoned(due),
        )
    return _(
        "%(gig)s, week from %(monday)s. Correct it and submit it again: only then is it paid. "
        "If you disagree, appeal.",
        gig=gig,
        monday=monday,
    )


def _tell_of_lapse(session: Session, contract: Contract) -> None:
    path = f"/contracts/{contract.public_id}"
    people = people_with(session, contract.organization_id, *CLIENT)
    if _told(session, people, LAPSED, path, HEARD_FOR):
        return

    def say() -> tuple[str, str]:
        why = limits.credential_gap(session, contract)
        return (
            _("%(expert)s cannot enter paid time now", expert=contract.person.full_name),
            _(
                "%(gig)s. %(why)s Time worked before is paid as always, and new time counts again once it "
                "is renewed. There is nothing that you have to do.",
                gig=contract.gig.title,
                why=why,
            ),
        )

    for person_id in people:
        tell(session, person_id, LAPSED, path, say)


def _told(session: Session, people: Sequence[int], kind: str, path: str, within: timedelta) -> bool:
    query = sa.select(Notification.id).where(
        Notification.person_id.in_(people),
        Notification.kind == kind,
        Notification.path == path,
        Notification.created_at > clock.now() - within,
    )
    return session.scalars(query.limit(1)).first() is not None


hooks.changed.append(tell_of_lapse)
