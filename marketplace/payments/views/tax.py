"""An expert's own tax form: which one, handing it in, and days of work in the US."""

from __future__ import annotations

from datetime import date

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.accounts.models import Person
from marketplace.accounts.people import country_name
from marketplace.actor import Role
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.payments import taxforms
from marketplace.payments.tax import certifications, intake, office, standing, words
from marketplace.payments.tax.numbers import number_word
from marketplace.payments.tax.states import FormKind
from marketplace.payments.views import bp
from marketplace.payments.views.forms_tax import UsWorkForm, W8BenForm, W9Form
from marketplace.web import actor, db_session, guard, page, try_form


@bp.context_processor
def _words() -> dict[str, object]:
    return {
        "tax_words": words,
        "number_word": number_word,
        "country_name": country_name,
        "tax_asked": standing.asked,
    }


@bp.get("/pay/tax")
@guard(Role.EXPERT)
def tax_form() -> ResponseReturnValue:
    """Does the site have a tax form of the expert that counts, and until when?"""
    return _show(UsWorkForm())


@bp.route("/pay/tax/w-9", methods=["GET", "POST"])
@guard(Role.EXPERT)
def w9() -> ResponseReturnValue:
    """Hand in a W-9."""
    _require_asked()
    form = W9Form.of(_me())
    if try_form(form, lambda: intake.hand_in_w9(db_session(), actor(), form.typed())) is not None:
        return _signed()
    return page("payments/w9.html", form=form, certified=certifications.current(FormKind.W9))


@bp.route("/pay/tax/w-8ben", methods=["GET", "POST"])
@guard(Role.EXPERT)
def w8ben() -> ResponseReturnValue:
    """Hand in a W-8BEN."""
    _require_asked()
    form = W8BenForm.of(_me())
    if try_form(form, lambda: intake.hand_in_w8ben(db_session(), actor(), form.typed())) is not None:
        return _signed()
    return page("payments/w8ben.html", form=form, certified=certifications.current(FormKind.W8BEN))


@bp.post("/pay/tax/us-work")
@guard(Role.EXPERT)
def declare_us_work() -> ResponseReturnValue:
    """Days on which the expert works in the US."""
    form = UsWorkForm()
    done = try_form(
        form,
        lambda: office.declare_us_work(
            db_session(), actor(), form.from_on.data or date.min, form.until_on.data or date.min
        ),
    )
    if done is None:
        return _show(form)
    flash(_("Noted. Of the pay for these days US tax is withheld."), "success")
    return redirect(url_for("payments.tax_form"), 303)


def _show(form: UsWorkForm) -> ResponseReturnValue:
    session, me = db_session(), actor().id
    return page(
        "payments/tax_form.html",
        form=form,
        due=taxforms.due(session, me),
        counts=standing.form_of(session, me) if standing.asked() else None,
        history=standing.history(session, me),
        us_days=standing.us_days(session, me),
        notices=[each for each in standing.notices(session, me) if each.ended_at is None],
        wanted=standing.wanted(_me()),
    )


def _me() -> Person:
    return db_session().get_one(Person, actor().id)


def _require_asked() -> None:
    if not standing.asked():
        raise NotFound(_("Tax forms are kept elsewhere, so there is nothing to hand in here."))


def _signed() -> ResponseReturnValue:
    flash(_("Signed, and it counts from now on."), "success")
    return redirect(url_for("payments.tax_form"), 303)
