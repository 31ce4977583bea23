"""A person's notifications."""

from __future__ import annotations

import uuid

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.notifications import notices
from marketplace.notifications.models import Notification
from marketplace.web import actor, db_session, guard, page, paged

bp = Blueprint("notifications", __name__)


@bp.get("/notifications")
@guard()
def index() -> ResponseReturnValue:
    """All of them, newest first."""
    found = paged(db_session(), notices.told_to(actor()), by=Notification.id)
    unread = notices.unread_count(db_session(), actor().id)
    return page("notifications/index.html", notifications=found, unread=unread)


@bp.post("/notifications/<uuid:public_id>")
@guard()
def read(public_id: uuid.UUID) -> ResponseReturnValue:
    """Mark one as read, and go to what it is about."""
    return redirect(notices.read(db_session(), actor(), public_id).path, 303)


@bp.post("/notifications/read")
@guard()
def read_all() -> ResponseReturnValue:
    """Mark all as read."""
    notices.read_all(db_session(), actor())
    return redirect(url_for("notifications.index"), 303)
