"""The same person each week: a passkey bound at the identity check confirms what is submitted."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from werkzeug.test import TestResponse

from marketplace import clock
from marketplace.accounts import factors, passkeys
from marketplace.accounts.models import SecondFactor, SignIn
from marketplace.actor import Actor, Role
from marketplace.audit.models import AuditEvent
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.approving import same_person
from marketplace.contracts.approving.confirming import confirm_and_submit
from marketplace.contracts.approving.models import WeekConfirmation
from marketplace.contracts.approving.same_person import Answer
from marketplace.contracts.models import Timesheet
from marketplace.contracts.notices import remind_returned
from marketplace.contracts.states import TimesheetState
from marketplace.contracts.timesheets import by_itself, return_timesheet, submit_forgotten, submit_timesheet
from marketplace.credentials import claims, identity, lapses, reviews
from marketplace.credentials.models import Credential, IdentityPasskey
from marketplace.credentials.states import Standing
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.gigs.drafts import draft_of, duplicate_gig, edit_gig
from marketplace.i18n import zoned
from marketplace.notifications.models import Notification
from tests.accounts.test_passkeys import VERIFIED, Authenticator
from tests.factories.accounts import a_person, a_sign_in, an_actor, enter
from tests.factories.contracts import (
    MONDAY,
    Deal,
    a_deal,
    a_submitted_week,
    an_entry,
    an_offer,
    person_of,
    sign,
)
from tests.factories.credentials import PDF, a_claim, attested
from tests.factories.gigs import a_client, a_gig, a_project, an_expert, fund
from tests.visitor import Visitor, words

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
TUESDAY, WEDNESDAY = MONDAY + DAY, MONDAY + 2 * DAY
NONCE = bytes_to_base64url(bytes(32))


class Careless(Authenticator):
    """It says that somebody was there, and not who."""

    def _data(self, flags: int) -> bytes:
        return super()._data(flags & ~VERIFIED)


@pytest.fixture
def rev(session: Session) -> Actor:
    return an_actor(session, a_person(session, "Rev Reviewer", Role.REVIEWER))


@pytest.fixture
def deal(session: Session) -> Deal:
    """A contract that asks for the passkey each week."""
    with clock.at(MONDAY):
        client, organization = a_client(session)
        project = a_project(session, client, organization)
        fund(session, project.public_id, 10_000_00)
        gig = a_gig(session, client, project, hours_per_week=10, same_person=True)
        expert = an_expert(session)
        contract = sign(session, expert, an_offer(session, client, expert, gig))
        return Deal(client, client, expert, project, gig, contract)


@pytest.fixture
def sign_in(session: Session, deal: Deal) -> SignIn:
    return a_sign_in(session, person_of(session, deal.expert))


def a_device(
    session: Session, deal: Deal, sign_in: SignIn, label: str, made: Authenticator | None = None
) -> Authenticator:
    """A passkey of the expert's account."""
    made = made or Authenticator()
    actor = replace(deal.expert, second_factor_at=clock.now())
    _options, challenge = passkeys.offer_to_add(session, sign_in)
    answer = made.make(challenge)
    passkeys.add_passkey(session, actor, sign_in.id, answer, challenge, label, signed_in_at=clock.now())
    return made


def checked(session: Session, deal: Deal, rev: Actor, at: datetime = MONDAY) -> Credential:
    """The expert's identity, seen by a reviewer: anew, if it was before."""
    with clock.at(at):
        mine = sa.select(Credential).filter_by(person_id=deal.expert.id, type="gov_id")
        found = session.scalars(mine).one_or_none()
        if found:
            claims.resubmit_credential(session, deal.expert, found.public_id, document=PDF)
        else:
            found = a_claim(session, deal.expert, "gov_id", jurisdiction=None, document=PDF)
        attested(session, rev, found, source_url=None)
        return found


def bind(session: Session, deal: Deal, device: Authenticator, at: datetime = MONDAY) -> IdentityPasskey:
    with clock.at(at):
        answer = device.use(bytes_to_base64url(identity.challenge_for(NONCE, "identity", deal.expert.id)))
        return identity.bind_passkey(session, deal.expert, answer, NONCE)


@pytest.fixture
def laptop(session: Session, deal: Deal, sign_in: SignIn, rev: Actor) -> Authenticator:
    """Bound to the checked identity."""
    with clock.at(MONDAY):
        made = a_device(session, deal, sign_in, "my laptop")
    checked(session, deal, rev)
    bind(session, deal, made)
    return made


@pytest.fixture
def sheet(session: Session, deal: Deal) -> Timesheet:
    with clock.at(WEDNESDAY):
        return an_entry(session, deal, TUESDAY).timesheet


def answered(sheet: Timesheet, device: Authenticator, version: int | None = None) -> Answer:
    challenge = same_person.challenge_of(sheet, version or sheet.version, NONCE)
    return Answer(device.use(bytes_to_base64url(challenge)), NONCE)


def submit(session: Session, deal: Deal, sheet: Timesheet, answer: Answer) -> Timesheet:
    with clock.at(WEDNESDAY):
        return confirm_and_submit(session, deal.expert, sheet.public_id, sheet.version, answer)


def test_a_week_is_confirmed_with_the_bound_passkey(
    session: Session, deal: Deal, laptop: Authenticator, sheet: Timesheet
) -> None:
    submit(session, deal, sheet, answered(sheet, laptop))
    assert sheet.state is TimesheetState.SUBMITTED
    confirmation = same_person.confirmation_of(session, sheet)
    assert confirmation is not None
    assert (confirmation.passkey.label, confirmation.at) == ("my laptop", WEDNESDAY)
    [noted] = session.scalars(sa.select(AuditEvent).filter_by(verb="timesheet.confirmed"))
    assert noted.facts["passkey"] == str(confirmation.passkey.public_id)


def test_without_it_nothing_is_submitted_and_nothing_is_lost(
    session: Session, deal: Deal, laptop: Authenticator, sheet: Timesheet
) -> None:
    with clock.at(WEDNESDAY), pytest.raises(Refused, match="passkey of your identity"):
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
    session.refresh(sheet)
    assert (sheet.state, sheet.paid_minutes) == (TimesheetState.OPEN, 60)


def refused(session: Session, deal: Deal, sheet: Timesheet, answer: Answer) -> bool:
    try:
        submit(session, deal, sheet, answer)
    except Invalid:
        return True
    return False


def test_only_the_right_answer_is_taken(
    session: Session, deal: Deal, laptop: Authenticator, sheet: Timesheet, sign_in: SignIn
) -> None:
    with clock.at(MONDAY):
        phone = a_device(session, deal, sign_in, "a phone")
    elsewhere = identity.challenge_for(NONCE, "submit week", deal.contract.public_id, sheet.version)
    careless = Careless(key=laptop.key, id=laptop.id, uses=laptop.uses)
    right = answered(sheet, laptop)
    wrong = {
        "another device of the account": answered(sheet, phone),
        "another version": answered(sheet, laptop, sheet.version + 1),
        "another week": Answer(laptop.use(bytes_to_base64url(elsewhere)), NONCE),
        "another nonce": replace(right, nonce=bytes_to_base64url(b"1" * 32)),
        "no nonce": replace(right, nonce=None),
        "nobody verified": answered(sheet, careless),
        "rubbish": Answer("{}", NONCE),
    }
    for what, answer in wrong.items():
        assert refused(session, deal, sheet, answer), what
        if what == "no nonce":
            # Five tries within five minutes; the count is of those that failed.
            session.execute(sa.text("DELETE FROM attempts"))
            session.commit()
    submit(session, deal, sheet, answered(sheet, laptop))


def test_an_answer_is_good_once(
    session: Session, deal: Deal, laptop: Authenticator, sheet: Timesheet
) -> None:
    """Even should the same version wait once more, its challenge was used."""
    answer = answered(sheet, laptop)
    version = sheet.version
    submit(session, deal, sheet, answer)
    with pytest.raises(Refused, match="changed since"):
        confirm_and_submit(session, deal.expert, sheet.public_id, version, answer)
    used = session.scalars(sa.select(WeekConfirmation)).one()
    session.add(
        WeekConfirmation(
            timesheet_id=sheet.id, version=version, passkey_id=used.passkey_id, at=WEDNESDAY + DAY,
            challenge=used.challenge, answer=used.answer,
        )
    )  # fmt: skip
    with pytest.raises(DBAPIError, match="uq_week_confirmations_challenge"):
        session.flush()


def test_a_week_that_came_back_is_confirmed_anew(
    session: Session, deal: Deal, laptop: Authenticator, sheet: Timesheet
) -> None:
    submit(session, deal, sheet, answered(sheet, laptop))
    with clock.at(WEDNESDAY + SECOND):
        return_timesheet(
            session, deal.client, sheet.public_id, sheet.version, "entry_wrong", "Tuesday was shorter."
        )
        with pytest.raises(Refused, match="passkey of your identity"):
            submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        again = answered(sheet, laptop)
        confirm_and_submit(session, deal.expert, sheet.public_id, sheet.version, again)
    newest = same_person.confirmation_of(session, sheet)
    assert newest is not None
    assert newest.at == WEDNESDAY + SECOND


def test_a_forgotten_week_is_submitted_and_paid_and_marked(
    app: Flask, session: Session, deal: Deal, laptop: Authenticator, sheet: Timesheet
) -> None:
    later = MONDAY + 15 * DAY
    with clock.at(later):
        assert submit_forgotten(session) == 1
        session.refresh(sheet)
        assert same_person.confirmation_of(session, sheet) is None
        page = words(
            Visitor(enter(app.test_client(), session, deal.client)).get(f"/timesheets/{sheet.public_id}")
        )
        assert "Not confirmed by passkey" in page
        carla = Visitor(enter(app.test_client(), session, deal.client))
        assert "not confirmed by passkey" in words(carla.get("/timesheets/waiting"))
        approval = approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    assert approval.expert_amount == 150_00


def test_a_returned_week_whose_passkey_is_gone_is_submitted_and_paid_and_marked(
    app: Flask, session: Session, deal: Deal, laptop: Authenticator, sheet: Timesheet, sign_in: SignIn
) -> None:
    """Seven days after it came back, and that day stands on the page."""
    submit(session, deal, sheet, answered(sheet, laptop))
    [factor] = session.scalars(sa.select(SecondFactor).filter_by(sign_in_id=sign_in.id))
    back, due = WEDNESDAY + SECOND, WEDNESDAY + SECOND + 7 * DAY
    with clock.at(back):
        return_timesheet(
            session, deal.client, sheet.public_id, sheet.version, "entry_wrong", "Tuesday was shorter."
        )
        actor = replace(deal.expert, second_factor_at=clock.now())
        factors.remove_factor(session, actor, sign_in.id, factor.public_id)
        ana = Visitor(enter(app.test_client(), session, deal.expert))
        page = words(ana.get(f"/timesheets/{sheet.public_id}/passkey"))
        assert f"the week is submitted for you on {zoned(due, 'America/New_York')} and marked" in page
    with clock.at(due - SECOND):
        assert submit_forgotten(session) == 0
        assert remind_returned(session) == 1
        [reminder] = session.scalars(sa.select(Notification).filter_by(kind="timesheet.unanswered"))
        assert "it is submitted for you as it is" in reminder.body
    with clock.at(due):
        assert submit_forgotten(session) == 1
        assert submit_forgotten(session) == 0
        session.refresh(sheet)
        assert sheet.state is TimesheetState.SUBMITTED
        assert same_person.confirmation_of(session, sheet) is None
        carla = Visitor(enter(app.test_client(), session, deal.client))
        assert "not confirmed by passkey" in words(carla.get("/timesheets/waiting"))
        told = session.scalars(sa.select(Notification).filter_by(kind="timesheet.submitted"))
        assert sum("It was returned a week ago" in each.body for each in told) == 1
        approval = approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    assert approval.expert_amount == 150_00


def test_a_returned_week_that_asks_for_no_passkey_waits_for_its_expert(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
    with clock.at(WEDNESDAY):
        sheet = a_submitted_week(session, deal, TUESDAY)
        return_timesheet(
            session, deal.client, sheet.public_id, sheet.version, "entry_wrong", "Tuesday was shorter."
        )
    with clock.at(WEDNESDAY + 30 * DAY):
        assert submit_forgotten(session) == 0
        assert by_itself(session, sheet) is None


def test_the_window_after_a_check_is_seven_days(
    session: Session, deal: Deal, sign_in: SignIn, rev: Actor
) -> None:
    with clock.at(MONDAY):
        assert identity.stand(session, deal.expert.id).next is identity.Next.CHECK
    checked(session, deal, rev)
    with clock.at(MONDAY):
        assert identity.stand(session, deal.expert.id).next is identity.Next.ADD_PASSKEY
        device = a_device(session, deal, sign_in, "my laptop")
        assert identity.stand(session, deal.expert.id).next is identity.Next.BIND
    with pytest.raises(Refused, match="within seven days"):
        bind(session, deal, device, MONDAY + 7 * DAY + SECOND)
    bind(session, deal, device, MONDAY + 7 * DAY)
    with clock.at(MONDAY + 7 * DAY):
        assert identity.stand(session, deal.expert.id).next is identity.Next.NOTHING


def test_the_database_knows_the_window_too(
    session: Session, deal: Deal, laptop: Authenticator, rev: Actor
) -> None:
    bound = session.scalars(sa.select(IdentityPasskey)).one()
    bound.ended_at = WEDNESDAY
    session.flush()
    checked(session, deal, rev, WEDNESDAY)
    with clock.at(WEDNESDAY):
        attestation = identity.open_check(session, deal.expert.id)
    assert attestation is not None
    session.add(
        IdentityPasskey(
            person_id=bound.person_id, attestation_id=attestation.id, label="late", credential_id=b"1",
            public_key=b"1", bound_at=WEDNESDAY + 7 * DAY + timedelta(minutes=1),
        )
    )  # fmt: skip
    with pytest.raises(DBAPIError, match="within seven days"):
        session.flush()


def test_a_new_device_is_verified_again(
    session: Session, deal: Deal, laptop: Authenticator, sheet: Timesheet, sign_in: SignIn, rev: Actor
) -> None:
    with clock.at(TUESDAY):
        phone = a_device(session, deal, sign_in, "my phone")
    with pytest.raises(Refused, match="within seven days"):
        bind(session, deal, phone, TUESDAY)
    checked(session, deal, rev, WEDNESDAY)
    bind(session, deal, phone, WEDNESDAY)
    ended = session.scalars(sa.select(IdentityPasskey).where(IdentityPasskey.ended_at.is_not(None))).one()
    assert ended.label == "my laptop"
    with pytest.raises(Invalid):
        submit(session, deal, sheet, answered(sheet, laptop))
    submit(session, deal, sheet, answered(sheet, phone))


def test_who_must_be_verified_to_bind(session: Session, deal: Deal, sign_in: SignIn, rev: Actor) -> None:
    with clock.at(MONDAY):
        device = a_device(session, deal, sign_in, "my laptop")
    checked(session, deal, rev)
    with pytest.raises(Invalid):
        bind(session, deal, Careless(key=device.key, id=device.id))
    with pytest.raises(Invalid):
        bind(session, deal, Authenticator())
    bind(session, deal, device)


def test_a_passkey_that_left_the_account_confirms_nothing_and_its_evidence_stays(
    session: Session, deal: Deal, laptop: Authenticator, sheet: Timesheet, sign_in: SignIn
) -> None:
    submit(session, deal, sheet, answered(sheet, laptop))
    [factor] = session.scalars(sa.select(SecondFactor).filter_by(sign_in_id=sign_in.id))
    with clock.at(WEDNESDAY):
        actor = replace(deal.expert, second_factor_at=clock.now())
        factors.remove_factor(session, actor, sign_in.id, factor.public_id)
    session.expire_all()
    assert identity.bound_of(session, deal.expert.id) is None
    kept = session.scalars(sa.select(WeekConfirmation)).one()
    assert kept.passkey.public_key
    assert json.loads(kept.answer)["id"] == bytes_to_base64url(laptop.id)


def test_an_identity_that_was_withdrawn_confirms_nothing(
    session: Session, deal: Deal, laptop: Authenticator
) -> None:
    mine = session.scalars(sa.select(Credential).filter_by(person_id=deal.expert.id)).one()
    with clock.at(WEDNESDAY):
        claims.withdraw_credential(session, deal.expert, mine.public_id)
    assert identity.bound_of(session, deal.expert.id) is None


@pytest.mark.parametrize("how", ["rejected", "suspended", "revoked"])
def test_a_passkey_whose_identity_fell_never_counts_again(
    session: Session, deal: Deal, laptop: Authenticator, sheet: Timesheet, rev: Actor, how: str
) -> None:
    """Not when its owner sends any file, nor when that passes: only bound anew, to a fresh check."""
    mine = session.scalars(sa.select(Credential).filter_by(person_id=deal.expert.id)).one()
    why = "This is the passport of somebody else."
    with clock.at(TUESDAY):
        if how == "rejected":
            claims.resubmit_credential(session, deal.expert, mine.public_id, document=PDF)
            reviews.claim_review(session, rev, mine.public_id)
            reviews.reject(session, rev, mine.public_id, "not_on_register", why)
        else:
            lapses.record_lapse(session, rev, mine.public_id, Standing(how), why, "https://example.org/a")
        assert identity.bound_of(session, deal.expert.id) is None
    with clock.at(WEDNESDAY):
        claims.resubmit_credential(session, deal.expert, mine.public_id, document=PDF)
        assert identity.stand(session, deal.expert.id).next is identity.Next.WAIT
    with pytest.raises(Refused, match="passkey of your identity"):
        submit(session, deal, sheet, answered(sheet, laptop))
    with clock.at(WEDNESDAY):
        attested(session, rev, mine, source_url=None)
        assert identity.stand(session, deal.expert.id).next is identity.Next.BIND
    bind(session, deal, laptop, WEDNESDAY)
    submit(session, deal, sheet, answered(sheet, laptop))


def test_another_check_that_passes_ends_no_binding(
    session: Session, deal: Deal, laptop: Authenticator, sheet: Timesheet, rev: Actor
) -> None:
    checked(session, deal, rev, TUESDAY)
    submit(session, deal, sheet, answered(sheet, laptop))


def test_the_gig_says_so_and_the_offer_keeps_it(app: Flask, session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        assert not deal.contract.offer.same_person
        edit_gig(session, deal.client, deal.gig.public_id, replace(draft_of(deal.gig), same_person=True))
        copied = duplicate_gig(session, deal.client, deal.gig.public_id)
        assert copied.same_person
        offer = an_offer(session, deal.client, an_expert(session, "Ben Expert"), deal.gig)
        assert offer.same_person
        carla = Visitor(enter(app.test_client(), session, deal.client))
        for path in (f"/offers/{offer.public_id}", f"/gigs/{deal.gig.public_id}"):
            assert "Submitting asks for the passkey enrolled at the identity check" in words(carla.get(path))
        form = carla.get(f"/gigs/{deal.gig.public_id}/edit").text
        assert re.search(r'<input[^>]*checked[^>]*name="same_person"', form)
        assert "asks for the passkey" not in words(carla.get(f"/offers/{deal.contract.offer.public_id}"))
    session.refresh(deal.contract.offer)
    assert not same_person.asked_for(deal.contract)


def test_on_the_pages(
    app: Flask, session: Session, deal: Deal, sign_in: SignIn, rev: Actor, sheet: Timesheet
) -> None:
    path, confirming = f"/timesheets/{sheet.public_id}", f"/timesheets/{sheet.public_id}/passkey"
    with clock.at(WEDNESDAY):
        ana = Visitor(enter(app.test_client(), session, deal.expert))
        assert "Submit the week with your passkey" in words(ana.get(path))
        page = words(ana.post(f"{path}/submission", version=sheet.version))
        assert "No passkey is bound to your identity" in page
        assert (
            "Nothing that you entered is lost. If you cannot confirm, the week is submitted for you" in page
        )
        checked(session, deal, rev, WEDNESDAY)
        device = a_device(session, deal, sign_in, "my laptop")
        assert "Bind a passkey first" in words(ana.get(confirming))
        bound = ana.post(
            "/credentials/identity", answer=device.use(offered(ana.get("/credentials/identity")))
        )
        assert "This passkey is bound to your identity" in words(bound)
        page = ana.get(confirming)
        assert "This one step needs a browser with passkeys, and JavaScript" in words(page)
        answer = device.use(offered(page))
        refused = ana.post(confirming, version=sheet.version, answer="{}")
        assert "That was not the right passkey" in words(refused)
        # The challenge of the page before was spent with that try.
        refused = ana.post(confirming, version=sheet.version, answer=answer)
        assert "That was not the right passkey" in words(refused)
        done = ana.post(confirming, version=sheet.version, answer=device.use(offered(refused)))
        assert "Confirmed. The week is with the client" in words(done)
        assert "Confirmed by passkey" in words(done)
        assert "my laptop" in words(done)
        assert "submitted already" in words(ana.get(confirming))
        carla = Visitor(enter(app.test_client(), session, deal.client))
        assert "not confirmed" not in words(carla.get("/timesheets/waiting"))
        seen = words(carla.get(path))
        assert "Confirmed by passkey" in seen
        assert "my laptop" not in seen
        assert carla.get(confirming).status_code == 404


def offered(page: TestResponse) -> str:
    """The challenge on the page, as a browser reads it."""
    [options] = re.findall(r'data-options="([^"]+)"', page.text)
    asked = json.loads(html.unescape(options))
    assert asked["userVerification"] == "required"
    assert base64url_to_bytes(asked["challenge"])
    return str(asked["challenge"])


def test_a_stranger_confirms_nothing(
    session: Session, deal: Deal, laptop: Authenticator, sheet: Timesheet
) -> None:
    stranger = an_actor(session, a_person(session, "Ben Expert", Role.EXPERT))
    with pytest.raises(NotFound):
        confirm_and_submit(session, stranger, sheet.public_id, sheet.version, answered(sheet, laptop))
