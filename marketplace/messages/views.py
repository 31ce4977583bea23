"""Pages of messages: all threads of a person, one of them, and the files sent along."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, redirect, request
from flask.typing import ResponseReturnValue

from marketplace.actor import CLIENT, Role
from marketplace.i18n import gettext as _
from marketplace.messages import queries, reading, sending, threads, words
from marketplace.messages.forms import MessageForm
from marketplace.messages.kinds import kinds
from marketplace.messages.models import Message, Thread
from marketplace.messages.threads import Standing
from marketplace.storage import LARGEST
from marketplace.web import actor, db_session, file_response, guard, page, paged, try_form

bp = Blueprint("messages", __name__)
NEWEST = (Thread.last_at, Thread.id)
# Room for all the files of a message, each as large as one may be.
LARGEST_REQUEST = sending.MOST_FILES * LARGEST + 1024 * 1024


@bp.url_value_preprocessor
def _make_room(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Before the form is read, which others do as well."""
    if endpoint == "messages.thread":
        request.max_content_length = LARGEST_REQUEST


@bp.context_processor
def _words() -> dict[str, object]:
    return {"size": words.size}


@bp.app_context_processor
def _for_other_pages() -> dict[str, object]:
    # The pages of what threads are about belong to slices above, and lead here.
    return {"message_links": _message_links}


@bp.get("/messages")
@guard(Role.EXPERT, Role.OPERATOR, *CLIENT)
def index() -> ResponseReturnValue:
    """One's threads, the one with the newest message first."""
    found = paged(db_session(), queries.threads_of(actor()), by=NEWEST)
    rows = queries.rows(db_session(), actor(), found)
    return page("messages/index.html", rows=rows, next_url=found.next_url)


@bp.route("/messages/<kind>/<uuid:subject_id>", methods=["GET", "POST"])
@guard()
def thread(kind: str, subject_id: uuid.UUID) -> ResponseReturnValue:
    """The messages about one subject, and a form to write; opening it reads them."""
    if request.method == "GET":
        return _thread(threads.stand(db_session(), actor(), kind, subject_id), MessageForm())
    standing, form = threads.writing(db_session(), actor(), kind, subject_id), MessageForm()
    if try_form(form, lambda: _send(form, standing)):
        flash(_("It is announced.") if standing.announces else _("Your message is sent."), "success")
        return redirect(standing.path, 303)
    return _thread(standing, form)


@bp.get("/messages/attachments/<uuid:attachment_id>")
@guard()
def attachment(attachment_id: uuid.UUID) -> ResponseReturnValue:
    """A file that was sent along, only ever as a download."""
    kept, data = queries.open_attachment(db_session(), actor(), attachment_id)
    return file_response(data, kept.name, kept.media_type)


def _send(form: MessageForm, standing: Standing) -> Message:
    return sending.send(
        db_session(), actor(), standing.kind, standing.subject_id,
        form.once(), form.text.data or "", form.uploads(),
    )  # fmt: skip


def _thread(standing: Standing, form: MessageForm) -> ResponseReturnValue:
    newest_page = "after" not in request.args
    # An older page, and the form that is shown again, read nothing.
    opened = newest_page and request.method == "GET"
    read_before = reading.read(db_session(), actor(), standing) if opened else None
    found = paged(db_session(), queries.messages(standing), by=Message.id)
    subject = queries.subject_of(db_session(), standing)
    return page(
        "messages/thread.html",
        form=form,
        standing=standing,
        word=kinds[standing.kind].word,
        subject=subject,
        letters=queries.letters(db_session(), standing, subject, found, read_before),
        read_by=queries.read_by(db_session(), standing, subject),
        audience=queries.audience_size(db_session(), standing),
        older_url=found.next_url,
        newest_page=newest_page,
        most_files=sending.MOST_FILES,
    )


def _message_links(kind: str, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    return queries.links(db_session(), actor(), kind, ids)
