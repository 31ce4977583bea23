"""Finds words in a template that nobody could translate.

The template is split into Jinja's own tokens. What lies between constructs is read as HTML; inside
constructs, a string literal that reads as prose must be the argument of a gettext call.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

from jinja2 import Environment

SPOKEN = frozenset(
    {"aria-description", "aria-label", "aria-placeholder", "aria-roledescription", "aria-valuetext"}
)
SPOKEN |= {"alt", "content", "data-label", "label", "placeholder", "summary", "title"}
CODE = frozenset({"code", "kbd", "samp", "var", "script", "style"})
VOID = frozenset(
    {"br", "col", "hr", "img", "input", "link", "meta", "wbr", "source", "area", "base", "embed", "track"}
)
META_READ_BY_PEOPLE = frozenset({"description", "og:title", "og:description"})
BUTTONS = frozenset({"submit", "button", "reset"})
GETTEXT = frozenset({"_", "gettext", "ngettext", "pgettext", "npgettext"})
LETTERS = re.compile(r"[^\W\d_]")
# A capital and then a small letter opens a sentence; `DateField` and `USD` do not look like one.
PROSE = re.compile(r"[A-Z][a-z]+(?![a-z]*[A-Z])|[a-z]+ [a-z]+ [a-z]+")
FIELD_KIND = re.compile(r"[A-Z]+|\w*[a-z][A-Z]\w*")
IN_CLASS = re.compile(r"""\bclass=("[^"]*|'[^']*)$""")
# In a mail the path of a link follows the address of the site.
ADDRESS = re.compile(r"/[\w/?=&.-]*")
# Blocks of these names stand inside a class attribute.
CLASS_BLOCK = re.compile(r"shape$|class$")
LEXER = Environment(extensions=["jinja2.ext.i18n"])


@dataclass(frozen=True, order=True)
class Bare:
    """Words outside gettext, and the line they stand on."""

    line: int
    text: str


def bare_text(source: str, *, html: bool = True) -> list[Bare]:
    """The words of a template that gettext never sees. A plain text template (a mail) is not read as HTML."""
    data, literals = _split(source)
    words = _Words.of(data) if html else _lines(ADDRESS.sub("", data), 1)
    found = {Bare(each.line, " ".join(each.text.split())) for each in [*words, *literals]}
    return sorted(each for each in found if LETTERS.search(each.text))


def words_in(page: str) -> list[str]:
    """Whatever a finished page says: its texts, and the attributes that are seen or heard."""
    reader = _Texts()
    reader.feed(page)
    reader.close()
    return [each.text for each in reader.found]


def _split(source: str) -> tuple[str, list[Bare]]:
    """The text between constructs with its line breaks kept, and the literals that read as prose."""
    data, literals = "", []
    for line, tokens, text in _pieces(source):
        data += "\n" * (line - 1 - data.count("\n"))
        data += text
        literals += () if IN_CLASS.search(data) else _prose(tokens)
    return data, literals


def _pieces(source: str) -> Iterator[tuple[int, list[tuple[int, str, str]], str]]:
    """(line, tokens of a construct, "") or (line, [], text), without what is translated or is no text."""
    tokens: list[tuple[int, str, str]] = []
    silent = ""
    for line, kind, text in LEXER.lex(source):
        if kind == "data":
            yield line, [], "" if silent else text
        elif kind in ("variable_end", "block_end"):
            silent = _silence(silent, [value for _, token, value in tokens if token == "name"])
            yield line, tokens, ""
            tokens = []
        elif kind in ("name", "string", "operator"):
            tokens.append((line, kind, text))


def _silence(now: str, names: list[str]) -> str:
    """The tag that ends the stretch that is no bare text; "" outside of such a stretch."""
    if names[:1] == ["trans"]:
        return "endtrans"
    if names[:1] == ["block"] and names[1:2] and CLASS_BLOCK.search(names[1]):
        return "endblock"
    return "" if now in names[:1] else now


def _prose(tokens: list[tuple[int, str, str]]) -> Iterator[Bare]:
    """String literals of one construct that people would read and no gettext call takes."""
    taken = [False]
    before = ""
    for line, kind, text in tokens:
        if kind == "operator" and text in "([{":
            taken.append(text == "(" and before in GETTEXT)
        elif kind == "operator" and text in ")]}" and len(taken) > 1:
            taken.pop()
        elif kind == "string" and not taken[-1]:
            value = str(ast.literal_eval(text))
            if PROSE.search(value) and not FIELD_KIND.fullmatch(value):
                yield Bare(line, value)
        before = text


def _lines(text: str, first: int) -> list[Bare]:
    return [Bare(n, line) for n, line in enumerate(text.split("\n"), first)]


class _Words(HTMLParser):
    """Text and spoken attributes, except in code and where translate="no" stands."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Bare] = []
        self.quiet: list[str] = []

    @classmethod
    def of(cls, data: str) -> list[Bare]:
        reader = cls()
        reader.feed(data)
        reader.close()
        return reader.found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        for name in _spoken(tag, given):
            self.found.append(Bare(self.getpos()[0], given[name]))
        if tag not in VOID and (self.quiet or tag in CODE or given.get("translate") == "no"):
            self.quiet.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        before = len(self.quiet)
        self.handle_starttag(tag, attrs)
        del self.quiet[before:]

    def handle_endtag(self, tag: str) -> None:
        if tag in self.quiet:
            while self.quiet.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self.quiet:
            return
        self.found += _lines(data, self.getpos()[0])


class _Texts(_Words):
    """Each text whole, whatever lines it has."""

    def handle_data(self, data: str) -> None:
        if not self.quiet:
            self.found.append(Bare(self.getpos()[0], data))


def _spoken(tag: str, given: dict[str, str]) -> list[str]:
    """Names of the attributes of this tag that a person sees or hears."""
    names = [name for name in given if name in SPOKEN]
    if tag == "meta" and given.get("name", given.get("property")) not in META_READ_BY_PEOPLE:
        names = [name for name in names if name != "content"]
    if tag == "input" and given.get("type") in BUTTONS:
        names.append("value")
    return [name for name in names if name in given]
