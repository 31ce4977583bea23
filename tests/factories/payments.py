"""Money in and out on the real local Stripe: a project paid for, an expert set up, a week approved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.models import Timesheet
from marketplace.demo.stripe_server import hands
from marketplace.gigs.models import Project
from marketplace.payments import batches, connected_accounts, fundings
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedAccount, Funding, PayoutBatch
from marketplace.payments.states import Rail
from tests.demo.stripe_server.harness import until
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import Deal, a_submitted_week, an_offer, sign
from tests.factories.gigs import a_client, a_gig, a_project, an_expert

DECLINED = "4000000000009995"
SITE = "http://localhost:8000"


@dataclass(frozen=True)
class Finance:
    """Two people, because one alone releases nothing."""

    fin: Actor
    gil: Actor


def finance(session: Session) -> Finance:
    """fin prepares, gil releases; both have just given their second factor."""
    fin = a_person(session, "Fin Farrell", Role.FINANCE_PREPARER)
    gil = a_person(session, "Gil Garnier", Role.FINANCE_RELEASER)
    return Finance(an_actor(session, fin), an_actor(session, gil))


def a_released_batch(session: Session, desk: Finance | None = None) -> PayoutBatch:
    """Everything approved by now, prepared by one and released by the other."""
    desk = desk or finance(session)
    batch = batches.prepare_batch(session, desk.fin, clock.now())
    gil = replace(desk.gil, second_factor_at=clock.now())
    return batches.release_batch(session, gil, batch.public_id)


def a_funding(
    session: Session, gateway: Gateway, client: Actor, project: Project, amount: int, rail: Rail = Rail.CARD
) -> tuple[Funding, str]:
    """A lot whose payment page is open, and the address of that page."""
    lot = fundings.prepare_funding(session, client, project.public_id, amount, rail)
    url = fundings.open_checkout(
        session, gateway, client, lot.public_id, return_url=f"{SITE}/back", cancel_url=f"{SITE}/cancelled"
    )
    assert url is not None
    return lot, url


def fund_by_card(session: Session, gateway: Gateway, client: Actor, project: Project, amount: int) -> Funding:
    """A lot paid by card and settled."""
    lot, url = a_funding(session, gateway, client, project, amount)
    hands.pay(url, moment=clock.overridden())
    return fundings.settle_funding(session, gateway, lot.session_id or "")


def a_paid_deal(session: Session, gateway: Gateway, amount: int = 20_000_00, name: str = "Ana Silva") -> Deal:
    """A signed contract on a project that was really paid for, and an expert who can be paid."""
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund_by_card(session, gateway, client, project, amount)
    gig = a_gig(session, client, project)
    dev = an_actor(
        session, a_person(session, "Dev Desai", Role.CLIENT_APPROVER, organization=project.organization)
    )
    return hire(session, gateway, Deal(client, dev, client, project, gig, None), name)  # type: ignore[arg-type]


def hire(session: Session, gateway: Gateway, deal: Deal, name: str, *, set_up_too: bool = True) -> Deal:
    """Another expert on the same gig."""
    expert = an_expert(session, name)
    contract = sign(session, expert, an_offer(session, deal.client, expert, deal.gig))
    if set_up_too:
        set_up(session, gateway, expert)
    return replace(deal, expert=expert, contract=contract)


def set_up(session: Session, gateway: Gateway, expert: Actor) -> ConnectedAccount:
    """The expert's Stripe account, filled in on Stripe's pages and active."""
    url = connected_accounts.set_up_payouts(
        session, gateway, expert, return_url=f"{SITE}/pay/setup", refresh_url=f"{SITE}/pay/setup/again"
    )
    hands.onboard(url, *expert.name.split(), moment=clock.overridden())
    account = session.scalars(sa.select(ConnectedAccount).filter_by(person_id=expert.id)).one()
    stripe_id = account.stripe_id or ""
    # Stripe takes a moment to check what it was given.
    until(lambda: connected_accounts.refresh_account(session, gateway, stripe_id).ready)
    return account


def an_approved_week(session: Session, deal: Deal, start: datetime, minutes: int = 60) -> Timesheet:
    """A week of work that the client approved two days after its start."""
    with clock.at(start + timedelta(days=1)):
        sheet = a_submitted_week(session, deal, start, minutes)
    with clock.at(start + timedelta(days=2)):
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    return sheet
