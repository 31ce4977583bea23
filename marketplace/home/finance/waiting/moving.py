"""Money that one of finance wants to move, and what holds pay back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.actor import Actor
from marketplace.home.finance.waiting.parts import MOST, Waiting, other
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.money import Money
from marketplace.payments import queries
from marketplace.payments.chargebacks.models import OPEN, Chargeback
from marketplace.payments.models import ConnectedAccount, Funding, PayoutBatch, Sweep, TopUp
from marketplace.payments.refunds.models import Refund
from marketplace.payments.runs import confirming
from marketplace.payments.setup.models import BankHold
from marketplace.payments.states import BatchState, RefundState, SweepState, TopUpState
from marketplace.payments.tax.models import Remittance
from marketplace.payments.tax.states import RemittanceState


def batches(session: Session, actor: Actor) -> Iterator[Waiting]:
    """Above the limit two release one, and the first of them is not the second."""
    query = sa.select(PayoutBatch).where(PayoutBatch.state == BatchState.PREPARED)
    found = session.scalars(
        query.options(joinedload(PayoutBatch.preparer)).order_by(PayoutBatch.id).limit(MOST)
    )
    rows = found.all()
    sizes = queries.sizes(session, [each.id for each in rows])
    for each in rows:
        people, amount = sizes.get(each.id, (0, 0))
        first = confirming.counting(session, each)
        detail = ngettext("one expert", "%(n)s experts", people)
        if first is not None:
            detail = _("%(people)s; %(name)s released it first", people=detail, name=first.person.full_name)
        yield Waiting(
            _("A payout batch"), Money(amount, each.currency), each.prepared_at, each.preparer.full_name,
            "payments.batch", other(actor, each.prepared_by, first.person_id if first else None),
            {"batch_id": each.public_id}, detail,
        )  # fmt: skip


def sweeps(session: Session, actor: Actor) -> Iterator[Waiting]:
    query = sa.select(Sweep).where(Sweep.state == SweepState.PREPARED).options(joinedload(Sweep.preparer))
    for each in session.scalars(query.order_by(Sweep.id).limit(MOST)):
        yield Waiting(
            _("A sweep of our fees"), Money(each.amount, each.currency), each.prepared_at,
            each.preparer.full_name, "payments.sweep", other(actor, each.prepared_by),
            {"sweep_id": each.public_id},
        )  # fmt: skip


def top_ups(session: Session, actor: Actor) -> Iterator[Waiting]:
    query = sa.select(TopUp).where(TopUp.state == TopUpState.PREPARED).options(joinedload(TopUp.preparer))
    for each in session.scalars(query.order_by(TopUp.id).limit(MOST)):
        yield Waiting(
            _("A top-up to Stripe"), Money(each.amount, each.currency), each.prepared_at,
            each.preparer.full_name, "payments.top_up", other(actor, each.prepared_by),
            {"top_up_id": each.public_id},
        )  # fmt: skip


def refunds(session: Session, actor: Actor) -> Iterator[Waiting]:
    """To be released, by one or two; a way out, and a payment by hand, to be confirmed."""
    chosen = (Refund.state == RefundState.REFUSED) & Refund.way_out_by.is_not(None)
    noted = (Refund.state == RefundState.OWED) & Refund.noted_by.is_not(None)
    query = sa.select(Refund).where((Refund.state == RefundState.PREPARED) | chosen | noted)
    people = (Refund.asker, Refund.releaser, Refund.chooser, Refund.noter, Refund.project)
    found = session.scalars(query.options(*map(joinedload, people)).order_by(Refund.id).limit(MOST))
    for each in found:
        what, by, since, last = _step(each)
        yield Waiting(
            what, each.money, since, by, "payments.refund", other(actor, *last),
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


def holds(session: Session, actor: Actor) -> Iterator[Waiting]:
    query = sa.select(BankHold).where(BankHold.ending_by.is_not(None), BankHold.ended_at.is_(None))
    account = joinedload(BankHold.account).joinedload(ConnectedAccount.person)
    query = query.options(joinedload(BankHold.asker), account).order_by(BankHold.id).limit(MOST)
    for each in session.scalars(query):
        assert each.asker is not None
        assert each.ending_at is not None
        yield Waiting(
            _("The end of a hold after a changed bank account"), None, each.ending_at, each.asker.full_name,
            "payments.holds", other(actor, each.ending_by, each.account.person_id),
            detail=each.account.person.full_name,
        )  # fmt: skip


def weeks(session: Session, actor: Actor) -> Iterator[Waiting]:
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
            "payments.chargeback", other(actor, each.weeks_asked_by), {"chargeback_id": each.public_id},
            each.funding.project.name,
        )  # fmt: skip


def remittances(session: Session, actor: Actor) -> Iterator[Waiting]:
    """Tax that was withheld from experts, on its way to the tax office."""
    query = sa.select(Remittance).where(Remittance.state == RemittanceState.PREPARED)
    for each in session.scalars(query.options(joinedload(Remittance.preparer)).limit(MOST)):
        yield Waiting(
            _("Withheld tax to the tax office"), Money(each.amount, each.currency), each.prepared_at,
            each.preparer.full_name, "payments.tax_remittance", other(actor, each.prepared_by),
            {"remittance_id": each.public_id},
        )  # fmt: skip
