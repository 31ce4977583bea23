"""What waits for the operator of the site."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace.accounts.models import Organization, OrganizationKind
from marketplace.actor import CLIENT, Actor, Role
from marketplace.contracts.models import Contract
from marketplace.contracts.states import ContractState
from marketplace.gigs.models import ExpertProfile, Gig
from marketplace.gigs.states import GigState
from marketplace.home.desk.parts import Desk, Figure, Task, count, questioned
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.reasons import queries as reasons_queries


def desk(session: Session, actor: Actor, currency: str) -> Desk:
    unverified = (Organization.kind == OrganizationKind.CLIENT, Organization.verified_at.is_(None))
    new = count(session, Organization, *unverified)
    appeals = reasons_queries.waiting_count(session, actor)
    tasks = []
    if new:
        sentence = ngettext("A company waits to be verified.", "%(n)s companies wait to be verified.", new)
        tasks.append(Task(sentence, _("Verify"), "accounts.organizations"))
    if appeals:
        sentence = ngettext("An appeal waits for a decision.", "%(n)s appeals wait for a decision.", appeals)
        tasks.append(Task(sentence, _("Decide"), "reasons.queue"))
    tasks += [] if actor.has(Role.EXPERT, *CLIENT) else list(questioned(session, actor))
    companies = count(session, Organization, Organization.kind == OrganizationKind.CLIENT)
    figures = (
        (_("Experts"), count(session, ExpertProfile)),
        (_("Companies"), companies),
        (_("Gigs that are open"), count(session, Gig, Gig.state == GigState.PUBLISHED)),
        (_("Contracts"), count(session, Contract, Contract.state == ContractState.ACTIVE)),
    )
    return Desk(_("The site"), tuple(tasks), tuple(Figure(label, f"{number:,}") for label, number in figures))
