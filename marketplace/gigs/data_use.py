"""The statement on the use of the work: what it trains, what it may be used in, who owns it, whether it may
automate this very profession, and how long it is kept. Each version stays; after a change consent is asked
for again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor
from marketplace.gigs import versions, words
from marketplace.gigs.models import DataUse, Gig
from marketplace.gigs.states import Kept, Owner
from marketplace.i18n import gettext as _
from marketplace.matching.uses import Use

FIELDS = ("trains", "used_in", "owned_by", "kept_for", "uses")
# Told of every version but a gig's first, in the transaction that writes it. Filled by the slices above.
on_new: list[Callable[[Session, Actor, Gig, DataUse], None]] = []


class Statement(Protocol):
    """What a gig, or a version of its statement, says."""

    @property
    def trains(self) -> str: ...
    @property
    def used_in(self) -> str: ...
    @property
    def owned_by(self) -> Owner | None: ...
    @property
    def kept_for(self) -> Kept | None: ...
    @property
    def uses(self) -> list[str] | None: ...


@dataclass(frozen=True)
class Said:
    """One thing that the statement says; `text` is a sentence, or the client's own words."""

    code: str
    label: str
    text: str


def said(statement: Statement) -> list[Said]:
    """The whole statement in the reader's language, in the order in which it is read."""
    uses = statement.uses
    others = [each for each in uses or () if each not in (Use.AUTOMATION, Use.UNLIMITED)]
    return [
        Said("trains", _("What it trains"), statement.trains or _("Not said.")),
        Said("used_in", _("What it may be used in"), statement.used_in or _("Not said.")),
        Said("owned_by", _("Who owns it"), owner(statement.owned_by)),
        Said("automation", _("Automating this profession"), _automation(uses)),
        Said("kept_for", _("How long it is kept"), kept(statement.kept_for)),
        Said(
            "uses",
            _("Other uses that experts can refuse"),
            _("Not said.") if uses is None else words.used(others),
        ),
    ]


def owner(who: Owner | None) -> str:
    """Who owns the work, as a sentence."""
    if who is None:
        return _("Not said.")
    return {
        Owner.CLIENT: _("The client, once it is paid."),
        Owner.CUSTOMER: _("A customer of the client, once it is paid."),
        Owner.EXPERT: _("The expert. The client may use it as this statement says."),
        Owner.PUBLIC: _("Nobody alone: it is published for everybody to use."),
    }[who]


def kept(how_long: Kept | None) -> str:
    """How long the work is kept, as a sentence."""
    if how_long is None:
        return _("Not said.")
    return {
        Kept.PROJECT: _("Until the project ends, then it is deleted."),
        Kept.YEAR_1: _("For a year after it was handed in, then it is deleted."),
        Kept.YEARS_2: _("For two years after it was handed in, then it is deleted."),
        Kept.YEARS_3: _("For three years after it was handed in, then it is deleted."),
        Kept.YEARS_5: _("For five years after it was handed in, then it is deleted."),
        Kept.YEARS_10: _("For ten years after it was handed in, then it is deleted."),
        Kept.NO_END: _("Without an end."),
    }[how_long]


def same(one: Statement, other: Statement) -> bool:
    """Do both say the same?"""
    return all(_value(one, name) == _value(other, name) for name in FIELDS)


def keep(session: Session, actor: Actor, gig: Gig) -> None:
    """Keep what the statement says now as a version, if it says something new. Needs the gig's lock."""
    before = newest(session, gig.id)
    if before is not None and same(before, gig):
        return
    new = DataUse(
        gig_id=gig.id,
        version=before.version + 1 if before else 1,
        **{name: getattr(gig, name) for name in FIELDS},
        written_by=actor.person_id,
        written_at=clock.now(),
    )
    session.add(new)
    session.flush()
    audit.record(session, actor, "data_use.written", "gig", gig.public_id, version=new.version)
    if before is not None:
        for told in on_new:
            told(session, actor, gig, new)


def newest(session: Session, gig_id: int) -> DataUse | None:
    """The version in force; None of a gig that was never published."""
    return newest_of(session, [gig_id]).get(gig_id)


def newest_of(session: Session, gig_ids: Iterable[int]) -> dict[int, DataUse]:
    """The version in force of each of these gigs that has one."""
    return versions.newest_of(session, DataUse, gig_ids)


def _value(statement: Statement, name: str) -> object:
    value = getattr(statement, name)
    return sorted(value) if isinstance(value, list) else value


def _automation(uses: list[str] | None) -> str:
    if uses is None:
        return _("Not said.")
    if Use.AUTOMATION in uses:
        return _("It may be used to automate this very profession.")
    return _("It is not used to automate this very profession.")
