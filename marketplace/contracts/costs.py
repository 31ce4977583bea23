"""A client's costs of some months: by project, by cost centre and by domain. The sums are the ledger's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.actor import CLIENT, Actor
from marketplace.contracts.charges import Charge, charges
from marketplace.gigs.models import Gig, Project
from marketplace.i18n import gettext as _
from marketplace.ledger.models import JournalEntry
from marketplace.matching import domains
from marketplace.money import Money


@dataclass(frozen=True)
class Cost:
    """What one project, cost centre, domain or gig cost: `rounding` is what the site bears of it."""

    label: str
    minutes: int
    pay: Money
    fee: Money
    tax: Money
    rounding: Money

    @property
    def total(self) -> Money:
        return self.pay + self.fee + self.tax + self.rounding


@dataclass(frozen=True)
class Costs:
    """The costs in one currency, cut three ways; each cut comes to the `whole`."""

    charges: Sequence[Charge]
    whole: Cost
    by_project: Sequence[Cost]
    by_cost_centre: Sequence[Cost]
    by_domain: Sequence[Cost]

    def by_gig(self) -> Iterator[tuple[Charge, Cost]]:
        """The costs of each gig of each project, with one of its charges, which names both."""
        groups: dict[tuple[int, int], list[Charge]] = {}
        for each in self.charges:
            groups.setdefault((each.project.id, each.gig.id if each.gig else 0), []).append(each)
        for _key, group in sorted(groups.items()):
            yield group[0], _cost("", group, self.whole.pay.currency)


def costs(session: Session, actor: Actor, start: datetime, end: datetime) -> list[Costs]:
    """What the actor's companies were charged in [start, end), by currency."""
    projects = session.scalars(
        sa.select(Project).where(Project.organization_id.in_(actor.organizations(*CLIENT)))
    ).all()
    within = (JournalEntry.occurred_at >= start, JournalEntry.occurred_at < end)
    found = charges(session, projects, *within)
    currencies = sorted({each.project.currency for each in found})
    return [_costs([e for e in found if e.project.currency == currency], currency) for currency in currencies]


def grouped(found: Iterable[Charge], label: Callable[[Charge], str], currency: str) -> list[Cost]:
    """Charges added up by what `label` says of each, the dearest first."""
    groups: dict[str, list[Charge]] = {}
    for each in found:
        groups.setdefault(label(each), []).append(each)
    together = [_cost(name, group, currency) for name, group in groups.items()]
    return sorted(together, key=lambda cost: (-cost.total.amount, cost.label))


def cost_centre(charge: Charge) -> str:
    """Where the client books it; empty when they have not said."""
    return (charge.gig.charged_to if charge.gig else charge.project.cost_centre) or ""


def domain(gig: Gig | None) -> str:
    """The title of a gig's domain."""
    return domains.title(gig.domain) if gig and gig.domain else _("No domain")


def _costs(found: Sequence[Charge], currency: str) -> Costs:
    return Costs(
        charges=found,
        whole=_cost(_("Together"), found, currency),
        by_project=grouped(found, lambda each: each.project.name, currency),
        by_cost_centre=grouped(found, lambda each: cost_centre(each) or _("No cost centre"), currency),
        by_domain=grouped(found, lambda each: domain(each.gig), currency),
    )


def _cost(label: str, found: Iterable[Charge], currency: str) -> Cost:
    rows = list(found)
    pay, fee, tax, rounding = (
        Money(sum(amounts), currency)
        for amounts in zip(*((each.pay, each.fee, each.tax, each.rounding) for each in rows), strict=True)
    )
    return Cost(label, sum(each.minutes for each in rows), pay, fee, tax, rounding)
