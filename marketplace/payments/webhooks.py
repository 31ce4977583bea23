"""Where Stripe sends its events. Verified on the raw body, stored once, answered at once."""

from __future__ import annotations

import logging

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.payments import events
from marketplace.payments.gateway import read_event
from marketplace.payments.outcomes import BadSignature
from marketplace.settings import Settings, current
from marketplace.web import db_session, public
from marketplace.web.security import csrf

bp = Blueprint("webhooks", __name__, url_prefix="/stripe/webhooks")
csrf.exempt(bp)

log = logging.getLogger(__name__)


@bp.post("/<which>")
@public
def receive(which: str) -> ResponseReturnValue:
    """Any answer of 2xx tells Stripe to stop sending; 400 means that it was not Stripe."""
    source = _source(which)
    try:
        notice = read_event(
            request.get_data(), request.headers.get("Stripe-Signature"), _secrets(current(), source)
        )
    except BadSignature as error:
        log.warning("An event was refused", extra={"source": source.value, "reason": error.sentence})
        return {"error": error.sentence}, error.status
    events.store_event(db_session(), source, notice)
    return {"received": True}


def _source(which: str) -> events.Source:
    try:
        return events.Source(which)
    except ValueError:
        raise NotFound(_("There is no such page, or it is not yours to see.")) from None


def _secrets(settings: Settings, source: events.Source) -> tuple[str, ...]:
    return {
        events.Source.PLATFORM: settings.stripe_platform_secret,
        events.Source.CONNECT: settings.stripe_connect_secret,
        events.Source.THIN: settings.stripe_thin_secret,
    }[source]
