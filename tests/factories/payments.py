"""Money in and out on the real local Stripe: a project paid for, an expert set up, a week approved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.models import Timesheet
from marketplace.demo.stripe_server import hands
from marketplace.gigs.models import Project
from marketplace.payments import connected_accounts, fundings
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedAccount, Funding
from marketplace.payments.states import Rail
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import Deal, a_submitted_week

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


def set_up(session: Session, gateway: Gateway, expert: Actor) -> ConnectedAccount:
    """The expert's Stripe account, filled in on Stripe's pages and active."""
    url = connected_accounts.set_up_payouts(
        session, gateway, expert, return_url=f"{SITE}/pay/setup", refresh_url=f"{SITE}/pay/setup/again"
    )
    hands.onboard(url, *expert.name.split(), moment=clock.overridden())
    account = session.query(ConnectedAccount).filter_by(person_id=expert.id).one()
    with clock.at(clock.now() + timedelta(minutes=5)):
        return connected_accounts.refresh_account(session, gateway, account.stripe_id or "")


def an_approved_week(session: Session, deal: Deal, start: datetime, minutes: int = 60) -> Timesheet:
    """A week of work that the client approved two days after its start."""
    with clock.at(start + timedelta(days=1)):
        sheet = a_submitted_week(session, deal, start, minutes)
    with clock.at(start + timedelta(days=2)):
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    return sheet
