"""Reconciliation for finance: the three columns, statements, matches, open items, and tracing an amount."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from flask import Blueprint, redirect, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from marketplace.actor import Actor
from marketplace.contracts.limits import spell
from marketplace.i18n import gettext as _
from marketplace.ledger.sources import link_for
from marketplace.reconciliation import open_items, words
from marketplace.reconciliation.decisions import what
from marketplace.reconciliation.differences import explained
from marketplace.reconciliation.forms import ReasonForm
from marketplace.reconciliation.joining import credits_a_client
from marketplace.reconciliation.revaluing.figures import written
from marketplace.web import actor, db_session, try_form

bp = Blueprint("reconciliation", __name__, url_prefix="/reconciliation")


@bp.context_processor
def _words() -> dict[str, object]:
    return {
        "link_for": link_for,
        "kind_name": open_items.kind_name,
        "what_to_do": open_items.what_to_do,
        "reason": words.reason,
        "pass_name": words.pass_name,
        "what": what,
        "credits_a_client": credits_a_client,
        "explained": explained,
        "written": written,
        "spell": spell,
    }


def with_reason(
    change: Callable[[Session, Actor, uuid.UUID, str], object], public_id: uuid.UUID
) -> tuple[ReasonForm, bool]:
    """The form that asks why, and whether the change was made with what it said."""
    form = ReasonForm()
    done = try_form(form, lambda: change(db_session(), actor(), public_id, form.reason.data or ""))
    return form, done is not None


def proposed() -> str:
    """What is said when it takes a second person."""
    return _("Proposed. It is done once somebody else confirms it; they find it under Unapplied.")


def to(name: str, **values: object) -> Response:
    """On to another page of reconciliation."""
    return redirect(url_for(f"reconciliation.{name}", **values), 303)  # type: ignore[arg-type]


import marketplace.reconciliation.views.accounts  # noqa: E402
import marketplace.reconciliation.views.currencies  # noqa: E402
import marketplace.reconciliation.views.deciding  # noqa: E402
import marketplace.reconciliation.views.lines  # noqa: E402
import marketplace.reconciliation.views.links  # noqa: E402
import marketplace.reconciliation.views.matching  # noqa: E402
import marketplace.reconciliation.views.overview  # noqa: E402
import marketplace.reconciliation.views.statements  # noqa: E402, F401
