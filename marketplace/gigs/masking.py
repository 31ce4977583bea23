"""What an expert writes of themselves, without what tells who they are or how to reach them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from marketplace.gigs.models import Application

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


@dataclass(frozen=True)
class Written:
    """What an applicant wrote, as the client reads it; `hid` when something of it was hidden."""

    headline: str
    note: str
    answers: list[dict[str, str]]
    hid: bool


def written(application: Application, headline: str, *, known: bool) -> Written:
    """An application's words and its expert's `headline`: whole once the expert is known, masked before."""
    whole = Written(headline, application.note, application.answers, hid=False)
    if known:
        return whole
    name = application.person.full_name
    answers = [{**each, "answer": masked(each["answer"], name)} for each in whole.answers]
    shown = Written(masked(headline, name), masked(whole.note, name), answers, hid=False)
    return replace(shown, hid=shown != whole)


def _can_be_dialled(text: str) -> bool:
    """Two years have eight digits, a telephone number more."""
    return sum(each.isdigit() for each in text) >= SHORTEST_NUMBER
