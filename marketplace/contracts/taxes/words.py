"""Taxes in words: what applies to a client and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from marketplace.accounts.people import country_name
from marketplace.contracts.fees.queries import percent
from marketplace.contracts.states import OfferState
from marketplace.contracts.taxes.models import Basis, TaxDecision, TaxProfile
from marketplace.contracts.taxes.schedule import applies
from marketplace.i18n import day
from marketplace.i18n import gettext as _


def basis(code: Basis) -> str:
    """Why, in a few words."""
    return {
        Basis.NONE: _("no tax"),
        Basis.UNSAID: _("our rate, as no billing details are confirmed"),
        Basis.DOMESTIC: _("a client in our country"),
        Basis.NO_NUMBER: _("our rate, as there is no number of a business in another EU country"),
        Basis.REVERSE: _("reverse charge: the client accounts for it"),
        Basis.OUTSIDE: _("outside the scope of our tax: a client in another country"),
    }[code]


def rate(decision: TaxDecision) -> str:
    """`VAT 19 %`; of a tax without a name `0 %`."""
    return f"{decision.name} {percent(decision.rate_bps)} %".strip()


def said(decisions: Sequence[TaxDecision], on: date) -> str:
    """Which tax our fee bears for work on a day, why, and what follows; empty while nothing was decided."""
    found = applies(decisions, on)
    sentences = [_sentence(found)] if found else []
    days = sorted({each.from_on for each in decisions if each.from_on > on})
    for each in days:
        after = applies(decisions, each)
        if after is not None and after is not found:
            sentences.append(
                _(
                    "For work from %(day)s on: %(rate)s, %(why)s.",
                    day=day(each),
                    rate=rate(after),
                    why=basis(after.basis),
                )
            )
            found = after
    return " ".join(sentences)


def place(code: str) -> str:
    """`Germany`, or `United States, CA`."""
    country, _dash, region = code.partition("-")
    return ", ".join(filter(None, (country_name(country), region)))


def state(profile: TaxProfile) -> str:
    """Where what a client said stands."""
    return {
        OfferState.MADE: _("waits to be confirmed"),
        OfferState.ACCEPTED: _("confirmed"),
        OfferState.DECLINED: _("not confirmed"),
        OfferState.WITHDRAWN: _("replaced before it was confirmed"),
        OfferState.EXPIRED: _("over"),
    }[profile.state]


def _sentence(decision: TaxDecision) -> str:
    return _("%(rate)s of our fee: %(why)s.", rate=rate(decision), why=basis(decision.basis))
