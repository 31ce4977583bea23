"""The rules that matches are made by: the weights and the tree of domains, which are the operator's.

They are read once for a request, a job or a command (`use`), and hold until it ends: all that it compares is
compared by the same rules. Every change makes a new version; none is ever changed or removed.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, fields

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.matching import tree
from marketplace.matching.models import MatchDomain, MatchRules
from marketplace.matching.tree import Domain, Tree, Wage


@dataclass(frozen=True)
class Weights:
    """The most points that each soft criterion gives; together 100."""

    domain: int
    rate: int
    skills: int
    availability: int
    record: int
    response: int

    @property
    def of_expert(self) -> int:
        """The most points that depend on the expert alone."""
        return self.record + self.response

    @property
    def of_pair(self) -> int:
        """The most points that a gig adds to those for the domain and the expert alone."""
        return self.rate + self.skills + self.availability


@dataclass(frozen=True)
class Rules:
    """The rules of one version."""

    version: int
    weights: Weights
    tree: Tree


WEIGHTS = tuple(each.name for each in fields(Weights))
# docs/decisions/matching-weights.md
SHIPPED = Rules(1, Weights(30, 25, 15, 15, 10, 5), tree.shipped())
_in_use: ContextVar[Rules] = ContextVar("matching_rules", default=SHIPPED)


class _Kept:
    """The newest rules that this process has read."""

    newest = SHIPPED


_kept = _Kept()


def current() -> Rules:
    """The rules in use here; those shipped where nothing was read."""
    return _in_use.get()


def use(session: Session) -> Rules:
    """Take the newest rules from now on, in this request, job or command."""
    version = sa.select(MatchRules.version, *(getattr(MatchRules, name) for name in WEIGHTS))
    row = session.execute(version.order_by(MatchRules.version.desc()).limit(1)).one()
    if row.version != _kept.newest.version:
        _kept.newest = Rules(row.version, Weights(*row[1:]), _read_tree(session))
    _in_use.set(_kept.newest)
    return current()


def forget() -> None:
    """Use the shipped rules until `use` reads others."""
    _kept.newest = SHIPPED
    _in_use.set(SHIPPED)


def _read_tree(session: Session) -> Tree:
    rows = session.scalars(sa.select(MatchDomain).order_by(MatchDomain.id))
    return Tree([domain_of(row) for row in rows])


def domain_of(row: MatchDomain) -> Domain:
    """A row as a plain value."""
    wage = Wage(row.p25, row.median, row.p75) if row.p25 and row.median and row.p75 else None
    return Domain(row.code, row.parent, tree.Level(row.level), row.title, row.isco, wage, row.offered)
