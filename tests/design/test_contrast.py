"""Text reaches 4.5 to 1, edges of controls 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11), by day and by night."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = Path(__file__).parents[2] / "static" / "css"
TOKEN = re.compile(r"--([\w-]+):\s*light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);")
TOKENS = {name: (day, night) for name, day, night in TOKEN.findall((CSS / "tokens.css").read_text())}
GROUNDS = ("paper", "surface", "band")
TEXT = [
    *(
        (ink, ground)
        for ink in ("ink", "ink-soft", "accent", "accent-strong", "rubric")
        for ground in GROUNDS
    ),
    *(
        (tone, ground)
        for tone in ("positive", "caution", "negative")
        for ground in (*GROUNDS, f"{tone}-wash")
    ),
    *(("ink", f"{tone}-wash") for tone in ("positive", "caution", "negative", "accent", "neutral")),
    *(("ink-soft", f"{tone}-wash") for tone in ("accent", "neutral")),
    ("accent", "accent-wash"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-negative", "negative"),
    ("on-strip", "strip"),
    ("on-strip-link", "strip"),
    ("paper", "ink"),
]
EDGES = [(edge, ground) for edge in ("rule", "accent", "rubric", "negative") for ground in GROUNDS]


@pytest.mark.parametrize("mode", [0, 1], ids=["day", "night"])
@pytest.mark.parametrize(("ink", "ground"), TEXT)
def test_text_can_be_read(ink: str, ground: str, mode: int):
    assert contrast(TOKENS[ink][mode], TOKENS[ground][mode]) >= 4.5


@pytest.mark.parametrize("mode", [0, 1], ids=["day", "night"])
@pytest.mark.parametrize(("edge", "ground"), EDGES)
def test_edges_can_be_seen(edge: str, ground: str, mode: int):
    assert contrast(TOKENS[edge][mode], TOKENS[ground][mode]) >= 3


def test_every_colour_comes_from_a_token():
    """Else the pairs above would not be all there are."""
    own = {"tokens.css", "print.css"}
    for path in (each for each in CSS.rglob("*.css") if each.name not in own):
        assert not re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[;,)\s])", path.read_text()), path.name


def test_every_token_in_use_is_defined():
    known = set(re.findall(r"(--[\w-]+):", "".join(path.read_text() for path in CSS.glob("*.css"))))
    used = set(re.findall(r"var\((--[\w-]+)", "".join(path.read_text() for path in CSS.glob("*.css"))))
    assert used <= known


def test_the_ratio_is_the_one_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1, of an sRGB colour such as `#f1f4ea`."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
