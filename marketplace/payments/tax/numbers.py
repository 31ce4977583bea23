"""Whether a tax number has the right format. That it is the person's own only the tax office can say: TIN
matching is its service, and a step of a person's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stdnum.us import atin, ein, itin, ssn

from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.payments.tax.states import NumberKind
from marketplace.text import line

_VALID: Mapping[NumberKind, Callable[[str], bool]] = {
    NumberKind.SSN: ssn.is_valid,
    NumberKind.EIN: ein.is_valid,
    NumberKind.ITIN: itin.is_valid,
    # The IRS gives out 9xx-93-xxxx; the library takes any nine digits.
    NumberKind.ATIN: lambda number: atin.is_valid(number) and number[0] == "9" and number[3:5] == "93",
}
US_KINDS = tuple(_VALID)
MOST = 40


def us_number(kind: NumberKind, typed: str) -> str:
    """The nine digits of a US number. Raises Invalid, on `number`, for another format than the kind's."""
    digits = "".join(each for each in typed if each not in " -.\u2010\u2011\u2013")
    if len(digits) != 9 or not (digits.isascii() and digits.isdigit()):
        raise Invalid(_("A US tax number has nine digits. Look at the card or letter again."), field="number")
    if not _VALID[kind](digits) or len(set(digits)) == 1:
        raise Invalid(
            _("No %(kind)s looks like this. Check the digits, and which kind of number it is.",
              kind=number_word(kind)),
            field="number",
        )  # fmt: skip
    return digits


def foreign_number(typed: str) -> str:
    """A number of another country, as it was typed. Raises Invalid, on `number`, for what cannot be one."""
    number = line(typed)
    if not 4 <= len(number) <= MOST or not any(each.isdigit() for each in number):
        raise Invalid(_("Give the number as your tax office writes it, 4 to 40 characters."), field="number")
    return number


def number_word(kind: NumberKind) -> str:
    """A kind of number, in words."""
    return {
        NumberKind.SSN: _("Social security number (SSN)"),
        NumberKind.EIN: _("Employer identification number (EIN)"),
        NumberKind.ITIN: _("Individual taxpayer number (ITIN)"),
        NumberKind.ATIN: _("Adoption taxpayer number (ATIN)"),
        NumberKind.FOREIGN: _("Tax number of my country"),
        NumberKind.APPLIED_FOR: _("Applied for, and not issued yet"),
        NumberKind.NONE: _("I have none"),
    }[kind]
