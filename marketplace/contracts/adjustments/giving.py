"""Giving more pay, covered and owed at once; and asking for less, which only the expert can grant."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger
from marketplace.actor import Actor, Role
from marketplace.contracts import find
from marketplace.contracts.adjustments import queries, returning, settling, words
from marketplace.contracts.adjustments.models import Adjustment, Kind
from marketplace.contracts.approving import rules
from marketplace.contracts.fees.schedule import Split
from marketplace.contracts.models import Contract, Timesheet
from marketplace.contracts.states import ContractState, OfferState
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.gigs.members import tell
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.text import paragraph

OPEN_FOR = timedelta(days=7)
# So long after its end can the pay of a contract still be adjusted.
AFTER_END = timedelta(days=60)
SHORTEST_REASON = 20
# What one person gives on a contract in so long counts together, so that splitting a sum avoids nothing.
TOGETHER = timedelta(days=7)


@dataclass(frozen=True)
class Draft:
    """`amount` is minor units of pay, below zero for less; `timesheet` the week it is about, if it is one."""

    kind: Kind
    amount: int
    reason_code: str
    explanation: str
    key: uuid.UUID
    timesheet: uuid.UUID | None = None


@dataclass(frozen=True)
class Outlook:
    """What an adjustment would move, before it is made, and what is free in the project. `rounding` is what
    the site bore of it, which is the site's again."""

    pay: Money
    fee: Money
    tax: Money
    rounding: Money
    free: Money

    @property
    def total(self) -> Money:
        """Pay, fee and its tax; below zero for what would come back."""
        return self.pay + self.fee + self.tax + self.rounding


def look(session: Session, actor: Actor, contract_public_id: uuid.UUID, draft: Draft) -> Outlook:
    """What it would mean. Changes nothing. Raises as `adjust` does."""
    contract = find.contract(session, actor, contract_public_id)
    week = _check(session, actor, contract, draft)
    parts = returning.priced(session, contract, draft.amount, week).parts
    _require_money(session, contract, parts)
    funds = chart.project_funds(contract.project.public_id)
    rounding = returning.ours(session, contract, -parts.total)
    free = -ledger.balance(session, funds, contract.currency)
    amounts = (parts.pay, parts.fee, parts.tax, rounding, free)
    return Outlook(*(Money(each, contract.currency) for each in amounts))


@use_case
def adjust(session: Session, actor: Actor, contract_public_id: uuid.UUID, draft: Draft) -> Adjustment:
    """Give more pay out of the project's free funds, owed at once; or ask the expert to agree to less within
    seven days. A second click finds what the first has made.

    Raises NotAllowed; Invalid for an amount, reason or week that cannot be; Refused with the figures when
    funds are missing, less is still payable, or the contract is of a test or ended long ago.
    """
    contract = find.contract(session, actor, contract_public_id, lock=True)
    made = session.scalars(sa.select(Adjustment).filter_by(contract_id=contract.id, key=draft.key))
    if (before := made.one_or_none()) is not None:
        return before
    week = _check(session, actor, contract, draft)
    priced = returning.priced(session, contract, draft.amount, week)
    _require_money(session, contract, priced.parts)
    adjustment = _written(session, actor, contract, draft, week, priced)
    if not adjustment.is_less:
        settling.post(session, actor, adjustment)
    _tell(session, adjustment)
    return adjustment


@use_case
def withdraw_adjustment(session: Session, actor: Actor, public_id: uuid.UUID) -> Adjustment:
    """Take back what the expert has not answered; the pay stays as it is."""
    adjustment = queries.adjustment(session, actor, public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=adjustment.contract.organization_id)
    settling.decide(session, actor, adjustment, OfferState.WITHDRAWN)
    contract = adjustment.contract
    tell(
        session,
        contract.person_id,
        "adjustment.withdrawn",
        f"/adjustments/{adjustment.public_id}",
        lambda: (
            _("A correction of your pay was taken back"),
            _("%(gig)s. Your pay stays as it is.", gig=contract.gig.title),
        ),
    )
    return adjustment


def may_be_adjusted(contract: Contract) -> bool:
    """Can its pay still be adjusted?"""
    ended = contract.ended_at
    recent = ended is None or clock.now() <= ended + AFTER_END
    return contract.test_id is None and (contract.state is ContractState.ACTIVE or recent)


def _check(session: Session, actor: Actor, contract: Contract, draft: Draft) -> Timesheet | None:
    """The week that it is about."""
    actor.require(Role.CLIENT_ADMIN, organization_id=contract.organization_id)
    if contract.person_id == actor.person_id:
        raise NotAllowed(_("Nobody adjusts their own pay. Ask a colleague."))
    if contract.test_id is not None:
        raise Refused(_("The pay of a test is agreed before it begins, and stays."))
    if not may_be_adjusted(contract):
        raise Refused(_("This contract ended more than 60 days ago, so its pay stays as it is."))
    if draft.amount == 0:
        raise Invalid(_("Enter an amount above zero."), field="amount")
    if draft.kind is Kind.BONUS and draft.amount < 0:
        raise Invalid(_("A bonus is more pay. Choose a correction for less."), field="kind")
    if draft.reason_code not in words.reasons(draft.kind, less=draft.amount < 0):
        raise Invalid(_("Choose a reason that goes with it."), field="reason_code")
    if len(paragraph(draft.explanation)) < SHORTEST_REASON:
        raise Invalid(_("Say why in a sentence, which the expert reads."), field="explanation")
    return _week(session, contract, draft.timesheet)


def _week(session: Session, contract: Contract, public_id: uuid.UUID | None) -> Timesheet | None:
    if public_id is None:
        return None
    query = sa.select(Timesheet).filter_by(public_id=public_id, contract_id=contract.id)
    found = session.scalars(query).one_or_none()
    if found is None:
        raise Invalid(_("Choose a week of this contract."), field="timesheet")
    return found


def _require_money(session: Session, contract: Contract, parts: Split) -> None:
    """More is covered by free funds, under their lock; less by what is still payable."""
    if parts.pay > 0:
        _require_one_decides(session, contract, parts.total)
        settling.require_funds(session, contract, parts.total)
    else:
        settling.require_payable(session, contract, -parts.pay)


def _require_one_decides(session: Session, contract: Contract, asked: int) -> None:
    """Nobody gives alone what two people have to approve: `asked` is pay, fee and its tax. Raises Refused
    with the figures."""
    since = clock.now() - TOGETHER
    limit = rules.alone_below(session, contract, since)
    if limit is None:
        return
    each = Adjustment.amount + Adjustment.fee_amount + Adjustment.tax_amount
    given = sa.select(sa.func.sum(each)).where(
        Adjustment.contract_id == contract.id, Adjustment.amount > 0, Adjustment.made_at > since
    )
    total = asked + int(session.scalar(given) or 0)
    if total >= limit:
        raise Refused(
            _(
                "With the fee and what was given on this contract in the last seven days this is %(total)s. "
                "In your company two people decide from %(limit)s on, and a bonus or correction is made by "
                "one. Hours that are missing can be entered and approved with their week; for anything else "
                "ask the operator.",
                total=Money(total, contract.currency),
                limit=Money(limit, contract.currency),
            ),
            field="amount",
        )


def _written(
    session: Session,
    actor: Actor,
    contract: Contract,
    draft: Draft,
    week: Timesheet | None,
    priced: returning.Priced,
) -> Adjustment:
    now = clock.now()
    adjustment = Adjustment(
        contract=contract,
        timesheet=week,
        kind=draft.kind,
        reason_code=draft.reason_code,
        explanation=paragraph(draft.explanation),
        amount=draft.amount,
        fee_amount=priced.parts.fee,
        tax_amount=priced.parts.tax,
        tax_decision=priced.tax_decision,
        # More pay is decided as it is made.
        state=OfferState.MADE if draft.amount < 0 else OfferState.ACCEPTED,
        expires_at=now + OPEN_FOR if draft.amount < 0 else None,
        made_by=actor.id,
        made_at=now,
        decided_at=None if draft.amount < 0 else now,
        key=draft.key,
    )
    session.add(adjustment)
    session.flush()
    audit.record(
        session, actor, "adjustment.made", "adjustment", adjustment.public_id,
        kind=draft.kind, amount=adjustment.amount, fee=adjustment.fee_amount,
        tax=adjustment.tax_amount, reason=draft.reason_code,
    )  # fmt: skip
    return adjustment


def _tell(session: Session, adjustment: Adjustment) -> None:
    contract = adjustment.contract

    def say() -> tuple[str, str]:
        why = _("%(gig)s: %(reason)s.", gig=contract.gig.title, reason=words.reason(adjustment))
        if adjustment.is_less:
            asked = _("The client asks you to agree to %(pay)s less", pay=-adjustment.pay)
            return asked, why + " " + _("Nothing changes unless you sign it.")
        given = (
            _("A bonus of %(pay)s", pay=adjustment.pay)
            if adjustment.kind is Kind.BONUS
            else _("%(pay)s more pay, as a correction", pay=adjustment.pay)
        )
        return given, why + " " + _("It goes out with the next pay run.")

    kind = "adjustment.proposed" if adjustment.is_less else "adjustment.given"
    tell(session, contract.person_id, kind, f"/adjustments/{adjustment.public_id}", say)
