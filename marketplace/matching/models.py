"""Narrow copies of experts and gigs, so that matching reads nothing of anybody else's.

The slices above push plain values in; there are no foreign keys to theirs, and one command rebuilds all.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.db import Base, Json

TEXTS = ARRAY(sa.Text)


class MatchExpert(Base):
    """What decides early whether an expert can match, and the whole facts for the exact score."""

    __tablename__ = "match_experts"

    person_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    min_rate: Mapped[int]
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    country: Mapped[str] = mapped_column(sa.CHAR(2))
    hours_per_week: Mapped[int]
    languages: Mapped[list[str]] = mapped_column(TEXTS)
    credential_types: Mapped[list[str]] = mapped_column(TEXTS)
    suspended: Mapped[bool]
    facts: Mapped[Json]


class MatchExpertDomain(Base):
    """One row for each domain of an expert; the index on it finds the candidates."""

    __tablename__ = "match_expert_domains"
    __table_args__ = (
        sa.Index(
            "ix_match_expert_domains_domain_group_currency_min_rate",
            "domain_group",
            "currency",
            "min_rate",
            postgresql_include=["person_id", "domain"],
        ),
    )

    person_id: Mapped[int] = mapped_column(
        sa.ForeignKey("match_experts.person_id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    domain: Mapped[str] = mapped_column(primary_key=True)
    domain_group: Mapped[str]
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    min_rate: Mapped[int]


class MatchGig(Base):
    """What decides early whether a gig can match, and the whole facts for the exact score."""

    __tablename__ = "match_gigs"
    __table_args__ = (
        sa.Index(
            "ix_match_gigs_domain_group_currency_rate_max",
            "domain_group",
            "currency",
            "rate_max",
            postgresql_where=sa.text("open"),
        ),
    )

    gig_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    domain: Mapped[str]
    domain_group: Mapped[str]
    rate_min: Mapped[int]
    rate_max: Mapped[int]
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    hours_per_week: Mapped[int]
    languages: Mapped[list[str]] = mapped_column(TEXTS)
    countries: Mapped[list[str]] = mapped_column(TEXTS)
    headcount_left: Mapped[int]
    funded: Mapped[bool]
    open: Mapped[bool]
    facts: Mapped[Json]
