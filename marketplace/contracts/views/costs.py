"""What work cost a client, by month, and what an hour of a contract costs both sides can see."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from flask import request
from flask.typing import ResponseReturnValue

from marketplace import clock
from marketplace.actor import CLIENT
from marketplace.contracts import charges
from marketplace.contracts.costs import Cost, Costs, cost_centre, costs, domain
from marketplace.contracts.models import Contract
from marketplace.contracts.periods import Period, month_of, period_of
from marketplace.contracts.views import bp
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.settings import current
from marketplace.web import actor, db_session, guard, page, table_response

MOST_MONTHS = 24


@bp.context_processor
def _words() -> dict[str, object]:
    return {"hour_costs": _hour_costs}


def _hour_costs(contract: Contract) -> charges.HourCosts:
    return charges.an_hour_of(db_session(), contract)


@bp.get("/costs", endpoint="costs")
@guard(*CLIENT)
def ofmonths() -> ResponseReturnValue:
    """The costs of the months that are asked for, of this month without that."""
    first, last = months()
    return page(
        "contracts/costs.html",
        costs=_found(first, last),
        first=first,
        last=last,
        months=choices(first),
        zone=current().books_zone,
    )


@bp.get("/costs/csv")
@guard(*CLIENT)
def costs_csv() -> ResponseReturnValue:
    """The same for a spreadsheet, by gig."""
    first, last = months()
    header = [
        _("Project"), _("Gig"), _("Domain"), _("Cost centre"), _("Purchase order"), _("Minutes"),
        _("Expert's pay"), _("Fee"), _("Rounding that we bear"), _("Together"), _("Currency"),
        _("Tax on the fee"),
    ]  # fmt: skip
    name = f"costs-{first.key}-{last.key}.csv"
    return table_response(name, header, _rows(_found(first, last)))


def _rows(found: list[Costs]) -> Iterator[list[str]]:
    for each in found:
        for charge, cost in each.by_gig():
            gig, project = charge.gig, charge.project
            yield [
                project.name, gig.title if gig else charge.memo, domain(gig), cost_centre(charge),
                project.purchase_order or "", str(cost.minutes), *_amounts(cost), project.currency,
                str(cost.tax.decimal),
            ]  # fmt: skip


def _amounts(cost: Cost) -> list[str]:
    return [str(each.decimal) for each in (cost.pay, cost.fee, cost.rounding, cost.total)]


def months() -> tuple[Period, Period]:
    """From and until, in order, as the address says. Raises NotFound."""
    zone = current().books_zone
    this = month_of(clock.today(str(zone)), zone).key
    asked = [request.args.get(name) or this for name in ("from", "until")]
    first, last = sorted((period_of(key, zone) for key in asked), key=lambda each: each.key)
    if first.month is None or last.month is None or _apart(first, last) >= MOST_MONTHS:
        raise NotFound(_("Choose two months, at most two years apart."))
    return first, last


def _apart(first: Period, last: Period) -> int:
    return (last.year - first.year) * 12 + (last.month or 1) - (first.month or 1)


def choices(first: Period) -> list[Period]:
    """The months that can be chosen: two years back from now, and the one that was."""
    day = clock.today(str(first.zone))
    months = [month_of(_back(day, n), first.zone) for n in range(MOST_MONTHS)]
    return months if first in months else [*months, first]


def _back(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def _found(first: Period, last: Period) -> list[Costs]:
    return costs(db_session(), actor(), first.start, last.end)
