"""What waits for a second person, in one list: what one of finance has prepared and another has to decide.

Each kind is a query of its own slice's rows; a slice that gains such a decision gains a function here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.actor import Actor, Role
from marketplace.contracts.credit.models import CreditLine
from marketplace.contracts.fees.models import FeeChange
from marketplace.contracts.states import OfferState
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.money import Money
from marketplace.payments import queries
from marketplace.payments.chargebacks.models import OPEN, Chargeback
from marketplace.payments.models import ConnectedAccount, Funding, PayoutBatch, Sweep, TopUp
from marketplace.payments.refunds.models import Refund
from marketplace.payments.setup.models import BankHold
from marketplace.payments.states import BatchState, RefundState, SweepState, TopUpState
from marketplace.reconciliation import decisions

# So many of a kind are listed; a page of their own shows all.
MOST = 20


@dataclass(frozen=True)
class Waiting:
    """Something that was prepared: what it is, how much it moves, since when (UTC), by whom, and where it is
    decided. `mine`: the reader may decide it."""

    what: str
    amount: Money | None
    since: datetime
    by: str
    endpoint: str
    mine: bool
    values: Mapping[str, object] = field(default_factory=dict)
    detail: str = ""


def waiting(session: Session, actor: Actor) -> list[Waiting]:
    """All kinds together: what the reader may decide first, then the longest waiting."""
    found = [each for kind in KINDS for each in kind(session, actor)]
    return sorted(found, key=lambda each: (not each.mine, each.since))


def _other(actor: Actor, *by: int | None, role: Role = Role.FINANCE_RELEASER) -> bool:
    """May the reader decide what these have done?"""
    return actor.has(role) and actor.id not in by


def _batches(session: Session, actor: Actor) -> Iterator[Waiting]:
    query = sa.select(PayoutBatch).where(PayoutBatch.state == BatchState.PREPARED)
    found = session.scalars(
        query.options(joinedload(PayoutBatch.preparer)).order_by(PayoutBatch.id).limit(MOST)
    ).all()
    sizes = queries.sizes(session, [each.id for each in found])
    for each in found:
        people, amount = sizes.get(each.id, (0, 0))
        yield Waiting(
            _("A payout batch"), Money(amount, each.currency), each.prepared_at, each.preparer.full_name,
            "payments.batch", _other(actor, each.prepared_by), {"batch_id": each.public_id},
            ngettext("one expert", "%(n)s experts", people),
        )  # fmt: skip


def _sweeps(session: Session, actor: Actor) -> Iterator[Waiting]:
    query = sa.select(Sweep).where(Sweep.state == SweepState.PREPARED).options(joinedload(Sweep.preparer))
    for each in session.scalars(query.order_by(Sweep.id).limit(MOST)):
        yield Waiting(
            _("A sweep of our fees"), Money(each.amount, each.currency), each.prepared_at,
            each.preparer.full_name, "payments.sweep", _other(actor, each.prepared_by),
            {"sweep_id": each.public_id},
        )  # fmt: skip


def _top_ups(session: Session, actor: Actor) -> Iterator[Waiting]:
    query = sa.select(TopUp).where(TopUp.state == TopUpState.PREPARED).options(joinedload(TopUp.preparer))
    for each in session.scalars(query.order_by(TopUp.id).limit(MOST)):
        yield Waiting(
            _("A top-up to Stripe"), Money(each.amount, each.currency), each.prepared_at,
            each.preparer.full_name, "payments.top_up", _other(actor, each.prepared_by),
            {"top_up_id": each.public_id},
        )  # fmt: skip


def _refunds(session: Session, actor: Actor) -> Iterator[Waiting]:
    """To be released, by one or two; a way out, and a payment by hand, to be confirmed."""
    chosen = (Refund.state == RefundState.REFUSED) & Refund.way_out_by.is_not(None)
    noted = (Refund.state == RefundState.OWED) & Refund.noted_by.is_not(None)
    query = sa.select(Refund).where((Refund.state == RefundState.PREPARED) | chosen | noted)
    people = (Refund.asker, Refund.releaser, Refund.chooser, Refund.noter, Refund.project)
    found = session.scalars(query.options(*map(joinedload, people)).order_by(Refund.id).limit(MOST))
    for each in found:
        what, by, since, last = _step(each)
        yield Waiting(
            what, each.money, since, by, "payments.refund", _other(actor, *last),
            {"refund_id": each.public_id}, each.project.name,
        )  # fmt: skip


def _step(refund: Refund) -> tuple[str, str, datetime, tuple[int | None, ...]]:
    """What is to be decided of a refund, who did the step before and when, and who may not decide."""
    if refund.state is RefundState.REFUSED and refund.chooser is not None:
        assert refund.way_out_at is not None
        return (
            _("The way out of a refused refund"),
            refund.chooser.full_name,
            refund.way_out_at,
            (refund.way_out_by,),
        )
    if refund.state is RefundState.OWED and refund.noter is not None:
        assert refund.noted_at is not None
        return _("A refund paid by hand"), refund.noter.full_name, refund.noted_at, (refund.noted_by,)
    by, since = refund.releaser or refund.asker, refund.released_at or refund.prepared_at
    return _("A refund"), by.full_name, since, (refund.asked_by, refund.released_by)


def _fees(session: Session, actor: Actor) -> Iterator[Waiting]:
    query = sa.select(FeeChange).where(FeeChange.state == OfferState.MADE)
    people = (FeeChange.maker, FeeChange.organization, FeeChange.project)
    for each in session.scalars(query.options(*map(joinedload, people)).order_by(FeeChange.id).limit(MOST)):
        scope = each.project or each.organization
        yield Waiting(
            _("A fee"), None, each.made_at, each.maker.full_name, "contracts.fees",
            _other(actor, each.made_by), detail=scope.name if scope else _("all clients"),
        )  # fmt: skip


def _credit(session: Session, actor: Actor) -> Iterator[Waiting]:
    query = sa.select(CreditLine).where(CreditLine.confirmed_by.is_(None), CreditLine.ended_at.is_(None))
    people = (CreditLine.preparer, CreditLine.organization)
    for each in session.scalars(query.options(*map(joinedload, people)).order_by(CreditLine.id).limit(MOST)):
        mine = _other(actor, each.prepared_by) or _other(actor, each.prepared_by, role=Role.OPERATOR)
        yield Waiting(
            _("A credit line"), each.money, each.prepared_at, each.preparer.full_name, "payments.credit_line",
            mine, {"line_id": each.public_id}, each.organization.name,
        )  # fmt: skip


def _decisions(session: Session, actor: Actor) -> Iterator[Waiting]:
    for each in decisions.waiting(session)[:MOST]:
        yield Waiting(
            decisions.what(each), Money(each.line.amount, each.line.currency), each.proposed_at,
            each.proposer.full_name, "reconciliation.line", _other(actor, each.proposed_by),
            {"public_id": each.line.public_id}, each.line.counterparty,
        )  # fmt: skip


def _holds(session: Session, actor: Actor) -> Iterator[Waiting]:
    query = sa.select(BankHold).where(BankHold.ending_by.is_not(None), BankHold.ended_at.is_(None))
    account = joinedload(BankHold.account).joinedload(ConnectedAccount.person)
    query = query.options(joinedload(BankHold.asker), account).order_by(BankHold.id).limit(MOST)
    for each in session.scalars(query):
        assert each.asker is not None
        assert each.ending_at is not None
        yield Waiting(
            _("The end of a hold after a changed bank account"), None, each.ending_at, each.asker.full_name,
            "payments.holds", _other(actor, each.ending_by, each.account.person_id),
            detail=each.account.person.full_name,
        )  # fmt: skip


def _weeks(session: Session, actor: Actor) -> Iterator[Waiting]:
    """Reserved weeks of a contested payment that one of finance wants let go."""
    query = sa.select(Chargeback).where(
        Chargeback.weeks_asked_by.is_not(None),
        Chargeback.weeks_freed_by.is_(None),
        Chargeback.state.in_(OPEN),
    )
    project = joinedload(Chargeback.funding).joinedload(Funding.project)
    for each in session.scalars(query.options(joinedload(Chargeback.weeks_asker), project).limit(MOST)):
        assert each.weeks_asker is not None
        assert each.weeks_asked_at is not None
        yield Waiting(
            _("Weeks to let go for a chargeback"), each.money, each.weeks_asked_at,
            each.weeks_asker.full_name,
            "payments.chargeback", _other(actor, each.weeks_asked_by), {"chargeback_id": each.public_id},
            each.funding.project.name,
        )  # fmt: skip


KINDS: tuple[Callable[[Session, Actor], Iterator[Waiting]], ...] = (
    _batches,
    _sweeps,
    _top_ups,
    _refunds,
    _fees,
    _credit,
    _decisions,
    _holds,
    _weeks,
)
