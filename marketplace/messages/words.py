"""What those who write are called."""

from __future__ import annotations

from marketplace.accounts.models import Person
from marketplace.i18n import gettext as _
from marketplace.messages.kinds import Side, Subject


def who(person: Person, side: Side, subject: Subject) -> str:
    """The writer as the reader knows them, with whom they speak for."""
    if side is Side.EXPERT:
        return name(person, side, subject)
    if side is Side.OPERATOR:
        return _("%(name)s, operator of this site", name=person.full_name)
    return _("%(name)s, %(company)s", name=person.full_name, company=subject.client)


def name(person: Person, side: Side, subject: Subject) -> str:
    """What the reader calls them: before a contract an expert has no name."""
    return subject.expert if side is Side.EXPERT and subject.expert else person.full_name


def size(octets: int) -> str:
    """How large a file is: `340 KB`, `2.4 MB`."""
    if octets < 1_000_000:
        return _("%(n)s KB", n=max(1, round(octets / 1_000)))
    return _("%(n)s MB", n=f"{octets / 1_000_000:.1f}")
