"""Pages of contracts: offers and signatures, work, timesheets, money. Each module adds its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from flask import Blueprint, url_for
from sqlalchemy.orm import joinedload

from marketplace.contracts import limits, offers, queries, states
from marketplace.contracts import tasks as tasks
from marketplace.contracts.consents import queries as consent_queries
from marketplace.contracts.models import Contract
from marketplace.contracts.sittings import graders
from marketplace.contracts.sittings.asking import Price, price_of
from marketplace.contracts.sittings.queries import Standing, standings
from marketplace.credentials.gate import Requirement
from marketplace.gigs.models import Application, Gig, GigRequirement, Project
from marketplace.gigs.qualification.graders import conflict
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.states import task_word
from marketplace.i18n import gettext as _
from marketplace.ledger import sources
from marketplace.ledger.sources import Link
from marketplace.settings import current
from marketplace.web import actor, db_session

bp = Blueprint("contracts", __name__)


@bp.context_processor
def _words() -> dict[str, object]:
    return {
        "spell": limits.spell,
        "task_word": task_word,
        "on_clock": on_clock,
        "amounts": queries.amounts,
        "stands": offers.stands,
        "state_said": states.word,
    }


@bp.app_context_processor
def _about_projects() -> dict[str, object]:
    # The pages of projects and gigs belong to gigs, which knows nothing of contracts.
    return {
        "lapsed_in": _lapsed_in,
        "test_standings": _test_standings,
        "test_price": _test_price,
        "grades_its_test": _grades_its_test,
        "no_grader": _no_grader,
        "ungraded": _ungraded,
        "uses_asked": lambda gig: consent_queries.open_on(db_session(), gig),
    }


def _test_standings(gig: Gig, people: Sequence[int]) -> dict[int, Standing]:
    return standings(db_session(), gig, people)


def _test_price(application: Application) -> Price | None:
    test = application.gig.test
    if test is None:
        return None
    return price_of(db_session(), application, test, current().fee_bps)


def _no_grader(test: QualificationTest | None, asked: Iterable[Requirement | GigRequirement]) -> str:
    """Why nobody can be asked to take it for a gig that asks for this; empty when somebody may grade it."""
    if test is None:
        return ""
    wanted = [Requirement(each.type, each.jurisdiction, each.level, each.max_age_days) for each in asked]
    return graders.warning(db_session(), test, wanted)


def _grades_its_test(gig: Gig) -> str:
    return conflict(db_session(), gig, actor().id)


def _ungraded(test: QualificationTest) -> list[Gig]:
    return graders.ungraded(db_session(), test)


def _lapsed_in(project: Project) -> list[tuple[Contract, str]]:
    return queries.lapsed(db_session(), actor(), Contract.project_id == project.id)


def on_clock(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%H:%M}"


def _approval_link(rest: str) -> Link:
    return Link(_("Approved week"), url_for("contracts.approval", approval_id=rest))


def _dispute_link(rest: str) -> Link:
    return Link(_("Questioned line"), url_for("contracts.dispute", dispute_id=rest))


def _reservation_link(rest: str) -> Link:
    contract, _colon, _monday = rest.partition(":")
    return Link(_("Contract"), url_for("contracts.show", contract_id=contract))


def _project_link(rest: str) -> Link:
    key, _colon, _account = rest.partition(":")
    query = sa.select(Project).options(joinedload(Project.organization))
    project = db_session().scalars(query.where(Project.public_id == uuid.UUID(key))).one()
    return Link(f"{project.organization.name} · {project.name}", url_for("contracts.funds", project_id=key))


sources.register("approval", _approval_link)
sources.register("time_dispute", _dispute_link)
sources.register("reservation", _reservation_link)
sources.register("project", _project_link)

from marketplace.contracts.views import (  # noqa: E402
    adjustments,
    away,
    budgets,
    consents,
    costs,
    deals,
    disputes,
    fees,
    guidelines,
    rates,
    same_person,
    sittings,
    taxes,
    timesheets,
    two_people,
    usage,
    vat,
    waiting,
    work,
)

__all__ = [
    "adjustments",
    "away",
    "bp",
    "budgets",
    "consents",
    "costs",
    "deals",
    "disputes",
    "fees",
    "guidelines",
    "rates",
    "same_person",
    "sittings",
    "taxes",
    "timesheets",
    "two_people",
    "usage",
    "vat",
    "waiting",
    "work",
]
