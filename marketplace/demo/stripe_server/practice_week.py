"""The page on which somebody practises a bad week: what can go wrong, what is armed, and the clock."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from marketplace import clock
from marketplace.demo.stripe_server import faults, idempotency, lessons, posting
from marketplace.demo.stripe_server.catalog import OPERATIONS
from marketplace.demo.stripe_server.hosted_pages import shown
from marketplace.demo.stripe_server.store import Store
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.i18n import moment as shown_moment

# What the app asks of Stripe most; the others are for the ones who write their address themselves.
ENDPOINTS = (faults.ANY, "POST *", "GET *", "POST /v1/transfers", "POST /v1/transfers/{id}/reversals",
             "GET /v1/transfers", "POST /v1/refunds", "POST /v1/payouts", "POST /v1/topups",
             "POST /v1/checkout/sessions", "POST /v2/core/accounts")  # fmt: skip
LONGEST_LEAP = 24 * 30  # hours


def add_week_pages(pages: Blueprint, store: Store) -> None:
    @pages.get("")
    def show_week() -> AnyResponse:
        with store.reading() as transaction:
            latest = faults.latest(transaction)
        return shown(
            "week.html",
            faults=latest,
            lessons=lessons,
            endpoints=ENDPOINTS,
            lasting=faults.LASTING,
            now=shown_moment(clock.now(), "UTC"),
        )

    @pages.get("/faults.json")
    def list_faults() -> AnyResponse:
        with store.reading() as transaction:
            return jsonify([vars(fault) for fault in faults.latest(transaction)])

    @pages.post("/faults")
    def arm() -> AnyResponse:
        kind, target, times = _asked()
        with store.writing() as transaction:
            faults.arm(transaction, kind, target, times)
        return redirect(url_for(".show_week") + "#armed", 303)

    @pages.post("/faults/clearing")
    def clear() -> AnyResponse:
        given = request.form.get("fault", "")
        id = int(given) if given.isdecimal() else None
        with store.writing() as transaction:
            posting.release(transaction, id)
            faults.clear(transaction, id)
        return redirect(url_for(".show_week") + "#armed", 303)

    @pages.post("/keys/pruning")
    def prune_keys() -> AnyResponse:
        with store.writing() as transaction:
            idempotency.prune(transaction)
        return redirect(url_for(".show_week"), 303)

    @pages.post("/clock")
    def move_clock() -> AnyResponse:
        given = request.form.get("hours", "")
        if not given.isdecimal() or not 1 <= int(given) <= LONGEST_LEAP:
            raise Invalid(_("Choose how far to move the clock."))
        try:
            clock.advance(timedelta(hours=int(given)))
        except ValueError:
            raise Invalid(
                _("This Local Stripe was started without a clock file, so it lives in real time.")
            ) from None
        return redirect(url_for(".show_week"), 303)


def _asked() -> tuple[str, str, int | None]:
    """The switch, its target and how often, from the form. Raises Invalid."""
    given = request.form.to_dict()
    kind, target, times = (
        given.get("kind", ""),
        given.get("target", "").strip(),
        given.get("times", "").strip(),
    )
    if kind not in faults.KINDS:
        raise Invalid(_("Choose a fault from the list."))
    if times and not (times.isdecimal() and len(times) < 6 and 1 <= int(times) <= faults.MOST):
        raise Invalid(
            _("Write how often it strikes in digits, from 1 to %(most)s, or nothing.", most=faults.MOST)
        )
    if lessons.BY_KIND[kind].asks == "endpoint" and target and not _known(target):
        raise Invalid(_("Stripe's API has no address %(address)s here.", address=target))
    return kind, target or faults.ANY, int(times) if times else None


def _known(target: str) -> bool:
    return target in ENDPOINTS or target in {f"{one.method} {one.path}" for one in OPERATIONS}
