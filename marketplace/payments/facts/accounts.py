"""Connected accounts: what is missing before they can be paid, and where and when they are paid out."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.payments.facts.answers import Answer

# Stripe's word for what is not due yet.
LATER = "eventually_due"


@dataclass(frozen=True)
class RequirementEntry:
    """One thing that stands between an account and its pay. `when` is past_due, currently_due or
    eventually_due; `by` an ISO moment or empty; `who` is user or stripe. `stops` are the capabilities that
    end when it is late, `errors` is what Stripe found wrong with what was given, in its words."""

    what: str
    who: str
    when: str
    by: str
    stops: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account:
    """A connected account: may it be sent transfers, and what is missing. `reason` and `way_out` are Stripe's
    words for why it may not, and what mends it; empty while it may."""

    id: str
    transfers: str
    requirements: tuple[RequirementEntry, ...]
    closed: bool
    reason: str = ""
    way_out: str = ""


@dataclass(frozen=True)
class Bank:
    """A bank account that a connected account is paid out to; `mark` is Stripe's fingerprint of its number,
    or the object's id where Stripe gives none."""

    mark: str
    currency: str


@dataclass(frozen=True)
class Schedule:
    """When an account is paid out: `interval` is manual, daily, weekly or monthly, and on these days."""

    interval: str
    weekly_payout_days: tuple[str, ...] = ()
    monthly_payout_days: tuple[int, ...] = ()


def of_account(answer: Answer) -> Account:
    recipient = (answer["configuration"] or {}).get("recipient") or {}
    balance = (recipient.get("capabilities") or {}).get("stripe_balance") or {}
    transfers = balance.get("stripe_transfers") or {}
    details: Answer = next(iter(transfers.get("status_details") or []), {})
    return Account(
        id=answer["id"],
        transfers=transfers.get("status") or "restricted",
        requirements=(
            *_requirements(answer["requirements"] or {}),
            *_requirements(answer.get("future_requirements") or {}, later=True),
        ),
        closed=bool(answer.get("closed")),
        reason=details.get("code") or "",
        way_out=details.get("resolution") or "",
    )


def of_banks(answer: Answer) -> tuple[Bank, ...]:
    """The bank accounts, and cards, of a connected account (v1, where alone they are listed)."""
    return tuple(
        Bank(str(each.get("fingerprint") or each["id"]), (each.get("currency") or "").upper())
        for each in answer["external_accounts"]["data"]
    )


def of_schedule(answer: Answer) -> Schedule:
    found: Answer = answer["payments"]["payouts"]["schedule"]
    return Schedule(
        found["interval"],
        tuple(found.get("weekly_payout_days") or ()),
        tuple(found.get("monthly_payout_days") or ()),
    )


def _requirements(found: Answer, *, later: bool = False) -> tuple[RequirementEntry, ...]:
    """The entries. Only their summary has a moment: that of the first which are due."""
    first: Answer = (found.get("summary") or {}).get("minimum_deadline") or {}
    return tuple(_requirement(each, first, later) for each in found.get("entries") or [])


def _requirement(entry: Answer, first: Answer, later: bool) -> RequirementEntry:
    deadline: Answer = entry.get("minimum_deadline") or {}
    status = deadline.get("status") or LATER
    by = first.get("time") if status == first.get("status") else None
    restricts: Answer = entry.get("impact") or {}
    return RequirementEntry(
        what=entry["description"],
        who=entry["awaiting_action_from"],
        when=LATER if later else status,
        by=deadline.get("time") or by or "",
        stops=tuple(each["capability"] for each in restricts.get("restricts_capabilities") or []),
        errors=tuple(each["description"] for each in entry.get("errors") or []),
    )
