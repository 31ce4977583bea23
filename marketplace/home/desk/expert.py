"""What waits for an expert."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Person
from marketplace.actor import Actor
from marketplace.contracts import queries as contract_queries
from marketplace.contracts import timer
from marketplace.contracts.adjustments import queries as adjustments
from marketplace.contracts.consents import queries as consents
from marketplace.contracts.models import Contract, Offer, Timesheet
from marketplace.contracts.rates import queries as rates
from marketplace.contracts.states import ContractState, OfferState, TimesheetState
from marketplace.credentials.models import Credential
from marketplace.credentials.states import CredentialState
from marketplace.gigs.models import ExpertProfile, Gig, Invitation
from marketplace.gigs.states import GigState, InvitationState
from marketplace.home.desk.parts import Desk, Figure, Task, count, grading, questioned
from marketplace.i18n import gettext as _
from marketplace.i18n import moment, ngettext
from marketplace.ledger import balance, chart
from marketplace.money import Money
from marketplace.payments.models import ConnectedAccount
from marketplace.payments.states import TransfersState
from marketplace.web import how_many


def desk(session: Session, actor: Actor, currency: str) -> Desk:
    active = count(session, Contract, Contract.person_id == actor.id, Contract.state == ContractState.ACTIVE)
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
    if n := count(session, Offer, Offer.person_id == actor.id, Offer.state == OfferState.MADE):
        yield Task(
            ngettext("An offer waits for your answer.", "%(n)s offers wait for your answer.", n),
            _("Read and sign"),
            "contracts.offers",
        )
    yield from _credential_tasks(session, actor)
    yield from _to_agree(session, actor)
    yield from _work_tasks(session, actor)
    yield from grading(session, actor)
    if _works(session, actor) and not _can_be_paid(session, actor):
        yield Task(
            _("So that your pay can be sent, say on Stripe’s pages where your bank is."),
            _("Set up payouts"),
            "payments.get_paid",
        )
    yield from questioned(session, actor)
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
    if n := count(session, Timesheet, *mine, is_open, Timesheet.worked()):
        yield Task(
            ngettext("A week is over and not submitted.", "%(n)s weeks are over and not submitted.", n),
            _("Submit your hours"),
            "contracts.timesheets",
        )
    invited = Invitation.state == InvitationState.INVITED
    takes = Invitation.gig.has(Gig.state == GigState.PUBLISHED)
    if n := count(session, Invitation, Invitation.person_id == actor.id, invited, takes):
        yield Task(
            ngettext("A company invites you to apply.", "%(n)s companies invite you to apply.", n),
            _("See the gigs"),
            "gigs.browse",
        )
    waiting = Credential.state == CredentialState.NEEDS_REVIEW
    if n := count(session, Credential, Credential.person_id == actor.id, waiting):
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
    if n := count(session, Credential, Credential.person_id == actor.id, Credential.state.in_(_TO_MEND)):
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
    if n := count(session, Contract, Contract.person_id == actor.id, *active):
        yield Task(
            ngettext("You have a contract to work on.", "You have %(n)s contracts to work on.", n),
            _("Go to your work"),
            "contracts.work",
        )


def _works(session: Session, actor: Actor) -> bool:
    return count(session, Contract, Contract.person_id == actor.id) > 0


def _can_be_paid(session: Session, actor: Actor) -> bool:
    active = ConnectedAccount.transfers == TransfersState.ACTIVE
    return count(session, ConnectedAccount, ConnectedAccount.person_id == actor.id, active) > 0


def _public_id(session: Session, actor: Actor) -> UUID:
    return session.get_one(Person, actor.id).public_id
