"""The tax on an invoice: which rates it names, for what fee and why, as they are written down and said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from marketplace.contracts.charges import Charge
from marketplace.contracts.taxes.listing import Listed, listed
from marketplace.contracts.taxes.models import Basis
from marketplace.i18n import gettext as _

Said = dict[str, Any]


@dataclass(frozen=True)
class Numbers:
    """What is added to both sides: `{"vat_id"}`, or nothing."""

    seller: dict[str, str]
    buyer: dict[str, str]


def of_charges(session: Session, charges: Sequence[Charge]) -> dict[int, list[Listed]]:
    """What was taxed of each charge, by the internal id of its entry; nothing where nothing was decided."""
    found: dict[int, list[Listed]] = {}
    for row in listed(session, entries=[each.entry_id for each in charges]):
        if row.decision.basis is not Basis.NONE:
            found.setdefault(row.entry_id, []).append(row)
    return found


def numbers(rows: Iterable[Sequence[Listed]]) -> Numbers:
    """The numbers of the last decision: that under which both are registered now."""
    last = max((row.decision for group in rows for row in group), key=lambda each: each.id, default=None)
    ours, theirs = (last.our_vat_id, last.vat_id) if last else (None, None)
    return Numbers({"vat_id": ours} if ours else {}, {"vat_id": theirs} if theirs else {})


def by_rate(rows: Iterable[Sequence[Listed]]) -> list[Said]:
    """What they come to under each rate and reason."""
    groups: dict[tuple[str, str, int], list[Listed]] = {}
    for row in (row for group in rows for row in group):
        key = (row.decision.basis.value, row.decision.name, row.decision.rate_bps)
        groups.setdefault(key, []).append(row)
    return [
        {
            "basis": basis, "name": name, "rate_bps": bps,
            "base": sum(each.fee for each in group), "tax": sum(each.tax for each in group),
        }
        for (basis, name, bps), group in sorted(groups.items())
    ]  # fmt: skip


def rate_said(tax: Mapping[str, Any]) -> str:
    """`VAT 19 %`."""
    return _("%(name)s %(percent)s %%", name=tax["name"] or _("Tax"), percent=f"{tax['rate_bps'] / 100:g}")


def said(tax: Mapping[str, Any]) -> str:
    """The rate with why, for a cell of a table."""
    return " ".join(filter(None, (rate_said(tax), note(tax["basis"]))))


def note(basis: str) -> str:
    """What an invoice has to say about it; nothing where our own rate speaks for itself."""
    return {
        Basis.REVERSE: _(
            "Reverse charge: the recipient accounts for the VAT (Directive 2006/112/EC, article 196)."
        ),
        Basis.OUTSIDE: _("The fee is for a client in another country and outside the scope of our tax."),
    }.get(Basis(basis), "")
