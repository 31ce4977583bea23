"""What pages of a batch say of its release and of its pauses."""

from __future__ import annotations

from typing import Any

from flask import flash

from marketplace.actor import FINANCE, Role
from marketplace.i18n import gettext as _
from marketplace.i18n import moment
from marketplace.money import Money
from marketplace.payments.models import PayoutBatch
from marketplace.payments.runs import confirming, pausing, themselves
from marketplace.payments.runs.models import ReleaseConfirmation
from marketplace.payments.states import BatchState
from marketplace.web import actor, db_session


def shown(batch: PayoutBatch, total: Money) -> dict[str, Any]:
    """What the page of a batch, and of its release, needs to know besides what it pays."""
    first = confirming.first_of(db_session(), batch)
    prepared = batch.state == BatchState.PREPARED
    return {
        "first": first,
        "release_words": _release_words(batch, total, first) if prepared and total else None,
        "pauses": pausing.pauses_of(db_session(), batch.id) if batch.released_at else [],
        "may_pause": batch.state in pausing.MAY_BE_PAUSED and actor().has(*FINANCE),
        "may_resume": actor().has(Role.FINANCE_RELEASER),
    }


def confirmed_by_me(batch: PayoutBatch) -> bool:
    """Is the reader the first of two, and does that still count?"""
    first = confirming.counting(db_session(), batch)
    return first is not None and first.person_id == actor().id


def say(batch: PayoutBatch) -> None:
    """What came of a click on release."""
    if batch.state != BatchState.PREPARED:
        flash(_("Released. The payments are being sent to Stripe."), "success")
    elif confirmed_by_me(batch):
        flash(_("Confirmed by you. So much needs a second person, who has to release it too."), "info")
    else:
        flash(
            _("Somebody cannot be paid any more and was left out, so nothing was confirmed. Look again."),
            "info",
        )


def _release_words(batch: PayoutBatch, total: Money, first: ReleaseConfirmation | None) -> str:
    session = db_session()
    if (why := themselves.why_not(session, actor(), batch)) is not None:
        return why
    if first is not None:
        return f"{_first_said(first, batch)} {_missing(batch)}"
    if not confirming.needs_two(session, actor(), total):
        return _("Somebody other than the person who prepared it has to release this batch.")
    limit, alone = (
        confirming.limit(batch.currency),
        confirming.released_alone(session, actor(), batch.currency),
    )
    said = _("Above %(limit)s within 24 hours two people release a batch, neither of whom prepared it.",
             limit=limit)  # fmt: skip
    if alone:
        said += " " + _("You released %(alone)s alone in the last 24 hours.", alone=alone)
    return f"{said} {_('Nobody has yet.')} {_missing(batch)}"


def _first_said(first: ReleaseConfirmation, batch: PayoutBatch) -> str:
    said = {"name": first.person.full_name, "when": moment(first.at)}
    match confirming.lapsed(db_session(), first):
        case confirming.Lapsed.CHANGED:
            return _(
                "%(name)s confirmed it, %(when)s, but it has changed since. Two people have to look again.",
                **said,
            )
        case confirming.Lapsed.NO_RELEASER:
            return _(
                "%(name)s confirmed it, %(when)s, but may not release any more. Two people have to look "
                "again.",
                **said,
            )
        case confirming.Lapsed.TOO_OLD:
            return _(
                "%(name)s confirmed it, %(when)s, more than three days ago. Two people have to look again.",
                **said,
            )
        case None:
            return _(
                "%(name)s confirmed it, %(when)s. Above %(limit)s within 24 hours a second person has to "
                "release it.",
                **said,
                limit=confirming.limit(batch.currency),
            )


def _missing(batch: PayoutBatch) -> str:
    names = confirming.who_may(db_session(), batch)
    if not names:
        return _("Nobody else here may release. Ask an operator to let somebody.")
    return _("It waits for: %(names)s.", names=", ".join(names))
