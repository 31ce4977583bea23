"""Check digits. They prove that a number was typed right, never that somebody holds it.

Each returns None when the number is well-formed, else one sentence that says what to do.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from stdnum import luhn
from stdnum.iso7064 import mod_11_2

from marketplace.i18n import gettext as _

# ISO/IEC 7812 prefix for health applications in the United States, which the NPI's check digit includes
# (45 CFR 162.406; CMS, "Requirements for NPI and NPI check digit").
NPI_PREFIX = "80840"


def npi(number: str, name: str) -> str | None:
    """A person's National Provider Identifier: ten digits, the first a 1 or 2, Luhn over 80840 + number."""
    if not re.fullmatch(r"[12]\d{9}", number):
        return _("An NPI has ten digits and starts with 1 or 2. Copy it from your NPPES record.")
    if not luhn.is_valid(NPI_PREFIX + number):
        return _("This NPI has a typing mistake: its check digit does not fit. Look at it again.")
    return None


def orcid(number: str, name: str) -> str | None:
    """An ORCID iD: sixteen characters, ISO 7064 mod 11-2, the last may be X."""
    bare = number.replace("-", "")
    if not re.fullmatch(r"\d{15}[\dX]", bare):
        return _("An ORCID iD looks like 0000-0002-1825-0097. Copy it from your ORCID page.")
    if not mod_11_2.is_valid(bare):
        return _("This ORCID iD has a typing mistake: its check digit does not fit.")
    return None


def dea(number: str, name: str) -> str | None:
    """A DEA registration: two letters and seven digits; the second letter is the surname's initial or a 9."""
    if not re.fullmatch(r"[A-Z][A-Z9]\d{7}", number):
        return _("A DEA number has two letters and seven digits, for example AB1234563.")
    d = [int(c) for c in number[2:]]
    if (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 != d[6]:
        return _("This DEA number has a typing mistake: its check digit does not fit.")
    if number[1] not in ("9", _initial_of_surname(name)):
        return _("The second letter of a DEA number is the first letter of the surname. Check both.")
    return None


def licence(number: str, name: str) -> str | None:
    """A licence number of a US state. The boards share no pattern, so little can be asked."""
    if not re.fullmatch(r"(?=.*\d)[A-Z0-9][A-Z0-9 ./-]{1,19}", number):
        return _("Write the licence number as the board does, for example A 123456 or 036-123456.")
    return None


def seven_digits(number: str, name: str) -> str | None:
    """A GMC reference number: seven digits without a check digit."""
    if not re.fullmatch(r"\d{7}", number):
        return _("A GMC reference number has seven digits.")
    return None


def web_address(text: str, name: str) -> str | None:
    """An https address that a reviewer can open."""
    parts = urlsplit(text)
    if parts.scheme != "https" or "." not in (parts.hostname or "") or parts.username is not None:
        return _("Write the full address, starting with https://.")
    return None


def some_text(text: str, name: str) -> str | None:
    """Anything with a letter or digit in it."""
    if len(text) < 3 or not any(c.isalnum() for c in text):
        return _("Write at least three characters.")
    return None


def _initial_of_surname(name: str) -> str:
    words = name.split()
    return words[-1][0].upper() if words else ""
