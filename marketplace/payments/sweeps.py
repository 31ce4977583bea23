"""Our own fees out to our own bank: each sweep names the postings that it takes, so that no client's money
is ever swept along. One person prepares, another releases, the worker sends.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import alarms, audit, clock, jobs, ledger
from marketplace.actor import SITE, Actor, Role
from marketplace.alarms.stops import Stops
from marketplace.db import use_case
from marketplace.errors import NotAllowed, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.payments import claiming, covered, facts
from marketplace.payments.fundings import NotHereYet
from marketplace.payments.gateway import Gateway
from marketplace.payments.keys import KEY_LIVES, SURELY_NOT_MADE
from marketplace.payments.models import Sweep, SweepPosting
from marketplace.payments.outcomes import GatewayError, GatewayRefused
from marketplace.payments.purse import Purse
from marketplace.payments.rounds import Round
from marketplace.payments.states import SweepState, move
from marketplace.payments.transfers import NO_MONEY

# What we earn, and what Stripe has taken for it: all of it lies in, or came out of, the Stripe balance. What
# the rounding of lines costs is ours to bear, or a client's money would be swept in its place. So is what
# clients owe (1200) until they pay it, and what of it was written off.
OUR_OWN = (
    chart.client_fees(),
    chart.fees_recharged(),
    chart.processing_costs(),
    chart.connect_costs(),
    chart.chargeback_fees(),
    chart.chargeback_losses(),
    chart.bad_debts(),
    chart.rounding(),
    # Money that was really changed came in, or went out, at Stripe.
    chart.currency_realised(),
    # The tax on our fees goes with them: it is paid to the tax office from there.
    chart.tax_payable(),
)
# A payout may be shown as paid and still come back within five business days (Stripe, payout failures).
COMES_BACK_WITHIN = timedelta(days=8)
UNRESOLVED = (SweepState.SENDING, SweepState.UNKNOWN)
ENDED_BADLY = ("failed", "canceled")


@use_case
def prepare_sweep(session: Session, actor: Actor, currency: str = "USD") -> Sweep:
    """Take every fee and cost posting that no sweep has taken. Raises NotAllowed, or Refused if none is."""
    actor.require(Role.FINANCE_PREPARER)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(0x7377656570)))
    covered.take_turns(session)
    if session.scalar(
        sa.select(Sweep.id).where(Sweep.currency == currency, Sweep.state.in_(covered.LEAVING))
    ):
        raise Refused(_("Another sweep is not finished. Release it, or cancel it, first."))
    taken = unswept(session, currency)
    amount = -sum(posting.amount for posting in taken)
    if amount <= 0:
        raise Refused(_("There are no fees to sweep: what was earned so far does not exceed the costs."))
    _require_ours(session, currency, amount)
    sweep = Sweep(
        currency=currency,
        amount=amount,
        state=SweepState.PREPARED,
        prepared_by=actor.id,
        prepared_at=clock.now(),
        attempt=1,
        tries=0,
    )
    session.add(sweep)
    session.flush()
    session.add_all(SweepPosting(sweep_id=sweep.id, posting_id=posting.id) for posting in taken)
    audit.record(session, actor, "prepare", "sweep", sweep.public_id, amount=amount, postings=len(taken))
    return sweep


def _require_ours(session: Session, currency: str, amount: int) -> None:
    """Fees of work on credit are ours, and not here before the client pays. Raises Refused."""
    found = covered.look(session, currency)
    if found.unpaid and found.short + found.leaving + amount > 0:
        raise Refused(
            _("Clients who work on credit have not paid all of these fees yet. Sweep them when they have.")
        )


@use_case
def release_sweep(session: Session, actor: Actor, public_id: uuid.UUID) -> Sweep:
    """Let a prepared sweep go. Raises NotFound, NotAllowed, FreshFactorNeeded or Refused."""
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    covered.take_turns(session)
    sweep = _locked(session, public_id)
    if sweep.prepared_by == actor.id:
        raise NotAllowed(_("You prepared this, so somebody else has to release it. Ask a colleague."))
    alarms.require_none(session, Stops.SWEEPS)
    # What is leaving counts this sweep already.
    _require_ours(session, sweep.currency, 0)
    move(sweep, SweepState.RELEASED)
    sweep.released_by, sweep.released_at = actor.id, clock.now()
    audit.record(session, actor, "release", "sweep", sweep.public_id, amount=sweep.amount)
    jobs.defer(session, "payments.send_sweeps", once="payments.send_sweeps")
    return sweep


@use_case
def cancel_sweep(session: Session, actor: Actor, public_id: uuid.UUID) -> Sweep:
    """Drop a sweep that was not released; its postings can be swept again."""
    actor.require(Role.FINANCE_PREPARER, Role.FINANCE_RELEASER)
    sweep = _locked(session, public_id)
    move(sweep, SweepState.CANCELLED)
    _free(session, sweep)
    audit.record(session, actor, "cancel", "sweep", sweep.public_id)
    return sweep


def send_sweeps(session: Session, gateway: Gateway) -> int:
    """Send what was released, and find out about what nobody knows; how many were taken up."""
    return claiming.send_each(session, gateway, _claim, _send)


def track_sweeps(session: Session, gateway: Gateway) -> int:
    """Fetch the payout of each sweep that has not arrived, or may still come back; how many."""
    lately = Sweep.arrival_date >= (clock.now() - COMES_BACK_WITHIN).date()
    moving = sa.or_(Sweep.state == SweepState.SENT, sa.and_(Sweep.state == SweepState.PAID, lately))
    ids = session.scalars(sa.select(Sweep.stripe_id).where(moving)).all()
    session.rollback()
    seen, turn = 0, Round(session, gateway)
    for payout in turn.over(ids):
        with turn.one(payout):
            track_sweep(session, gateway, payout or "")
            seen += 1
    return seen


def track_sweep(session: Session, gateway: Gateway, payout_id: str) -> None:
    """Fetch one platform payout and record it. Raises NotHereYet when it is no sweep of ours."""
    session.rollback()
    _record(session, gateway.payout(payout_id))


def unswept(session: Session, currency: str) -> Sequence[Posting]:
    """Fee and cost postings that no live sweep has taken, in order."""
    return session.scalars(
        sa.select(Posting)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(
            *_unswept(currency),
        )
        .order_by(Posting.id)
    ).all()


def _ours() -> sa.ColumnElement[bool]:
    """Fees and costs; and withheld tax that was paid from our bank, of which as much lies at Stripe."""
    remitted = sa.exists().where(
        JournalEntry.id == Posting.entry_id,
        JournalEntry.source.startswith("tax_remittance:"),
        LedgerAccount.key == chart.bank_operating().key,
    )
    ours = LedgerAccount.key.in_([account.key for account in OUR_OWN])
    return sa.or_(ours, LedgerAccount.code == "1200", remitted)


def taken(session: Session, sweep: Sweep) -> list[tuple[str, int, int]]:
    """What a sweep takes: for each account of the chart its code, the number of postings and their sum."""
    rows = session.execute(
        sa.select(LedgerAccount.code, sa.func.count(), -sa.func.sum(Posting.amount))
        .select_from(SweepPosting)
        .join(Posting, Posting.id == SweepPosting.posting_id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(SweepPosting.sweep_id == sweep.id)
        .group_by(LedgerAccount.code)
        .order_by(LedgerAccount.code)
    )
    return [(code, count, int(amount)) for code, count, amount in rows]


def sweepable(session: Session, currency: str) -> int:
    """What a sweep would take now, in minor units; negative while costs exceed fees."""
    return -int(
        session.scalar(
            sa.select(sa.func.coalesce(sa.func.sum(Posting.amount), 0))
            .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
            .where(*_unswept(currency))
        )
        or 0
    )


def _unswept(currency: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Postings of our own that no live sweep has taken; of tax only what clients paid, and not what went from
    our bank to a tax office."""
    charged = sa.select(JournalEntry.id).where(
        sa.or_(*(JournalEntry.source.startswith(f"{kind}:") for kind in ("approval", "adjustment")))
    )
    return (
        _ours(),
        (LedgerAccount.key != chart.tax_payable().key) | Posting.entry_id.in_(charged),
        Posting.currency == currency,
        ~sa.exists().where(SweepPosting.posting_id == Posting.id, SweepPosting.ended_at.is_(None)),
    )


@dataclass(frozen=True)
class _Order(claiming.Order):
    """A committed sweep as the call needs it."""

    amount: int
    currency: str
    source_type: str | None


@use_case
def _claim(session: Session) -> _Order | None:
    """Commit that the next sweep is being sent, or looked into, for the time of a lease."""
    taken = claiming.take(session, Sweep, "sweep")
    if taken is None:
        return None
    sweep, known = taken
    return _Order(*known, sweep.amount, sweep.currency, sweep.source_type)


def _send(session: Session, gateway: Gateway, order: _Order) -> None:
    """Find the payout if it may exist, else make it; the key is used again only while Stripe keeps it.

    GatewayUnknown, GatewayBusy and GatewayClosed pass through after they were recorded.
    """
    found = _look_up(session, gateway, order) if order.tried_before else None
    age = clock.now() - order.first_tried_at
    if found is None and age > SURELY_NOT_MADE and order.tried_before:
        _record_refused(session, order, "not_found_after_a_day")
    elif found is None and age < KEY_LIVES:
        found = _make(session, gateway, order)
    if found is not None:
        _record(session, found, order.public_id)


def _look_up(session: Session, gateway: Gateway, order: _Order) -> facts.Payout | None:
    """A look-up that fails, or is refused, says nothing about the payout."""
    try:
        return _find(gateway, order)
    except GatewayError as error:
        claiming.record_unknown(session, Sweep, order, error.code)
        raise


def _find(gateway: Gateway, order: _Order) -> facts.Payout | None:
    """Payouts cannot be looked up by group; ours carry the sweep's id, and there are few."""
    since = order.first_tried_at - timedelta(hours=1)
    payouts = gateway.payouts(since)
    return next((each for each in payouts if each.metadata.get("sweep") == str(order.public_id)), None)


def _make(session: Session, gateway: Gateway, order: _Order) -> facts.Payout | None:
    """The payout; None when Stripe said no, which is recorded."""
    try:
        return gateway.send_payout(
            order.key,
            amount=order.amount,
            currency=order.currency,
            source_type=order.source_type or _choose(session, gateway, order),
            metadata={"sweep": str(order.public_id)},
        )
    except GatewayRefused as error:
        _record_refused(session, order, error.code)
        return None
    except GatewayError as error:
        claiming.record_unknown(session, Sweep, order, error.code)
        raise


def _choose(session: Session, gateway: Gateway, order: _Order) -> str:
    """The part of the balance that the sweep draws on, kept before the call so that a repeat is the same."""
    kind = Purse(gateway.balance().spendable(order.currency)).choose(order.amount)
    if kind is None:
        raise GatewayRefused(NO_MONEY, _("Not enough is available at Stripe yet. It is tried again later."))
    _keep_source(session, order.public_id, kind)
    return kind


@use_case
def _keep_source(session: Session, public_id: uuid.UUID, kind: str) -> None:
    _locked(session, public_id).source_type = kind


@use_case
def _record(session: Session, payout: facts.Payout, public_id: uuid.UUID | None = None) -> None:
    """Bring the sweep to what Stripe says of its payout. Recorded once, whoever comes first."""
    named = public_id or _named(payout)
    if named is None:
        raise NotHereYet(_("No sweep here belongs to %(payout)s.", payout=payout.id))
    sweep = _locked(session, named)
    sweep.arrival_date, sweep.trace_id = payout.arrival_date, payout.trace_id
    if sweep.stripe_id is None:
        sweep.stripe_id, sweep.retry_at, sweep.failure = payout.id, None, None
        move(sweep, SweepState.SENT)
        _book(session, sweep, payout, "sent")
    if payout.status == "paid" and sweep.state == SweepState.SENT:
        move(sweep, SweepState.PAID)
    elif payout.status in ENDED_BADLY and sweep.state in (SweepState.SENT, SweepState.PAID):
        _book(session, sweep, payout, "failed")
        _fail(session, sweep, payout.failure_code or payout.status)


def _book(session: Session, sweep: Sweep, payout: facts.Payout, event: str) -> None:
    """What leaves the Stripe balance is in transit until the bank statement shows it."""
    amount = payout.amount if event == "sent" else -payout.amount
    ledger.post(
        session,
        SITE,
        source=f"sweep:{sweep.public_id}",
        event=event,
        currency=sweep.currency,
        lines=[(chart.payouts_in_transit(), amount), (chart.stripe_balance(), -amount)],
        occurred_at=payout.created_at if event == "sent" else clock.now(),
        memo=_("Fees on their way to our bank") if event == "sent" else _("The bank sent the fees back"),
    )
    audit.record(session, SITE, event, "sweep", sweep.public_id, payout=payout.id, amount=payout.amount)


@use_case
def _record_refused(session: Session, order: _Order, code: str) -> None:
    """For want of money it waits and is tried again under a new key; else it has failed."""
    sweep = _locked(session, order.public_id)
    if sweep.state not in UNRESOLVED:
        return
    if code == NO_MONEY:
        claiming.send_anew(sweep, code, clock.now() + timedelta(hours=1))
        sweep.source_type = None
    else:
        _fail(session, sweep, code)


def _fail(session: Session, sweep: Sweep, code: str) -> None:
    move(sweep, SweepState.FAILED)
    sweep.failure, sweep.retry_at = code, None
    _free(session, sweep)
    audit.record(session, SITE, "fail", "sweep", sweep.public_id, code=code)


def _free(session: Session, sweep: Sweep) -> None:
    session.execute(
        sa.update(SweepPosting)
        .where(SweepPosting.sweep_id == sweep.id, SweepPosting.ended_at.is_(None))
        .values(ended_at=clock.now())
    )


def _locked(session: Session, public_id: uuid.UUID) -> Sweep:
    sweep = claiming.held(session, Sweep, public_id)
    if sweep is None:
        raise NotFound(_("There is no such sweep."))
    return sweep


def _named(payout: facts.Payout) -> uuid.UUID | None:
    try:
        return uuid.UUID(payout.metadata["sweep"])
    except (KeyError, ValueError):
        return None
