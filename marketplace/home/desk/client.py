"""What waits for a client."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.actor import CLIENT, Actor, Role
from marketplace.contracts import queries as contract_queries
from marketplace.contracts.models import Contract
from marketplace.gigs.models import Application, Gig, Project
from marketplace.gigs.states import ApplicationState, GigState, ProjectState
from marketplace.home.desk.parts import Desk, Figure, Task, count, grading, questioned
from marketplace.i18n import gettext as _
from marketplace.i18n import moment, ngettext
from marketplace.ledger import balances, chart
from marketplace.money import Money
from marketplace.web import how_many


def desk(session: Session, actor: Actor, currency: str) -> Desk:
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
        yield from questioned(session, actor)
    yield from _standing_still(session, actor)
    if not actor.has(Role.EXPERT):
        yield from grading(session, actor)
    own = (Application.gig_id == Gig.id, Gig.project_id == Project.id)
    mine = Project.organization_id.in_(actor.organizations(*CLIENT))
    applied = Application.state == ApplicationState.APPLIED
    admin = actor.has(Role.CLIENT_ADMIN)
    if admin and (n := count(session, Application, *own, mine, applied)):
        yield Task(
            ngettext("An expert has applied.", "%(n)s experts have applied.", n),
            _("See who fits, and why"),
            "gigs.projects",
        )
    if not admin:
        return
    if not count(session, Project, mine):
        yield Task(
            _("Start with a project: what it is for, and what it may cost."),
            _("Start a project"),
            "gigs.projects",
        )
    elif not count(session, Gig, Gig.project_id == Project.id, mine, Gig.state == GigState.PUBLISHED):
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
