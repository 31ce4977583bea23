"""What an expert writes of themselves, without what tells who they are or how to reach them."""

from __future__ import annotations

import re

HIDDEN = "…"
ADDRESS = re.compile(r"[\w.+-]+\s?(?:@|\(at\)|\[at\])\s?[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
LINK = re.compile(
    r"(?:https?://|www\.)\S+|\b[\w-]+\.(?:com|org|net|io|ai|me|dev|edu)\b(?:/\S*)?", re.IGNORECASE
)
NUMBER = re.compile(r"\+?\d[\d\s().-]{7,}\d")
HANDLE = re.compile(r"(?<!\w)@\w{2,}")
SHORTEST_NAME = 3
SHORTEST_NUMBER = 9


def masked(text: str, full_name: str) -> str:
    """The text with e-mail addresses, links, telephone numbers, handles and the person's own name hidden."""
    for pattern in (ADDRESS, LINK, HANDLE):
        text = pattern.sub(HIDDEN, text)
    text = NUMBER.sub(lambda found: HIDDEN if _can_be_dialled(found[0]) else found[0], text)
    names = [re.escape(part) for part in full_name.split() if len(part) >= SHORTEST_NAME]
    if names:
        text = re.sub(rf"\b(?:{'|'.join(names)})\b", HIDDEN, text, flags=re.IGNORECASE)
    return text


def _can_be_dialled(text: str) -> bool:
    """Two years have eight digits, a telephone number more."""
    return sum(each.isdigit() for each in text) >= SHORTEST_NUMBER
