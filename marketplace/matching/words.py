"""A match in words, for the expert or for the client, from the criteria as they are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from marketplace.matching import names, to_client, to_expert
from marketplace.matching.names import Facts

CredentialTitle = Callable[[str, str | None], str]
Stored = dict[str, Any]


class Voice(StrEnum):
    """To whom it is said."""

    EXPERT = "expert"
    CLIENT = "client"


@dataclass(frozen=True)
class Advice:
    """The smallest change that the reader can make.

    `where`: profile, credentials, new_credential, held_credential, reasons, work, gig or funds. `field` is
    the input there, or the type of the credential; `place` is where that one is from, empty for anywhere.
    """

    text: str
    where: str
    field: str = ""
    place: str = ""


@dataclass(frozen=True)
class Line:
    """One criterion in words, with its points where it has any."""

    code: str
    label: str
    detail: str
    verdict: str
    points: int
    weight: int
    advice: tuple[Advice, ...]


@dataclass(frozen=True)
class Explained:
    """A match as a page shows it: `musts` decide whether, `merits` add up to `score`."""

    musts: tuple[Line, ...]
    merits: tuple[Line, ...]
    score: int
    maximum: int
    verdict: str

    @property
    def eligible(self) -> bool:
        return self.verdict == "pass"


def explained(stored: Sequence[Stored], voice: Voice, credential_title: CredentialTitle) -> Explained:
    """The kept criteria in words for `voice`. `credential_title(type, jurisdiction)` names a credential.

    Only what the reader can change is given as advice; what only the other side can change is not.
    """
    lines = [(each["kind"], _line(each, voice, credential_title)) for each in stored]
    musts = tuple(line for kind, line in lines if kind == "hard")
    merits = tuple(line for kind, line in lines if kind == "soft")
    return Explained(
        musts,
        merits,
        sum(line.points for line in merits),
        sum(line.weight for line in merits),
        _together([line.verdict for line in musts]),
    )


def _line(kept: Stored, voice: Voice, credential_title: CredentialTitle) -> Line:
    code, verdict = kept["code"], kept["verdict"]
    facts = _named(kept["facts"], credential_title)
    heard = to_expert.DETAILS if voice is Voice.EXPERT else to_client.DETAILS
    detail = heard[code](verdict == "pass", facts)
    advice = tuple(_advice(code, voice, facts, kept["changes"]))
    return Line(code, names.label(code, facts), detail, verdict, kept["points"], kept["weight"], advice)


def _advice(code: str, voice: Voice, facts: Facts, changes: list[Stored]) -> Iterator[Advice]:
    for change in changes:
        known = {**facts, **change["facts"]}
        if voice is Voice.EXPERT and code in to_expert.WITHOUT_ADVICE:
            continue
        if change["who"] == voice:
            say = to_expert.advice if voice is Voice.EXPERT else to_client.advice
            text, where = say(code, known)
            yield _placed(text, where, code, known)
        elif change["who"] == "site" and voice is Voice.EXPERT:
            yield Advice(*to_expert.site_advice(code))


def _placed(text: str, where: str, code: str, facts: Facts) -> Advice:
    """The very input, where one input is all that the change needs."""
    if where == "credentials":
        which = "new_credential" if facts.get("lack") in ("missing", "place") else "held_credential"
        return Advice(text, which, facts["type"], facts["jurisdiction"] or "")
    fields = {"profile": to_expert.FIELDS, "gig": to_client.FIELDS}.get(where, {})
    return Advice(text, where, fields.get(code, ""))


def _named(facts: Facts, credential_title: CredentialTitle) -> Facts:
    if "type" not in facts:
        return facts
    return {**facts, "title": credential_title(facts["type"], facts["jurisdiction"])}


def _together(verdicts: Sequence[str]) -> str:
    return next((each for each in ("fail", "unknown") if each in verdicts), "pass")
