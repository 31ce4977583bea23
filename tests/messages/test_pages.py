"""The pages: both sides find their way, write, read and download; a stranger finds nothing anywhere."""

from __future__ import annotations

import io
import re
import uuid

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from marketplace.messages.models import Attachment, Message
from tests.factories.credentials import PDF
from tests.messages.conftest import STRANGERS, Desk
from tests.visitor import Visitor, words

KEY = re.compile(r'name="key"[^>]*value="([^"]+)"')


def path(about: tuple[str, uuid.UUID]) -> str:
    return f"/messages/{about[0]}/{about[1]}"


def key_of(answer: TestResponse) -> str:
    found = KEY.search(answer.text)
    assert found
    return found.group(1)


@pytest.fixture
def carla(app: Flask, desk: Desk) -> Visitor:
    return desk.cast.visitor(app, desk.deal.client)


@pytest.fixture
def ana(app: Flask, desk: Desk) -> Visitor:
    return desk.cast.visitor(app, desk.deal.expert)


def send(visitor: Visitor, about: tuple[str, uuid.UUID], text: str, **more: object) -> TestResponse:
    key = key_of(visitor.get(path(about)))
    return visitor.post(path(about), key=key, text=text, **more)


def test_a_contract_leads_to_its_messages_and_back(desk: Desk, ana: Visitor, carla: Visitor) -> None:
    shown = ana.get(f"/contracts/{desk.deal.contract.public_id}")
    assert f'href="{path(desk.contract)}#newest"' in shown.text
    assert "Nobody has written yet" in words(ana.get(path(desk.contract)))
    answer = send(ana, desk.contract, "Is the third case meant?")
    assert "Your message is sent." in words(answer)
    assert "Messages (1 new)" in words(carla.get(f"/contracts/{desk.deal.contract.public_id}"))
    listed = carla.get("/messages")
    assert "Is the third case meant?" in words(listed)
    assert "1 new" in words(listed)
    thread = words(carla.get(path(desk.contract)))
    assert "Ana Expert" in thread
    assert "New" in thread
    assert "Messages (1 new)" not in words(carla.get("/messages"))
    assert "Read by Carla Client, Mon 1 Jun 2026" in words(ana.get(path(desk.contract)))


def test_an_application_leads_to_its_messages(app: Flask, desk: Desk, carla: Visitor) -> None:
    ines = desk.cast.visitor(app, desk.applicant)
    gig = f"/gigs/{desk.deal.gig.public_id}"
    assert path(desk.applied) in ines.get(gig).text
    send(ines, desk.applied, "I can begin on Monday.")
    received = carla.get(f"{gig}/applications")
    assert "Messages (1 new)" in words(received)
    assert path(desk.applied) in received.text
    thread = words(carla.get(path(desk.applied)))
    assert "I can begin on Monday." in thread
    assert "Ines" not in thread


def test_a_project_leads_to_announcements(desk: Desk, ana: Visitor, carla: Visitor) -> None:
    assert path(desk.project) in carla.get(f"/projects/{desk.deal.project.public_id}").text
    assert "Announce it to 1 person" in words(carla.get(path(desk.project)))
    assert "Read by 0 of 1" in words(send(carla, desk.project, "The new style holds."))
    seen = ana.get(path(desk.project))
    assert "The new style holds." in words(seen)
    assert 'name="text"' not in seen.text
    assert "Read by 1 of 1" in words(carla.get(path(desk.project)))
    assert "The new style holds." in words(ana.get("/messages"))


def test_a_second_click_sends_nothing(desk: Desk, ana: Visitor) -> None:
    key = key_of(ana.get(path(desk.contract)))
    for _click in range(2):
        answer = ana.post(path(desk.contract), key=key, text="Once.")
    assert words(answer).count("Once.") == 1
    assert len(desk.session.scalars(sa.select(Message)).all()) == 1
    assert key_of(answer) != key


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"text": " "}, "Write a few words first"),
        (
            {"text": "See this.", "files": (io.BytesIO(b"<html>"), "odd.pdf")},
            "odd.pdf: Send a PDF, PNG or JPEG",
        ),
        ({"text": "See this.", "key": "no key"}, "something in the form was missing"),
        ({"text": "long " * 2_000}, "Shorten it by 4999 characters."),
    ],
)
def test_what_is_refused_is_said_and_what_was_typed_stays(
    desk: Desk, ana: Visitor, fields: dict[str, object], said: str
) -> None:
    key = key_of(ana.get(path(desk.contract)))
    answer = ana.post(path(desk.contract), **{"key": key, **fields})
    assert answer.status_code == 422
    assert said in words(answer)
    assert str(fields["text"]).strip() in answer.text
    assert (key_of(answer) == key) == ("key" not in fields)
    assert desk.session.scalars(sa.select(Message)).all() == []


def test_a_file_is_a_download_and_never_a_page(desk: Desk, ana: Visitor, carla: Visitor) -> None:
    pictures = [(io.BytesIO(PDF.data), "case 1.pdf"), (io.BytesIO(PDF.data), "case 2.pdf")]
    assert "case 2.pdf" in words(send(ana, desk.contract, "Two cases.", files=pictures))
    attachment = desk.session.scalars(sa.select(Attachment).order_by(Attachment.id)).first()
    assert attachment is not None
    answer = carla.client.get(f"/messages/attachments/{attachment.public_id}?inline")
    assert answer.data == PDF.data
    assert answer.headers["Content-Disposition"] == 'attachment; filename="case 1.pdf"'
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_several_large_files_are_taken(desk: Desk, ana: Visitor) -> None:
    """More together than any other form may bring."""
    large = PDF.data + b"x" * (9 * 1024 * 1024)
    files = [(io.BytesIO(large), f"{n}.pdf") for n in range(2)]
    assert "Your message is sent." in words(send(ana, desk.contract, "Two large ones.", files=files))


def test_what_is_written_is_text_and_no_page(desk: Desk, ana: Visitor) -> None:
    answer = send(ana, desk.contract, "<script>alert(1)</script>")
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


def test_a_stranger_gets_404_everywhere(app: Flask, desk: Desk, ana: Visitor, carla: Visitor) -> None:
    send(ana, desk.contract, "One case.", files=(io.BytesIO(PDF.data), "case.pdf"))
    send(carla, desk.project, "For all.")
    attachment = desk.session.scalars(sa.select(Attachment.public_id)).one()
    for name in STRANGERS:
        stranger = desk.cast.visitor(app, getattr(desk.cast, name))
        stranger.get("/security")
        for about in (desk.contract, desk.applied, desk.project, ("nothing", uuid.uuid4())):
            assert stranger.get(path(about)).status_code == 404
            assert stranger.post(path(about), key=str(uuid.uuid4()), text="Hello.").status_code == 404
        assert stranger.get(f"/messages/attachments/{attachment}").status_code == 404
        listed = words(stranger.get("/messages"))
        assert "One case." not in listed
        assert "For all." not in listed


def test_who_only_reads_has_no_form_and_cannot_send(app: Flask, desk: Desk, ana: Visitor) -> None:
    send(ana, desk.contract, "One case.")
    opa = desk.cast.visitor(app, desk.cast.opa)
    seen = opa.get(path(desk.contract))
    assert "One case." in words(seen)
    assert 'name="text"' not in seen.text
    assert opa.post(path(desk.contract), key=str(uuid.uuid4()), text="Hello.").status_code == 403


@pytest.mark.parametrize("name", ["fin", "gil"])
def test_finance_sees_a_contract_without_a_way_to_its_messages(app: Flask, desk: Desk, name: str) -> None:
    fin = desk.cast.visitor(app, getattr(desk.cast, name))
    shown = fin.get(f"/contracts/{desk.deal.contract.public_id}")
    assert shown.status_code == 200
    assert path(desk.contract) not in shown.text


def test_a_long_thread_goes_on_page_by_page(desk: Desk, ana: Visitor) -> None:
    for n in range(30):
        desk.write(desk.deal.client, desk.contract, f"Message number {n}.")
    shown = ana.get(path(desk.contract))
    assert "Message number 29." in words(shown)
    assert "Message number 4." not in words(shown)
    older = re.search(r'href="([^"]*after=[^"]*)"', shown.text)
    assert older
    earlier = ana.get(older.group(1))
    assert "Message number 0." in words(earlier)
    assert 'name="text"' not in earlier.text
