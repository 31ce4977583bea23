"""Writing: both sides and nobody else, once, with files that are what they say, and never changed."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import storage
from marketplace.accounts import limits
from marketplace.audit.models import AuditEvent
from marketplace.contracts.ending import end_contract
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused, TooMany
from marketplace.messages import kinds, queries, reading, threads
from marketplace.messages.models import Addressee, Attachment, Message, ReadMark, Thread
from marketplace.messages.sending import LONGEST, MOST_FILES, send
from marketplace.storage import DocumentView, Upload
from tests.factories.contracts import sign
from tests.factories.credentials import PDF, PNG
from tests.factories.gigs import a_client
from tests.messages.conftest import STRANGERS, Desk, offer_to


def texts(desk: Desk, actor: object, about: tuple[str, uuid.UUID]) -> list[str]:
    standing = threads.stand(desk.session, actor, *about)
    return [each.text for each in desk.session.scalars(queries.messages(standing).order_by(Message.id))]


@pytest.mark.parametrize("about", ["contract", "applied"])
def test_both_sides_write_and_read(desk: Desk, about: str) -> None:
    subject = getattr(desk, about)
    expert = desk.deal.expert if about == "contract" else desk.applicant
    for n, actor in enumerate((expert, desk.deal.client, desk.deal.approver, expert)):
        desk.write(actor, subject, f"{n}")
    assert texts(desk, expert, subject) == texts(desk, desk.deal.client, subject) == ["0", "1", "2", "3"]
    assert desk.session.scalars(sa.select(Message.side).order_by(Message.id)).all() == [
        "expert", "client", "client", "expert",
    ]  # fmt: skip


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_finds_nothing(desk: Desk, name: str) -> None:
    desk.write(desk.deal.expert, desk.contract)
    stranger = getattr(desk.cast, name)
    for about in (
        desk.contract,
        desk.applied,
        desk.project,
        ("contract", uuid.uuid4()),
        ("nothing", uuid.uuid4()),
    ):
        with pytest.raises(NotFound):
            threads.stand(desk.session, stranger, *about)
        with pytest.raises(NotFound):
            desk.write(stranger, about)
    assert desk.session.scalars(queries.threads_of(stranger)).all() == []


def test_another_client_and_another_applicant_are_strangers(desk: Desk) -> None:
    desk.write(desk.applicant, desk.applied)
    rival, _organization = a_client(desk.session, "Southwind AI")
    for other in (rival, desk.deal.expert):
        with pytest.raises(NotFound):
            desk.write(other, desk.applied)


def test_an_operator_reads_does_not_write_and_is_recorded(desk: Desk) -> None:
    desk.write(desk.deal.expert, desk.contract, "About the third case.")
    opa = desk.cast.opa
    assert texts(desk, opa, desk.contract) == ["About the third case."]
    with pytest.raises(NotAllowed):
        desk.write(opa, desk.contract)
    reading.read(desk.session, opa, threads.stand(desk.session, opa, *desk.contract))
    assert desk.session.scalars(sa.select(ReadMark)).all() == []
    event = sa.select(AuditEvent.person_id).filter_by(verb="read_messages", subject_id=desk.contract[1])
    assert desk.session.scalars(event).all() == [opa.id]


def test_who_left_the_client_reads_no_more(desk: Desk) -> None:
    desk.write(desk.deal.approver, desk.contract)
    left = desk.deal.approver.__class__(person_id=desk.deal.approver.id, name="Dev Approver")
    with pytest.raises(NotFound):
        threads.stand(desk.session, left, *desk.contract)
    assert desk.session.scalars(queries.threads_of(left)).all() == []
    assert reading.unread_count(desk.session, left) == 0


@pytest.mark.parametrize("text", ["", " \n\t ", "\u200b\u200b"])
def test_an_empty_message_is_refused_in_words(desk: Desk, text: str) -> None:
    with pytest.raises(Invalid, match="few words") as refused:
        desk.write(desk.deal.expert, desk.contract, text, PDF)
    assert refused.value.field == "text"
    assert desk.session.scalars(sa.select(Thread)).all() == []


def test_a_long_message_is_told_by_how_much(desk: Desk) -> None:
    desk.write(desk.deal.expert, desk.contract, "x" * LONGEST)
    with pytest.raises(Invalid, match="Shorten it by 2 characters"):
        desk.write(desk.deal.expert, desk.contract, "x" * (LONGEST + 2))


def test_the_same_form_sends_once(desk: Desk) -> None:
    key, expert = uuid.uuid4(), desk.deal.expert
    first = send(desk.session, expert, *desk.contract, key, "Once.", [PDF])
    again = send(desk.session, expert, *desk.contract, key, "Once.", [PDF])
    assert again.id == first.id
    assert len(desk.session.scalars(sa.select(Attachment)).all()) == 1
    # Another person's key is another message.
    assert send(desk.session, desk.deal.client, *desk.contract, key, "Mine.").id != first.id
    assert texts(desk, expert, desk.contract) == ["Once.", "Mine."]


def test_the_database_refuses_a_second_of_the_same_key(desk: Desk) -> None:
    first = desk.write(desk.deal.expert, desk.contract)
    twin = Message(
        thread_id=first.thread_id, author_id=first.author_id, side=first.side, text="Twice.", key=first.key,
        sent_at=first.sent_at,
    )  # fmt: skip
    desk.session.add(twin)
    with pytest.raises(DBAPIError, match="uq_messages_author_id"):
        desk.session.flush()


def test_files_are_kept_for_both_sides_and_each_look_is_recorded(desk: Desk) -> None:
    message = desk.write(desk.deal.expert, desk.contract, "Two pictures.", PDF, PNG)
    names = [each.document.name for each in message.attachments]
    assert names == ["licence.pdf", "card.png"]
    attachment = message.attachments[0].public_id
    kept, data = queries.open_attachment(desk.session, desk.deal.client, attachment)
    assert (data, kept.media_type) == (PDF.data, "application/pdf")
    assert PDF.data not in storage.path_of(kept.public_id).read_bytes()
    assert desk.session.scalars(sa.select(DocumentView.person_id)).all() == [desk.deal.client.id]
    for name in STRANGERS:
        with pytest.raises(NotFound):
            queries.open_attachment(desk.session, getattr(desk.cast, name), attachment)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (Upload("page.pdf", b"<html><script>alert(1)</script>"), "page.pdf: Send a PDF, PNG or JPEG file."),
        (Upload("big.pdf", b"%PDF-" + b"x" * storage.LARGEST), "big.pdf: The file is larger than 10 MB"),
        (Upload("empty.png", b""), "empty.png: The file is empty"),
    ],
)
def test_a_file_that_is_not_taken_is_named_and_nothing_is_sent(desk: Desk, file: Upload, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        desk.write(desk.deal.expert, desk.contract, "See this.", PDF, file)
    assert refused.value.field == "files"
    assert desk.session.scalars(sa.select(Message)).all() == []


def test_too_many_files_are_refused(desk: Desk) -> None:
    with pytest.raises(Invalid, match="5 files at most"):
        desk.write(desk.deal.expert, desk.contract, "See these.", *[PDF] * (MOST_FILES + 1))


def test_many_messages_in_a_short_while_are_too_many(desk: Desk) -> None:
    for _each in range(limits.MESSAGES.most):
        limits.spend(desk.session, limits.MESSAGES, str(desk.deal.expert.id))
    with pytest.raises(TooMany):
        desk.write(desk.deal.expert, desk.contract)


@pytest.mark.parametrize("table", [Message, Attachment, Addressee, ReadMark])
@pytest.mark.parametrize("act", ["update", "delete"])
def test_what_was_written_or_read_is_never_changed(desk: Desk, table: type, act: str) -> None:
    name = table.__table__.name
    column = "message_id" if "message_id" in table.__table__.columns else "text"
    change = f"UPDATE {name} SET {column} = {column}" if act == "update" else f"DELETE FROM {name}"
    with pytest.raises(DBAPIError, match=f"permission denied for table {name}"):
        desk.session.execute(sa.text(change))


def test_a_thread_never_gets_another_subject(desk: Desk) -> None:
    desk.write(desk.deal.expert, desk.contract)
    with pytest.raises(DBAPIError, match="permission denied for table threads"):
        desk.session.execute(sa.text("UPDATE threads SET subject_id = gen_random_uuid()"))


def test_announcements_go_to_all_who_work_then(desk: Desk) -> None:
    message = desk.write(desk.deal.client, desk.project, "From Monday on the new style holds.")
    addressed = sa.select(Addressee.person_id).filter_by(message_id=message.id)
    assert desk.session.scalars(addressed).all() == [desk.deal.expert.id]
    assert texts(desk, desk.deal.expert, desk.project) == ["From Monday on the new style holds."]
    # Who has only applied was told nothing.
    with pytest.raises(NotFound):
        threads.stand(desk.session, desk.applicant, *desk.project)


def test_a_file_of_an_announcement_is_for_those_to_whom_it_went(desk: Desk) -> None:
    first = desk.write(desk.deal.client, desk.project, "With a picture.", PNG)
    sign(desk.session, desk.applicant, offer_to(desk))
    desk.write(desk.deal.client, desk.project, "To both.")
    attachment = first.attachments[0].public_id
    assert queries.open_attachment(desk.session, desk.deal.expert, attachment)[1] == PNG.data
    with pytest.raises(NotFound):
        queries.open_attachment(desk.session, desk.applicant, attachment)


def test_where_operators_take_part_they_write_and_hear_the_answers(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(kinds, "contract", replace(kinds["contract"], operators_write=True))
    opa, expert = desk.cast.opa, desk.deal.expert
    desk.write(opa, desk.contract, "What does the log say?")
    desk.write(expert, desk.contract, "It says noon.")
    assert reading.unread_count(desk.session, opa) == 1
    assert len(desk.session.scalars(queries.threads_of(opa)).all()) == 1
    row = queries.rows(desk.session, expert, desk.session.scalars(queries.threads_of(expert)))[0]
    assert (row.by, row.new) == ("You", 1)
    reading.read(desk.session, opa, threads.stand(desk.session, opa, *desk.contract))
    assert desk.session.scalars(sa.select(ReadMark.side)).all() == ["operator"]


def test_who_stops_keeps_what_was_announced_and_hears_no_more(desk: Desk, session: Session) -> None:
    desk.write(desk.deal.client, desk.project, "First.")
    end_contract(session, desk.deal.expert, desk.deal.contract.public_id)
    with pytest.raises(Refused, match="Nobody works on it"):
        desk.write(desk.deal.client, desk.project, "Second.")
    assert texts(desk, desk.deal.expert, desk.project) == ["First."]


def test_only_the_clients_admins_announce(desk: Desk) -> None:
    desk.write(desk.deal.client, desk.project)
    for other in (desk.deal.approver, desk.deal.expert, desk.cast.opa):
        with pytest.raises(NotAllowed):
            desk.write(other, desk.project)
    assert texts(desk, desk.deal.approver, desk.project) == ["Good morning."]
