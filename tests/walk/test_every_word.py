"""Every sentence that a person reads can be translated: the site read in a language made of brackets."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from zoneinfo import available_timezones

import pytest
import sqlalchemy as sa
from babel import Locale

from marketplace import design, i18n, settings
from marketplace.credentials import jurisdictions
from marketplace.demo.cast import CAST
from marketplace.embedded import Server
from marketplace.mail import OutboxMail
from marketplace.payments.tax import certifications
from tests.design.bare_text import words_in
from tests.walk import pseudo
from tests.walk.visits import a_world, browsers_of, opened, rules, site_of
from tests.walk.world import World

pytestmark = pytest.mark.committed

ROOT = Path(__file__).parents[2]
# Where people's words come from in this world: names, titles, notes, what was uploaded.
WRITERS = ("cast.py", "factories/*.py", "stories/acts.py", "walk/world.py")
# An id, an amount, a date, an address, or capitals: a code, or what the bank writes. None is a word.
SIGN = re.compile(r"\S*[\d_@/]\S*|[A-Z]{2,}|\w\.")
TOKEN = re.compile(r"[^\s,;:()·…“”]+")
FULL_NAME = re.compile(r"([A-Z]\w+) [A-Z]\w+")
# Where the law says from which sum on the tax office is told.
LAW = {
    "IRC 6041(a) before P.L. 119-21",
    "IRC 6050W(e), as P.L. 119-21, section 70432, restored it",
    "P.L. 119-21, section 70433: payments after 31 December 2025; indexed from 2027",
}
# The beginning of an entry's source, shown where finance may type one.
EXAMPLES = {"approval:"}


@pytest.fixture(scope="module")
def world(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that was bracketed from its first day, so that what it wrote down is so too."""
    folder = tmp_path_factory.mktemp("words")
    pseudo.write_language(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(i18n, "FOLDER", folder)
        pseudo.forget()
        with a_world(server, folder) as made:
            yield made
    pseudo.forget()


def typed() -> set[str]:
    """What the people of this world, of the demonstration and of the design page write and are called, and
    what the law says word by word."""
    files = [file for name in WRITERS for file in (ROOT / "tests").glob(name)]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    said = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    said |= (
        {text for each in CAST for text in (each.name, each.password)}
        | set(design.NAMES.values())
        | {settings.current().operator_name}
    )
    said |= LAW | {text for certified in certifications.TEXTS.values() for text in certified}
    return said | {found[1] for each in said if (found := FULL_NAME.fullmatch(each))} | EXAMPLES


def named() -> set[str]:
    """What Babel says: lists, countries, languages, days and months. Names of states and of zones."""
    here = Locale.parse("en_US")
    calendar = [
        name for names in (here.months, here.days) for each in names.values() for name in each.values()
    ]
    zones = {name.replace("_", " ") for name in available_timezones()}
    cities = {name.rpartition("/")[2] for name in zones}
    states = {name for name, _zone in jurisdictions.STATES.values()}
    days = {word for names in calendar for word in names.values()}
    return {"and", *here.territories.values(), *here.languages.values(), *days, *zones, *cities, *states}


@cache
def data() -> re.Pattern[str]:
    """All that is no sentence of ours."""
    known = {" ".join(each.split()) for each in typed() | named() if pseudo.LETTER.search(each)}
    longest_first = sorted(map(re.escape, known), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)")


@cache
def untranslated(text: str) -> str:
    """The words of a text that are neither translated nor data."""
    rest = " ".join(pseudo.bare(text).split())
    if pseudo.LETTER.search(rest):
        rest = data().sub(" ", rest)
    return " ".join(each for each in TOKEN.findall(rest) if is_word(each))


def is_word(token: str) -> bool:
    return bool(pseudo.LETTER.search(token)) and not SIGN.fullmatch(token)


def test_every_page_is_translated(world: World) -> None:
    site = site_of(world, "demo")
    found = {}
    for name, browser in browsers_of(world, site).items():
        for rule in rules(site, "GET"):
            answer = opened(site, world, browser, rule)
            # The few words of a redirect are read by nobody.
            if answer.mimetype == "text/html" and not 300 <= answer.status_code < 400:
                where = f"{rule.endpoint} as {name}"
                found |= {text.strip(): where for text in words_in(answer.text) if untranslated(text)}
    assert not found, "\n" + "\n".join(f"{where}: {text}" for text, where in sorted(found.items()))


def test_every_mail_is_translated(world: World) -> None:
    mails = world.house.session.scalars(sa.select(OutboxMail)).all()
    said = [line for mail in mails for line in [mail.subject, *mail.text.splitlines()]]
    assert said
    assert [line for line in said if untranslated(line)] == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("⟦Sign in⟧", ""),
        ("⟦Good to see you, ⟧Ana", ""),
        ("⟦Paid ⟧$1,234.50⟦ on ⟧Tue 3 Nov 2026, 14:05", ""),
        ("US medical licence, New York", "medical licence"),
        ("⟦It is ⟧Verified", "Verified"),
        ("Sign in", "Sign in"),
    ],
)
def test_what_counts_as_a_word(text: str, left: str) -> None:
    assert untranslated(text) == left
