"""What a new rate changes, in figures and in a sentence that both sides read before anything is agreed."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.money import Money


@dataclass(frozen=True)
class Difference:
    """Two rates for an hour, and the hours of a full week."""

    before: Money
    after: Money
    hours: int

    @property
    def an_hour(self) -> Money:
        """How far apart they are; less than zero for a lower rate."""
        return self.after - self.before

    @property
    def a_week(self) -> Money:
        """The same for a full week, pay without the fee."""
        return Money(self.an_hour.amount * self.hours, self.after.currency)

    @property
    def is_raise(self) -> bool:
        """Is it more than before?"""
        return self.before < self.after

    def said(self) -> str:
        """`From $95.00 to $88.00: $7.00 less an hour, about $140.00 less a week of 20 hours.`"""
        if self.is_raise:
            return _(
                "From %(before)s to %(after)s: %(an_hour)s more an hour, about %(a_week)s more %(week)s.",
                before=self.before,
                after=self.after,
                an_hour=self.an_hour,
                a_week=self.a_week,
                week=self._week(),
            )
        return _(
            "From %(before)s to %(after)s: %(an_hour)s less an hour, about %(a_week)s less %(week)s.",
            before=self.before,
            after=self.after,
            an_hour=-self.an_hour,
            a_week=-self.a_week,
            week=self._week(),
        )

    def _week(self) -> str:
        return ngettext("a week of %(n)s hour", "a week of %(n)s hours", self.hours)
