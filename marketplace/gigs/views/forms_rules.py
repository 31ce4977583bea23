"""What operators fill in about the rules of matching. Shape only: the use cases know the rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from wtforms import BooleanField, HiddenField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, NumberRange, Optional

from marketplace.errors import Refused
from marketplace.gigs.forms import FILL_IN, LINE
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.matching import domains, rules
from marketplace.matching.rule_changes import HUNDRED, DomainDraft
from marketplace.matching.rules import Weights
from marketplace.matching.tree import Domain, Level
from marketplace.web import Form, try_form

R = TypeVar("R")

POINTS = NumberRange(0, HUNDRED, lazy("Give between 0 and 100 points."))


class _RulesForm(Form):
    """A change of the version that whoever fills it in has seen."""

    seen = HiddenField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, seen=str(rules.current().version), **kwargs)

    @property
    def version(self) -> int:
        """The version that was seen; 0, which none is, if the form does not say."""
        said = self.seen.data or ""
        return int(said) if said.isdecimal() and len(said) < 10 else 0

    def once(self, change: Callable[[], R]) -> R | None:
        """As `try_form`. Whoever is told that the rules were changed meanwhile may then send it again."""

        def try_change() -> R:
            try:
                return change()
            except Refused:
                self.seen.data = str(rules.current().version)
                raise

        return try_form(self, try_change)


class WeightsForm(_RulesForm):
    """The points of each soft criterion, named as in `Weights`."""

    domain = IntegerField(lazy("How close the domain is"), [FILL_IN, POINTS])
    rate = IntegerField(lazy("How the rate fits"), [FILL_IN, POINTS])
    skills = IntegerField(lazy("Skills"), [FILL_IN, POINTS])
    availability = IntegerField(lazy("Time for it"), [FILL_IN, POINTS])
    record = IntegerField(lazy("Weeks approved, tests passed"), [FILL_IN, POINTS])
    response = IntegerField(lazy("How soon answers come"), [FILL_IN, POINTS])
    reason = TextAreaField(lazy("Why"), [InputRequired(lazy("Say why: everybody can read it."))])

    def weights(self) -> Weights:
        """What was filled in."""
        return Weights(**{name: getattr(self, name).data for name in rules.WEIGHTS})


class _DomainForm(_RulesForm):
    """What an operator says of any domain."""

    title = StringField(lazy("Title"), [FILL_IN, LINE])
    parent = SelectField(lazy("Part of"), [Optional()])
    reason = StringField(lazy("Why"), [Optional(), LINE])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parent.choices = {_("Nothing"): [("", _("None: it is a group"))], **_wider()}


class DomainForm(_DomainForm):
    """A domain that there is."""

    offered = BooleanField(lazy("Can be chosen"))

    @classmethod
    def of(cls, domain: Domain) -> DomainForm:
        """The form with what is kept."""
        return cls(title=domain.title, parent=domain.parent or "", offered=domain.offered)

    def draft(self) -> DomainDraft:
        """What was filled in."""
        return DomainDraft(self.title.data or "", self.parent.data or None, bool(self.offered.data))


class NewDomainForm(_DomainForm):
    """A new domain."""

    level = SelectField(lazy("What it is"), coerce=int)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.level.choices = [(int(level), level_title(level)) for level in reversed(Level)]

    def draft(self) -> DomainDraft:
        """What was filled in."""
        return DomainDraft(self.title.data or "", self.parent.data or None)


def level_title(level: Level) -> str:
    """What a level is called."""
    return {
        Level.GROUP: _("Group"),
        Level.FAMILY: _("Family of occupations"),
        Level.OCCUPATION: _("Occupation"),
        Level.SPECIALITY: _("Speciality"),
    }[level]


def _wider() -> dict[str, domains.Options]:
    """What can have parts, by group."""
    known = domains.tree().domains
    return {
        domains.title(group): [
            (code, domains.INDENT * domains.depth(code) + domains.title(code))
            for code in domains.sorted_within(group)
            if known[code].level < Level.SPECIALITY
        ]
        for group in domains.groups()
    }
