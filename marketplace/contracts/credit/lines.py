"""A credit line is prepared by an operator, confirmed by a second person, and ended by one with a reason."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Organization, OrganizationKind
from marketplace.actor import FINANCE, Actor, Role
from marketplace.contracts.credit.models import CreditLine
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.gigs import projection
from marketplace.gigs.find import there
from marketplace.gigs.members import tell_client
from marketplace.gigs.models import Project
from marketplace.gigs.states import ProjectState
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.ledger.periods import day_of
from marketplace.settings import current
from marketplace.text import line


@use_case
def prepare_line(
    session: Session,
    actor: Actor,
    organization: uuid.UUID,
    amount: int,
    from_on: date,
    until_on: date,
    reason: str,
) -> CreditLine:
    """Write down a line of `amount` minor units, which counts for nothing until somebody else confirms it.

    Raises NotAllowed, NotFound, or Invalid.
    """
    actor.require(Role.OPERATOR)
    client = there(
        session.scalars(
            sa.select(Organization).filter_by(public_id=organization, kind=OrganizationKind.CLIENT)
        ).one_or_none()
    )
    if amount <= 0:
        raise Invalid(_("Give an amount above zero."), field="amount")
    if until_on < from_on:
        raise Invalid(_("The last day lies before the first."), field="until_on")
    if until_on < day_of(clock.now()):
        raise Invalid(_("This day is over."), field="until_on")
    found = CreditLine(
        organization=client,
        currency=current().books_currency,
        amount=amount,
        from_on=from_on,
        until_on=until_on,
        reason=_said(reason),
        prepared_by=actor.id,
        prepared_at=clock.now(),
    )
    session.add(found)
    session.flush()
    audit.record(
        session, actor, "prepare", "credit_line", found.public_id,
        organization=client.public_id, amount=amount, currency=found.currency,
        from_on=from_on, until_on=until_on,
    )  # fmt: skip
    return found


@use_case
def confirm_line(session: Session, actor: Actor, public_id: uuid.UUID) -> CreditLine:
    """Let it count. Raises NotFound, NotAllowed, FreshFactorNeeded or Refused."""
    actor.require(Role.OPERATOR, Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    found = locked(session, public_id)
    if found.confirmed_by is not None or found.ended_by is not None:
        raise Refused(_("This credit line was confirmed or ended already."))
    if found.until_on < day_of(clock.now()):
        raise Refused(_("Its last day is over. Prepare another one."))
    if found.prepared_by == actor.id:
        raise NotAllowed(_("You prepared this, so somebody else has to confirm it. Ask a colleague."))
    found.confirmed_by, found.confirmed_at = actor.id, clock.now()
    session.flush()
    audit.record(session, actor, "confirm", "credit_line", public_id, amount=found.amount)
    _push(session, found.organization_id)
    _tell(
        session,
        found,
        lambda: _("You have a credit line of %(amount)s", amount=found.money),
        lambda: _(
            "From %(first)s to %(last)s your projects may reserve so much beyond what was paid in. "
            "What they took is to be paid by then.",
            first=day(found.from_on),
            last=day(found.until_on),
        ),
    )
    return found


@use_case
def end_line(session: Session, actor: Actor, public_id: uuid.UUID, reason: str) -> CreditLine:
    """End it at once; what was taken of it stays owed. Raises NotFound, NotAllowed, Invalid or Refused."""
    actor.require(Role.OPERATOR, *FINANCE)
    found = locked(session, public_id)
    if found.ended_by is not None:
        raise Refused(_("This credit line has ended already."))
    found.ended_by, found.ended_at, found.end_reason = actor.id, clock.now(), _said(reason)
    session.flush()
    audit.record(session, actor, "end", "credit_line", public_id, reason=found.end_reason)
    if found.confirmed_by is not None:
        _push(session, found.organization_id)
        _tell(
            session,
            found,
            lambda: _("Your credit line of %(amount)s has ended", amount=found.money),
            lambda: _("What your projects took of it is to be paid now. Add funds to them."),
        )
    return found


def push_days(session: Session) -> None:
    """Let gigs be found, or not, by the lines that began today or were over yesterday."""
    today = day_of(clock.now())
    turning = sa.or_(CreditLine.from_on == today, CreditLine.until_on == today - timedelta(days=1))
    query = sa.select(CreditLine.organization_id).where(turning, CreditLine.confirmed_at.is_not(None))
    for organization_id in session.scalars(query.distinct()).all():
        _push_alone(session, organization_id)


@use_case
def _push_alone(session: Session, organization_id: int) -> None:
    _push(session, organization_id)


def _push(session: Session, organization_id: int) -> None:
    """Experts see which gigs are paid for."""
    query = sa.select(Project.id).filter_by(organization_id=organization_id, state=ProjectState.OPEN)
    for project_id in session.scalars(query.order_by(Project.id)).all():
        projection.push_project(session, project_id)


def locked(session: Session, public_id: uuid.UUID) -> CreditLine:
    """A line, held and read anew. Raises NotFound."""
    query = sa.select(CreditLine).filter_by(public_id=public_id).with_for_update(of=CreditLine)
    return there(session.scalars(query.execution_options(populate_existing=True)).one_or_none())


def _said(reason: str) -> str:
    said = line(reason)
    if not said:
        raise Invalid(_("Say why, for whoever reads this later."), field="reason")
    return said


def _tell(session: Session, found: CreditLine, title: Callable[[], str], body: Callable[[], str]) -> None:
    tell_client(session, found.organization_id, "credit", "/projects", lambda: (title(), body()))
