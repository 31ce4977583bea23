"""Pages that only the demonstration has: the walk, the outbox with its codes, and the clock."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pyotp
import sqlalchemy as sa
from flask import Blueprint, current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import RadioField

from marketplace import clock, i18n, jobs
from marketplace.db import use_case
from marketplace.demo import walk
from marketplace.demo.cast import CAST
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.mail import OutboxMail
from marketplace.web import Form, db_session, page, paged, public, safe_path

bp = Blueprint("demo", __name__, url_prefix="/demo")


class ClockForm(Form):
    """How far to move the clock."""

    by = RadioField(default="day", label=lazy("Move it forward by"))


def leaps() -> dict[str, tuple[str, timedelta]]:
    """The moves on offer: a word for the form, a label, and how far the clock goes."""
    monday = _until_monday(clock.now())
    return {
        "hour": (_("An hour"), timedelta(hours=1)),
        "day": (_("A day"), timedelta(days=1)),
        "arrival": (_("Three days, until a payout arrives"), timedelta(days=3)),
        "monday": (_("To next Monday morning, when the week has ended"), monday),
        "settled": (_("Ten days, until a payout counts as settled"), timedelta(days=10)),
    }


@bp.get("")
@public
def path() -> ResponseReturnValue:
    """One hour of work, step by step, and who does each."""
    return page("demo/path.html", steps=walk.steps(db_session()), cast=CAST)


@bp.get("/outbox")
@public
def outbox() -> ResponseReturnValue:
    """The mails that would have gone out, and the codes that phones would show."""
    mails = paged(db_session(), sa.select(OutboxMail), by=OutboxMail.id)
    return page("demo/outbox.html", mails=mails, codes=_codes())


@bp.get("/clock")
@public
def show_clock() -> ResponseReturnValue:
    """What time it is here, and how to move it."""
    return _clock(ClockForm())


@bp.post("/clock")
@public
def move_clock() -> ResponseReturnValue:
    """Move the clock forward for every process, and wake the worker."""
    form = ClockForm()
    form.by.choices = [(word, label) for word, (label, _by) in leaps().items()]
    if not form.validate_on_submit():
        return _clock(form)
    clock.advance(leaps()[form.by.data][1])
    _wake(db_session())
    flash(_("It is now %(moment)s.", moment=i18n.moment(clock.now())), "success")
    return redirect(safe_path(request.args.get("next"), url_for("demo.show_clock")), 303)


@bp.app_context_processor
def strip() -> dict[str, object]:
    """The strip above every page: the date, how the history is coming along, and where to go."""
    links = [
        ("demo.path", _("The path")),
        ("demo.outbox", _("Outbox and codes")),
        ("demo.show_clock", _("Clock")),
    ]
    settings = current_app.config["SETTINGS"]
    shown = [{"url": url_for(endpoint), "label": label} for endpoint, label in links]
    if settings.stripe_api_base:
        shown.append({"url": f"{settings.stripe_api_base}/practice", "label": _("A bad week")})
    return {
        "demo": {
            "date": i18n.moment(clock.now()),
            "progress": _progress(settings.data / "progress.json"),
            "links": shown,
        }
    }


def _clock(form: ClockForm) -> ResponseReturnValue:
    form.by.choices = [(word, label) for word, (label, _by) in leaps().items()]
    return page("demo/clock.html", form=form, now=clock.now())


@use_case
def _wake(session: Session) -> None:
    jobs.wake(session)


def _codes() -> list[dict[str, str]]:
    """The one-time code of each of the cast who needs one. The phone's clock is the site's."""
    now = clock.now()
    return [
        {"name": each.name, "email": each.email, "code": pyotp.TOTP(each.totp_secret).at(now)}
        for each in CAST
        if each.totp_secret
    ]


def _progress(file: Path) -> dict[str, object] | None:
    """How far the history is, while it is being made."""
    try:
        told = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    if told.get("finished"):
        return None
    return {
        "label": _("Filling in twelve weeks of history"),
        "value": told.get("done", 0),
        "max": told.get("total", 1),
    }


def _until_monday(now: datetime) -> timedelta:
    """From `now` until the next Monday at 14:00 UTC, when it is morning in New York."""
    monday = (now + timedelta(days=7 - now.weekday())).replace(hour=14, minute=0, second=0, microsecond=0)
    return monday - now
