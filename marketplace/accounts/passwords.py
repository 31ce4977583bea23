"""Passwords: how they are kept (Argon2id), and which are too easy to guess."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY

from marketplace import settings
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _

LEAST, MOST = 12, 200
# What is left of a password, once all that is easy to guess is taken out, has at least so many kinds.
LEAST_KINDS = 5
ROWS = ("01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertz", "azerty")
COMMON_WORDS = (
    "abc admin administrator angel april august autumn baseball batman changeme charlie cheese chelsea "
    "computer correcthorsebatterystaple december default dragon easter eminem expert february flower "
    "football freedom friday friend ginger google guest hannah hello hockey iloveyou january jennifer "
    "jesus jordan killer letmein liverpool login london lovely love marketplace marginalia master matrix "
    "michael michelle mickey midnight monday monkey mother mustang naruto november october orange "
    "passphrase passw0rd password pa55word pepper pokemon princess purple robert samsung saturday secret "
    "september shadow soccer spring starwars summer sunday sunshine superman sweet taylor temporary test "
    "thomas thursday trustno1 tuesday user wednesday welcome whatever winter yellow"
)


def check(password: str, *about: str) -> None:
    """Raise Invalid unless the password is 12 to 200 characters long and hard to guess.

    Any characters may be used and none must be (OWASP ASVS 5.0, 6.2). `about` are the person's name and
    address, which are the first that others try.
    """
    if len(password) < LEAST:
        raise Invalid(
            _(
                "Use at least %(least)s characters. A few words that only you would put together are easy "
                "to remember and hard to guess.",
                least=LEAST,
            ),
            field="password",
        )
    if len(password) > MOST:
        raise Invalid(_("Use at most %(most)s characters.", most=MOST), field="password")
    if _easy(password, about):
        raise Invalid(
            _(
                "This one is easy to guess: it is made of a common word, a row of keys, or your own name. "
                "Choose a few words that only you would put together."
            ),
            field="password",
        )


def hashed(password: str) -> str:
    """The password as it is kept."""
    return _hasher().hash(_bytes(password))


def matches(kept: str, password: str) -> bool:
    """Is this the password that was kept? Takes as long when it is not."""
    try:
        return _hasher().verify(kept, _bytes(password))
    except (VerificationError, InvalidHashError):
        return False


def pretend(password: str) -> None:
    """Take as long as `matches`, for an address that nobody has."""
    matches(_nobody(), password)


def outdated(kept: str) -> bool:
    """Was it kept with weaker parameters than today's?"""
    return _hasher().check_needs_rehash(kept)


def _easy(password: str, about: tuple[str, ...]) -> bool:
    rest = password.casefold()
    own = {word for text in about for word in re.split(r"\W+", text.casefold()) if len(word) > 2}
    for word in sorted(own.union(COMMON_WORDS.split()), key=len, reverse=True):
        rest = rest.replace(word, "")
    for run in _runs():
        rest = rest.replace(run, "")
    return len(set(rest)) < LEAST_KINDS


@cache
def _runs() -> tuple[str, ...]:
    """Three keys in a row and more, forwards and backwards; the longest first."""
    both = [row for forward in ROWS for row in (forward, forward[::-1])]
    found = {row[i:j] for row in both for i in range(len(row)) for j in range(i + 3, len(row) + 1)}
    return tuple(sorted(found, key=len, reverse=True))


def _bytes(password: str) -> bytes:
    # The same characters may be typed in two ways, depending on the keyboard (NIST SP 800-63B 5.1.1.2).
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


@cache
def _hasher() -> PasswordHasher:
    testing = settings.current().environment == "test"
    return PasswordHasher.from_parameters(CHEAPEST if testing else RFC_9106_LOW_MEMORY)


@cache
def _nobody() -> str:
    return hashed("nobody has this password")
