"""What waits for a person, most urgent first, and the few figures that they look for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Organization, OrganizationKind, Person
from marketplace.actor import CLIENT, FINANCE, Actor, Role
from marketplace.contracts import queries as contract_queries
from marketplace.contracts import timer
from marketplace.contracts.adjustments import queries as adjustments
from marketplace.contracts.consents import queries as consents
from marketplace.contracts.disputes import queries as disputes
from marketplace.contracts.models import Contract, Offer, Timesheet
from marketplace.contracts.rates import queries as rates
from marketplace.contracts.sittings.queries import to_grade
from marketplace.contracts.states import ContractState, OfferState, TimesheetState
from marketplace.credentials.models import Credential
from marketplace.credentials.states import CredentialState
from marketplace.gigs.models import Application, ExpertProfile, Gig, Invitation, Project
from marketplace.gigs.states import ApplicationState, GigState, InvitationState, ProjectState
from marketplace.i18n import gettext as _
from marketplace.i18n import moment, ngettext
from marketplace.ledger import balance, balances, chart
from marketplace.money import Money
from marketplace.payments import queries as payouts
from marketplace.payments.chargebacks.models import Chargeback
from marketplace.payments.chargebacks.queries import TO_DO as CHARGEBACKS_TO_DO
from marketplace.payments.models import ConnectedAccount, PayoutBatch, PayoutItem, Sweep
from marketplace.payments.refunds.models import Refund
from marketplace.payments.refunds.queries import TO_DO
from marketplace.payments.setup.holding import held
from marketplace.payments.setup.models import BankHold
from marketplace.payments.setup.wishes import how_many_ask
from marketplace.payments.states import BatchState, ItemState, SweepState, TransfersState
from marketplace.reasons import queries as reasons_queries
from marketplace.web import how_many


@dataclass(frozen=True)
class Task:
    """Something to do: a sentence, the button's words, and the endpoint that it leads to."""

    sentence: str
    action: str
    endpoint: str


@dataclass(frozen=True)
class Figure:
    """A number that a person looks for; `value` is text or Money."""

    label: str
    value: str | Money
    note: str = ""


@dataclass(frozen=True)
class Desk:
    """The desk of one group that a person belongs to."""

    title: str
    tasks: tuple[Task, ...]
    figures: tuple[Figure, ...]


def desks(session: Session, actor: Actor, currency: str) -> list[Desk]:
    """A desk for each group that the person belongs to. `currency` is that of the books."""
    makers: list[tuple[frozenset[Role], Callable[[Session, Actor, str], Desk]]] = [
        (frozenset({Role.EXPERT}), _expert),
        (CLIENT, _client),
        (FINANCE, _finance),
        (frozenset({Role.REVIEWER}), _reviewer),
        (frozenset({Role.OPERATOR}), _operator),
    ]
    return [make(session, actor, currency) for roles, make in makers if actor.has(*roles)]


def _expert(session: Session, actor: Actor, currency: str) -> Desk:
    active = _count(session, Contract, Contract.person_id == actor.id, Contract.state == ContractState.ACTIVE)
    owed = -balance(session, chart.expert_payable(_public_id(session, actor)), currency)
    return Desk(
        _("Your work"),
        tuple(_expert_tasks(session, actor)),
        (
            Figure(
                _("Approved and not yet on its way"), Money(owed, currency), _("Paid with the next batch")
            ),
            Figure(_("Contracts"), str(active)),
        ),
    )


def _to_agree(session: Session, actor: Actor) -> Iterator[Task]:
    if asked := consents.waiting_for(session, actor.id):
        yield Task(
            ngettext(
                "A client wants to use your work in another way. Answer by %(when)s.",
                "On %(n)s contracts your work is to be used in another way. Answer the first by %(when)s.",
                len(asked),
                when=moment(asked[0].answer_by),
            ),
            _("See what changes"),
            "contracts.index",
        )
    if n := how_many(session, rates.waiting_for(actor)):
        yield Task(
            ngettext("A lower rate waits for your answer.", "%(n)s lower rates wait for your answer.", n),
            _("Read it and answer"),
            "contracts.index",
        )
    if n := how_many(session, adjustments.waiting_for(actor)):
        yield Task(
            ngettext("A request for less pay waits for you.", "%(n)s requests for less pay wait for you.", n),
            _("Read it and answer"),
            "contracts.index",
        )


def _expert_tasks(session: Session, actor: Actor) -> Iterator[Task]:
    if session.get(ExpertProfile, actor.id) is None:
        yield Task(
            _("Say what you know and what an hour of yours costs, and gigs can find you."),
            _("Write your profile"),
            "gigs.profile",
        )
    if n := _count(session, Offer, Offer.person_id == actor.id, Offer.state == OfferState.MADE):
        yield Task(
            ngettext("An offer waits for your answer.", "%(n)s offers wait for your answer.", n),
            _("Read and sign"),
            "contracts.offers",
        )
    yield from _credential_tasks(session, actor)
    yield from _to_agree(session, actor)
    yield from _work_tasks(session, actor)
    yield from _to_grade(session, actor)
    if _works(session, actor) and not _can_be_paid(session, actor):
        yield Task(
            _("So that your pay can be sent, say on Stripe’s pages where your bank is."),
            _("Set up payouts"),
            "payments.get_paid",
        )
    yield from _disputes(session, actor)
    if back := contract_queries.returned(session, actor, Contract.person_id == actor.id):
        yield Task(
            ngettext(
                "A week was returned to you on %(day)s. It is paid once you submit it again.",
                "%(n)s weeks were returned to you, the first on %(day)s. They are paid once you submit them "
                "again.",
                len(back),
                day=moment(back[0][1]),
            ),
            _("Read why"),
            "contracts.timesheets",
        )
    ended = Timesheet.week_end_at <= clock.now()
    mine = (Timesheet.contract_id == Contract.id, Contract.person_id == actor.id, ended)
    is_open = Timesheet.state == TimesheetState.OPEN
    if n := _count(session, Timesheet, *mine, is_open, Timesheet.worked()):
        yield Task(
            ngettext("A week is over and not submitted.", "%(n)s weeks are over and not submitted.", n),
            _("Submit your hours"),
            "contracts.timesheets",
        )
    invited = Invitation.state == InvitationState.INVITED
    takes = Invitation.gig.has(Gig.state == GigState.PUBLISHED)
    if n := _count(session, Invitation, Invitation.person_id == actor.id, invited, takes):
        yield Task(
            ngettext("A company invites you to apply.", "%(n)s companies invite you to apply.", n),
            _("See the gigs"),
            "gigs.browse",
        )
    waiting = Credential.state == CredentialState.NEEDS_REVIEW
    if n := _count(session, Credential, Credential.person_id == actor.id, waiting):
        yield Task(
            ngettext("A credential of yours is with a reviewer.", "%(n)s of yours are with a reviewer.", n),
            _("See how far it is"),
            "credentials.index",
        )
    yield Task(
        _("Gigs are ranked by how well they suit you, with the reasons."), _("Find gigs"), "gigs.browse"
    )


_TO_MEND = (CredentialState.INFO_REQUESTED, CredentialState.EXPIRING, CredentialState.EXPIRED)


def _credential_tasks(session: Session, actor: Actor) -> Iterator[Task]:
    if n := _count(session, Credential, Credential.person_id == actor.id, Credential.state.in_(_TO_MEND)):
        yield Task(
            ngettext("A credential needs you.", "%(n)s credentials need you.", n),
            _("See which, and why"),
            "credentials.index",
        )


def _work_tasks(session: Session, actor: Actor) -> Iterator[Task]:
    running = timer.running(session, actor.id)
    if running is not None and running.contract.test_id is not None:
        yield Task(_("You are taking a test, and the clock runs."), _("Go on with it"), "contracts.work")
        return
    if running is not None:
        yield Task(_("Your timer is running."), _("See it, or stop it"), "contracts.work")
        return
    active = (Contract.state == ContractState.ACTIVE, Contract.test_id.is_(None))
    if n := _count(session, Contract, Contract.person_id == actor.id, *active):
        yield Task(
            ngettext("You have a contract to work on.", "You have %(n)s contracts to work on.", n),
            _("Go to your work"),
            "contracts.work",
        )


def _to_grade(session: Session, actor: Actor) -> Iterator[Task]:
    if n := how_many(session, to_grade(actor)):
        yield Task(
            ngettext("A test waits for your grade.", "%(n)s tests wait for your grade.", n),
            _("Grade it"),
            "contracts.grading_queue",
        )


def _disputes(session: Session, actor: Actor) -> Iterator[Task]:
    if n := how_many(session, disputes.waiting_for(actor)):
        yield Task(
            ngettext("A questioned line waits for you.", "%(n)s questioned lines wait for you.", n),
            _("See what is asked"),
            "contracts.disputes",
        )


def _client(session: Session, actor: Actor, currency: str) -> Desk:
    own = Project.organization_id.in_(actor.organizations(*CLIENT))
    projects = session.scalars(sa.select(Project).where(own, Project.state != ProjectState.CLOSED)).all()
    funds = [chart.project_funds(project.public_id) for project in projects]
    reserved = [chart.project_reserved(project.public_id) for project in projects]
    free = -sum(balances(session, funds, currency).values())
    held = -sum(balances(session, reserved, currency).values())
    return Desk(
        _("Your projects"),
        tuple(_client_tasks(session, actor)),
        (
            Figure(_("Free for new hours"), Money(free, currency)),
            Figure(_("Reserved for this week and next"), Money(held, currency)),
            Figure(_("Projects"), str(len(projects))),
        ),
    )


def _client_tasks(session: Session, actor: Actor) -> Iterator[Task]:
    if n := how_many(session, contract_queries.waiting_for_approval(actor)):
        yield Task(
            ngettext("A timesheet waits for approval.", "%(n)s timesheets wait for approval.", n),
            _("Look at the hours"),
            "contracts.waiting",
        )
    if not actor.has(Role.EXPERT):
        yield from _disputes(session, actor)
    yield from _standing_still(session, actor)
    if not actor.has(Role.EXPERT):
        yield from _to_grade(session, actor)
    own = (Application.gig_id == Gig.id, Gig.project_id == Project.id)
    mine = Project.organization_id.in_(actor.organizations(*CLIENT))
    applied = Application.state == ApplicationState.APPLIED
    admin = actor.has(Role.CLIENT_ADMIN)
    if admin and (n := _count(session, Application, *own, mine, applied)):
        yield Task(
            ngettext("An expert has applied.", "%(n)s experts have applied.", n),
            _("See who fits, and why"),
            "gigs.projects",
        )
    if not admin:
        return
    if not _count(session, Project, mine):
        yield Task(
            _("Start with a project: what it is for, and what it may cost."),
            _("Start a project"),
            "gigs.projects",
        )
    elif not _count(session, Gig, Gig.project_id == Project.id, mine, Gig.state == GigState.PUBLISHED):
        yield Task(
            _("No gig of yours is open. Experts find you by your gigs."), _("Write a gig"), "gigs.projects"
        )


def _standing_still(session: Session, actor: Actor) -> Iterator[Task]:
    ours = Contract.organization_id.in_(actor.organizations(*CLIENT))
    if back := contract_queries.returned(session, actor, ours):
        yield Task(
            ngettext(
                "A week that was returned on %(day)s is not corrected yet, so its money stays reserved.",
                "%(n)s returned weeks are not corrected yet, the first since %(day)s, so their money stays "
                "reserved.",
                len(back),
                day=moment(back[0][1]),
            ),
            _("See the weeks"),
            "contracts.timesheets",
        )
    if n := len(contract_queries.lapsed(session, actor)):
        yield Task(
            ngettext(
                "On a contract no paid time can be entered now: a credential does not count.",
                "On %(n)s contracts no paid time can be entered now: a credential does not count.",
                n,
            ),
            _("See which"),
            "contracts.index",
        )


def _finance(session: Session, actor: Actor, currency: str) -> Desk:
    people, unpaid = payouts.owed(session, currency)
    at_stripe = balance(session, chart.stripe_balance(), currency)
    transit = balance(session, chart.payouts_in_transit(), currency)
    return Desk(
        _("Money"),
        tuple(_finance_tasks(session, actor, people > 0)),
        (
            Figure(_("At Stripe, by our books"), Money(at_stripe, currency)),
            Figure(_("Approved, in no batch"), unpaid),
            Figure(_("Our fees on their way to the bank"), Money(transit, currency)),
        ),
    )


def _finance_tasks(session: Session, actor: Actor, unpaid: bool) -> Iterator[Task]:
    prepared = _count(session, PayoutBatch, PayoutBatch.state == BatchState.PREPARED)
    if prepared and actor.has(Role.FINANCE_RELEASER):
        yield Task(
            ngettext("A batch waits to be released.", "%(n)s batches wait to be released.", prepared),
            _("Look at the batch"),
            "payments.batches",
        )
    if unpaid and not prepared and actor.has(Role.FINANCE_PREPARER):
        yield Task(_("Hours are approved and in no batch."), _("Prepare a batch"), "payments.batches")
    if n := how_many_ask(session):
        yield Task(
            ngettext("An expert asks to be paid now.", "%(n)s experts ask to be paid now.", n),
            _("See the payouts"),
            "payments.batches",
        )
    decide = sa.or_(BankHold.denied_at.is_not(None), BankHold.ending_by.is_not(None))
    if n := _count(session, BankHold, held(), decide):
        yield Task(
            ngettext(
                "A changed bank account waits for a decision.",
                "%(n)s changed bank accounts wait for a decision.",
                n,
            ),
            _("Decide"),
            "payments.holds",
        )
    stuck = (ItemState.UNKNOWN, ItemState.FAILED, ItemState.RETURNED)
    if n := _count(session, PayoutItem, PayoutItem.state.in_(stuck)):
        yield Task(
            ngettext("One payout needs somebody to look.", "%(n)s payouts need somebody to look.", n),
            _("See what happened"),
            "payments.batches",
        )
    if n := _count(session, Sweep, Sweep.state == SweepState.PREPARED):
        yield Task(
            ngettext("A sweep of fees waits to be released.", "%(n)s sweeps wait to be released.", n),
            _("Look at the sweep"),
            "payments.sweeps",
        )
    if n := _count(session, Refund, Refund.state.in_(TO_DO)):
        yield Task(
            ngettext("A refund waits for somebody.", "%(n)s refunds wait for somebody.", n),
            _("Look at the refunds"),
            "payments.refunds",
        )
    if n := _count(session, Chargeback, CHARGEBACKS_TO_DO):
        yield Task(
            ngettext("A bank contests a payment.", "Banks contest %(n)s payments.", n),
            _("Look at the chargebacks"),
            "payments.chargebacks",
        )
    yield Task(_("Ledger, Stripe and bank, side by side."), _("Reconcile"), "reconciliation.index")


def _reviewer(session: Session, actor: Actor, currency: str) -> Desk:
    waits = Credential.state == CredentialState.NEEDS_REVIEW
    n = _count(session, Credential, waits)
    oldest = session.scalar(sa.select(sa.func.min(Credential.submitted_at)).where(waits))
    age = (clock.now() - oldest) // timedelta(days=1) if oldest else 0
    task = Task(
        ngettext("A credential waits for a look.", "%(n)s credentials wait for a look.", n),
        _("Take the next"),
        "credentials.queue",
    )
    figures = (Figure(_("Waiting"), str(n)), Figure(_("Oldest"), ngettext("%(n)s day", "%(n)s days", age)))
    return Desk(_("Reviews"), (task,) if n else (), figures)


def _operator(session: Session, actor: Actor, currency: str) -> Desk:
    unverified = (Organization.kind == OrganizationKind.CLIENT, Organization.verified_at.is_(None))
    new = _count(session, Organization, *unverified)
    appeals = reasons_queries.waiting_count(session, actor)
    tasks = []
    if new:
        sentence = ngettext("A company waits to be verified.", "%(n)s companies wait to be verified.", new)
        tasks.append(Task(sentence, _("Verify"), "accounts.organizations"))
    if appeals:
        sentence = ngettext("An appeal waits for a decision.", "%(n)s appeals wait for a decision.", appeals)
        tasks.append(Task(sentence, _("Decide"), "reasons.queue"))
    tasks += [] if actor.has(Role.EXPERT, *CLIENT) else list(_disputes(session, actor))
    companies = _count(session, Organization, Organization.kind == OrganizationKind.CLIENT)
    figures = (
        (_("Experts"), _count(session, ExpertProfile)),
        (_("Companies"), companies),
        (_("Gigs that are open"), _count(session, Gig, Gig.state == GigState.PUBLISHED)),
        (_("Contracts"), _count(session, Contract, Contract.state == ContractState.ACTIVE)),
    )
    return Desk(_("The site"), tuple(tasks), tuple(Figure(label, f"{count:,}") for label, count in figures))


def _works(session: Session, actor: Actor) -> bool:
    return _count(session, Contract, Contract.person_id == actor.id) > 0


def _can_be_paid(session: Session, actor: Actor) -> bool:
    active = ConnectedAccount.transfers == TransfersState.ACTIVE
    return _count(session, ConnectedAccount, ConnectedAccount.person_id == actor.id, active) > 0


def _public_id(session: Session, actor: Actor) -> UUID:
    return session.get_one(Person, actor.id).public_id


def _count(session: Session, kind: type, *where: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(kind).where(*where)
    return session.scalar(query) or 0
