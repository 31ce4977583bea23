"""What stands between an account and its pay, in sentences: what, who acts, by when, and what stops if late.

The names are those of Stripe's requirements (Accounts v2, 2026-10-28.endive: `requirements.entries`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketplace.i18n import gettext as _
from marketplace.payments import words
from marketplace.payments.models import ConnectedAccount
from marketplace.payments.states import TransfersState

PAST_DUE, DUE, LATER = "past_due", "currently_due", "eventually_due"


@dataclass(frozen=True)
class Missing:
    """One thing that is missing. `by` is the moment (UTC) from which something stops, if Stripe names one;
    `stripes_words` is Stripe's own name where there is no better one."""

    what: str
    from_stripe: bool
    by: datetime | None
    stops: str
    errors: Sequence[str]
    stripes_words: str


@dataclass(frozen=True)
class Group:
    """What is missing and equally urgent."""

    when: str
    title: str
    entries: Sequence[Missing]


def groups(account: ConnectedAccount | None) -> list[Group]:
    """What the account lacks, the most urgent first; groups of nothing are left out."""
    found = account.requirements if account else []
    titles = ((PAST_DUE, _("Late")), (DUE, _("Due now")), (LATER, _("Needed later")))
    made = [Group(when, title, [missing(each) for each in found if _when(each) == when])
            for when, title in titles]  # fmt: skip
    return [group for group in made if group.entries]


def missing(entry: dict[str, Any]) -> Missing:
    """A requirement as it is kept, in words."""
    said = words.requirement(entry["what"])
    return Missing(
        what=said or _("Stripe asks for something that this site has no words for yet."),
        from_stripe=entry["who"] == "stripe",
        by=_moment(entry["by"]),
        stops=_stops(entry.get("stops") or ()),
        errors=tuple(entry.get("errors") or ()),
        stripes_words="" if said else entry["what"],
    )


def newly_due(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the holder has to give now and had not to give before."""
    known = {(each["what"], tuple(each.get("errors") or ())) for each in before if _asks(each)}
    return [each for each in after
            if _asks(each) and (each["what"], tuple(each.get("errors") or ())) not in known]  # fmt: skip


def standing(account: ConnectedAccount | None) -> str:
    """Whether the expert can be paid, and if not, why and what the way out is."""
    if account is None:
        return words.account(TransfersState.NEW)
    if account.ended_at is not None:
        return _("Your account at Stripe was closed. Begin again, and Stripe makes a new one.")
    if account.transfers in (TransfersState.NEW, TransfersState.ACTIVE, TransfersState.PENDING):
        return words.account(account.transfers)
    return " ".join(part for part in (_why(account), _way_out(account)) if part)


def _when(entry: dict[str, Any]) -> str:
    """A word that is newer than this code must not look like there was time."""
    return entry["when"] if entry["when"] in (PAST_DUE, LATER) else DUE


def _asks(entry: dict[str, Any]) -> bool:
    return entry["who"] != "stripe" and _when(entry) != LATER


def _moment(by: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(by)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _stops(capabilities: Sequence[str]) -> str:
    """What ends when it is late."""
    if any(each.endswith("stripe_transfers") for each in capabilities):
        return _("If it is late, your pay cannot be sent; it stays owed to you.")
    if any(each.endswith("payouts") for each in capabilities):
        return _("If it is late, what lies at Stripe does not go on to your bank.")
    if capabilities:
        return _("If it is late, Stripe stops: %(what)s.", what=", ".join(sorted(capabilities)))
    return ""


def _why(account: ConnectedAccount) -> str:
    known: dict[str, Callable[[], str]] = {
        "determining_status": lambda: _("Stripe is still working out whether it can pay you."),
        "requirements_past_due": lambda: _("Something that Stripe needs is missing or late."),
        "requirements_pending_verification": lambda: _("Stripe is still checking what you gave."),
        "restricted_other": lambda: _("Stripe has restricted your account and does not say why."),
        "unsupported_business": lambda: _("Stripe does not pay for what your account says that you do."),
        "unsupported_country": lambda: _("Stripe does not pay accounts in your country this way."),
        "unsupported_entity_type": lambda: _("Stripe does not pay this kind of account holder this way."),
    }
    if account.reason in known:
        return known[account.reason]()
    said = words.account(account.transfers)
    return (
        _("%(said)s Stripe’s reason: %(code)s.", said=said, code=account.reason) if account.reason else said
    )


def _way_out(account: ConnectedAccount) -> str:
    return {
        "provide_info": _("Give what is missing on Stripe’s pages, with the button on this page."),
        "contact_stripe": _("Only Stripe can lift this: ask its support from your Stripe account."),
        "no_resolution": _("It cannot be mended on Stripe’s pages. Write to us; what you earned stays owed."),
    }.get(account.way_out or "", "")
