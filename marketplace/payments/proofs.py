"""What must hold of money on its way at every moment."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace.accounts.models import Person
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.models import Approval, Contract, Timesheet
from marketplace.gigs.models import Project
from marketplace.ledger.models import JournalEntry, LedgerAccount, LedgerBalance, Posting
from marketplace.payments import debits, exchanged
from marketplace.payments.batches import is_unchanged, paid_by
from marketplace.payments.booked import compared, moved_on, source_of
from marketplace.payments.models import (
    Funding,
    PayoutBatch,
    PayoutItem,
    PayoutItemAdjustment,
    PayoutItemApproval,
    PayoutItemReversal,
    Sweep,
    SweepPosting,
    TopUp,
    Transfer,
    TransferReversal,
)
from marketplace.payments.refunds.models import IN_FLIGHT as REFUND_IN_FLIGHT
from marketplace.payments.refunds.models import NOT_BOOKED, Refund
from marketplace.payments.states import (
    FundingState,
    ItemState,
    RefundState,
    SweepState,
    TopUpState,
    TransferState,
)
from marketplace.proof import Drift, Proof

IN_FLIGHT = (ItemState.RELEASED, ItemState.SENDING, ItemState.UNKNOWN)
UNPAID = (ItemState.BLOCKED, ItemState.CANCELLED, ItemState.FAILED)
AT_ONCE = 500


def transfers_are_booked_once(session: Session) -> Iterator[Drift]:
    """I4: each item was sent at most once, whole, and the books say the same."""
    sent = (
        sa.select(Transfer.payout_item_id, sa.func.sum(Transfer.amount).label("amount"))
        .where(Transfer.state == TransferState.SENT)
        .group_by(Transfer.payout_item_id)
        .subquery()
    )
    booked = moved_on("payout_item:", "1100")
    rows = session.execute(
        sa.select(PayoutItem.public_id, PayoutItem.amount, sent.c.amount, booked.c.amount)
        .outerjoin(sent, sent.c.payout_item_id == PayoutItem.id)
        .outerjoin(booked, booked.c.source == source_of("payout_item:", PayoutItem.public_id))
        .where(
            sa.or_(
                sa.func.coalesce(sent.c.amount, 0) != -sa.func.coalesce(booked.c.amount, 0),
                sent.c.amount != PayoutItem.amount,
            )
        )
    )
    for item, amount, was_sent, was_booked in rows:
        yield Drift(
            f"payout item {item}",
            f"{amount} sent and booked",
            f"{was_sent} sent, {-(was_booked or 0)} booked",
        )


def in_flight_is_what_flies(session: Session) -> Iterator[Drift]:
    """I5: an expert's in-flight account holds exactly the items whose outcome is open."""
    flying = (
        sa.select(
            sa.func.concat("expert:", sa.cast(Person.public_id, sa.Text), ":in_flight").label("key"),
            sa.func.sum(PayoutItem.amount).label("amount"),
        )
        .join(PayoutItem, PayoutItem.person_id == Person.id)
        .where(PayoutItem.state.in_(IN_FLIGHT))
        .group_by(Person.public_id)
        .subquery()
    )
    held = (
        sa.select(LedgerAccount.key, (-sa.func.sum(LedgerBalance.amount)).label("amount"))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.code == "2110")
        .group_by(LedgerAccount.key)
        .subquery()
    )
    rows = session.execute(
        sa.select(sa.func.coalesce(flying.c.key, held.c.key), flying.c.amount, held.c.amount)
        .select_from(flying.outerjoin(held, held.c.key == flying.c.key, full=True))
        .where(sa.func.coalesce(flying.c.amount, 0) != sa.func.coalesce(held.c.amount, 0))
    )
    for key, expected, found in rows:
        yield Drift(key, str(expected or 0), str(found or 0))


def fundings_are_booked(session: Session) -> Iterator[Drift]:
    """I3: each lot that was paid is in the books with what arrived, and no other is."""
    paid = (
        sa.select(source_of("funding:", Funding.public_id).label("source"), Funding.net.label("amount"))
        .where(Funding.state.in_((FundingState.PAID, FundingState.FAILED_AFTER_PAID)))
        .subquery()
    )
    yield from compared(session, paid, moved_on("funding:", "2010", -1))


def debits_are_under_way(session: Session) -> Iterator[Drift]:
    """BD1: on their way, and nobody's yet, are the bank debits that no bank has answered."""
    project = sa.func.concat("project:", sa.cast(Project.public_id, sa.Text), ":under_way")
    waiting = (
        sa.select(project.label("source"), sa.func.sum(Funding.net).label("amount"))
        .join(Funding.project)
        .where(debits.waiting())
        .group_by(Project.public_id)
        .subquery()
    )
    kept = (
        sa.select(LedgerAccount.key.label("source"), (-sa.func.sum(LedgerBalance.amount)).label("amount"))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.code == "2040")
        .group_by(LedgerAccount.key)
        .subquery()
    )
    yield from compared(session, waiting, kept)


def clearing_is_itemised(session: Session) -> Iterator[Drift]:
    """P7: in each currency, 1290 holds what payments and refunds were changed from and into, no more; what
    a month's end revalued stands apart."""
    lots = (FundingState.PAID, FundingState.FAILED_AFTER_PAID)
    paid = Funding.settled_currency.is_not(None)
    back = sa.and_(Refund.settled_currency.is_not(None), Refund.state.in_(exchanged.WENT))
    sides = sa.union_all(
        sa.select(Funding.currency, Funding.net + Funding.fee).where(paid, Funding.state.in_(lots)),
        sa.select(Funding.settled_currency, -Funding.settled_amount).where(paid, Funding.state.in_(lots)),
        sa.select(Refund.currency, -Refund.amount).where(back),
        sa.select(Refund.settled_currency, Refund.settled_amount).where(back),
        exchanged.all_realised(),
    ).subquery()
    currency, amount = sides.c
    changed = sa.select(currency.label("source"), sa.func.sum(amount).label("amount")).group_by(currency)
    held = (
        sa.select(Posting.currency.label("source"), sa.func.sum(Posting.amount).label("amount"))
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(LedgerAccount.code == "1290", ~JournalEntry.source.startswith("revaluation:"))
        .group_by(Posting.currency)
    )
    yield from compared(session, changed.subquery(), held.subquery())


def one_currency(session: Session) -> Iterator[Drift]:
    """FX1: what a batch pays was earned in its currency."""
    rows = session.execute(
        sa.select(PayoutItem.public_id, PayoutBatch.currency, Contract.currency)
        .join(PayoutItem.batch)
        .join(PayoutItem.approvals)
        .join(PayoutItemApproval.approval)
        .join(Approval.timesheet)
        .join(Timesheet.contract)
        .where(Contract.currency != PayoutBatch.currency)
    )
    for item, expected, found in rows:
        yield Drift(f"payout item {item}", str(expected), str(found))


def what_was_paid_was_approved(session: Session) -> Iterator[Drift]:
    """I7: what each item pays still has the hash it had when it was prepared."""
    query = (
        sa.select(PayoutItem)
        .where(PayoutItem.state.not_in(UNPAID))
        .options(
            joinedload(PayoutItem.person),
            joinedload(PayoutItem.account),
            selectinload(PayoutItem.approvals).joinedload(PayoutItemApproval.approval),
            selectinload(PayoutItem.adjustments).joinedload(PayoutItemAdjustment.adjustment),
            selectinload(PayoutItem.reversals).joinedload(PayoutItemReversal.reversal),
        )
        .execution_options(yield_per=AT_ONCE)
    )
    for item in session.scalars(query):
        if not is_unchanged(item):
            yield Drift(
                f"payout item {item.public_id}", f"{item.amount} as frozen", f"{paid_by(item)} as approved"
            )


def approvals_are_paid_once(session: Session) -> Iterator[Drift]:
    """I3: no approval is in two items that paid, or are about to."""
    rows = session.execute(
        sa.select(Approval.public_id, sa.func.count())
        .join(PayoutItemApproval, PayoutItemApproval.approval_id == Approval.id)
        .join(PayoutItem, PayoutItem.id == PayoutItemApproval.payout_item_id)
        .where(PayoutItem.state.not_in(UNPAID))
        .group_by(Approval.public_id)
        .having(sa.func.count() > 1)
    )
    for approval, count in rows:
        yield Drift(f"approval {approval}", "paid once", f"in {count} payments")


def adjustments_are_paid_once(session: Session) -> Iterator[Drift]:
    """No bonus or correction is in two items that paid, or are about to."""
    rows = session.execute(
        sa.select(Adjustment.public_id, sa.func.count())
        .join(PayoutItemAdjustment, PayoutItemAdjustment.adjustment_id == Adjustment.id)
        .join(PayoutItem, PayoutItem.id == PayoutItemAdjustment.payout_item_id)
        .where(PayoutItem.state.not_in(UNPAID))
        .group_by(Adjustment.public_id)
        .having(sa.func.count() > 1)
    )
    for adjustment, count in rows:
        yield Drift(f"adjustment {adjustment}", "paid once", f"in {count} payments")


def reversals_are_booked(session: Session) -> Iterator[Drift]:
    """I9: each transfer that came back is booked once, and its payment says how much."""
    came = sa.select(
        source_of("transfer_reversal:", TransferReversal.public_id).label("source"),
        TransferReversal.amount.label("amount"),
    ).subquery()
    yield from compared(session, came, moved_on("transfer_reversal:", "1100"))
    sums = (
        sa.select(Transfer.payout_item_id, sa.func.sum(TransferReversal.amount).label("amount"))
        .join(TransferReversal.transfer)
        .group_by(Transfer.payout_item_id)
        .subquery()
    )
    back = sa.func.coalesce(sums.c.amount, 0)
    rows = session.execute(
        sa.select(PayoutItem.public_id, PayoutItem.amount_reversed, back)
        .outerjoin(sums, sums.c.payout_item_id == PayoutItem.id)
        .where(PayoutItem.amount_reversed != back)
    )
    for item, said, found in rows:
        yield Drift(f"payout item {item}", f"{said} taken back", f"{found} in its transfers")


def top_ups_are_in_transit(session: Session) -> Iterator[Drift]:
    """T1: account 1160 holds exactly the top-ups that Stripe takes from the bank at this time."""
    moving = dict(
        session.execute(
            sa.select(TopUp.currency, sa.func.sum(TopUp.amount))
            .where(TopUp.state == TopUpState.SENT)
            .group_by(TopUp.currency)
        ).all()
    )
    booked = dict(
        session.execute(
            sa.select(LedgerAccount.currency, sa.func.sum(LedgerBalance.amount))
            .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
            .where(LedgerAccount.code == "1160")
            .group_by(LedgerAccount.currency)
        ).all()
    )
    for currency in sorted({*moving, *booked}):
        expected, found = int(moving.get(currency, 0)), int(booked.get(currency, 0))
        if expected != found:
            yield Drift(f"1160 {currency}", str(expected), str(found))


def sweeps_take_what_they_name(session: Session) -> Iterator[Drift]:
    """S1: a sweep is exactly the fees less costs of the postings it names."""
    taken = (
        sa.select(SweepPosting.sweep_id, (-sa.func.sum(Posting.amount)).label("amount"))
        .join(Posting, Posting.id == SweepPosting.posting_id)
        .group_by(SweepPosting.sweep_id)
        .subquery()
    )
    rows = session.execute(
        sa.select(Sweep.public_id, Sweep.amount, taken.c.amount)
        .outerjoin(taken, taken.c.sweep_id == Sweep.id)
        .where(Sweep.state != SweepState.CANCELLED, sa.func.coalesce(taken.c.amount, 0) != Sweep.amount)
    )
    for sweep, expected, found in rows:
        yield Drift(f"sweep {sweep}", str(expected), str(found or 0))


def refunds_are_booked(session: Session) -> Iterator[Drift]:
    """R1: what left a project's funds to go back is exactly the refunds that are no longer only prepared."""
    yield from _refunds_are(session, Refund.state.not_in(NOT_BOOKED), "2010", 1)


def refunds_in_flight_are_those_that_fly(session: Session) -> Iterator[Drift]:
    """R2: a project's refunds in flight are exactly the released ones whose outcome is open."""
    yield from _refunds_are(session, Refund.state.in_(REFUND_IN_FLIGHT), "2510", -1)


def refunds_payable_are_owed(session: Session) -> Iterator[Drift]:
    """R3: what is to be paid back by hand is exactly the refunds that nobody has paid out yet."""
    yield from _refunds_are(session, Refund.state == RefundState.OWED, "2500", -1)


def _refunds_are(session: Session, where: sa.ColumnElement[bool], code: str, sign: int) -> Iterator[Drift]:
    """The refunds of `where`, whole, are what refunds moved on the account; `sign` is that of its debits."""
    left = (
        sa.select(
            source_of("refund:", Refund.public_id).label("source"), (Refund.amount * sign).label("amount")
        )
        .where(where)
        .subquery()
    )
    yield from compared(session, left, moved_on("refund:", code))


PROOFS = [
    Proof("I3", "Each paid lot is booked once, with what arrived", fundings_are_booked),
    Proof("BD1", "Bank debits on their way are those without an answer", debits_are_under_way),
    Proof("P7", "Currency clearing is what was changed", clearing_is_itemised),
    Proof("FX1", "A batch pays what was earned in its currency", one_currency),
    Proof("I6", "No approval is paid twice", approvals_are_paid_once),
    Proof("I8", "No bonus or correction is paid twice", adjustments_are_paid_once),
    Proof("I4", "Each payment was sent at most once, and booked", transfers_are_booked_once),
    Proof("I5", "What is in flight is what has no outcome yet", in_flight_is_what_flies),
    Proof("I7", "What was paid is what was approved", what_was_paid_was_approved),
    Proof("I9", "What was taken back is booked, and its payment says so", reversals_are_booked),
    Proof("R1", "Each refund is booked once, whole", refunds_are_booked),
    Proof("R2", "Refunds in flight are those without an outcome", refunds_in_flight_are_those_that_fly),
    Proof("R3", "Refunds payable are those to be paid by hand", refunds_payable_are_owed),
    Proof("T1", "What is in transit to Stripe is in a top-up", top_ups_are_in_transit),
    Proof("S1", "A sweep is the fees that it names", sweeps_take_what_they_name),
]
