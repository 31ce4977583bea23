"""The parts of a desk, and the tasks that more than one group has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.actor import Actor
from marketplace.contracts.disputes import queries as disputes
from marketplace.contracts.sittings.queries import to_grade
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.money import Money
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


def grading(session: Session, actor: Actor) -> Iterator[Task]:
    if n := how_many(session, to_grade(actor)):
        yield Task(
            ngettext("A test waits for your grade.", "%(n)s tests wait for your grade.", n),
            _("Grade it"),
            "contracts.grading_queue",
        )


def questioned(session: Session, actor: Actor) -> Iterator[Task]:
    if n := how_many(session, disputes.waiting_for(actor)):
        yield Task(
            ngettext("A questioned line waits for you.", "%(n)s questioned lines wait for you.", n),
            _("See what is asked"),
            "contracts.disputes",
        )


def count(session: Session, kind: type, *where: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(kind).where(*where)
    return session.scalar(query) or 0
