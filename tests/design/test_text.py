"""Every word that a person reads passes through gettext."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.design.bare_text import Bare, bare_text

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in {".html", ".txt"})


def test_no_template_has_bare_text():
    found = [
        f"{path.relative_to(ROOT)}:{bare.line}: {bare.text!r} is not passed through gettext"
        for path in TEMPLATES
        for bare in bare_text(path.read_text(), html=path.suffix == ".html")
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>\nHello\n</p>", [Bare(2, "Hello")]),
        ("<p>{{ name }}\n{% if a %}late{% endif %}</p>", [Bare(2, "late")]),
        ('<img\nalt="A chest film">', [Bare(1, "A chest film")]),
        ('<a aria-label="{{ x }} open">{{ _("Open") }}</a>', [Bare(1, "open")]),
        ('<input type="submit" value="Save">', [Bare(1, "Save")]),
        ('<td data-label="Amount">{{ amount }}</td>', [Bare(1, "Amount")]),
        ('{{ page_header("My gigs") }}', [Bare(1, "My gigs")]),
        ('{{ stat(_("Paid"), x, note="by the week or so") }}', [Bare(1, "by the week or so")]),
        ("{{ state('Late' if a else _('On time')) }}", [Bare(1, "Late")]),
        ("{# a\ncomment #}\n<b>x</b>", [Bare(3, "x")]),
        ("<title>Gigs</title>", [Bare(1, "Gigs")]),
        ("<svg><title>Gigs</title></svg>", [Bare(1, "Gigs")]),
        ("<p>{% trans %}a{% endtrans %} b</p>", [Bare(1, "b")]),
        ("<p>fish &amp; chips</p>", [Bare(1, "fish & chips")]),
    ],
)
def test_it_finds_bare_text(source: str, expected: list[Bare]):
    assert bare_text(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "<p>{{ _('Hello') }}, {{ name }} · 12.50 &nbsp;</p>",
        "{% trans count=n %}{{ count }} gig{% pluralize %}{{ count }} gigs{% endtrans %}",
        '<p class="label {{ \'a b c\' if x }}" id="x" data-timer title="{{ _(\'Now\') }}">{{ x }}</p>',
        "{% if f.type == 'BooleanField' and currency == 'USD' %}{{ icon('circle-check') }}{% endif %}",
        "{{ note(_('It was %(why)s', why=reason)) }}{{ ngettext('One gig', 'Many gigs', n) }}",
        '<a translate="no" href="/">Marginalia <b>beta</b></a><kbd>j</kbd><code>py_1</code>',
        '<meta name="viewport" content="width=device-width">{% from "_ui.html" import card %}',
        '{{ callout(_("a" ~ "b") ~ x) }}{# Comments may say what they like. #}',
    ],
)
def test_it_leaves_translated_text_alone(source: str):
    assert bare_text(source) == []


def test_mails_are_read_as_plain_text():
    assert bare_text("{{ _('Dear %(name)s', name=n) }}\nYours", html=False) == [Bare(2, "Yours")]
    assert bare_text("{% trans %}Dear you{% endtrans %}\n\n{{ site }}/reset/{{ token }}", html=False) == []
