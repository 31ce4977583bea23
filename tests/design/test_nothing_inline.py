"""What the Content-Security-Policy refuses is not written in the first place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("templates", "static")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".html", ".css", ".js", ".svg"}
)
EVENTS = "abort|blur|change|click|close|error|focus|input|key|load|mouse|pointer|submit|toggle|touch|wheel"
REFUSED = {
    "a style attribute": re.compile(r"(?<![\w-])style\s*=\s*[\"'{]"),
    "a style element": re.compile(r"<style\b"),
    "an event handler": re.compile(rf"(?<![\w.-])on({EVENTS})\w*\s*=\s*[\"'{{]|\bhx-on"),
    "a script in the page": re.compile(r"<script\b(?![^>]*\bsrc=)|javascript:|hx-vals=['\"]js:"),
    "another host": re.compile(
        r"(?:\b(?:src|srcset|action|data|poster|hx-\w+)=|<link\b[^>]*\bhref=|url\(|@import|\bimport\b|fetch\()"
        r"[\s\"'(]*(?:https?:)?//",
        re.I,
    ),
    "a data address": re.compile(r"url\(\s*[\"']?data:"),
    "code made from text": re.compile(r"\beval\(|new Function|\.innerHTML|\.outerHTML|insertAdjacentHTML"),
}


def refused(source: str) -> list[tuple[int, str]]:
    """(line, what is wrong) for each thing that the policy would refuse."""
    return sorted(
        (source.count("\n", 0, hit.start()) + 1, what)
        for what, pattern in REFUSED.items()
        for hit in pattern.finditer(source)
    )


def test_no_source_has_what_the_policy_refuses():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in SOURCES
        for line, what in refused(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ('<p style="color: red">', "a style attribute"),
        ("{{ field(style='x') }}", "a style attribute"),
        ("<style>p {}</style>", "a style element"),
        ('<a onclick="go()">', "an event handler"),
        ('<a hx-on:click="go()">', "an event handler"),
        ("<script>go()</script>", "a script in the page"),
        ('<a href="javascript:go()">', "a script in the page"),
        ('<img src="//example.com/x.png">', "another host"),
        ('<link rel="stylesheet" href="https://example.com/x.css">', "another host"),
        ("a { background: url(https://example.com/x.png) }", "another host"),
        ('import "https://example.com/x.js"', "another host"),
        ("a { background: url(data:image/png;base64,x) }", "a data address"),
        ("element.innerHTML = text", "code made from text"),
    ],
)
def test_it_refuses(source: str, what: str):
    assert refused(source) == [(1, what)]


@pytest.mark.parametrize(
    "source",
    [
        "<script src=\"{{ url_for('static', filename='js/main.js') }}\" type=\"module\"></script>",
        '<a href="https://www.medicalboard.example/">{{ _("The register") }}</a>',
        '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
        "{{ tile(one='1', only='2', long_style='x') }}",
        ".table { background: linear-gradient(45deg, transparent 50%, var(--ink) 50%) }",
    ],
)
def test_it_allows(source: str):
    assert refused(source) == []
