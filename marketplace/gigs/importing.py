"""What imports of experts and of gigs have in common: how a file's texts are read, and what is remembered.

A file's own id of a row is kept with a digest of what the row said. The same again changes nothing;
something else changes what was made of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa
from babel import Locale
from sqlalchemy.orm import Session

from marketplace import bulk, money
from marketplace.errors import Invalid
from marketplace.gigs.models import ExternalId
from marketplace.i18n import gettext as _
from marketplace.matching import domains

EXPERT, GIG = "expert", "gig"
Row = Mapping[str, str]
TEXTS = sa.ARRAY(sa.Text)


@dataclass(frozen=True)
class Brought:
    """How many were new, changed and known; and of which rows (by position) it is said why they were not."""

    new: int
    changed: int
    known: int
    refused: Mapping[int, str]


@dataclass(frozen=True)
class Before:
    """What came under a file's id before: its internal id, and the digest of what the row said."""

    internal_id: int
    digest: bytes


def said(row: Row, columns: Sequence[str]) -> dict[str, str]:
    """The texts of a row by column, trimmed; those that are missing are empty."""
    return {name: (row.get(name) or "").strip() for name in columns}


def digest(texts: Mapping[str, str]) -> bytes:
    """32 bytes that are equal when all texts are."""
    return hashlib.sha256(repr(list(texts.items())).encode()).digest()


def before(session: Session, kind: str, source: str, external_ids: Iterable[str]) -> dict[str, Before]:
    """Those of these ids that came before."""
    wanted = ExternalId.external_id == sa.any_(sa.literal(list(external_ids), TEXTS))
    rows = session.execute(
        sa.select(ExternalId.external_id, ExternalId.internal_id, ExternalId.digest).where(
            ExternalId.kind == kind, ExternalId.source == source, wanted
        )
    )
    return {external_id: Before(internal_id, kept) for external_id, internal_id, kept in rows}


def remember(session: Session, kind: str, source: str, made: Iterable[tuple[int, str, bytes]]) -> None:
    """Keep (internal id, external id, digest) of rows that are new here."""
    rows = (
        {"external_id": external_id, "internal_id": id_, "digest": kept} for id_, external_id, kept in made
    )
    bulk.copy(session, ExternalId, rows, kind=kind, source=source)


def remember_change(session: Session, kind: str, source: str, external_id: str, kept: bytes) -> None:
    """Keep the digest of what a row says now."""
    known = sa.update(ExternalId).filter_by(kind=kind, source=source, external_id=external_id)
    session.execute(known.values(digest=kept))


def called(session: Session, kind: str, internal_ids: Sequence[int]) -> dict[int, str]:
    """What files call those of these that came from one, by internal id."""
    wanted = ExternalId.internal_id == sa.any_(sa.literal(list(internal_ids), sa.ARRAY(sa.BigInteger)))
    rows = session.execute(
        sa.select(ExternalId.internal_id, ExternalId.external_id)
        .where(ExternalId.kind == kind, wanted)
        .order_by(ExternalId.source.desc())
    )
    return {id_: external_id for id_, external_id in rows}  # noqa: C416 (rows are no pairs to the type checker)


def so_called(session: Session, kind: str, external_id: str) -> Sequence[int]:
    """Internal ids of those that some file calls so; several when several sources do."""
    query = sa.select(ExternalId.internal_id).filter_by(kind=kind, external_id=external_id)
    return session.scalars(query.distinct()).all()


def parted(text: str) -> tuple[str, ...]:
    """A list, parted by `;`."""
    return tuple([found for each in text.split(";") if (found := each.strip())])


def whole(text: str, field: str) -> int:
    """A whole number. Raises Invalid."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid(_("Write a whole number."), field=field)
    return int(text)


@lru_cache(maxsize=100)
def currency(code: str) -> str:
    """The code of a currency that is known here. Raises Invalid."""
    try:
        money.exponent(code)
    except ValueError:
        raise Invalid(
            _("The currency %(code)s is not known here.", code=code or "?"), field="currency"
        ) from None
    return code


@lru_cache(maxsize=1_000)
def language(code: str) -> str:
    """A language's code (ISO 639). Raises Invalid."""
    if code not in Locale("en").languages:
        raise Invalid(
            _("There is no language %(code)s. Use codes such as en or pt.", code=code), field="languages"
        )
    return code


def domain(name: str, field: str = "domains") -> str:
    """A domain's code, by its code or its title. Raises Invalid."""
    if domains.known(name):
        return name
    found = domains.tree().by_title.get(name.casefold())
    if found is None:
        raise Invalid(_("There is no domain %(name)s.", name=name), field=field)
    return found
