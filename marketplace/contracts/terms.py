"""The text that is signed. Each version stays as it is; a change is a new version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

from marketplace.gigs import data_use
from marketplace.gigs.models import DataUse
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.money import Money

VERSION = "2026-11-30"
# California SB 988, New York FIFA and the Illinois FWPA want a pay date, at most 30 days after the work.
PAID_WITHIN_DAYS = 30
APPROVAL_DAYS = 5
GRADING_DAYS = 7


@dataclass(frozen=True)
class Terms:
    """What an offer's text is made of."""

    client: str
    expert: str
    gig: str
    services: str
    rate: Money
    hours_per_week: int
    starts_on: date
    data_use: DataUse
    secrecy: str


@dataclass(frozen=True)
class PaidTest:
    """What the text about a paid test is made of."""

    client: str
    expert: str
    gig: str
    test: str
    minutes: int
    rate: Money


def write(terms: Terms) -> str:
    """The whole text of the current version, in the reader's language."""
    return "\n\n".join(
        [
            _("Agreement for services"),
            _(
                "Between %(client)s (the client) and %(expert)s (the expert).",
                client=terms.client,
                expert=terms.expert,
            ),
            _("1. Services. %(gig)s. %(services)s", gig=terms.gig, services=terms.services),
            _(
                "2. Rate. The client pays %(rate)s for each hour, for up to %(hours)s hours a week from "
                "%(start)s. An hour worked keeps its rate. Each entry is counted in whole minutes and "
                "rounded once, half up.",
                rate=terms.rate,
                hours=terms.hours_per_week,
                start=day(terms.starts_on),
            ),
            _(
                "3. Money set aside. The money for this week and the next is reserved from the client's "
                "funds before the work is done. No hour is worked that is not reserved."
            ),
            _(
                "4. Approval and pay date. The client approves a submitted week or returns it with a reason "
                "within %(approval)s days; after that it counts as approved. Approved work is paid at the "
                "latest %(paid)s days after the work is done.",
                approval=APPROVAL_DAYS,
                paid=PAID_WITHIN_DAYS,
            ),
            *_use(terms.data_use),
            *_secrecy(terms.secrecy),
            _(
                "%(n)s. Ending. Either side may end this agreement at any time. What was worked until then "
                "is paid.",
                n=7 if terms.secrecy else 6,
            ),
        ]
    )


def _use(statement: DataUse) -> list[str]:
    said = data_use.said(statement)
    return [
        _("5. Use of the work, as the client states it (version %(n)s).", n=statement.version),
        *(f"5.{place} {each.label}: {each.text}" for place, each in enumerate(said, 1)),
        _(
            "A change of this statement counts only for work after the expert has agreed to it, and is asked "
            "for with seven days to answer. After them no new time is entered until there is an answer. "
            "Whoever does not agree may stop, and is paid for what was worked."
        ),
    ]


def _secrecy(secrecy: str) -> list[str]:
    """What has to stay secret, with what no such clause can forbid."""
    if not secrecy:
        return []
    return [
        _("6. What has to stay secret. %(secrecy)s", secrecy=secrecy),
        # Defend Trade Secrets Act, 18 U.S.C. § 1833(b)(3): a contract about secrets has to say this. Of the
        # same kind are Directive (EU) 2019/1937, article 24, and the right to speak of one's pay (29 U.S.C.
        # § 157).
        _(
            "Nothing here keeps the expert from speaking to an authority, a court or their own lawyer, from "
            "reporting what they believe to be against the law, or from speaking of their own pay and "
            "working conditions. Nobody is held liable under the trade secret laws of the United States for "
            "telling a secret in confidence to an official or a lawyer solely to report or investigate a "
            "suspected violation of law, or in a filing under seal."
        ),
    ]


def write_test(terms: PaidTest) -> str:
    """The whole text about a paid test, of the current version, in the reader's language."""
    return "\n\n".join(
        [
            _("Agreement for a paid test"),
            _(
                "Between %(client)s (the client) and %(expert)s (the expert).",
                client=terms.client,
                expert=terms.expert,
            ),
            _(
                "1. The test. %(test)s, asked for by the gig %(gig)s. It begins when this is signed, ends "
                "when it is handed in, and takes %(minutes)s minutes at most.",
                test=terms.test,
                gig=terms.gig,
                minutes=terms.minutes,
            ),
            _(
                "2. Pay. The client pays %(rate)s for each hour, for every minute from the signature until "
                "the end, whether or not the test is passed. Each entry is counted in whole minutes and "
                "rounded once, half up.",
                rate=terms.rate,
            ),
            _(
                "3. Money set aside. The money for the whole test is reserved from the client's funds before "
                "it begins."
            ),
            _(
                "4. Approval and pay date. The site measures the time, so nobody has to approve it. It is "
                "paid at the latest %(paid)s days after the test.",
                paid=PAID_WITHIN_DAYS,
            ),
            _(
                "5. Grading. Within %(grading)s days somebody who holds at least the credentials that the "
                "gig asks for grades the answers, by the rubric that is shown with the test. Whoever does "
                "not pass is told why, line by line, and can appeal.",
                grading=GRADING_DAYS,
            ),
            _("6. Use of the answers. They are read to grade this test. They train nothing."),
            _("7. Afterwards. Passing is no contract yet; the client may offer one."),
        ]
    )


def fingerprint(text: str) -> bytes:
    """SHA-256 of the signed text (UTF-8)."""
    return hashlib.sha256(text.encode()).digest()
