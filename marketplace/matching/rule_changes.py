"""What an operator changes in the rules of matching. Each change is a version of its own, told to everybody.

Whatever matches read is compared by the newest rules from the next request on: no copy is made anew.
"""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.matching import domains, rules
from marketplace.matching.models import MatchDomain, MatchRules, RuleChange
from marketplace.matching.rules import Weights
from marketplace.matching.tree import Level
from marketplace.text import line

HUNDRED = 100
LONGEST_TITLE, LONGEST_CODE, LONGEST_REASON = 100, 80, 500
# Versions have no gaps, and whoever reads the newest has all before it.
LOCK = 7_105_035


@dataclass(frozen=True)
class DomainDraft:
    """What an operator says of a domain; `parent` is the code of what it is part of, none for a group."""

    title: str
    parent: str | None
    offered: bool = True


@use_case
def set_weights(session: Session, actor: Actor, weights: Weights, reason: str, seen: int) -> int:
    """Let these weights count from now on; the new version. Operators only.

    `seen` is the version that was changed: Raises Refused when another came between, Invalid for weights that
    are not 100 together, that are those of before, or without a reason.
    """
    actor.require(Role.OPERATOR)
    before = _newest(session, seen)
    reason = _reason(reason, needed=True)
    if min(astuple(weights)) < 0 or sum(astuple(weights)) != HUNDRED:
        told = _("Together they must be 100; these are %(sum)s.", sum=sum(astuple(weights)))
        raise Invalid(told)
    if weights == before.weights:
        raise Invalid(_("These are the weights in use already."))
    row = MatchRules(**vars(weights), changed=RuleChange.WEIGHTS, reason=reason)
    return _change(session, actor, row, **vars(weights))


@use_case
def add_domain(
    session: Session, actor: Actor, draft: DomainDraft, level: Level, reason: str, seen: int
) -> str:
    """Add a domain within its parent; its code. Operators only.

    Raises Refused as `set_weights` does, Invalid for a title that is taken or a parent that is not wider.
    """
    actor.require(Role.OPERATOR)
    _newest(session, seen)
    title, parent = _title(session, draft.title), _parent(session, draft, level)
    code = _free_code(session, parent, title)
    row = MatchDomain(code=code, level=level, title=title, offered=draft.offered)
    row.parent, row.parent_level = (parent.code, parent.level) if parent else (None, None)
    session.add(row)
    session.flush()
    _change_domain(session, actor, RuleChange.ADDED, code, None, _reason(reason))
    return code


@use_case
def change_domain(
    session: Session, actor: Actor, code: str, draft: DomainDraft, reason: str, seen: int
) -> int:
    """Rename a domain, move it with all that is within, withdraw it or offer it again; how many versions
    that made. Operators only.

    Raises NotFound, Refused and Invalid as `add_domain` does; a domain can only move to what is higher in the
    tree than itself. What is the same already changes nothing.
    """
    actor.require(Role.OPERATOR)
    _newest(session, seen)
    row, why = _row(session, code), _reason(reason)
    if (title := _title(session, draft.title, row)) != row.title:
        called, row.title = row.title, title
        _change_domain(session, actor, RuleChange.RENAMED, code, called, why)
    parent = _parent(session, draft, Level(row.level))
    if parent is not None and parent.code != row.parent:
        was, row.parent, row.parent_level = row.parent, parent.code, parent.level
        _change_domain(session, actor, RuleChange.MOVED, code, was, why)
    if draft.offered != row.offered:
        row.offered = draft.offered
        kind = RuleChange.OFFERED if draft.offered else RuleChange.WITHDRAWN
        _change_domain(session, actor, kind, code, None, why)
    return (session.scalar(sa.select(sa.func.max(MatchRules.version))) or 0) - seen


def _newest(session: Session, seen: int) -> rules.Rules:
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    newest = rules.use(session)
    if newest.version != seen:
        raise Refused(
            _("The rules were changed meanwhile, so this is not saved. Look at them and send it again.")
        )
    return newest


def _change_domain(
    session: Session, actor: Actor, kind: RuleChange, code: str, was: str | None, reason: str
) -> None:
    weights = rules.current().weights
    row = MatchRules(**vars(weights), changed=kind, subject=code, was=was, reason=reason)
    _change(session, actor, row, code=code, was=was)


def _change(session: Session, actor: Actor, row: MatchRules, **told: int | str | None) -> int:
    """Others compare by it once this is committed, and here whatever calls `rules.use` next."""
    newest = session.scalar(sa.select(sa.func.max(MatchRules.version))) or 0
    row.version, row.set_by, row.set_at = newest + 1, actor.id, clock.now()
    session.add(row)
    session.flush()
    verb = f"matching.{row.changed}"
    audit.record(session, actor, verb, "match_rules", row.public_id, reason=row.reason, **told)
    return row.version


def _find(session: Session, code: str | None) -> MatchDomain | None:
    return session.scalars(sa.select(MatchDomain).filter_by(code=code)).one_or_none()


def _row(session: Session, code: str) -> MatchDomain:
    if (row := _find(session, code)) is None:
        raise NotFound(_("There is no such domain."))
    return row


def _parent(session: Session, draft: DomainDraft, level: Level) -> MatchDomain | None:
    parent = _find(session, draft.parent)
    if level is Level.GROUP and draft.parent:
        raise Invalid(_("A group is part of nothing."), field="parent")
    if level is not Level.GROUP and parent is None:
        raise Invalid(_("Choose from the list what it is part of."), field="parent")
    if parent is not None and parent.level >= level:
        raise Invalid(_("It can only be part of something wider than itself."), field="parent")
    return parent


def _title(session: Session, said: str, own: MatchDomain | None = None) -> str:
    title = line(said)
    if not title or len(title) > LONGEST_TITLE:
        raise Invalid(
            _("Give it a title, in %(most)s characters at most.", most=LONGEST_TITLE), field="title"
        )
    same = sa.select(MatchDomain).where(sa.func.lower(MatchDomain.title) == sa.func.lower(title))
    taken = session.scalars(same).first()
    if taken is not None and taken is not own:
        path = " › ".join(domains.title(each) for each in domains.tree().path(taken.code))
        raise Invalid(_("There is one of this title already: %(path)s.", path=path), field="title")
    return title


def _free_code(session: Session, parent: MatchDomain | None, title: str) -> str:
    """Made from the title: it is what files say, and never changes."""
    words = re.sub(r"[^a-z0-9]+", "-", title.casefold()).strip("-") or "part"
    base = (f"{parent.code}.{words}" if parent else words)[: LONGEST_CODE - 4]
    taken = set(session.scalars(sa.select(MatchDomain.code).where(MatchDomain.code.startswith(base))))
    return next(code for n in range(len(taken) + 1) if (code := f"{base}-{n}" if n else base) not in taken)


def _reason(said: str, needed: bool = False) -> str:
    reason = line(said)
    if needed and not reason:
        raise Invalid(_("Say why: everybody can read it."), field="reason")
    if len(reason) > LONGEST_REASON:
        raise Invalid(_("Say it in %(most)s characters at most.", most=LONGEST_REASON), field="reason")
    return reason
