"""When and from how much on an expert is paid; a bank account changed by somebody else; finance's holds."""

from __future__ import annotations

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import FINANCE, Role
from marketplace.i18n import gettext as _
from marketplace.payments.forms import EndHoldForm, MinimumForm
from marketplace.payments.setup import holding, outlook, wishes
from marketplace.payments.setup.models import BankHold
from marketplace.payments.views import bp
from marketplace.settings import current
from marketplace.web import actor, db_session, guard, page, paged, public, try_form


@bp.get("/pay/setup")
@guard(Role.EXPERT)
def get_paid() -> ResponseReturnValue:
    """Is the expert set up to be paid, what is missing, and when does what is approved go out?"""
    return _show(None)


@bp.post("/pay/minimum")
@guard(Role.EXPERT)
def set_minimum() -> ResponseReturnValue:
    """From how much on the expert wants to be paid."""
    form = MinimumForm()
    done = try_form(form, lambda: _set_minimum(form))
    if done is None:
        return _show(form)
    flash(_("Saved. It counts from the next pay run on."), "success")
    return redirect(url_for("payments.get_paid"), 303)


@bp.post("/pay/now")
@guard(Role.EXPERT)
def ask_now() -> ResponseReturnValue:
    """Be in the next batch, whatever one's minimum."""
    wishes.ask_now(db_session(), actor())
    flash(_("Finance knows. What is approved goes out with the next batch they prepare."), "success")
    return redirect(url_for("payments.get_paid"), 303)


@bp.post("/pay/now/withdrawal")
@guard(Role.EXPERT)
def take_back_request() -> ResponseReturnValue:
    """Wait for the pay day after all."""
    wishes.take_back(db_session(), actor())
    flash(_("Taken back. What is approved goes out on the pay day."), "success")
    return redirect(url_for("payments.get_paid"), 303)


@bp.post("/pay/holds/<uuid:hold_id>/denial")
@guard(Role.EXPERT)
def deny_change(hold_id: uuid.UUID) -> ResponseReturnValue:
    """The change of bank account was not the expert's."""
    holding.deny_own(db_session(), actor(), hold_id)
    flash(_("Your pay is held until somebody has spoken with you. Change your password now."), "success")
    return redirect(url_for("payments.get_paid"), 303)


@bp.get("/bank-change/<token>")
@public
def bank_change(token: str) -> ResponseReturnValue:
    """From the mail: whoever reads it may not be able to sign in any more."""
    return page("payments/bank_change.html", hold=holding.by_token(db_session(), token), token=token)


@bp.post("/bank-change/<token>")
@public
def deny_by_mail(token: str) -> ResponseReturnValue:
    """It was not theirs. This can only keep money where it is."""
    hold = holding.deny(db_session(), token)
    return page("payments/bank_change.html", hold=hold, token=token)


@bp.get("/payouts/holds")
@guard(*FINANCE)
def holds() -> ResponseReturnValue:
    """Whose pay is held after a change of bank account, until when, and who may end it earlier."""
    return _holds(EndHoldForm(), None)


@bp.post("/payouts/holds/<uuid:hold_id>/reason")
@guard(*FINANCE)
def ask_to_end_hold(hold_id: uuid.UUID) -> ResponseReturnValue:
    """One of finance knows that the change is right."""
    form = EndHoldForm()
    asked = try_form(form, lambda: holding.ask_to_end(db_session(), actor(), hold_id, form.reason.data or ""))
    if asked is None:
        return _holds(form, hold_id)
    flash(_("Noted. Now a second person ends the hold."), "info")
    return redirect(url_for("payments.holds"), 303)


@bp.post("/payouts/holds/<uuid:hold_id>/end")
@guard(Role.FINANCE_RELEASER, fresh=True)
def end_hold(hold_id: uuid.UUID) -> ResponseReturnValue:
    """A second person ends it."""
    holding.end(db_session(), actor(), hold_id)
    flash(_("The hold is over. What waited is sent within minutes."), "success")
    return redirect(url_for("payments.holds"), 303)


def _set_minimum(form: MinimumForm) -> bool:
    wishes.set_minimum(db_session(), actor(), form.minimum.data.amount, current().books_currency)
    return True


def _show(form: MinimumForm | None) -> ResponseReturnValue:
    found = outlook.outlook(db_session(), actor(), current().books_currency)
    return page(
        "payments/get_paid.html",
        it=found,
        form=form or MinimumForm.of(found.minimum),
        hold_says=holding.says,
    )


def _holds(form: EndHoldForm, about: uuid.UUID | None) -> ResponseReturnValue:
    found = paged(db_session(), outlook.holds(), by=BankHold.id)
    return page(
        "payments/holds.html",
        holds=found,
        form=form,
        blank=EndHoldForm(formdata=None),
        about=about,
        me=actor().id,
        may_end=actor().has(Role.FINANCE_RELEASER),
    )
