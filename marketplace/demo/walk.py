"""The walk: one hour of work as steps, each with who does it, where, and whether it is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from flask import url_for
from sqlalchemy.orm import Session

from marketplace.accounts.models import Organization, Person
from marketplace.contracts.models import Approval, Contract, Offer, TimeEntry, Timesheet
from marketplace.credentials.models import Credential
from marketplace.credentials.states import CredentialState
from marketplace.demo.cast import LUMEN
from marketplace.demo.world import LUMEN_PROJECT
from marketplace.gigs.models import Application, Gig, Project
from marketplace.i18n import gettext as _
from marketplace.payments.models import ConnectedAccount, Funding, PayoutItem, Sweep
from marketplace.payments.states import FundingState, ItemState, TransfersState
from marketplace.reconciliation.models import StatementMatchLine
from marketplace.reconciliation.states import Leg

ANA = sa.select(Person.id).where(Person.email == "ana@demo.example").scalar_subquery()
OWN = (
    sa.select(Project.id).join(Organization)
    .where(Organization.name == LUMEN, Project.name != LUMEN_PROJECT)
)  # fmt: skip
VALID = (CredentialState.VERIFIED, CredentialState.EXPIRING)
SENT = (ItemState.SENT, ItemState.PAID, ItemState.SETTLED)


@dataclass(frozen=True)
class Step:
    """A step as the path macro shows it; `state` is done, current or todo."""

    label: str
    note: str
    url: str
    done: bool
    state: str = "todo"
    when: str = ""


def steps(session: Session) -> list[dict[str, str]]:
    """The steps in order; the first that is not done is the current one."""
    found = list(_steps(session))
    first = next((n for n, step in enumerate(found) if not step.done), len(found))
    return [
        {
            "label": step.label,
            "note": step.note,
            "url": step.url,
            "state": "done" if step.done else "current" if n == first else "todo",
        }
        for n, step in enumerate(found)
    ]


def _steps(session: Session) -> Iterable[Step]:
    def has(kind: type, *where: sa.ColumnExpressionArgument[bool]) -> bool:
        return session.scalar(sa.select(sa.exists().select_from(kind).where(*where))) or False

    mine = (Contract.person_id == ANA, Contract.project_id.in_(OWN))
    sheet = (Timesheet.contract_id == Contract.id, *mine)
    yield Step(
        _("Rev checks Ana’s licence"),
        _(
            "Take Ana’s from the queue. She is made up, so no register knows her: give the address that the "
            "button to the source opens, tick all that would have to agree, and verify it."
        ),
        url_for("credentials.queue"),
        has(Credential, Credential.person_id == ANA, Credential.state.in_(VALID)),
    )
    yield Step(
        _("Carla starts a project and funds it"),
        _("By card, 4242 4242 4242 4242, on Stripe’s page; or by bank transfer, which settles a day later."),
        url_for("gigs.projects"),
        has(Funding, Funding.project_id.in_(OWN), Funding.state == FundingState.PAID),
    )
    yield Step(
        _("Carla publishes a gig"),
        _("For an emergency physician, at up to $180 an hour, with a US medical licence."),
        url_for("gigs.projects"),
        has(Gig, Gig.project_id.in_(OWN), Gig.published_at.is_not(None)),
    )
    yield Step(
        _("Ana sees why she matches, and applies"),
        _("The reasons add up to the score. Nothing else is in it."),
        url_for("gigs.browse"),
        has(Application, Application.person_id == ANA, Application.gig_id == Gig.id, Gig.project_id.in_(OWN)),
    )
    yield Step(
        _("Carla makes Ana an offer"),
        _("From the applications of her gig. What Ana asks for at the least is the least she is offered."),
        url_for("gigs.projects"),
        has(Offer, Offer.person_id == ANA, Offer.project_id.in_(OWN)),
    )
    yield Step(
        _("Ana signs it"),
        _("The rate is fixed, and the money for this week and the next is set aside at that moment."),
        url_for("contracts.offers"),
        has(Contract, *mine),
    )
    yield Step(
        _("Ana says where her money goes"),
        _("On Stripe’s own pages. We never see her bank account."),
        url_for("payments.get_paid"),
        has(
            ConnectedAccount,
            ConnectedAccount.person_id == ANA,
            ConnectedAccount.transfers == TransfersState.ACTIVE,
        ),
    )
    yield Step(
        _("Ana works an hour"),
        _("Start and stop the timer, or write the hour down."),
        url_for("contracts.work"),
        has(TimeEntry, TimeEntry.contract_id == Contract.id, *mine, TimeEntry.ended_at.is_not(None)),
    )
    yield Step(
        _("Ana submits her week"),
        _("Now, or after the clock was moved to Monday."),
        url_for("contracts.work"),
        has(Timesheet, *sheet, Timesheet.submitted_at.is_not(None)),
    )
    yield Step(
        _("Dev approves it"),
        _("What Ana earns and what the site takes stand side by side."),
        url_for("contracts.waiting"),
        has(Approval, Approval.timesheet_id == Timesheet.id, *sheet),
    )
    paid = (PayoutItem.person_id == ANA,)
    approved = sa.select(sa.func.min(Approval.at)).where(Approval.timesheet_id == Timesheet.id, *sheet)
    since = approved.scalar_subquery()
    yield Step(
        _("Fin prepares a batch, Gil releases it"),
        _("Never the same person. It is sent at once; a card’s money is free after two business days."),
        url_for("payments.batches"),
        has(PayoutItem, *paid, PayoutItem.state.in_(SENT)),
    )
    yield Step(
        _("The payout arrives at Ana’s bank"),
        _("Move the clock three days. Then see why it is that amount."),
        url_for("payments.money"),
        has(PayoutItem, *paid, PayoutItem.state.in_((ItemState.PAID, ItemState.SETTLED))),
    )
    yield Step(
        _("Fin prepares a sweep of the fees, Gil releases it"),
        _("Only our own fees, each named, never a client’s money. At the bank after two business days."),
        url_for("payments.sweeps"),
        has(Sweep, Sweep.stripe_id.is_not(None), Sweep.released_at > since),
    )
    at_bank = (StatementMatchLine.sweep_id == Sweep.id, StatementMatchLine.leg == Leg.BANK)
    yield Step(
        _("Fin imports the bank’s statement"),
        _("Harbour Bank has it for download. The sweep’s line finds its payout, and everything ties out."),
        url_for("reconciliation.index"),
        has(StatementMatchLine, *at_bank, StatementMatchLine.live, Sweep.released_at > since),
    )
