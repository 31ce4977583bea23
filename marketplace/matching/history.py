"""What was ever changed in the rules of matching, in words, which everybody may read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.i18n import gettext as _
from marketplace.matching import domains, names
from marketplace.matching.models import MatchRules, RuleChange
from marketplace.matching.rules import WEIGHTS


@dataclass(frozen=True)
class Change:
    """One version: what it changed (UTC), and why; empty when nobody said."""

    version: int
    told: str
    reason: str
    at: datetime


def changes(session: Session, limit: int) -> list[Change]:
    """The newest versions, newest first."""
    query = sa.select(MatchRules).order_by(MatchRules.version.desc()).limit(limit + 1)
    rows: list[MatchRules | None] = [*session.scalars(query), None]
    return [_change(row, before) for row, before in pairwise(rows) if row][:limit]


def _change(row: MatchRules, before: MatchRules | None) -> Change:
    return Change(row.version, _told(row, before), row.reason, row.set_at)


def _told(row: MatchRules, before: MatchRules | None) -> str:
    if row.changed is RuleChange.SHIPPED or row.subject is None:
        return "; ".join(_reweighted(row, before)) if before else _("The rules as they come.")
    domain, was = domains.title(row.subject), row.was or ""
    return {
        RuleChange.ADDED: _("%(domain)s is new.", domain=domain),
        RuleChange.RENAMED: _("%(domain)s was called “%(was)s” until then.", domain=domain, was=was),
        RuleChange.MOVED: _("%(domain)s moved out of %(was)s.", domain=domain, was=domains.title(was)),
        RuleChange.WITHDRAWN: _("%(domain)s can no longer be chosen.", domain=domain),
        RuleChange.OFFERED: _("%(domain)s can be chosen again.", domain=domain),
    }[row.changed]


def _reweighted(row: MatchRules, before: MatchRules) -> Iterator[str]:
    for name in WEIGHTS:
        old, new = getattr(before, name), getattr(row, name)
        if old != new:
            yield _(
                "%(criterion)s: %(new)s instead of %(old)s", criterion=names.weight(name), new=new, old=old
            )
