"""The rule: which tax our fee bears, from where we are, where the client is, and the rates of a day.

Our service is the fee for finding and paying experts; the experts' pay is theirs and bears no tax of ours.
Sources: Directive 2006/112/EC, article 44 (a business is taxed where it is), article 45 (others where we
are), article 196 (the business accounts for it: reverse charge), article 226 no. 11a (the invoice says so).
Outside the EU a client in another country is outside the scope of our tax. Ask your adviser.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from marketplace.contracts.taxes.models import Basis, TaxProfile, TaxRate

EU = frozenset({
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
    "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
})  # fmt: skip


@dataclass(frozen=True)
class Seller:
    """Where we are registered: country (ISO 3166, two letters), region or nothing, and our number there. An
    empty country is no registration."""

    country: str
    region: str
    vat_id: str

    @property
    def place(self) -> str:
        return f"{self.country}-{self.region}" if self.region else self.country


@dataclass(frozen=True)
class Decided:
    """What applies: why, what the tax is called, and how much, in hundredths of a per cent of the fee."""

    basis: Basis
    name: str = ""
    rate_bps: int = 0
    rate: TaxRate | None = None


def decide(seller: Seller, buyer: TaxProfile | None, rates: Iterable[TaxRate], on: date) -> Decided:
    """The tax of a day: `buyer` is what is confirmed of the client, None as long as nothing is, and `rates`
    what two people accepted.

    Not registered: none. A client in our country: the rate of its place. Another country of the EU, when we
    are in the EU: reverse charge for a business with a number, our own rate for anybody else. Any other
    country: outside the scope. Of whom nothing is confirmed: our own rate, since only proof frees from it.
    """
    if not seller.country:
        return Decided(Basis.NONE)
    known = list(rates)
    if buyer is None:
        return _at(Basis.UNSAID, in_force(known, seller.country, seller.region, on))
    if buyer.country == seller.country:
        return _at(Basis.DOMESTIC, in_force(known, buyer.country, buyer.region, on))
    if seller.country not in EU or buyer.country not in EU:
        return Decided(Basis.OUTSIDE)
    home = in_force(known, seller.country, seller.region, on)
    if not (buyer.business and buyer.vat_id):
        return _at(Basis.NO_NUMBER, home)
    return Decided(Basis.REVERSE, home.name if home else "VAT")


def in_force(rates: Iterable[TaxRate], country: str, region: str, on: date) -> TaxRate | None:
    """The rate of a place on a day: of its region, else of its country; None when it has none."""
    begun = [each for each in rates if each.country == country and each.from_on <= on]
    for wanted in dict.fromkeys((region, "")):
        own = [each for each in begun if each.region == wanted]
        if own and (newest := max(own, key=lambda each: each.from_on)).rate_bps is not None:
            return newest
    return None


def _at(basis: Basis, rate: TaxRate | None) -> Decided:
    if rate is None or rate.rate_bps is None:
        return Decided(Basis.NONE)
    return Decided(basis, rate.name, rate.rate_bps, rate)
