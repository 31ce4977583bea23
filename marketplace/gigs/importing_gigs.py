"""Gigs from a file: drafts of their clients, who complete and publish them; see `importing_experts`.

A client or a project that is not here yet is added; an operator still verifies the client, and invites who
administers it. Only drafts follow a changed row: what is published is the client's own word.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, bulk, clock, money
from marketplace.accounts.bulk import known_country
from marketplace.accounts.models import Organization, OrganizationKind
from marketplace.accounts.people import check_name, new_organization
from marketplace.actor import Actor, Role
from marketplace.credentials.claims import check_kind
from marketplace.credentials.gate import Requirement
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid
from marketplace.gigs import drafts, importing, projection, words
from marketplace.gigs.drafts import GigDraft
from marketplace.gigs.importing import GIG, TEXTS, Before, Brought, parted
from marketplace.gigs.models import Gig, GigRequirement, Project
from marketplace.gigs.states import GigState, ProjectState, TaskKind, task_word
from marketplace.i18n import gettext as _
from marketplace.matching import projections
from marketplace.matching.facts import GigFacts, RequirementFact

COLUMNS = (
    "external_id", "client", "project", "title", "domain", "task_kind", "description",
    "required_credentials", "languages", "countries", "rate_min", "rate_max", "currency", "hours_per_week",
    "headcount", "starts", "ends",
)  # fmt: skip
LEVELS = {str(level): level for level in words.LEVELS}
# Of a site that was not set up yet.
ANYWHERE = "US"


@dataclass(frozen=True)
class GigRow:
    """A row, checked. `digest` is of all that it said; `client` is a name or a public id."""

    external_id: str
    digest: bytes
    client: str
    project: str
    currency: str
    draft: GigDraft


def read_gig(row: Mapping[str, str]) -> GigRow:
    """Check a row: texts by the name of the column; lists are parted by `;`. Raises Invalid.

    A required credential is `type:jurisdiction:level:days`, of which the later may be missing: any place,
    level 2 (the document was seen), checked at any time.
    """
    said = importing.said(row, COLUMNS)
    currency = importing.currency(said["currency"])
    draft = GigDraft(
        title=said["title"],
        domain=importing.domain(said["domain"], "domain") if said["domain"] else None,
        task_kind=_task_kind(said["task_kind"]),
        description=said["description"],
        rate_min=_amount(said["rate_min"], currency, "rate_min"),
        rate_max=_amount(said["rate_max"], currency, "rate_max"),
        hours_per_week=_number(said["hours_per_week"], "hours_per_week"),
        headcount=_number(said["headcount"], "headcount"),
        languages=tuple([importing.language(each) for each in parted(said["languages"])]),
        countries=tuple([known_country(each) for each in parted(said["countries"])]),
        starts_on=_day(said["starts"], "starts"),
        ends_on=_day(said["ends"], "ends"),
        requirements=tuple([_requirement(each) for each in parted(said["required_credentials"])]),
    )
    drafts.check(draft)
    return GigRow(
        check_name(said["external_id"], "external_id"),
        importing.digest(said),
        check_name(said["client"], "client"),
        check_name(said["project"], "project"),
        currency,
        draft,
    )


@use_case
def bring_gigs(session: Session, actor: Actor, source: str, rows: Sequence[GigRow]) -> Brought:
    """Add or change the gigs of these rows, as drafts. Operators, or the site itself.

    Rows are refused with an id that stands above, in another currency than their project's, and for a gig
    that is no draft any more.
    """
    if actor.person_id is not None:
        actor.require(Role.OPERATOR)
    before = importing.before(session, GIG, source, [row.external_id for row in rows])
    kept = _drafts(session, before, rows)
    projects = _projects(session, actor, rows)
    refused = _refused(rows, before, kept, projects)
    counted = [row for place, row in enumerate(rows) if place not in refused]
    new = [row for row in counted if row.external_id not in before]
    changed = [row for row in counted if row.external_id in kept]
    _add(session, source, new, projects)
    for row in changed:
        _change(session, source, kept[row.external_id], row)
    if new or changed:
        audit.record(session, actor, "import", "gigs", new_id(), new=len(new), changed=len(changed))
    return Brought(len(new), len(changed), len(counted) - len(new) - len(changed), refused)


def _add(
    session: Session, source: str, rows: Sequence[GigRow], projects: Mapping[tuple[str, str], Project]
) -> None:
    pairs = list(zip(bulk.new_keys(session, Gig, len(rows)), rows, strict=True))
    homes = {id_: projects[row.client, row.project] for id_, row in pairs}
    written = ({"id": id_, "project_id": homes[id_].id, **_columns(row.draft)} for id_, row in pairs)
    bulk.copy(session, Gig, written, state=GigState.DRAFT, version=1)
    asked = ({"gig_id": id_, **vars(each)} for id_, row in pairs for each in row.draft.requirements)
    bulk.copy(session, GigRequirement, asked)
    importing.remember(session, GIG, source, ((id_, row.external_id, row.digest) for id_, row in pairs))
    told = (_facts(id_, homes[id_], row.draft) for id_, row in pairs)
    projections.copy_gigs(session, [each for each in told if each is not None])


def _change(session: Session, source: str, gig: Gig, row: GigRow) -> None:
    """What the file does not know of stays."""
    draft = replace(
        row.draft,
        guidelines=gig.guidelines,
        trains=gig.trains,
        used_in=gig.used_in,
        owned_by=gig.owned_by,
        kept_for=gig.kept_for,
        uses=None if gig.uses is None else tuple(gig.uses),
        secrecy=gig.secrecy,
        questions=tuple(gig.questions),
        skills=tuple(gig.skills),
    )
    drafts.write(gig, draft)
    gig.version += 1
    importing.remember_change(session, GIG, source, row.external_id, row.digest)
    projection.push_gig(session, gig)


def _columns(draft: GigDraft) -> dict[str, object]:
    return {"public_id": bulk.new_public_id(), **drafts.kept(draft)}


def _facts(id_: int, project: Project, draft: GigDraft) -> GigFacts | None:
    """A draft as matching knows it; None when it does not say what decides a match."""
    if not (draft.domain and draft.rate_min and draft.rate_max and draft.hours_per_week and draft.starts_on):
        return None
    return GigFacts(
        gig_id=id_,
        domain=draft.domain,
        rate_min=draft.rate_min,
        rate_max=draft.rate_max,
        currency=project.currency,
        hours_per_week=draft.hours_per_week,
        languages=tuple(sorted(draft.languages)),
        countries=tuple(sorted(draft.countries)),
        starts_on=draft.starts_on,
        requirements=tuple([RequirementFact(**vars(each)) for each in draft.requirements]),
        headcount_left=draft.headcount or 0,
        funded=False,
        client=project.organization_id,
        uses=None,
    )


def _drafts(session: Session, before: Mapping[str, Before], rows: Sequence[GigRow]) -> dict[str, Gig]:
    """The gigs whose rows say something else than before, by external id."""
    changed = {
        before[row.external_id].internal_id: row.external_id
        for row in rows
        if row.external_id in before and before[row.external_id].digest != row.digest
    }
    if not changed:
        return {}
    query = sa.select(Gig).where(Gig.id.in_(changed)).order_by(Gig.id).with_for_update(of=Gig, key_share=True)
    return {changed[gig.id]: gig for gig in session.scalars(query)}


def _refused(
    rows: Sequence[GigRow],
    before: Mapping[str, Before],
    kept: Mapping[str, Gig],
    projects: Mapping[tuple[str, str], Project],
) -> dict[int, str]:
    refused: dict[int, str] = {}
    seen: set[str] = set()
    for place, row in enumerate(rows):
        project, gig = projects[row.client, row.project], kept.get(row.external_id)
        if row.external_id in seen:
            refused[place] = _("The id %(id)s stands in the file before.", id=row.external_id)
        elif project.currency != row.currency:
            refused[place] = _("The project %(project)s is kept in %(currency)s.", project=project.name,
                               currency=project.currency)  # fmt: skip
        elif project.state is ProjectState.CLOSED and row.external_id not in before:
            refused[place] = _("The project %(project)s is closed.", project=project.name)
        elif gig is not None and gig.state is not GigState.DRAFT:
            refused[place] = _("This gig is no draft any more. Its client changes it on its page.")
        elif gig is not None and gig.project_id != project.id:
            refused[place] = _(
                "This gig is in the project %(project)s and stays there.", project=gig.project.name
            )
        seen.add(row.external_id)
    return refused


def _projects(session: Session, actor: Actor, rows: Iterable[GigRow]) -> dict[tuple[str, str], Project]:
    """The project of each row, by the client's and its own name; new ones are added."""
    clients = _clients(session, actor, {row.client for row in rows})
    wanted = {(row.client, row.project): row.currency for row in rows}
    mine = Project.organization_id.in_([each.id for each in clients.values()])
    named = Project.name == sa.any_(sa.literal([name for _client, name in wanted], TEXTS))
    found = {
        (each.organization_id, each.name): each
        for each in session.scalars(sa.select(Project).where(mine, named).order_by(Project.id.desc()))
    }
    for (client, name), currency in wanted.items():
        home = clients[client]
        if (home.id, name) not in found:
            found[home.id, name] = _new_project(session, actor, home, name, currency)
    session.flush()
    return {(client, name): found[clients[client].id, name] for client, name in wanted}


def _new_project(session: Session, actor: Actor, client: Organization, name: str, currency: str) -> Project:
    project = Project(
        public_id=new_id(),
        organization=client,
        name=name,
        summary="",
        currency=currency,
        state=ProjectState.DRAFT,
        created_by=actor.person_id,
        created_at=clock.now(),
    )
    session.add(project)
    audit.record(session, actor, "project.created", "project", project.public_id)
    return project


def _clients(session: Session, actor: Actor, names: Iterable[str]) -> dict[str, Organization]:
    """The client of each name or public id; the oldest of several; new ones are added."""
    wanted = sorted(names)
    ids = [id_ for each in wanted if (id_ := _uuid(each)) is not None]
    named = Organization.name == sa.any_(sa.literal(wanted, TEXTS))
    query = sa.select(Organization).where(
        Organization.kind == OrganizationKind.CLIENT, named | Organization.public_id.in_(ids)
    )
    found: dict[str, Organization] = {}
    for each in session.scalars(query.order_by(Organization.id)):
        found.setdefault(each.name, each)
        found[str(each.public_id)] = each
    country = session.scalar(sa.select(Organization.country).filter_by(kind=OrganizationKind.PLATFORM))
    for name in wanted:
        if name not in found:
            found[name] = new_organization(session, actor, OrganizationKind.CLIENT, name, country or ANYWHERE)
    return found


@lru_cache(maxsize=1_000)
def _requirement(text: str) -> Requirement:
    type, place, level, days = (*(part.strip() for part in text.split(":", 3)), "", "", "")[:4]
    kind = check_kind(type)
    if level and level not in LEVELS:
        raise Invalid(_("The level of a credential is 2, 3 or 4."), field="required_credentials")
    return Requirement(
        kind.code,
        kind.place(place) if place else None,
        LEVELS.get(level, min(words.LEVELS)),
        importing.whole(days, "required_credentials") if days else None,
    )


@lru_cache(maxsize=100)
def _task_kind(text: str) -> TaskKind | None:
    """A kind by its word or as people read it."""
    if not text:
        return None
    known = {kind.value: kind for kind in TaskKind} | {task_word(kind).casefold(): kind for kind in TaskKind}
    try:
        return known[text.casefold()]
    except KeyError:
        raise Invalid(_("There is no kind of task %(name)s.", name=text), field="task_kind") from None


def _amount(text: str, currency: str, field: str) -> int | None:
    if not text:
        return None
    try:
        return money.parse(text, currency).amount
    except Invalid as error:
        raise Invalid(error.sentence, field=field) from None


def _number(text: str, field: str) -> int | None:
    return importing.whole(text, field) if text else None


def _day(text: str, field: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid(_("Write the day as 2027-03-31."), field=field) from None


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
