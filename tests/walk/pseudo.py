"""A language in which every sentence shows that it was translated: ⟦Sign in⟧.

The places for values stay outside of the brackets, so that a value has to be translated by itself, or be
data. What `make messages` does not collect stays as it is, and is found like what never met gettext.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from marketplace import i18n

ROOT = Path(__file__).parents[2]
PLACE = re.compile(r"(%\(\w+\)[-#0 +.\d]*[a-z]|%%|\{\w*\})")
WRAPPED = re.compile("⟦[^⟦⟧]*⟧")
LETTER = re.compile(r"[^\W\d_]")


def wrapped(text: str) -> str:
    """Each stretch of words in brackets."""
    return "".join(
        f"⟦{piece}⟧" if LETTER.search(piece) and not PLACE.fullmatch(piece) else piece
        for piece in PLACE.split(text)
    )


def bare(text: str) -> str:
    """What is left of a text without the words that were translated."""
    return WRAPPED.sub(" ", text)


def write_language(folder: Path, locale: str = "en_US") -> None:
    """A translation of all that translators are given, in the folder's place for `locale`."""
    template = folder / "messages.pot"
    subprocess.run(
        [ROOT / "scripts" / "collect-messages", Path(sys.executable).parent, template], check=True, cwd=ROOT
    )
    with template.open("rb") as file:
        given = read_po(file)
    made = Catalog(locale)
    for message in given:
        if message.id:
            many = isinstance(message.id, tuple)
            words = tuple(map(wrapped, message.id)) if many else wrapped(message.id)
            made.add(message.id, words, context=message.context)
    place = folder / locale / "LC_MESSAGES" / "messages.mo"
    place.parent.mkdir(parents=True)
    with place.open("wb") as file:
        write_mo(file, made)


def forget() -> None:
    """Let the next sentence be looked up anew."""
    i18n._catalog.cache_clear()
