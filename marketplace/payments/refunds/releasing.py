"""Finance lets money go back, and pays by hand what Stripe cannot. Nothing leaves by itself."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import alarms, audit, clock, jobs
from marketplace.actor import Actor, Role
from marketplace.alarms.stops import Stops
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.i18n import gettext as _
from marketplace.payments.debts import books as debts
from marketplace.payments.refunds import addressing, books, contested, kept
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import FundingState, RefundState
from marketplace.settings import current
from marketplace.text import line

MOST_OF_A_REFERENCE = 140


@use_case
def release_refund(session: Session, actor: Actor, public_id: uuid.UUID) -> Refund:
    """Let it go; where the project's refunds are above the limit, only after a second person released it too.

    The one who asked for it is the client, so one of finance is the second of two. Raises NotFound,
    NotAllowed, FreshFactorNeeded or Refused.
    """
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    refund = books.locked(session, public_id)
    if refund.state is RefundState.CANCELLED:
        raise Refused(_("This refund was called off. What is left is prepared anew."))
    if refund.state is not RefundState.PREPARED:
        raise Refused(_("This refund was released already."))
    if actor.id in (refund.asked_by, refund.released_by):
        raise NotAllowed(_("Somebody else has to release this too. Ask a colleague."))
    alarms.require_none(session, Stops.REFUNDS)
    if refund.released_by is None:
        refund.released_by, refund.released_at = actor.id, clock.now()
    else:
        refund.second_by, refund.second_at = actor.id, clock.now()
    audit.record(session, actor, "release", "refund", public_id, amount=refund.amount)
    if refund.second_by is not None or not needs_two(session, refund):
        _go(session, actor, refund)
    return refund


@use_case
def note_by_hand(session: Session, actor: Actor, public_id: uuid.UUID, reference: str) -> Refund:
    """One has paid it out at the bank, under this reference; another confirms it. Raises Invalid, Refused."""
    actor.require(Role.FINANCE_PREPARER, Role.FINANCE_RELEASER)
    refund = books.locked(session, public_id)
    if refund.state is not RefundState.OWED:
        raise Refused(_("This refund is not to be paid out by hand."))
    if refund.noted_by is None and kept.owes(session, refund.project):
        raise Refused(
            _("The client owes us money of this project. Do not pay this out before that is settled.")
        )
    said = line(reference)
    if not said or len(said) > MOST_OF_A_REFERENCE:
        raise Invalid(_("Give the bank’s reference, in at most 140 characters."), field="reference")
    refund.reference, refund.noted_by, refund.noted_at = said, actor.id, clock.now()
    audit.record(session, actor, "note", "refund", public_id, reference=said)
    return refund


@use_case
def confirm_by_hand(session: Session, actor: Actor, public_id: uuid.UUID) -> Refund:
    """A second person saw at the bank that it was paid. Raises NotAllowed, FreshFactorNeeded, Refused."""
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    refund = books.locked(session, public_id)
    if refund.state is not RefundState.OWED or refund.noted_by is None:
        raise Refused(_("First somebody writes down under which reference it was paid."))
    if refund.noted_by == actor.id:
        raise NotAllowed(_("You paid this out, so somebody else has to confirm it. Ask a colleague."))
    refund.confirmed_by, refund.confirmed_at = actor.id, clock.now()
    books.paid_out(session, actor, refund)
    audit.record(session, actor, "confirm", "refund", public_id, amount=refund.amount)
    return refund


def needs_two(session: Session, refund: Refund) -> bool:
    """Do all refunds of the project together exceed what one person may release?"""
    total = sa.select(sa.func.sum(Refund.amount)).where(Refund.project_id == refund.project_id)
    total = total.where(Refund.state != RefundState.CANCELLED)
    return int(session.scalar(total) or 0) > current().refund_limit


def _require_paid(session: Session, refund: Refund) -> None:
    """What it goes back from is still paid, and its bank does not contest it: a wire's match may have been
    undone, and a chargeback may have come meanwhile. Needs the funds' lock."""
    if refund.funding is None:
        return
    session.refresh(refund.funding)
    if refund.funding.state is not FundingState.PAID:
        raise Refused(_("The payment that this goes back to is not paid any more. Prepare the refund anew."))
    if contested.may_go_back(session, refund.funding, besides=refund) < refund.amount:
        raise Refused(
            _("The client’s bank contests the payment. Once that is decided, what may go back is prepared.")
        )


def _go(session: Session, actor: Actor, refund: Refund) -> None:
    """The money leaves the project's funds in the same transaction, so that nothing else can take it."""
    debts.settle(session, refund.project)
    books.require_free(session, refund)
    _require_paid(session, refund)
    if refund.funding is None or refund.funding.charge is None:
        books.owe(session, actor, refund)
        return
    refund.instructions_email = addressing.email_for(session, refund)
    books.take_off(session, actor, refund)
    jobs.defer(session, "payments.send_refunds", once="payments.send_refunds")
