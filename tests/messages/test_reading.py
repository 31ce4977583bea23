"""Reading: what is new, who has read what and when, and one notice for a whole burst."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa

from marketplace import clock, jobs
from marketplace.actor import Actor
from marketplace.mail import OutboxMail
from marketplace.messages import queries, reading, threads
from marketplace.messages.models import ReadMark
from marketplace.notifications.models import Notification
from tests.factories.contracts import MONDAY, sign
from tests.messages.conftest import Desk, offer_to


def opens(desk: Desk, actor: Actor, about: tuple[str, uuid.UUID]) -> int:
    return reading.read(desk.session, actor, threads.stand(desk.session, actor, *about))


def new(desk: Desk, actor: Actor, about: tuple[str, uuid.UUID]) -> int:
    return reading.new_messages(desk.session, actor, about[0], [about[1]]).get(about[1], 0)


def told(desk: Desk, actor: Actor, kind: str = "message.written") -> list[Notification]:
    query = sa.select(Notification).filter_by(person_id=actor.id, kind=kind).order_by(Notification.id)
    return list(desk.session.scalars(query))


def mails(desk: Desk, actor: Actor) -> int:
    address = desk.cast.person(actor).email
    query = sa.select(sa.func.count()).select_from(OutboxMail).filter_by(to_address=address)
    return desk.session.scalar(query.where(OutboxMail.subject.contains("essage about"))) or 0


def test_what_others_wrote_is_new_until_it_is_read(desk: Desk) -> None:
    client, expert = desk.deal.client, desk.deal.expert
    for _each in range(3):
        desk.write(client, desk.contract)
    assert (new(desk, expert, desk.contract), reading.unread_count(desk.session, expert)) == (3, 1)
    assert (new(desk, client, desk.contract), reading.unread_count(desk.session, client)) == (0, 0)
    assert opens(desk, expert, desk.contract) == 0
    assert (new(desk, expert, desk.contract), reading.unread_count(desk.session, expert)) == (0, 0)
    desk.write(client, desk.contract)
    assert new(desk, expert, desk.contract) == 1


def test_a_burst_gives_one_notice_until_it_is_read(desk: Desk) -> None:
    client, expert = desk.deal.client, desk.deal.expert
    for _each in range(4):
        desk.write(client, desk.contract, "One more thing.")
    assert (len(told(desk, expert)), mails(desk, expert)) == (1, 1)
    assert "One more thing" not in told(desk, expert)[0].body
    opens(desk, expert, desk.contract)
    assert told(desk, expert)[0].read_at is not None
    desk.write(client, desk.contract)
    assert (len(told(desk, expert)), mails(desk, expert)) == (2, 2)


def test_threads_are_told_apart(desk: Desk) -> None:
    desk.write(desk.deal.expert, desk.contract)
    desk.write(desk.applicant, desk.applied)
    assert len(told(desk, desk.deal.client)) == 2
    opens(desk, desk.deal.client, desk.applied)
    assert reading.unread_count(desk.session, desk.deal.client) == 1


def test_of_an_application_the_admins_hear_and_whoever_has_written(desk: Desk) -> None:
    desk.write(desk.applicant, desk.applied)
    assert (len(told(desk, desk.deal.client)), len(told(desk, desk.deal.approver))) == (1, 0)
    desk.write(desk.deal.approver, desk.applied)
    desk.write(desk.applicant, desk.applied)
    assert len(told(desk, desk.deal.approver)) == 1


def test_an_applicant_has_no_name_yet(desk: Desk) -> None:
    desk.write(desk.applicant, desk.applied)
    body = told(desk, desk.deal.client)[0].body
    assert "Ines" not in body
    assert "Expert " in body
    standing = threads.stand(desk.session, desk.deal.client, *desk.applied)
    assert "Ines" not in queries.subject_of(desk.session, standing).expert


def test_whoever_signed_is_known_by_name(desk: Desk) -> None:
    sign(desk.session, desk.applicant, offer_to(desk))
    standing = threads.stand(desk.session, desk.deal.client, *desk.applied)
    assert queries.subject_of(desk.session, standing).expert == "Ines Applicant"


def test_the_newest_that_was_read_says_by_whom_and_when_first(desk: Desk) -> None:
    client, approver, expert = desk.deal.client, desk.deal.approver, desk.deal.expert
    first = desk.write(expert, desk.contract, "First.")
    with clock.at(MONDAY + timedelta(hours=1)):
        opens(desk, client, desk.contract)
    with clock.at(MONDAY + timedelta(hours=2)):
        opens(desk, client, desk.contract)
        opens(desk, approver, desk.contract)
        desk.write(client, desk.contract, "An answer.")
    desk.write(expert, desk.contract, "Not read yet.")
    standing = threads.stand(desk.session, expert, *desk.contract)
    found = queries.read_by(desk.session, standing, queries.subject_of(desk.session, standing))
    assert found is not None
    assert found.message_id == first.id
    assert [(name, at - MONDAY) for name, at in found.people] == [
        ("Carla Client", timedelta(hours=1)), ("Dev Approver", timedelta(hours=2)),
    ]  # fmt: skip


def test_a_colleague_who_reads_is_no_answer(desk: Desk) -> None:
    desk.write(desk.deal.client, desk.contract)
    opens(desk, desk.deal.approver, desk.contract)
    standing = threads.stand(desk.session, desk.deal.client, *desk.contract)
    assert queries.read_by(desk.session, standing, queries.subject_of(desk.session, standing)) is None


def test_opening_it_again_marks_nothing_twice(desk: Desk) -> None:
    desk.write(desk.deal.client, desk.contract)
    for _each in range(3):
        opens(desk, desk.deal.expert, desk.contract)
    assert len(desk.session.scalars(sa.select(ReadMark)).all()) == 1


def test_an_announcement_says_how_many_have_read_it(desk: Desk) -> None:
    client, expert = desk.deal.client, desk.deal.expert
    sign(desk.session, desk.applicant, offer_to(desk))
    message = desk.write(client, desk.project, "From Monday on the new style holds.")
    jobs.run_due(desk.session)
    assert [len(told(desk, each, "message.announced")) for each in (expert, desk.applicant)] == [1, 1]
    assert heard(desk) == {message.id: (0, 2)}
    opens(desk, expert, desk.project)
    assert heard(desk) == {message.id: (1, 2)}
    later = desk.write(client, desk.project, "And the third too.")
    assert heard(desk) == {message.id: (1, 2), later.id: (0, 2)}


def heard(desk: Desk) -> dict[int, tuple[int, int] | None]:
    standing = threads.stand(desk.session, desk.deal.client, *desk.project)
    subject = queries.subject_of(desk.session, standing)
    found = desk.session.scalars(queries.messages(standing)).all()
    return {
        each.message.id: each.heard for each in queries.letters(desk.session, standing, subject, found, None)
    }


def test_an_expert_sees_not_how_many_others_read(desk: Desk) -> None:
    desk.write(desk.deal.client, desk.project)
    standing = threads.stand(desk.session, desk.deal.expert, *desk.project)
    found = desk.session.scalars(queries.messages(standing)).all()
    subject = queries.subject_of(desk.session, standing)
    assert [each.heard for each in queries.letters(desk.session, standing, subject, found, 0)] == [None]


def test_announcements_stay_apart_from_those_of_others(desk: Desk) -> None:
    """Who joins later begins with what comes then."""
    desk.write(desk.deal.client, desk.project, "Before.")
    sign(desk.session, desk.applicant, offer_to(desk))
    desk.write(desk.deal.client, desk.project, "After.")
    standing = threads.stand(desk.session, desk.applicant, *desk.project)
    assert [each.text for each in desk.session.scalars(queries.messages(standing))] == ["After."]
    assert new(desk, desk.applicant, desk.project) == 1
    assert new(desk, desk.deal.expert, desk.project) == 2


@pytest.mark.parametrize("unknown", ["contract", "project"])
def test_nothing_is_new_where_nobody_wrote(desk: Desk, unknown: str) -> None:
    assert reading.new_messages(desk.session, desk.deal.expert, unknown, [uuid.uuid4()]) == {}
