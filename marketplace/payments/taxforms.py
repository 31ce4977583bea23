"""The tax form that an expert owes before paid work. In the operator's tax mode `external` forms are kept
elsewhere, and none is ever missing here."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from marketplace.accounts.models import Person
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.payments.tax import standing
from marketplace.payments.tax.states import FormState
from marketplace.payments.tax.words import form_name

TAX_PATH = standing.TAX_PATH


@dataclass(frozen=True)
class Missing:
    """A form that is due: its name, and in a sentence why nothing is paid without it."""

    form: str
    sentence: str


def due(session: Session, person_id: int) -> Missing | None:
    """The form that the person (internal id) has to hand in before paid work, if one is due."""
    if not standing.asked():
        return None
    if (waits := standing.waiting_of(session, person_id)) is not None:
        return Missing(
            form_name(waits.kind),
            _("Your %(form)s differs from what we know of you, so a person of finance looks at it. Until "
              "then nothing is paid, and what you earned stays yours.", form=form_name(waits.kind)),
        )  # fmt: skip
    if standing.form_of(session, person_id) is not None:
        return None
    name = standing.wanted(session.get_one(Person, person_id))
    return Missing(name, _sentence(session, person_id, name))


def _sentence(session: Session, person_id: int, name: str) -> str:
    last = standing.last_of(session, person_id)
    if last is not None and last.state is FormState.REFUSED:
        return _("Your tax form was refused: %(reason)s Hand in a new one under Money, Tax form; until then "
                 "nothing is paid.", reason=last.reason)  # fmt: skip
    if last is not None and last.valid_until is not None:
        return _("Your tax form ran out on %(day)s. Hand in a new one under Money, Tax form; until then "
                 "nothing is paid.", day=day(last.valid_until))  # fmt: skip
    return _("A tax form (%(form)s) is missing. Hand it in under Money, Tax form; without it nothing may be "
             "paid.", form=name)  # fmt: skip
