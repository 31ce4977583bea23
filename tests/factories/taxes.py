"""An operator who is registered for tax in Germany, rates that two people accepted, and clients' places."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from unittest.mock import patch

from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Organization
from marketplace.actor import Actor
from marketplace.contracts.taxes import writing
from marketplace.contracts.taxes.models import TaxProfile, TaxRate
from marketplace.contracts.taxes.profiles import ProfileDraft, confirm_profile, say_where
from marketplace.contracts.taxes.setting import TaxRateDraft, accept_tax_rate, propose_tax_rate
from marketplace.settings import current
from tests.factories.payments import Finance

OUR_NUMBER = "DE136695976"
SOURCE = "Section 12 (1) of the UStG, read on the day."


@contextmanager
def registered(country: str = "DE", region: str = "", vat_id: str = OUR_NUMBER) -> Iterator[None]:
    """As an operator with these settings."""
    ours = replace(current(), tax_country=country, tax_region=region, vat_id=vat_id)
    with patch.object(writing, "current", lambda: ours):
        yield


def a_rate(
    session: Session, desk: Finance, on: date, bps: int | None = 1_900, country: str = "DE", region: str = ""
) -> TaxRate:
    """Proposed by fin, accepted by gil, at the present moment."""
    draft = TaxRateDraft(country, region, "VAT", bps, on, SOURCE)
    made = propose_tax_rate(session, desk.fin, draft)
    return accept_tax_rate(session, replace(desk.gil, second_factor_at=clock.now()), made.public_id)


def a_place(
    session: Session,
    desk: Finance,
    admin: Actor,
    organization: Organization,
    country: str = "DE",
    vat_id: str = "",
    region: str = "",
) -> TaxProfile:
    """Said by the client's admin, confirmed by fin, at the present moment."""
    draft = ProfileDraft(country, region, business=True, vat_id=vat_id)
    said = say_where(session, admin, organization.public_id, draft)
    return confirm_profile(session, desk.fin, said.public_id, "VIES says that the number is valid.")
