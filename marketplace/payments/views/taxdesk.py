"""Finance and tax: forms, notices, a year's worksheet, its figures, and payments to the tax office."""

from __future__ import annotations

import uuid
from datetime import date

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace import clock
from marketplace.actor import FINANCE, Role
from marketplace.i18n import gettext as _
from marketplace.payments.tax import certifications, office, remitting, standing, thresholds, worksheet
from marketplace.payments.tax.models import Remittance, TaxForm
from marketplace.payments.tax.states import FormKind, FormState, RemittanceState, Why
from marketplace.payments.views import bp
from marketplace.payments.views.forms_tax import (
    DaysForm,
    EndNoticeForm,
    NoticeForm,
    RateForm,
    RefuseForm,
    RemittanceForm,
    ThresholdForm,
)
from marketplace.settings import current
from marketplace.web import actor, db_session, guard, page, paged, table_response, try_form


@bp.get("/tax")
@guard(*FINANCE)
def tax_desk() -> ResponseReturnValue:
    """The forms that experts handed in, the newest first."""
    found = paged(db_session(), standing.inbox(actor()), by=TaxForm.id)
    return page(
        "payments/tax_desk.html",
        forms=found,
        waiting=standing.all_waiting(db_session(), actor()),
        years=worksheet.years(db_session()),
    )


@bp.get("/tax/forms/<uuid:form_id>")
@guard(*FINANCE)
def tax_paper(form_id: uuid.UUID) -> ResponseReturnValue:
    """One form, its number masked, and what the tax office said about the person."""
    return _paper(form_id)


@bp.post("/tax/forms/<uuid:form_id>/number")
@guard(*FINANCE, fresh=True)
def reveal_tax_form(form_id: uuid.UUID) -> ResponseReturnValue:
    """The number in full, once, and who looked at it stays in the audit trail."""
    revealed = office.reveal(db_session(), actor(), form_id)
    answer = _paper(form_id, revealed=revealed)
    answer.headers["Cache-Control"] = "no-store"  # type: ignore[union-attr]
    return answer


@bp.post("/tax/forms/<uuid:form_id>/acceptance")
@guard(*FINANCE, fresh=True)
def accept_tax_form(form_id: uuid.UUID) -> ResponseReturnValue:
    """It counts after all."""
    office.accept_form(db_session(), actor(), form_id)
    flash(_("It counts from now on, and the expert is told."), "success")
    return redirect(url_for("payments.tax_paper", form_id=form_id), 303)


@bp.post("/tax/forms/<uuid:form_id>/refusal")
@guard(*FINANCE)
def refuse_tax_form(form_id: uuid.UUID) -> ResponseReturnValue:
    """It does not count."""
    form = RefuseForm()
    done = try_form(form, lambda: office.refuse_form(db_session(), actor(), form_id, form.reason.data or ""))
    if done is None:
        return _paper(form_id, refuse=form)
    flash(_("Refused, and the expert is told why."), "success")
    return redirect(url_for("payments.tax_paper", form_id=form_id), 303)


@bp.post("/tax/forms/<uuid:form_id>/notices")
@guard(*FINANCE)
def record_b_notice(form_id: uuid.UUID) -> ResponseReturnValue:
    """The tax office says that name and number do not match."""
    form = NoticeForm()
    person = standing.form(db_session(), actor(), form_id).person.public_id
    done = try_form(
        form,
        lambda: office.record_notice(
            db_session(), actor(), person, form.received_on.data or date.min, form.note.data or ""
        ),
    )
    if done is None:
        return _paper(form_id, notice=form)
    flash(_("Noted. From the next payment on 24 per cent is withheld."), "success")
    return redirect(url_for("payments.tax_paper", form_id=form_id), 303)


@bp.post("/tax/forms/<uuid:form_id>/notices/<uuid:notice_id>/end")
@guard(*FINANCE, fresh=True)
def end_b_notice(form_id: uuid.UUID, notice_id: uuid.UUID) -> ResponseReturnValue:
    """It is mended."""
    form = EndNoticeForm()
    done = try_form(
        form, lambda: office.end_notice(db_session(), actor(), notice_id, form.because.data or "")
    )
    if done is None:
        return _paper(form_id, end=form)
    flash(_("Ended. Nothing more is withheld for it."), "success")
    return redirect(url_for("payments.tax_paper", form_id=form_id), 303)


@bp.post("/tax/forms/<uuid:form_id>/us-work/<uuid:work_id>/rate")
@guard(Role.FINANCE_RELEASER, fresh=True)
def set_us_rate(form_id: uuid.UUID, work_id: uuid.UUID) -> ResponseReturnValue:
    """A treaty lowers what is withheld."""
    form = RateForm()
    done = try_form(
        form,
        lambda: office.set_rate(
            db_session(), actor(), work_id, (form.rate.data or 0) * 100, form.reason.data or ""
        ),
    )
    if done is None:
        return _paper(form_id, rate=form)
    flash(_("Noted. It counts from the next payment on."), "success")
    return redirect(url_for("payments.tax_paper", form_id=form_id), 303)


@bp.post("/tax/forms/<uuid:form_id>/us-work/<uuid:work_id>/days")
@guard(*FINANCE, fresh=True)
def shorten_us_work(form_id: uuid.UUID, work_id: uuid.UUID) -> ResponseReturnValue:
    """Declared days were fewer, or none."""
    form = DaysForm()
    done = try_form(
        form,
        lambda: office.shorten_us_work(
            db_session(), actor(), work_id, form.until_on.data, form.reason.data or ""
        ),
    )
    if done is None:
        return _paper(form_id, days=form)
    flash(_("Noted. It counts from the next payment on."), "success")
    return redirect(url_for("payments.tax_paper", form_id=form_id), 303)


@bp.get("/tax/years/<int:year>")
@guard(*FINANCE)
def tax_year(year: int) -> ResponseReturnValue:
    """The worksheet of a year."""
    return page(
        "payments/tax_year.html",
        sheet=worksheet.worksheet(db_session(), actor(), year),
        years=worksheet.years(db_session()),
    )


@bp.get("/tax/years/<int:year>/worksheet.csv")
@guard(*FINANCE)
def tax_year_csv(year: int) -> ResponseReturnValue:
    """The same as a table, with masked numbers."""
    found = worksheet.worksheet(db_session(), actor(), year)
    return table_response(f"tax-{year}.csv", worksheet.header(), list(worksheet.rows(found, {})))


@bp.post("/tax/years/<int:year>/returns.csv")
@guard(*FINANCE, fresh=True)
def tax_year_returns(year: int) -> ResponseReturnValue:
    """The table to be filed, with numbers and addresses in full."""
    found, forms = worksheet.take_along(db_session(), actor(), year)
    return table_response(f"tax-{year}-returns.csv", worksheet.header(), list(worksheet.rows(found, forms)))


@bp.route("/tax/thresholds", methods=["GET", "POST"])
@guard(*FINANCE)
def tax_thresholds() -> ResponseReturnValue:
    """From how much on payments are reported, by year."""
    form = ThresholdForm(from_year=clock.today(str(current().books_zone)).year + 1)
    if request.method == "POST":
        made = try_form(form, lambda: thresholds.propose(db_session(), actor(), form.draft()))
        if made is not None:
            flash(_("The figure waits for a colleague. Nothing changes until it is accepted."), "success")
            return redirect(url_for("payments.tax_thresholds"), 303)
    return page(
        "payments/tax_thresholds.html",
        form=form,
        every=thresholds.every(db_session()),
        may_accept=actor().has(Role.FINANCE_RELEASER),
        years=worksheet.years(db_session()),
    )


@bp.post("/tax/thresholds/<uuid:threshold_id>/acceptance")
@guard(Role.FINANCE_RELEASER, fresh=True)
def accept_tax_threshold(threshold_id: uuid.UUID) -> ResponseReturnValue:
    """Let it count, as the second person."""
    thresholds.accept(db_session(), actor(), threshold_id)
    flash(_("The figure is accepted."), "success")
    return redirect(url_for("payments.tax_thresholds"), 303)


@bp.post("/tax/thresholds/<uuid:threshold_id>/refusal")
@guard(*FINANCE)
def decline_tax_threshold(threshold_id: uuid.UUID) -> ResponseReturnValue:
    """Refuse it, or take one's own back."""
    thresholds.decline(db_session(), actor(), threshold_id)
    flash(_("Nothing changes. The figure stays as it is."), "success")
    return redirect(url_for("payments.tax_thresholds"), 303)


@bp.route("/tax/remittances", methods=["GET", "POST"])
@guard(*FINANCE)
def tax_remittances() -> ResponseReturnValue:
    """What was withheld and waits, and what was paid to the tax office."""
    form = RemittanceForm()
    if request.method == "POST":
        made = try_form(
            form,
            lambda: remitting.prepare(
                db_session(),
                actor(),
                Why(form.why.data),
                current().books_currency,
                form.until_on.data or date.min,
                form.reference.data or "",
            ),
        )
        if made is not None:
            return redirect(url_for("payments.tax_remittance", remittance_id=made.public_id), 303)
    return page(
        "payments/tax_remittances.html",
        form=form,
        waiting=remitting.waiting(db_session()),
        remittances=paged(db_session(), remitting.every(actor()), by=Remittance.id),
        may_prepare=actor().has(Role.FINANCE_PREPARER),
        years=worksheet.years(db_session()),
    )


@bp.get("/tax/remittances/<uuid:remittance_id>")
@guard(*FINANCE)
def tax_remittance(remittance_id: uuid.UUID) -> ResponseReturnValue:
    """One payment to the tax office, and whose tax it is."""
    found = remitting.one(db_session(), actor(), remittance_id)
    return page(
        "payments/tax_remittance.html",
        remittance=found,
        people=remitting.of_each(found),
        may_cancel=found.state is RemittanceState.PREPARED,
    )


@bp.post("/tax/remittances/<uuid:remittance_id>/cancel")
@guard(*FINANCE)
def cancel_tax_remittance(remittance_id: uuid.UUID) -> ResponseReturnValue:
    """Drop it."""
    remitting.cancel(db_session(), actor(), remittance_id)
    flash(_("Cancelled. The tax waits to be paid as before."), "info")
    return redirect(url_for("payments.tax_remittances"), 303)


def _paper(
    form_id: uuid.UUID,
    *,
    revealed: office.Revealed | None = None,
    refuse: RefuseForm | None = None,
    notice: NoticeForm | None = None,
    end: EndNoticeForm | None = None,
    rate: RateForm | None = None,
    days: DaysForm | None = None,
) -> ResponseReturnValue:
    found = standing.form(db_session(), actor(), form_id)
    notices = standing.notices(db_session(), found.person_id)
    return page(
        "payments/tax_paper.html",
        form=refuse or notice or end or rate or days,
        paper=found,
        revealed=revealed,
        certified=certifications.TEXTS[found.text_version],
        notices=notices,
        open_notice=next((each for each in notices if each.ended_at is None), None),
        us_days=standing.us_days(db_session(), found.person_id),
        refuse=refuse or RefuseForm(formdata=None),
        notice=notice or NoticeForm(formdata=None),
        end=end or EndNoticeForm(formdata=None),
        rate=rate or RateForm(formdata=None),
        days=days or DaysForm(formdata=None),
        waits=found.state is FormState.WAITING,
        may_refuse=found.state in (FormState.ACCEPTED, FormState.WAITING),
        may_rate=actor().has(Role.FINANCE_RELEASER),
        is_w9=found.kind is FormKind.W9,
    )
