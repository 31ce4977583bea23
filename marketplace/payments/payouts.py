"""Stripe's payouts from experts' accounts to their banks: fetched, linked to transfers, followed to the end.

A payout that is paid may still come back, so an item is settled only five business days after it was paid,
and after one more look.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock, ledger
from marketplace.actor import SITE
from marketplace.db import use_case
from marketplace.i18n import gettext as _
from marketplace.ledger import NewEntry, chart
from marketplace.money import Money
from marketplace.notifications import notify
from marketplace.payments import facts, sending, words
from marketplace.payments.connected_accounts import SETUP_PATH
from marketplace.payments.fundings import NotHereYet
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import (
    ConnectedAccount,
    ConnectedPayout,
    ConnectedPayoutTransfer,
    PayoutBatch,
    PayoutItem,
    Transfer,
)
from marketplace.payments.rounds import Round
from marketplace.payments.states import ITEM, ItemState, TransferState, move

SETTLES_AFTER = 5  # business days
ENDED_BADLY = ("failed", "canceled")
MONEY_PATH = "/pay"
RECONCILED = "completed"


def track_payout(session: Session, gateway: Gateway, account: str, payout_id: str) -> None:
    """Fetch one payout of a connected account, with what it carries, and record it.

    Raises NotHereYet when the account is not ours, and the gateway's errors.
    """
    session.rollback()
    payout = gateway.payout(payout_id, account)
    record_payout(session, account, payout, _contents(session, gateway, account, payout))


def track_payouts(session: Session, gateway: Gateway, limit: int = 500) -> int:
    """Look at the payouts of every account that has money on its way; how many accounts were looked at.

    Finds what no webhook told of. Accounts looked at longest ago come first.
    """
    accounts = _accounts_in_play(session, limit)
    session.rollback()
    seen, turn = [], Round(session, gateway)
    for account, since in turn.over(accounts):
        with turn.one(account):
            _track(session, gateway, turn, account, since)
        # One that fails goes to the end of the queue too: else those that always do would fill each round.
        if not turn.away:
            seen.append(account)
    _seen(session, seen)
    return len(seen)


@use_case
def record_payout(
    session: Session, account_id: str, payout: facts.Payout, contents: Sequence[facts.BalanceTransaction]
) -> ConnectedPayout:
    """Bring our row, the memo accounts and the items inside to what Stripe says. Safe to repeat."""
    account = session.scalars(
        sa.select(ConnectedAccount)
        .filter_by(stripe_id=account_id)
        .options(joinedload(ConnectedAccount.person))
    ).one_or_none()
    if account is None:
        raise NotHereYet(_("No expert here has the account %(account)s.", account=account_id))
    row = _row(session, account, payout)
    _book(session, account, payout)
    _link(session, row, contents)
    batches = {_follow(session, item) for item in _items_in(session, row)}
    for batch in batches - {None}:
        sending.finish_batch(session, session.get_one(PayoutBatch, batch).public_id)
    return row


def settle_items(session: Session, gateway: Gateway, limit: int = 500) -> int:
    """Settle what was paid five business days ago and, on one more look, still is; how many were seen."""
    due = _due_to_settle(session, limit)
    session.rollback()
    seen, turn = 0, Round(session, gateway)
    for account, payout_id in turn.over(due):
        with turn.one(payout_id):
            track_payout(session, gateway, account, payout_id)
            _settle(session, payout_id)
            seen += 1
    return seen


def settles_on(payout: ConnectedPayout) -> date:
    """The day from which a paid payout counts as settled."""
    return clock.add_business_days(payout.arrival_date, SETTLES_AFTER)


def _track(session: Session, gateway: Gateway, turn: Round, account: str, since: datetime) -> None:
    for payout in turn.over(reversed(gateway.payouts(since, account))):
        with turn.one(payout.id):
            if _is_news(session, payout) or _lacks_links(session, account, payout):
                record_payout(session, account, payout, _contents(session, gateway, account, payout))


@use_case
def _seen(session: Session, accounts: list[str]) -> None:
    session.execute(
        sa.update(ConnectedAccount)
        .where(ConnectedAccount.stripe_id.in_(accounts))
        .values(payouts_seen_at=clock.now())
    )


def _contents(
    session: Session, gateway: Gateway, account: str, payout: facts.Payout
) -> list[facts.BalanceTransaction]:
    """What the payout carries; Stripe says so for automatic ones, once it has reconciled them."""
    if not _says_contents(payout):
        return []
    linked = session.scalar(
        sa.select(sa.func.count())
        .select_from(ConnectedPayoutTransfer)
        .join(ConnectedPayoutTransfer.payout)
        .where(ConnectedPayout.stripe_id == payout.id)
    )
    session.rollback()
    if linked and not _lacks_links(session, account, payout):
        return []
    return gateway.payout_contents(payout.id, account)


def _says_contents(payout: facts.Payout) -> bool:
    return payout.automatic and payout.reconciliation_status == RECONCILED


def _lacks_links(session: Session, account: str, payout: facts.Payout) -> bool:
    """May the payout carry a transfer of ours that no payout names yet?

    So it is with a transfer whose answer was lost and found again only after the payout was recorded.
    """
    unnamed = sa.exists().where(
        Transfer.destination == account,
        Transfer.state == TransferState.SENT,
        Transfer.first_tried_at <= payout.created_at,
        ~sa.exists().where(ConnectedPayoutTransfer.transfer_id == Transfer.id),
    )
    lacks = _says_contents(payout) and bool(session.scalar(sa.select(unnamed)))
    session.rollback()
    return lacks


def _accounts_in_play(session: Session, limit: int) -> list[tuple[str, datetime]]:
    """Accounts with transfers on their way, each with the day before the oldest of these."""
    rows = session.execute(
        sa.select(Transfer.destination, sa.func.min(Transfer.first_tried_at))
        .join(Transfer.item)
        .join(PayoutItem.account)
        .where(
            PayoutItem.state.in_((ItemState.SENT, ItemState.RETURNED, ItemState.REVERSED_IN_PART)),
            Transfer.state == TransferState.SENT,
        )
        .group_by(Transfer.destination, ConnectedAccount.payouts_seen_at)
        .order_by(ConnectedAccount.payouts_seen_at.nulls_first())
        .limit(limit)
    )
    return [(account, tried_at - timedelta(days=1)) for account, tried_at in rows if tried_at]


def _is_news(session: Session, payout: facts.Payout) -> bool:
    kept = session.execute(
        sa.select(ConnectedPayout.status, ConnectedPayout.reconciliation_status).filter_by(
            stripe_id=payout.id
        )
    ).one_or_none()
    session.rollback()
    return kept is None or tuple(kept) != (payout.status, payout.reconciliation_status)


def _row(session: Session, account: ConnectedAccount, payout: facts.Payout) -> ConnectedPayout:
    """The payout's row, made or brought up to date, and locked."""
    said = {
        "status": payout.status,
        "arrival_date": payout.arrival_date,
        "trace_id": payout.trace_id,
        "failure_code": payout.failure_code,
        "reconciliation_status": payout.reconciliation_status,
        "fetched_at": clock.now(),
    }
    fixed = {
        "stripe_id": payout.id,
        "connected_account_id": account.id,
        "amount": payout.amount,
        "currency": payout.currency,
        "created_at": payout.created_at,
    }
    session.execute(
        insert(ConnectedPayout)
        .values({**fixed, **said})
        .on_conflict_do_update(index_elements=["stripe_id"], set_=said)
    )
    return session.scalars(
        sa.select(ConnectedPayout)
        .filter_by(stripe_id=payout.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _book(session: Session, account: ConnectedAccount, payout: facts.Payout) -> None:
    """Off the balance sheet: what left the expert's Stripe account, and what came back to it."""
    held = chart.expert_held(account.person.public_id)
    source = f"connected_payout:{payout.id}"
    out = [(chart.held_contra(), payout.amount), (held, -payout.amount)]
    entries = [
        NewEntry(source, "created", payout.currency, out, payout.created_at, _("Payout to the expert's bank"))
    ]
    if payout.status in ENDED_BADLY:
        back = [(account_, -amount) for account_, amount in out]
        entries.append(
            NewEntry(
                source, "failed", payout.currency, back, clock.now(), _("Payout came back from the bank")
            )
        )
    ledger.post_many(session, SITE, entries)


def _link(session: Session, row: ConnectedPayout, contents: Iterable[facts.BalanceTransaction]) -> None:
    """Name the transfers whose money the payout carries, also those of a failed payout that it makes good."""
    sources = [each.source for each in contents if each.source]
    again = sa.select(ConnectedPayoutTransfer.transfer_id).join(ConnectedPayoutTransfer.payout)
    found = session.scalars(
        sa.select(Transfer.id).where(
            sa.or_(
                Transfer.destination_payment.in_(sources),
                Transfer.id.in_(
                    again.where(ConnectedPayout.stripe_id.in_(sources), ConnectedPayout.id != row.id)
                ),
            )
        )
    ).all()
    if found:
        session.execute(
            insert(ConnectedPayoutTransfer).on_conflict_do_nothing(),
            [{"payout_id": row.id, "transfer_id": transfer_id} for transfer_id in found],
        )


def _items_in(session: Session, row: ConnectedPayout) -> Sequence[PayoutItem]:
    return session.scalars(
        sa.select(PayoutItem)
        .join(PayoutItem.transfers)
        .join(ConnectedPayoutTransfer, ConnectedPayoutTransfer.transfer_id == Transfer.id)
        .where(ConnectedPayoutTransfer.payout_id == row.id)
        .order_by(PayoutItem.id)
        .with_for_update(of=PayoutItem)
        .execution_options(populate_existing=True)
    ).all()


def _follow(session: Session, item: PayoutItem) -> int | None:
    """Bring the item to its latest payout's state; the internal id of its batch if that changed anything."""
    payout = latest_payout(session, item)
    if payout is None:
        return None
    to = _state_by(payout)
    if to == item.state or to not in ITEM[item.state]:
        return None
    move(item, to)
    item.changed_at = clock.now()
    audit.record(
        session, SITE, "follow", "payout_item", item.public_id, payout=payout.stripe_id, state=to.value
    )
    _tell(session, item, payout)
    return item.batch_id


def latest_payout(session: Session, item: PayoutItem) -> ConnectedPayout | None:
    """The payout that carries the item's money now."""
    return session.scalars(
        sa.select(ConnectedPayout)
        .join(ConnectedPayout.links)
        .join(ConnectedPayoutTransfer.transfer)
        .where(Transfer.payout_item_id == item.id)
        .order_by(ConnectedPayout.created_at.desc(), ConnectedPayout.id.desc())
        .limit(1)
    ).one_or_none()


def _state_by(payout: ConnectedPayout) -> ItemState:
    if payout.status in ENDED_BADLY:
        return ItemState.RETURNED
    return ItemState.PAID if payout.status == "paid" else ItemState.SENT


def _tell(session: Session, item: PayoutItem, payout: ConnectedPayout) -> None:
    amount = Money(payout.amount, payout.currency)
    if item.state == ItemState.RETURNED:
        title = _("Your bank sent %(amount)s back", amount=amount)
        body = _(
            "%(reason)s The money is safe in your Stripe account. Check your bank details with Stripe, and "
            "it is paid again by itself.",
            reason=words.payout_failure(payout.failure_code),
        )
        notify(session, item.person_id, "payout", title, body, SETUP_PATH)
    elif item.state == ItemState.PAID:
        title = _("%(amount)s was paid to your bank", amount=amount)
        body = _("See which hours it is for.")
        notify(session, item.person_id, "payout", title, body, MONEY_PATH, by_mail=False)


def _due_to_settle(session: Session, limit: int) -> list[tuple[str, str]]:
    """Account and payout of what was paid long enough ago and carries an item that is not settled."""
    # Seven days hold five business days; which ones exactly is decided on the row.
    early = clock.now().date() - timedelta(days=7)
    rows = session.scalars(
        sa.select(ConnectedPayout)
        .join(ConnectedPayout.links)
        .join(ConnectedPayoutTransfer.transfer)
        .join(Transfer.item)
        .where(
            ConnectedPayout.status == "paid",
            ConnectedPayout.arrival_date <= early,
            sa.or_(
                PayoutItem.state == ItemState.PAID,
                # What came back is looked at for as long.
                sa.and_(
                    PayoutItem.state == ItemState.REVERSED_IN_PART,
                    PayoutItem.changed_at <= clock.now() - timedelta(days=7),
                ),
            ),
        )
        .options(joinedload(ConnectedPayout.account))
        # In no order: else some that fail each time could take up every round.
        .order_by(sa.func.random())
        .limit(limit)
    ).unique()
    today = clock.now().date()
    return [(row.account.stripe_id or "", row.stripe_id) for row in rows if settles_on(row) <= today]


def _may_settle(item: PayoutItem) -> bool:
    long_ago = clock.add_business_days(item.changed_at.date(), SETTLES_AFTER) <= clock.now().date()
    return item.state == ItemState.PAID or (item.state == ItemState.REVERSED_IN_PART and long_ago)


@use_case
def _settle(session: Session, payout_id: str) -> None:
    row = session.scalars(sa.select(ConnectedPayout).filter_by(stripe_id=payout_id)).one()
    batches: set[uuid.UUID] = set()
    for item in _items_in(session, row):
        if row.status == "paid" and _may_settle(item) and latest_payout(session, item) is row:
            move(item, ItemState.SETTLED)
            item.changed_at = clock.now()
            audit.record(session, SITE, "settle", "payout_item", item.public_id, payout=row.stripe_id)
            batches.add(item.batch.public_id)
    for batch in batches:
        sending.finish_batch(session, batch)
