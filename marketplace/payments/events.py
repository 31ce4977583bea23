"""Events from Stripe: stored once, applied later and in bulk, never believed. The object is fetched again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.db import use_case
from marketplace.errors import DomainError
from marketplace.payments import connected_accounts, facts, fundings, payouts, sweeps, topups
from marketplace.payments.chargebacks import failures, recording
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import WebhookEvent
from marketplace.payments.outcomes import GatewayBusy, GatewayClosed, GatewayUnknown
from marketplace.payments.refunds import sending as refunding
from marketplace.payments.rounds import Round
from marketplace.payments.runs import reversing

AT_ONCE = 1_000
NOTED_AT_ONCE = 100
# An event that comes before our own commit finds its row a moment later; one that is not ours never does.
GIVE_UP_AFTER = 12

log = logging.getLogger(__name__)


class Source(StrEnum):
    """Each address that Stripe sends to has a secret of its own."""

    PLATFORM = "platform"
    CONNECT = "connect"
    THIN = "thin"


@dataclass(frozen=True)
class Hint:
    """Some events say that this object may have changed."""

    kind: str
    object_id: str
    account: str | None


Apply = Callable[[Session, Gateway, Hint], None]


def store_event(session: Session, source: Source, notice: facts.Notice) -> bool:
    """Keep the event and wake the worker; False when it was here before."""
    return store_events(session, source, [notice]) == 1


def store_events(session: Session, source: Source, notices: Sequence[facts.Notice]) -> int:
    """The same for many; how many were not here before. Where the database takes them not together, each is
    stored by itself, and what it does not take at all without its payload: the object is fetched anyway."""
    try:
        return _store(session, source, notices)
    except DataError:
        return sum(_store_one(session, source, each) for each in notices)


def _store_one(session: Session, source: Source, notice: facts.Notice) -> int:
    try:
        return _store(session, source, [notice])
    except DataError:
        log.warning("An event is kept without its payload", extra={"event": notice.id})
        return _store(session, source, [replace(notice, payload={})])


@use_case
def _store(session: Session, source: Source, notices: Sequence[facts.Notice]) -> int:
    now = clock.now()
    rows = [
        {
            "stripe_event_id": each.id,
            "kind": each.kind,
            "source": source.value,
            "account": each.account,
            "object_id": each.object_id,
            "payload": each.payload,
            "received_at": now,
            "tries": 0,
        }
        for each in notices
    ]
    new = session.scalars(
        insert(WebhookEvent)
        .on_conflict_do_nothing(index_elements=["stripe_event_id"])
        .returning(WebhookEvent.id),
        rows,
    ).all()
    if new:
        jobs.defer(session, "payments.drain_webhooks", once="payments.drain_webhooks")
    return len(new)


def drain_webhooks(session: Session, gateway: Gateway) -> int:
    """Apply what is waiting, each object once however many events named it, until nothing is or Stripe is
    away; how many events were done."""
    session.rollback()
    done, turn, before = 0, Round(session, gateway), None
    while not turn.away and (waiting := _waiting(session)) and waiting != before:
        done, before = done + _drain(session, gateway, turn, waiting), waiting
    return done


def _drain(session: Session, gateway: Gateway, turn: Round, waiting: Mapping[Hint, list[int]]) -> int:
    """What was applied is noted many at a time: whoever dies before that leaves it to be applied again, which
    changes nothing."""
    kept = [event for hint, events in waiting.items() if _applier(hint) is _keep for event in events]
    if kept:
        _applied(session, kept)
    done, applied = len(kept), list[int]()
    asked = [(hint, events) for hint, events in waiting.items() if _applier(hint) is not _keep]
    for hint, events in turn.over(asked):
        with turn.one(f"{hint.kind} {hint.object_id}"):
            _apply(session, gateway, hint, events)
            applied += events
        if len(applied) >= NOTED_AT_ONCE:
            done += _noted(session, applied)
    return done + _noted(session, applied)


def _noted(session: Session, applied: list[int]) -> int:
    number = len(applied)
    if applied:
        _applied(session, applied)
        applied.clear()
    return number


def _apply(session: Session, gateway: Gateway, hint: Hint, events: list[int]) -> None:
    try:
        _applier(hint)(session, gateway, hint)
    except (GatewayBusy, GatewayClosed):
        raise
    except Exception as error:
        _put_off(session, events, error)
        raise


def _waiting(session: Session) -> Mapping[Hint, list[int]]:
    """Events that are due, oldest first, gathered by the object that they name."""
    rows = session.execute(
        sa.select(WebhookEvent.id, WebhookEvent.kind, WebhookEvent.object_id, WebhookEvent.account)
        .where(
            WebhookEvent.applied_at.is_(None),
            WebhookEvent.tries < GIVE_UP_AFTER,
            sa.or_(WebhookEvent.retry_at.is_(None), WebhookEvent.retry_at <= clock.now()),
        )
        .order_by(WebhookEvent.id)
        .limit(AT_ONCE)
    ).all()
    session.rollback()
    waiting: dict[Hint, list[int]] = {}
    for event_id, kind, object_id, account in rows:
        waiting.setdefault(Hint(_family(kind), object_id, account), []).append(event_id)
    return waiting


def _family(kind: str) -> str:
    """The part of an event's kind that says what to fetch: `payout.paid` and `payout.created` are one."""
    return next((family for family in APPLIERS if kind.startswith(family)), "other")


def _applier(hint: Hint) -> Apply:
    return APPLIERS.get(hint.kind, _keep) if hint.object_id else _keep


@use_case
def _applied(session: Session, events: list[int]) -> None:
    session.execute(
        sa.update(WebhookEvent)
        .where(WebhookEvent.id.in_(events), WebhookEvent.applied_at.is_(None))
        .values(applied_at=clock.now(), error=None, tries=WebhookEvent.tries + 1)
    )


@use_case
def _put_off(session: Session, events: list[int], error: Exception) -> None:
    """Try again later, less and less often; after the last try the event stays listed with its error.

    While Stripe does not answer, no try is the last.
    """
    most = GIVE_UP_AFTER - 1 if isinstance(error, GatewayUnknown) else GIVE_UP_AFTER
    for event in session.scalars(
        sa.select(WebhookEvent).where(WebhookEvent.id.in_(events)).with_for_update()
    ):
        event.tries = min(event.tries + 1, most)
        event.error = error.sentence if isinstance(error, DomainError) else type(error).__name__
        event.retry_at = clock.now() + timedelta(seconds=min(5 * 2**event.tries, 3_600))


def _checkout(session: Session, gateway: Gateway, hint: Hint) -> None:
    fundings.settle_funding(session, gateway, hint.object_id)


def _account(session: Session, gateway: Gateway, hint: Hint) -> None:
    connected_accounts.refresh_account(session, gateway, hint.object_id)


def _changed_bank(session: Session, gateway: Gateway, hint: Hint) -> None:
    """The bank account of a connected account is another, also when we have not seen the one before."""
    if hint.account is not None:
        connected_accounts.refresh_account(session, gateway, hint.account, bank_changed=True)


def _bank(session: Session, gateway: Gateway, hint: Hint) -> None:
    """The bank account of a connected account was added or taken away."""
    if hint.account is not None:
        connected_accounts.refresh_account(session, gateway, hint.account)


def _payout(session: Session, gateway: Gateway, hint: Hint) -> None:
    if hint.account is None:
        sweeps.track_sweep(session, gateway, hint.object_id)
    else:
        payouts.track_payout(session, gateway, hint.account, hint.object_id)


def _transfer(session: Session, gateway: Gateway, hint: Hint) -> None:
    reversing.track_transfer(session, gateway, hint.object_id)


def _top_up(session: Session, gateway: Gateway, hint: Hint) -> None:
    topups.track_top_up(session, gateway, hint.object_id)


def _refund(session: Session, gateway: Gateway, hint: Hint) -> None:
    refunding.track_refund(session, gateway, hint.object_id)


def _dispute(session: Session, gateway: Gateway, hint: Hint) -> None:
    recording.track_chargeback(session, gateway, hint.object_id)


def _failed_charge(session: Session, gateway: Gateway, hint: Hint) -> None:
    failures.track_charge(session, gateway, hint.object_id)


@use_case
def _balance(session: Session, gateway: Gateway, hint: Hint) -> None:
    jobs.defer(session, "payments.send_waiting", once="payments.send_waiting")


def _keep(session: Session, gateway: Gateway, hint: Hint) -> None:
    """Nothing here follows this kind; the event stays in the table for those who look."""


APPLIERS: Mapping[str, Apply] = {
    "checkout.session.": _checkout,
    "payout.": _payout,
    "refund.": _refund,
    "transfer.reversed": _transfer,
    "transfer.updated": _transfer,
    "charge.dispute.": _dispute,
    "charge.failed": _failed_charge,
    "topup.": _top_up,
    "account.updated": _account,
    "account.external_account.updated": _changed_bank,
    "account.external_account.": _bank,
    "v2.core.account[": _account,
    "v2.core.account.": _account,
    "v2.core.account_link.returned": _account,
    "balance.available": _balance,
}
