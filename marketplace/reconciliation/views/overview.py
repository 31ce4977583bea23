"""The three columns on one page, open items, and an expert's deposit down to its hours."""

from __future__ import annotations

import uuid

from flask import flash, request
from flask.typing import ResponseReturnValue

from marketplace.actor import FINANCE
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext
from marketplace.payments.models import ConnectedPayout
from marketplace.reconciliation import differences, open_items, overview, queries, subjects, tasks, tracing
from marketplace.reconciliation.models import OpenItem, StripeBalance
from marketplace.reconciliation.states import Kind
from marketplace.reconciliation.views import bp, to
from marketplace.web import actor, db_session, guard, page, paged


@bp.get("/")
@guard(*FINANCE)
def index() -> ResponseReturnValue:
    """Ledger, Stripe and bank side by side, and one sentence on top."""
    found = overview.look(db_session())
    sentence, advice = overview.headline(found)
    off = paged(db_session(), differences.differing_accounts(), by=StripeBalance.id, size=50)
    return page(
        "reconciliation/index.html",
        overview=found,
        sentence=sentence,
        advice=advice,
        off=differences.account_sides(db_session(), off.rows),
        next_url=off.next_url,
    )


@bp.post("/fetching")
@guard(*FINANCE)
def fetch() -> ResponseReturnValue:
    """Ask the worker to fetch from Stripe and match."""
    tasks.ask_to_fetch(db_session(), actor())
    flash(_("Fetching from Stripe. Look again in a moment."), "success")
    return to("index")


@bp.post("/matching")
@guard(*FINANCE)
def match_again() -> ResponseReturnValue:
    """Match what is here, now."""
    result = tasks.match_now(db_session(), actor())
    n = sum(result.confirmed.values())
    flash(ngettext("One more match.", "%(n)s more matches.", n), "success")
    return to("index")


@bp.get("/items")
@guard(*FINANCE)
def items() -> ResponseReturnValue:
    """Open items, of one kind or of all."""
    kind = next((kind for kind in Kind if kind == request.args.get("kind")), None)
    found = paged(db_session(), queries.open_items(kind), by=OpenItem.id, size=100)
    counts = queries.count_items(db_session())
    return page(
        "reconciliation/items.html",
        items=found,
        subjects=subjects.named(db_session(), found.rows),
        kind=kind,
        counts=counts,
        me=actor().person_id,
    )


@bp.post("/items/<uuid:public_id>/owner")
@guard(*FINANCE)
def take(public_id: uuid.UUID) -> ResponseReturnValue:
    """Make an item one's own to clear."""
    open_items.take_item(db_session(), actor(), public_id)
    return to("items")


@bp.get("/deposits")
@guard(*FINANCE)
def deposits() -> ResponseReturnValue:
    """Payouts to experts' banks, newest first."""
    found = paged(db_session(), queries.deposits(), by=ConnectedPayout.id, size=50)
    return page("reconciliation/deposits.html", deposits=found)


@bp.get("/deposits/<stripe_id>")
@guard(*FINANCE)
def deposit(stripe_id: str) -> ResponseReturnValue:
    """An expert's deposit, down to the hours."""
    return page("reconciliation/deposit.html", deposit=tracing.deposit(db_session(), stripe_id))
