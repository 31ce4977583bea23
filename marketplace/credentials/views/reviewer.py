"""Reviewers' pages: the queue, one review, and what expires."""

from __future__ import annotations

import uuid
from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace import clock
from marketplace.actor import Role
from marketplace.credentials import lapses, queries, reviews, types
from marketplace.credentials.forms import AttestForm, LapseForm, QuestionForm, RejectForm
from marketplace.credentials.models import Credential
from marketplace.credentials.states import MOVES, CredentialState
from marketplace.credentials.views import bp
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.web import actor, db_session, guard, how_many, page, paged, try_form

WITHIN = (30, 60, 90)
OLDEST = (Credential.submitted_at, Credential.id)
SOONEST = (Credential.expires_on, Credential.id)


@bp.get("/queue")
@guard(Role.REVIEWER)
def queue() -> ResponseReturnValue:
    """What waits, the oldest first."""
    waits = queries.queue(actor())
    found = paged(db_session(), waits, by=OLDEST, size=50, rising=True)
    count = how_many(db_session(), waits)
    return page("credentials/queue.html", waiting=found, count=count, now=clock.now(), me=actor().id)


@bp.get("/expiring")
@guard(Role.REVIEWER, Role.OPERATOR)
def expiring() -> ResponseReturnValue:
    """What ends soon, the soonest first."""
    within = request.args.get("within", WITHIN[0], int)
    days = within if within in WITHIN else WITHIN[0]
    ends = queries.expiring(actor(), days)
    found = paged(db_session(), ends, by=SOONEST, size=50, rising=True)
    counts = {each: how_many(db_session(), queries.expiring(actor(), each)) for each in WITHIN}
    return page("credentials/expiring.html", found=found, counts=counts, within=days)


@bp.post("/<uuid:public_id>/claim")
@guard(Role.REVIEWER)
def claim(public_id: uuid.UUID) -> ResponseReturnValue:
    """Take it for half an hour."""
    reviews.claim_review(db_session(), actor(), public_id)
    return redirect(url_for("credentials.review", public_id=public_id), 303)


@bp.post("/<uuid:public_id>/release")
@guard(Role.REVIEWER)
def release(public_id: uuid.UUID) -> ResponseReturnValue:
    """Put it back."""
    reviews.release_review(db_session(), actor(), public_id)
    flash(_("It is back in the queue."), "success")
    return redirect(url_for("credentials.queue"), 303)


@bp.get("/<uuid:public_id>/review")
@guard(Role.REVIEWER)
def review(public_id: uuid.UUID) -> ResponseReturnValue:
    """The typed fields beside the document, the source, the checklist, and the three verdicts."""
    return _review(queries.one(db_session(), actor(), public_id))


@bp.post("/<uuid:public_id>/attestation")
@guard(Role.REVIEWER)
def attest(public_id: uuid.UUID) -> ResponseReturnValue:
    """Everything agrees: verify."""
    shown = queries.one(db_session(), actor(), public_id)
    form = AttestForm.for_credential(shown.credential)
    made = try_form(
        form,
        lambda: reviews.attest(
            db_session(), actor(), public_id, form.source_url.data, form.source_as_of.data,
            form.agreed.data or (), valid_to=form.last_day(), note=form.note.data,
        ),
    )  # fmt: skip
    return _decided(_("It is verified.")) if made else _review(shown, attest=form, form=form)


@bp.post("/<uuid:public_id>/rejection")
@guard(Role.REVIEWER)
def reject(public_id: uuid.UUID) -> ResponseReturnValue:
    """Not accepted, with reasons."""
    shown, form = queries.one(db_session(), actor(), public_id), RejectForm()
    made = try_form(
        form,
        lambda: reviews.reject(
            db_session(), actor(), public_id, form.reason_code.data, form.explanation.data or "",
            form.source_url.data,
        ),
    )  # fmt: skip
    return _decided(_("The expert was told why.")) if made else _review(shown, reject=form, form=form)


@bp.post("/<uuid:public_id>/question")
@guard(Role.REVIEWER)
def ask(public_id: uuid.UUID) -> ResponseReturnValue:
    """Ask the expert for more."""
    shown, form = queries.one(db_session(), actor(), public_id), QuestionForm()
    made = try_form(
        form, lambda: reviews.request_info(db_session(), actor(), public_id, form.question.data or "")
    )
    return _decided(_("The expert was asked.")) if made else _review(shown, ask=form, form=form)


@bp.route("/<uuid:public_id>/lapse", methods=["GET", "POST"])
@guard(Role.REVIEWER)
def lapse(public_id: uuid.UUID) -> ResponseReturnValue:
    """A source says of a verified credential that it is not in order any more."""
    shown, form = queries.one(db_session(), actor(), public_id), LapseForm()
    if (
        CredentialState.SUSPENDED not in MOVES[shown.credential.state]
        or shown.credential.person_id == actor().id
    ):
        raise NotFound(_("There is nothing to record for this credential."))
    made = try_form(
        form,
        lambda: lapses.record_lapse(
            db_session(),
            actor(),
            public_id,
            form.found(),
            form.explanation.data or "",
            form.source_url.data or "",
        ),
    )
    if made:
        flash(_("It counts for nothing from now on, and the expert was told why."), "success")
        return redirect(url_for("credentials.show", public_id=public_id), 303)
    return page("credentials/lapse.html", form=form, shown=shown)


def _review(shown: queries.Shown, form: Any = None, **forms: Any) -> ResponseReturnValue:
    credential = shown.credential
    if credential.person_id == actor().id:
        raise NotFound(_("This is your own credential. A colleague has to review it."))
    kind = types.TYPES[credential.type]
    lease = credential.lease_until
    return page(
        "credentials/review.html",
        form=form,
        shown=shown,
        kind=kind,
        source_url=kind.source_url(credential.jurisdiction, credential.identifier),
        held=credential.claimed_by == actor().id and lease is not None and lease > clock.now(),
        attest=forms.get("attest") or AttestForm.for_credential(credential),
        reject=forms.get("reject") or RejectForm(),
        ask=forms.get("ask") or QuestionForm(),
    )


def _decided(sentence: str) -> ResponseReturnValue:
    flash(sentence, "success")
    return redirect(url_for("credentials.queue"), 303)
