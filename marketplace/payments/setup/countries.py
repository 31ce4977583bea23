"""Where Stripe pays experts, from the country of whoever runs the site."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.models import Organization, OrganizationKind
from marketplace.accounts.people import country_name
from marketplace.errors import Refused
from marketplace.i18n import gettext as _
from marketplace.settings import current

TABLE = Path(__file__).with_name("countries.csv")


def served(session: Session, country: str) -> bool:
    """Does Stripe pay to accounts in this country (ISO 3166-1 alpha-2)?

    To the operator's own, to those of the same region of Stripe's table, and to those that Stripe opened
    for this operator besides, which the settings name.
    """
    home = operators_country(session)
    if country == home or country in current().payout_countries:
        return True
    region = _regions().get(home)
    return region is not None and region == _regions().get(country)


def require_served(session: Session, country: str) -> None:
    """Raise Refused, with the reason, when Stripe does not pay to the country."""
    if not served(session, country):
        raise Refused(why_not(country))


def why_not(country: str) -> str:
    """Why nobody can be paid there, and what to do."""
    return _(
        "Stripe, which pays experts here, does not pay to accounts in %(country)s from where this site is "
        "run, so you cannot begin paid work yet. If you live elsewhere by now, write to us.",
        country=country_name(country),
    )


def operators_country(session: Session) -> str:
    """Where the organization is that runs the site; the United States until it is known."""
    found = session.scalar(sa.select(Organization.country).filter_by(kind=OrganizationKind.PLATFORM))
    return found or "US"


@cache
def _regions() -> dict[str, str]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {row["country"]: row["region"] for row in rows}
