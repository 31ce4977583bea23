"""Companies fund projects and publish gigs; experts who match apply, are offered and sign."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from random import Random

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.grants import verify_organization
from marketplace.accounts.models import Organization, OrganizationKind, Person
from marketplace.accounts.people import add_person, new_organization
from marketplace.actor import SITE, Role
from marketplace.contracts.models import Contract
from marketplace.contracts.offers import OfferDraft, make_offer
from marketplace.contracts.signing import accept_offer
from marketplace.credentials.gate import Requirement
from marketplace.db import use_case
from marketplace.demo.history.stage import WEEKS, Stage, trying
from marketplace.demo.names import a_name
from marketplace.demo.seed import actor_of
from marketplace.demo.stripe_server import hands
from marketplace.demo.world import GigPlan, ProjectPlan
from marketplace.gigs.applications import apply
from marketplace.gigs.drafts import GigDraft, draft_gig
from marketplace.gigs.models import ExpertProfile, Gig, Project
from marketplace.gigs.projects import ProjectDraft, create_project
from marketplace.gigs.publishing import publish_gig
from marketplace.gigs.states import TaskKind
from marketplace.matching import domains
from marketplace.matching.ranking import best_experts
from marketplace.money import for_minutes, share
from marketplace.payments.connected_accounts import refresh_account, set_up_payouts
from marketplace.payments.fundings import open_checkout, prepare_funding, settle_funding
from marketplace.payments.models import ConnectedAccount, Funding
from marketplace.payments.states import FundingState, Rail, TransfersState


def found_companies(stage: Stage) -> None:
    """Every company of the world, verified by the operator, with an admin and an approver."""
    with stage.at(0, hour=9):
        for number, name in enumerate(stage.world.clients):
            organization = _found(stage.session, number, name, stage.chance("people of", name))
            if organization is not None:
                verify_organization(stage.session, actor_of(stage.session, "opa"), organization)


@use_case
def _found(session: Session, number: int, name: str, chance: Random) -> uuid.UUID | None:
    if session.scalar(sa.select(Organization.id).filter_by(name=name)):
        return None
    organization = new_organization(session, SITE, OrganizationKind.CLIENT, name, "US")
    for role, who in ((Role.CLIENT_ADMIN, "admin"), (Role.CLIENT_APPROVER, "approver")):
        email = f"{who}{number:02d}@example.com"
        add_person(
            session, SITE, a_name(chance, "US"), email, "US", "America/New_York", [(role, organization)]
        )
    return organization.public_id


def start_projects(stage: Stage, week: int) -> None:
    """The projects that begin in `week`: created, and funded for all their weeks."""
    stage.each(_start, [plan for plan in stage.world.projects if plan.week == week])


def _start(stage: Stage, plan: ProjectPlan) -> None:
    with stage.at(plan.week, 0, 13):
        admin = stage.by_email(stage.world.admin(plan.client))
        name = stage.world.clients[plan.client]
        organization = stage.session.scalars(sa.select(Organization).filter_by(name=name)).one()
        draft = ProjectDraft(
            name=plan.name,
            summary=plan.summary,
            cost_centre=f"CC-{100 + plan.client}",
            purchase_order=f"PO-2026-{400 + plan.client}",
        )
        project = _project(stage.session, organization.id, plan.name) or create_project(
            stage.session, admin, organization.public_id, draft
        )
        project_id = project.public_id
    _fund(stage, plan, project_id)


def _project(session: Session, organization_id: int, name: str) -> Project | None:
    return session.scalars(sa.select(Project).filter_by(organization_id=organization_id, name=name)).first()


def _fund(stage: Stage, plan: ProjectPlan, project: uuid.UUID) -> None:
    """Enough for every hour of every gig until the end, and a tenth more; bank transfers come a day later."""
    amount = sum(_cost(gig, stage.fee_bps) for gig in plan.gigs) * 11 // 10
    rail = Rail.CARD if plan.by_card else Rail.BANK_TRANSFER
    with stage.at(plan.week, 0, 14) as moment:
        if _funded(stage.session, project):
            return
        admin = stage.by_email(stage.world.admin(plan.client))
        funding = prepare_funding(stage.session, admin, project, amount, rail)
        public_id = funding.public_id
        back = f"{stage.base_url}/"
        url = open_checkout(stage.session, stage.gateway, admin, public_id, return_url=back, cancel_url=back)
        if url is not None:
            (hands.pay if plan.by_card else hands.promise_bank_transfer)(url, moment=moment)
    with stage.at(plan.week, 0 if plan.by_card else 3, 15):
        session_id = stage.session.scalar(sa.select(Funding.session_id).filter_by(public_id=public_id))
        settle_funding(stage.session, stage.gateway, session_id or "")


def _funded(session: Session, project: uuid.UUID) -> bool:
    paid = sa.select(Funding.id).join(Project).where(
        Project.public_id == project, Funding.state == FundingState.PAID
    )  # fmt: skip
    return session.scalar(paid) is not None


def _cost(gig: GigPlan, fee_bps: int) -> int:
    """What all hours of the gig cost at most, fee included, in cents. Two weeks are always reserved ahead."""
    pay = for_minutes(gig.rate_max, gig.hours_per_week * 60) * gig.headcount * (WEEKS + 3 - gig.week)
    return pay + share(pay, fee_bps)


ANSWER = "Shops and small offices, for tenants mostly: some forty leases in the last three years."


def publish_gigs(stage: Stage, week: int) -> None:
    """The gigs that open in `week`, and the experts who take them.

    Those of one field come one after the other, since they look for the same people.
    """
    fields: dict[str, list[tuple[ProjectPlan, GigPlan]]] = {}
    for plan in stage.world.projects:
        for gig in plan.gigs:
            if gig.week == week:
                fields.setdefault(domains.group_of(gig.domain), []).append((plan, gig))
    stage.each(_publish_all, fields.values())


def _publish_all(stage: Stage, gigs: Sequence[tuple[ProjectPlan, GigPlan]]) -> None:
    for plan, gig in gigs:
        _staff(stage, plan, gig, _publish(stage, plan, gig))


def _publish(stage: Stage, plan: ProjectPlan, gig: GigPlan) -> uuid.UUID:
    with stage.at(gig.week, 0, 16):
        admin = stage.by_email(stage.world.admin(plan.client))
        (organization_id,) = admin.organizations(Role.CLIENT_ADMIN)
        project = _project(stage.session, organization_id, plan.name)
        if project is None:
            raise LookupError(plan.name)
        found = stage.session.scalars(
            sa.select(Gig).filter_by(project_id=project.id, title=gig.title)
        ).first()
        made = found or draft_gig(stage.session, admin, project.public_id, _draft(stage, gig))
        public_id = made.public_id
        if made.published_at is None:
            publish_gig(stage.session, admin, public_id)
    return public_id


def _draft(stage: Stage, gig: GigPlan) -> GigDraft:
    starts = stage.when(gig.week, 1).date()
    requirements = (Requirement(gig.requirement[0], gig.requirement[1], 4, None),) if gig.requirement else ()
    return GigDraft(
        title=gig.title,
        domain=gig.domain,
        task_kind=TaskKind(gig.task_kind),
        description=gig.description,
        guidelines=gig.guidelines,
        **vars(gig.data_use),
        rate_min=gig.rate_min,
        rate_max=gig.rate_max,
        hours_per_week=gig.hours_per_week,
        headcount=gig.headcount,
        languages=("en",),
        countries=gig.countries,
        starts_on=starts,
        ends_on=starts + timedelta(weeks=20),
        requirements=requirements,
        questions=gig.questions,
    )


def _staff(stage: Stage, plan: ProjectPlan, gig: GigPlan, public_id: uuid.UUID) -> None:
    """All places but those that stay open; for these somebody applies who still waits for an answer."""
    gig_id, taken = stage.session.execute(
        sa.select(Gig.id, sa.func.count(Contract.id)).outerjoin(Contract).where(Gig.public_id == public_id)
        .group_by(Gig.id)
    ).one()  # fmt: skip
    wanted = max(gig.headcount - gig.left - taken, 0)
    asked = [stage.by_email(email).id for email in gig.asked]
    found = [*asked, *(each for each in _free_experts(stage, gig_id) if each not in asked)]
    for person_id in found[:wanted]:
        # Somebody whose licence does not cover the start, say, is refused like anybody else.
        trying(stage.session, partial(_hire, stage, plan, gig, public_id, person_id))
    for person_id in found[wanted : wanted + gig.left]:
        trying(stage.session, partial(_apply, stage, gig, public_id, person_id))


def _free_experts(stage: Stage, gig_id: int) -> Sequence[int]:
    """The best matches who have no contract yet."""
    found = [person for person, match in best_experts(stage.session, gig_id, 60) if match.eligible]
    busy = set(stage.session.scalars(sa.select(Contract.person_id).where(Contract.person_id.in_(found))))
    return [person for person in found if person not in busy]


def _apply(stage: Stage, gig: GigPlan, public_id: uuid.UUID, person_id: int) -> uuid.UUID:
    with stage.at(gig.week, 0, 17):
        note = "This is what I do every day. I can start at once."
        answers = dict.fromkeys(gig.questions, ANSWER)
        return apply(stage.session, stage.actor(person_id), public_id, note, answers).public_id


def _hire(stage: Stage, plan: ProjectPlan, gig: GigPlan, public_id: uuid.UUID, person_id: int) -> None:
    application_id = _apply(stage, gig, public_id, person_id)
    expert = stage.actor(person_id)
    least = stage.session.get_one(ExpertProfile, person_id).min_rate
    with stage.at(gig.week, 0, 18):
        admin = stage.by_email(stage.world.admin(plan.client))
        rate = min(max(least, gig.rate_min), gig.rate_max)
        draft = OfferDraft(rate, gig.hours_per_week, stage.when(gig.week, 1).date())
        offer = make_offer(stage.session, admin, application_id, draft, fee_bps=stage.fee_bps)
        offer_id = offer.public_id
    with stage.at(gig.week, 0, 19):
        accept_offer(stage.session, expert, offer_id, expert.name)
    # Nobody begins a first hour without.
    set_up_payment(stage, gig.week, person_id)


def set_up_payment(stage: Stage, week: int, person_id: int) -> None:
    """On that week's Monday evening the expert says at Stripe where to pay them, unless that is known."""
    if _can_be_paid(stage.session, person_id):
        return
    with stage.at(week, 0, 20) as moment:
        back = f"{stage.base_url}/"
        url = set_up_payouts(
            stage.session, stage.gateway, stage.actor(person_id), return_url=back, refresh_url=back
        )
        person = stage.session.get_one(Person, person_id)
        first, _space, last = person.full_name.partition(" ")
        hands.onboard(url, first, last, person.country.lower(), moment=moment)
    with stage.at(week, 0, 21):
        account = sa.select(ConnectedAccount.stripe_id).filter_by(person_id=person_id, ended_at=None)
        refresh_account(stage.session, stage.gateway, stage.session.scalar(account) or "")


def _can_be_paid(session: Session, person_id: int) -> bool:
    ready = sa.select(ConnectedAccount.id).filter_by(
        person_id=person_id, ended_at=None, transfers=TransfersState.ACTIVE
    )
    return session.scalar(ready) is not None
