"""Working out what applies, and writing it down for each client and each day on which something changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.taxes import queries
from marketplace.contracts.taxes.deciding import Decided, Seller, decide
from marketplace.contracts.taxes.models import TaxDecision, TaxProfile, TaxRate
from marketplace.contracts.taxes.schedule import applies
from marketplace.settings import Settings, current


def seller(settings: Settings | None = None) -> Seller:
    """Where we are registered, by the settings."""
    found = settings or current()
    return Seller(found.tax_country, found.tax_region, found.vat_id)


def write_for_all(session: Session, first: date) -> None:
    """Decide anew for every client from a day on, after a rate was accepted."""
    _write(session, None, (), first)
    for client in queries.clients(session):
        if profiles := queries.confirmed(session, client.id):
            _write(session, client.id, profiles, first)


def write_for(session: Session, organization_id: int, first: date) -> None:
    """Decide anew for one client (internal id) from a day on, after what it said was confirmed."""
    _write(session, organization_id, queries.confirmed(session, organization_id), first)


def _write(
    session: Session, organization_id: int | None, profiles: Sequence[TaxProfile], first: date
) -> None:
    rates, ours = queries.accepted_rates(session), seller()
    days = [*(each.from_on for each in rates), *(each.from_on for each in profiles)]
    for day in sorted({first, *(each for each in days if each and each > first)}):
        begun = [each for each in profiles if each.from_on and each.from_on <= day]
        if organization_id is not None and not begun:
            continue
        buyer = begun[-1] if begun else None
        made = _decision(organization_id, day, ours, buyer, decide(ours, buyer, rates, day))
        if _says_else(session, made):
            session.add(made)
            session.flush()


def _says_else(session: Session, made: TaxDecision) -> bool:
    """Is it another than what applies on its day already? Nobody writes the same thing twice."""
    query = queries.decided(session, made.organization_id or 0)
    before = applies([each for each in query if each.organization_id == made.organization_id], made.from_on)
    return before is None or _said(before) != _said(made)


def _said(decision: TaxDecision) -> tuple[object, ...]:
    names = ("basis", "name", "rate_bps", "place", "vat_id", "our_place", "our_vat_id", "profile_id")
    return tuple(getattr(decision, name) for name in names)


def _decision(
    organization_id: int | None, day: date, ours: Seller, buyer: TaxProfile | None, found: Decided
) -> TaxDecision:
    rate: TaxRate | None = found.rate
    return TaxDecision(
        organization_id=organization_id,
        from_on=day,
        basis=found.basis,
        name=found.name,
        rate_bps=found.rate_bps,
        place=buyer.place if buyer else "",
        vat_id=buyer.vat_id if buyer else None,
        our_place=ours.place,
        our_vat_id=ours.vat_id or None,
        rate_id=rate.id if rate else None,
        profile_id=buyer.id if buyer else None,
        decided_at=clock.now(),
    )
