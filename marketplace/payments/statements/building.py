"""A statement: what was owed at the beginning, what came in, what went out, and what is owed at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from marketplace.accounts.models import Person
from marketplace.contracts.periods import Period
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments.statements.apart import Apart, apart
from marketplace.payments.statements.lines import Line, lines_of
from marketplace.payments.statements.movements import balances_before, movements


@dataclass(frozen=True)
class Section:
    """A statement in one currency: `opening` and the lines make `closing`; what is `apart` is in neither."""

    opening: Money
    lines: Sequence[Line]
    apart: Sequence[Apart]

    @property
    def currency(self) -> str:
        return self.opening.currency

    @property
    def added(self) -> Money:
        """What came in."""
        return Money(sum(max(line.amount.amount, 0) for line in self.lines), self.currency)

    @property
    def taken(self) -> Money:
        """What went out, as an amount above zero."""
        return Money(sum(max(-line.amount.amount, 0) for line in self.lines), self.currency)

    @property
    def closing(self) -> Money:
        return self.opening + self.added - self.taken


@dataclass(frozen=True)
class Statement:
    """An expert's money in a period, a section for each currency."""

    person: Person
    period: Period
    sections: Sequence[Section]


def statement(session: Session, person: Person, period: Period) -> Statement:
    """The person's statement. Raises NotFound when nothing was ever owed to them by its end."""
    opening = balances_before(session, person.public_id, period.start)
    moved = movements(session, person.public_id, period.start, period.end)
    beside = apart(session, person.id, period)
    currencies = sorted(
        {*opening, *(each.amount.currency for each in moved), *(e.pay.currency for e in beside)}
    )
    if not currencies:
        raise NotFound(_("There is nothing in this month or year yet."))
    lines = lines_of(session, moved, period.zone)
    return Statement(
        person,
        period,
        [
            Section(
                opening.get(currency, Money(0, currency)),
                [line for line in lines if line.amount.currency == currency],
                [each for each in beside if each.pay.currency == currency],
            )
            for currency in currencies
        ],
    )
