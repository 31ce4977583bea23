"""A gig's guidelines: each version stays, so that it can be said what somebody worked by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor
from marketplace.gigs import versions
from marketplace.gigs.models import Gig, Guidelines

# Told of every version but a gig's first, in the transaction that writes it. Filled by the slices above.
on_new: list[Callable[[Session, Gig, Guidelines], None]] = []


class Became(StrEnum):
    """What became of a paragraph."""

    SAME = "same"
    GONE = "gone"
    NEW = "new"


@dataclass(frozen=True)
class Part:
    """A paragraph, and what became of it from one version to another."""

    became: Became
    text: str


def keep(session: Session, actor: Actor, gig: Gig) -> None:
    """Keep what the guidelines say now as a version, if they say something new. Needs the gig's lock."""
    before = newest(session, gig.id)
    if gig.guidelines == (before.text if before else ""):
        return
    new = Guidelines(
        gig_id=gig.id,
        version=before.version + 1 if before else 1,
        text=gig.guidelines,
        written_by=actor.person_id,
        written_at=clock.now(),
    )
    session.add(new)
    session.flush()
    audit.record(session, actor, "guidelines.written", "gig", gig.public_id, version=new.version)
    if before is not None:
        for told in on_new:
            told(session, gig, new)


def newest(session: Session, gig_id: int) -> Guidelines | None:
    """The version in force."""
    return newest_of(session, [gig_id]).get(gig_id)


def newest_of(session: Session, gig_ids: Iterable[int]) -> dict[int, Guidelines]:
    """The version in force of each of these gigs that has one."""
    return versions.newest_of(session, Guidelines, gig_ids)


def compared(old: str, new: str) -> list[Part]:
    """Both texts' paragraphs in order, each said once."""
    return list(_parts(old.split("\n\n") if old else [], new.split("\n\n") if new else []))


def _parts(old: list[str], new: list[str]) -> Iterator[Part]:
    for kind, from_old, to_old, from_new, to_new in SequenceMatcher(
        a=old, b=new, autojunk=False
    ).get_opcodes():
        if kind == "equal":
            yield from (Part(Became.SAME, each) for each in old[from_old:to_old])
        else:
            yield from (Part(Became.GONE, each) for each in old[from_old:to_old])
            yield from (Part(Became.NEW, each) for each in new[from_new:to_new])
