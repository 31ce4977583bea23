"""The words of tax forms, thresholds and remittances."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from marketplace.i18n import gettext as _
from marketplace.moves import Stateful, change


class FormKind(StrEnum):
    """W-9 of US persons; W-8BEN of foreign individuals who work outside the US."""

    W9 = "w9"
    W8BEN = "w8ben"


class FormState(StrEnum):
    """A form counts from the moment it is signed in the right format, until one of the others is true. One
    that contradicts what is known waits for a person of finance first."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    REPLACED = "replaced"


class Classification(StrEnum):
    """Line 3a of the W-9. A single-member LLC that is disregarded is its owner: `individual`."""

    INDIVIDUAL = "individual"
    C_CORPORATION = "c_corporation"
    S_CORPORATION = "s_corporation"
    PARTNERSHIP = "partnership"
    TRUST = "trust"
    LLC_C = "llc_c"
    LLC_S = "llc_s"
    LLC_P = "llc_p"


# Payments to these for services are not reported on a 1099-NEC (but to lawyers and health care they are).
CORPORATIONS = (
    Classification.C_CORPORATION,
    Classification.S_CORPORATION,
    Classification.LLC_C,
    Classification.LLC_S,
)


class NumberKind(StrEnum):
    """What a tax number is. `applied_for`: a US number was asked for and has not come; `none`: there is none
    in the country of residence, and the form says why."""

    SSN = "ssn"
    EIN = "ein"
    ITIN = "itin"
    ATIN = "atin"
    FOREIGN = "foreign"
    APPLIED_FOR = "applied_for"
    NONE = "none"


class Why(StrEnum):
    """Why tax is withheld: backup withholding from US persons, or tax of foreign persons on US work."""

    BACKUP = "backup"
    NRA = "nra"


class Report(StrEnum):
    """The form on which a year's payments to somebody are reported, or why on none."""

    NEC = "nec"
    K = "k"
    EXTERNAL = "external"
    CORPORATION = "corporation"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


class RemittanceState(StrEnum):
    PREPARED = "prepared"
    BOOKED = "booked"
    CANCELLED = "cancelled"


FORM: Mapping[FormState, frozenset[FormState]] = {
    FormState.WAITING: frozenset({FormState.ACCEPTED, FormState.REFUSED, FormState.REPLACED}),
    FormState.ACCEPTED: frozenset({FormState.REFUSED, FormState.REPLACED}),
    FormState.REFUSED: frozenset(),
    FormState.REPLACED: frozenset(),
}
REMITTANCE: Mapping[RemittanceState, frozenset[RemittanceState]] = {
    RemittanceState.PREPARED: frozenset({RemittanceState.BOOKED, RemittanceState.CANCELLED}),
    RemittanceState.BOOKED: frozenset({RemittanceState.CANCELLED}),
    RemittanceState.CANCELLED: frozenset(),
}


def form_word(state: FormState) -> str:
    """Where a form stands."""
    return {
        FormState.WAITING: _("waiting"),
        FormState.ACCEPTED: _("accepted"),
        FormState.REFUSED: _("refused"),
        FormState.REPLACED: _("replaced"),
    }[state]


def remittance_word(state: RemittanceState) -> str:
    """Where a payment to the tax office stands."""
    return {
        RemittanceState.PREPARED: _("prepared"),
        RemittanceState.BOOKED: _("booked"),
        RemittanceState.CANCELLED: _("cancelled"),
    }[state]


def move_form(form: Stateful[FormState], to: FormState) -> None:
    """Change a form's state. Raises Refused unless it may."""
    change(form, to, FORM, form_word)


def move_remittance(thing: Stateful[RemittanceState], to: RemittanceState) -> None:
    """Change a remittance's state. Raises Refused unless it may."""
    change(thing, to, REMITTANCE, remittance_word)
