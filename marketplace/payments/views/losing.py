"""What Stripe sent and the books lost: one of finance says which payment it was, and another confirms it."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import FINANCE, Role
from marketplace.i18n import gettext as _
from marketplace.payments.forms import LostForm
from marketplace.payments.lost import deciding as use
from marketplace.payments.lost.models import LostTransfer
from marketplace.payments.views import bp
from marketplace.web import actor, db_session, guard, page, paged, try_form


@bp.get("/lost-transfers")
@guard(*FINANCE)
def lost_transfers() -> ResponseReturnValue:
    """All of them, the newest first."""
    found = paged(db_session(), use.lost_for(actor()), by=LostTransfer.id)
    return page("payments/lost_transfers.html", transfers=found)


@bp.get("/lost-transfers/<uuid:lost_id>")
@guard(*FINANCE)
def lost_transfer(lost_id: uuid.UUID) -> ResponseReturnValue:
    """One: what Stripe says of it, which payments it may have been, and what was asked for."""
    return _shown(lost_id, LostForm())


@bp.post("/lost-transfers/<uuid:lost_id>")
@guard(*FINANCE)
def ask_about_lost(lost_id: uuid.UUID) -> ResponseReturnValue:
    """The first of two says what it was."""
    form = LostForm().with_payments(_waiting(lost_id))
    asked = try_form(
        form, lambda: use.ask(db_session(), actor(), lost_id, form.item_id(), form.reason.data or "")
    )
    if asked is None:
        return _shown(lost_id, form)
    flash(_("Noted. Now a second person has to confirm it."), "info")
    return redirect(url_for("payments.lost_transfer", lost_id=lost_id), 303)


@bp.post("/lost-transfers/<uuid:lost_id>/take-back")
@guard(*FINANCE)
def take_back_about_lost(lost_id: uuid.UUID) -> ResponseReturnValue:
    """It was something else after all."""
    use.take_back(db_session(), actor(), lost_id)
    flash(_("Taken back. Say what it was."), "info")
    return redirect(url_for("payments.lost_transfer", lost_id=lost_id), 303)


@bp.post("/lost-transfers/<uuid:lost_id>/confirm")
@guard(Role.FINANCE_RELEASER, fresh=True)
def decide_about_lost(lost_id: uuid.UUID) -> ResponseReturnValue:
    """The second confirms it."""
    use.decide(db_session(), actor(), lost_id, request.form.get("seen", ""))
    flash(_("Decided. Sending goes on once every lost transfer is."), "success")
    return redirect(url_for("payments.lost_transfer", lost_id=lost_id), 303)


def _waiting(lost_id: uuid.UUID) -> list[tuple[str, str]]:
    found = use.lost(db_session(), actor(), lost_id)
    return [
        (str(each.public_id), _("The pay of %(name)s that waits, %(amount)s", name=each.person.full_name,
                                amount=found.money))
        for each in use.that_it_may_pay(db_session(), found)
    ]  # fmt: skip


def _shown(lost_id: uuid.UUID, form: LostForm) -> ResponseReturnValue:
    found = use.lost(db_session(), actor(), lost_id)
    other = found.asked_by not in (None, actor().id)
    waiting = _waiting(lost_id)
    return page(
        "payments/lost_transfer.html",
        lost=found,
        form=form.with_payments(waiting),
        waits=bool(waiting),
        may_ask=found.stands and found.asked_by is None,
        may_take_back=found.stands and found.asked_by is not None,
        may_decide=found.stands and other and actor().has(Role.FINANCE_RELEASER),
    )
