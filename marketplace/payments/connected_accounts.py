"""Experts' accounts at Stripe: made once, set up on Stripe's own pages, looked at again when it matters."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Person
from marketplace.actor import SITE, Actor, Role
from marketplace.db import use_case
from marketplace.i18n import gettext as _
from marketplace.notifications import notify
from marketplace.payments import facts
from marketplace.payments.asking import ask_once
from marketplace.payments.fundings import NotHereYet
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedAccount
from marketplace.payments.setup import countries, holding, missing
from marketplace.payments.states import TransfersState
from marketplace.settings import current

SETUP_PATH = "/pay/setup"
# Whose set-up was once complete is told of what is missing; whoever has just begun sees it on the page.
SET_UP = (TransfersState.ACTIVE, TransfersState.PENDING)
ENDS = (TransfersState.ACTIVE, TransfersState.REJECTED, TransfersState.UNSUPPORTED)


@dataclass(frozen=True)
class _Holder:
    """What Stripe is told of an expert; everything else it asks them itself."""

    public_id: uuid.UUID
    stripe_id: str | None
    name: str
    email: str
    country: str


def set_up_payouts(
    session: Session, gateway: Gateway, actor: Actor, *, return_url: str, refresh_url: str
) -> str:
    """The address of Stripe's set-up page for this expert, good once and for minutes only.

    Raises NotAllowed, Refused where Stripe does not pay to the expert's country, or the gateway's errors,
    after which it may be called again.
    """
    holder = _keep_account(session, actor)
    stripe_id = holder.stripe_id or _make(session, gateway, holder)
    return gateway.onboarding_url(stripe_id, return_url=return_url, refresh_url=refresh_url)


def refresh_account(
    session: Session, gateway: Gateway, stripe_id: str, *, bank_changed: bool = False
) -> ConnectedAccount:
    """Look at the account, its banks and its balance at Stripe and record how they stand. `bank_changed`:
    because Stripe says that a bank account of it changed.

    Raises NotHereYet, or the gateway's errors.
    """
    session.rollback()
    found = gateway.account(stripe_id)
    # Stripe refuses to say more of an account that is closed.
    banks = [] if found.closed else gateway.banks(stripe_id)
    below = {} if found.closed else gateway.balance(stripe_id).below_zero()
    return record_account(session, found, banks, below, bank_changed=bank_changed)


@use_case
def record_account(
    session: Session,
    found: facts.Account,
    banks: Sequence[facts.Bank] = (),
    below: Mapping[str, int] | None = None,
    *,
    bank_changed: bool = False,
) -> ConnectedAccount:
    """Bring the row to what Stripe says; tell the expert what opens or closes the way to their pay, and hold
    what would go to a bank account that was changed."""
    account = session.scalars(
        sa.select(ConnectedAccount).filter_by(stripe_id=found.id).with_for_update()
    ).one_or_none()
    if account is None:
        raise NotHereYet(_("No expert here has the account %(account)s.", account=found.id))
    before, account.transfers = account.transfers, _state(found)
    account.reason, account.way_out = found.reason or None, found.way_out or None
    due = missing.newly_due(account.requirements, list(map(asdict, found.requirements)))
    account.requirements = [asdict(each) for each in found.requirements]
    account.refreshed_at = clock.now()
    if below is not None:
        account.owes = dict(below)
    holding.note_banks(session, account, banks, told=bank_changed)
    if found.closed and account.ended_at is None:
        account.ended_at = clock.now()
    if before != account.transfers:
        audit.record(
            session, SITE, "refresh", "connected_account", account.public_id,
            before=before.value, after=account.transfers.value, reason=account.reason,
        )  # fmt: skip
    _tell(session, account, before, due)
    return account


@use_case
def record_gone(session: Session, stripe_id: str) -> None:
    """Stripe refused a transfer and does not know the account any more: the expert sets up another."""
    account = session.scalars(
        sa.select(ConnectedAccount).filter_by(stripe_id=stripe_id, ended_at=None).with_for_update()
    ).one_or_none()
    if account is None:
        return
    before, account.transfers = account.transfers, TransfersState.REJECTED
    account.ended_at = clock.now()
    audit.record(
        session, SITE, "lose", "connected_account", account.public_id,
        before=before.value, after=account.transfers.value,
    )  # fmt: skip
    _tell(session, account, before, [])


@use_case
def _keep_account(session: Session, actor: Actor) -> _Holder:
    """The expert's row, made before Stripe is asked for anything, so that asking twice makes one account."""
    actor.require(Role.EXPERT)
    person = session.scalars(sa.select(Person).filter_by(id=actor.id).with_for_update(key_share=True)).one()
    account = session.scalars(
        sa.select(ConnectedAccount).filter_by(person_id=person.id, ended_at=None)
    ).one_or_none()
    if account is None:
        countries.require_served(session, person.country)
        account = ConnectedAccount(person_id=person.id, country=person.country, created_at=clock.now())
        session.add(account)
        session.flush()
        audit.record(session, actor, "prepare", "connected_account", account.public_id)
    return _Holder(account.public_id, account.stripe_id, person.full_name, person.email, account.country)


def _make(session: Session, gateway: Gateway, holder: _Holder) -> str:
    asked = {
        "email": holder.email,
        "name": holder.name,
        "country": holder.country,
        "currency": current().books_currency,
    }
    metadata = {"connected_account": str(holder.public_id)}
    made = ask_once(
        session,
        f"account:{holder.public_id}",
        asked,
        lambda key, asked: gateway.make_account(key, **asked, metadata=metadata),
    )
    _made(session, holder.public_id, made)
    refresh_account(session, gateway, made)
    return made


@use_case
def _made(session: Session, public_id: uuid.UUID, stripe_id: str) -> None:
    account = session.scalars(
        sa.select(ConnectedAccount).filter_by(public_id=public_id).with_for_update()
    ).one()
    account.stripe_id = account.stripe_id or stripe_id


def _state(found: facts.Account) -> TransfersState:
    """A word that is newer than this code must not look like permission to pay."""
    if found.closed:
        return TransfersState.REJECTED
    try:
        return TransfersState(found.transfers)
    except ValueError:
        return TransfersState.RESTRICTED


def _tell(
    session: Session, account: ConnectedAccount, before: TransfersState, due: Sequence[dict[str, Any]]
) -> None:
    """Also by mail, because most do not look at the site when they do not work."""
    restricted = account.transfers is TransfersState.RESTRICTED and before in SET_UP
    if before != account.transfers and (account.transfers in ENDS or restricted):
        title = _("About being paid")
        notify(session, account.person_id, "account", title, missing.standing(account), SETUP_PATH)
    elif due and before in SET_UP:
        title = _("Stripe needs something from you")
        what = "; ".join(dict.fromkeys(missing.missing(each).what for each in due))
        body = _("%(what)s. Give it on Stripe’s pages, so that your pay goes on being sent.", what=what)
        notify(session, account.person_id, "account", title, body, SETUP_PATH)
