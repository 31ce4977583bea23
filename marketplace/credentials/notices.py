"""What an expert is told about a credential, in their own language."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from marketplace.accounts.models import Person
from marketplace.credentials import types
from marketplace.credentials.models import Credential
from marketplace.i18n import day, ngettext, reading
from marketplace.i18n import gettext as _
from marketplace.notifications import notify


def verified(session: Session, credential: Credential) -> None:
    """It counts from now on."""
    person = _owner(session, credential)
    with reading(person.locale, person.time_zone):
        text = _("%(title)s counts from now on, for gigs that ask for it.", title=_title(credential))
        _tell(session, credential, "verified", _("Your credential is verified"), text)


def asked(session: Session, credential: Credential) -> None:
    """A reviewer cannot decide without an answer."""
    person = _owner(session, credential)
    with reading(person.locale, person.time_zone):
        text = _("It is about %(title)s. Answer on its page to go on.", title=_title(credential))
        _tell(session, credential, "asked", _("A reviewer has a question"), text)


def expiring(session: Session, credential: Credential, last_day: date, days_left: int) -> None:
    """It ends in `days_left` days."""
    person = _owner(session, credential)
    with reading(person.locale, person.time_zone):
        head = ngettext(
            "Your credential expires in %(n)s day", "Your credential expires in %(n)s days", days_left
        )
        text = _(
            "%(title)s is valid until %(day)s. Send the renewal before, so that your work can go on.",
            title=_title(credential), day=day(last_day),
        )  # fmt: skip
        _tell(session, credential, "expiring", head, text)


def expired(session: Session, credential: Credential) -> None:
    """It does not count any more; what was worked before stays payable."""
    person = _owner(session, credential)
    with reading(person.locale, person.time_zone):
        text = _(
            "%(title)s does not count from now on. Time that you worked before is not touched. "
            "Send the renewal to go on.",
            title=_title(credential),
        )
        _tell(session, credential, "expired", _("Your credential has expired"), text)


def _owner(session: Session, credential: Credential) -> Person:
    return session.get_one(Person, credential.person_id)


def _title(credential: Credential) -> str:
    return types.title(credential.type, credential.jurisdiction)


def _tell(session: Session, credential: Credential, kind: str, title: str, body: str) -> None:
    path = f"/credentials/{credential.public_id}"
    notify(session, credential.person_id, f"credential.{kind}", title, body, path)
