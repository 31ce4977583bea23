"""The listing of tax of some months, for the return to the tax office; it ties to 2300."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from flask.typing import ResponseReturnValue

from marketplace.actor import FINANCE
from marketplace.contracts.taxes import words
from marketplace.contracts.taxes.listing import listed
from marketplace.contracts.taxes.report import reports
from marketplace.contracts.views import bp
from marketplace.contracts.views.costs import choices, months
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.settings import current
from marketplace.web import db_session, guard, page, table_response


@bp.get("/vat")
@guard(*FINANCE)
def vat() -> ResponseReturnValue:
    """The months that are asked for, of this month without that."""
    first, last = months()
    return page(
        "contracts/vat.html",
        reports=reports(db_session(), first.first_day, last.last_day + timedelta(days=1)),
        first=first,
        last=last,
        months=choices(first),
        zone=current().books_zone,
    )


@bp.get("/vat/csv")
@guard(*FINANCE)
def vat_csv() -> ResponseReturnValue:
    """Each entry with its client, numbers, rate and reason."""
    first, last = months()
    header = [
        _("Day"), _("Entry"), _("Company"), _("Place"), _("Tax number"), _("Our tax number"), _("Why"),
        _("Tax"), _("Rate, per cent"), _("Fee"), _("Tax on it"), _("Currency"),
    ]  # fmt: skip
    return table_response(f"tax-{first.key}-{last.key}.csv", header, _rows())


def _rows() -> Iterator[list[str]]:
    first, last = months()
    for each in listed(db_session(), first.first_day, last.last_day + timedelta(days=1)):
        decided = each.decision
        yield [
            each.on.isoformat(), each.source, each.client, decided.place,
            decided.vat_id or "", decided.our_vat_id or "", words.basis(decided.basis), decided.name,
            f"{decided.rate_bps / 100:g}",
            *(str(Money(amount, each.currency).decimal) for amount in (each.fee, each.tax)), each.currency,
        ]  # fmt: skip
