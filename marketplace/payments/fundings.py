"""Client money in: a lot is prepared, paid on Stripe's page, and settled by whoever looks first.

The browser that comes back, the webhook and the poller all end in `settle_funding`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger
from marketplace.accounts.models import Organization, Person
from marketplace.actor import SITE, Actor, Role
from marketplace.contracts.budgets import alerts
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.gigs import find, projection
from marketplace.gigs.models import Project
from marketplace.gigs.states import ProjectState
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.notifications import notify
from marketplace.payments import converting, debits, facts, fees, wires, words
from marketplace.payments.asking import ask_once
from marketplace.payments.debts import books as debts
from marketplace.payments.debts.queries import owed_by
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import Funding, StripeCustomer
from marketplace.payments.states import FundingState, Rail, move

UNFINISHED = (FundingState.PREPARED, FundingState.OPEN)


class NotHereYet(NotFound):
    """Stripe told of something whose row is not committed yet, or is not ours at all."""


@use_case
def prepare_funding(
    session: Session, actor: Actor, project_public_id: uuid.UUID, amount: int, rail: Rail
) -> Funding:
    """A lot of `amount` minor units for the project, with what the client pays so that it arrives whole.

    The same lot is found again while it is unpaid, so a second click or tab pays nothing twice. A closed
    project takes what its client owes. Raises NotFound, NotAllowed, Refused or Invalid.
    """
    project = find.project(session, actor, project_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=project.organization_id)
    if project.state == ProjectState.CLOSED:
        _require_owed(session, project, amount)
    return _unfinished(session, project, amount, rail) or _new_funding(session, actor, project, amount, rail)


def _require_owed(session: Session, project: Project, amount: int) -> None:
    """Raises Refused where nothing is owed, and Invalid where it is less than `amount`."""
    owed = owed_by(session, project)
    if owed is None:
        raise Refused(_("This project is closed. Open another one to fund new work."))
    most = fees.at_least(owed)
    if amount > most.amount:
        raise Invalid(
            _("This project is closed. Pay at most what is owed, %(most)s.", most=most), field="amount"
        )


def open_checkout(
    session: Session,
    gateway: Gateway,
    actor: Actor,
    public_id: uuid.UUID,
    *,
    return_url: str,
    cancel_url: str,
) -> str | None:
    """The address of Stripe's payment page for the lot; None when the lot needs paying no more.

    Raises NotFound, NotAllowed or the gateway's errors, after which it may be called again.
    """
    order = _order(session, actor, public_id)
    session_id = order.session_id or _open(session, gateway, order, return_url, cancel_url)
    found = gateway.checkout(session_id)
    record_checkout(session, found)
    return found.url if found.status == "open" else None


def settle_funding(session: Session, gateway: Gateway, session_id: str) -> Funding:
    """Look at the Checkout Session at Stripe and record what became of it, once.

    Raises NotHereYet when no lot has this session, and the gateway's errors.
    """
    session.rollback()
    return record_checkout(session, gateway.checkout(session_id))


@use_case
def record_checkout(session: Session, found: facts.Checkout) -> Funding:
    """Bring the lot to what Stripe says. Nothing happens when it is there already."""
    funding = session.scalars(
        sa.select(Funding).filter_by(session_id=found.id).with_for_update()
    ).one_or_none()
    if funding is None:
        raise NotHereYet(_("No payment here belongs to %(session)s.", session=found.id))
    funding.looked_at = clock.now()
    if funding.state is not FundingState.PAID and funding.failure_transaction is None:
        funding.payment_intent = funding.payment_intent or found.payment_intent
        _follow(session, funding, found)
    return funding


@dataclass(frozen=True)
class _Order:
    """What the calls need, read before them, since no transaction stays open meanwhile."""

    public_id: uuid.UUID
    organization_id: int
    organization: uuid.UUID
    payer: str
    email: str
    customer: str | None
    session_id: str | None
    title: str
    charge_amount: int
    currency: str
    rail: Rail


def _unfinished(session: Session, project: Project, amount: int, rail: Rail) -> Funding | None:
    return session.scalars(
        sa.select(Funding)
        .where(
            Funding.project_id == project.id,
            Funding.amount == amount,
            Funding.rail == rail,
            Funding.state.in_(UNFINISHED),
        )
        .order_by(Funding.id)
        .limit(1)
    ).one_or_none()


def _new_funding(session: Session, actor: Actor, project: Project, amount: int, rail: Rail) -> Funding:
    now = clock.now()
    if rail is Rail.WIRE:
        return wires.request(session, actor, _asked(actor, project, amount, rail, now))
    quote = fees.quote(amount, project.currency, rail, now.date())
    funding = _asked(actor, project, amount, rail, now)
    funding.charge_amount, funding.state = quote.charge, FundingState.PREPARED
    session.add(funding)
    session.flush()
    audit.record(
        session, actor, "prepare", "funding", funding.public_id,
        project=project.public_id, amount=amount, charge_amount=quote.charge, rail=rail.value,
    )  # fmt: skip
    return funding


def _asked(actor: Actor, project: Project, amount: int, rail: Rail, now: datetime) -> Funding:
    return Funding(
        project=project,
        organization_id=project.organization_id,
        currency=project.currency,
        amount=amount,
        rail=rail,
        created_by=actor.id,
        created_at=now,
    )


@use_case
def _order(session: Session, actor: Actor, public_id: uuid.UUID) -> _Order:
    funding = session.scalars(
        sa.select(Funding)
        .join(Funding.project)
        .where(Funding.public_id == public_id, Project.visible_to(actor))
    ).one_or_none()
    if funding is None:
        raise NotFound(_("There is no such payment, or it is not yours to see."))
    actor.require(Role.CLIENT_ADMIN, organization_id=funding.organization_id)
    if funding.rail is Rail.WIRE:
        raise Refused(_("This is paid by wire from your bank, not at Stripe. Its page says where to."))
    organization = session.get_one(Organization, funding.organization_id)
    customer = session.get(StripeCustomer, organization.id)
    return _Order(
        public_id=public_id,
        organization_id=organization.id,
        organization=organization.public_id,
        payer=organization.name,
        email=session.get_one(Person, actor.id).email,
        customer=customer.stripe_id if customer else None,
        session_id=funding.session_id,
        title=_("Funds for %(project)s", project=funding.project.name),
        charge_amount=funding.charge_amount,
        currency=funding.currency,
        rail=funding.rail,
    )


def _open(session: Session, gateway: Gateway, order: _Order, return_url: str, cancel_url: str) -> str:
    asked = {
        "customer": order.customer or _customer(session, gateway, order),
        "title": order.title,
        "return_url": return_url,
        "cancel_url": cancel_url,
    }
    reference = str(order.public_id)
    opened = ask_once(
        session,
        f"funding:{reference}",
        asked,
        lambda key, asked: (
            gateway.open_checkout(
                key,
                **asked,
                reference=reference,
                amount=order.charge_amount,
                currency=order.currency,
                rail=order.rail,
                metadata={"funding": reference},
            ).id
        ),
    )
    _opened(session, order.public_id, opened)
    return opened


def _customer(session: Session, gateway: Gateway, order: _Order) -> str:
    metadata = {"organization": str(order.organization)}
    made = ask_once(
        session,
        f"customer:{order.organization}",
        {"name": order.payer, "email": order.email},
        lambda key, asked: gateway.make_customer(key, **asked, metadata=metadata),
    )
    return _keep_customer(session, order.organization_id, made)


@use_case
def _keep_customer(session: Session, organization_id: int, stripe_id: str) -> str:
    session.execute(
        sa.dialects.postgresql.insert(StripeCustomer)
        .values(organization_id=organization_id, stripe_id=stripe_id)
        .on_conflict_do_nothing()
    )
    return session.get_one(StripeCustomer, organization_id).stripe_id


@use_case
def _opened(session: Session, public_id: uuid.UUID, session_id: str) -> None:
    funding = session.scalars(sa.select(Funding).filter_by(public_id=public_id).with_for_update()).one()
    if funding.session_id is None:
        funding.session_id = session_id
        move(funding, FundingState.OPEN)


def _follow(session: Session, funding: Funding, found: facts.Checkout) -> None:
    if found.charge is not None and found.payment_status == "paid":
        _pay(session, funding, found.charge)
    elif funding.state in (FundingState.FAILED, FundingState.EXPIRED):
        return
    elif found.status == "expired":
        move(funding, FundingState.EXPIRED)
    elif (
        found.coming is not None
        and funding.under_way_at is None
        and not converting.is_converted(found.coming)
    ):
        # Also when its bank has refused it already: what Stripe showed and took back is booked as it was.
        move(funding, FundingState.PROCESSING)
        debits.take_up(session, funding, found.coming)
    elif found.coming is None and found.payment_state in ("requires_payment_method", "canceled"):
        if found.status == "complete":
            fail(session, funding, found.failure)
    elif found.status == "complete" and funding.state == FundingState.OPEN:
        move(funding, FundingState.PROCESSING)


def _pay(session: Session, funding: Funding, charge: facts.Charge) -> None:
    """Credit the project with what really arrived, and book what Stripe took as paid by the client."""
    arriving = debits.arriving(funding, charge.net)
    move(funding, FundingState.PAID)
    funding.paid_at = clock.now()
    debits.note(funding, charge)
    fee, net = funding.fee or 0, funding.net or 0
    credited = [(chart.project_funds(funding.project.public_id), -net), (chart.fees_recharged(), -fee)]
    source = f"funding:{funding.public_id}"
    ledger.post_many(session, SITE, converting.entries(source, charge, arriving, credited, funding.paid_at))
    audit.record(session, SITE, "settle", "funding", funding.public_id, net=net, fee=fee)
    debts.settle(session, funding.project)
    projection.push_project(session, funding.project_id)
    alerts.rearm(session, funding.project)
    _tell(
        session,
        funding,
        _(
            "%(amount)s arrived for %(project)s",
            amount=Money(net, charge.currency),
            project=funding.project.name,
        ),
        words.funding(FundingState.PAID),
    )


def fail(session: Session, funding: Funding, code: str | None) -> None:
    """The payment did not go through: say so. Needs the lot held."""
    move(funding, FundingState.FAILED)
    funding.failure = code or "unknown"
    audit.record(session, SITE, "fail", "funding", funding.public_id, code=funding.failure)
    _tell(
        session,
        funding,
        _("A payment for %(project)s did not go through", project=funding.project.name),
        words.funding_failure(code, funding.rail),
    )


def _tell(session: Session, funding: Funding, title: str, body: str) -> None:
    path = f"/projects/{funding.project.public_id}/funding"
    notify(session, funding.created_by, "funding", title, body, path)
