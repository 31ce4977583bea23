"""What an expert may claim, and what is refused with a sentence beside the input."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, settings
from marketplace.accounts import limits
from marketplace.actor import Actor
from marketplace.credentials import claims, gate, hooks, reviews
from marketplace.credentials.gate import Requirement, Verdict
from marketplace.credentials.models import Attestation
from marketplace.credentials.states import CredentialState
from marketplace.errors import Invalid, NotAllowed, NotFound, TooMany
from tests.factories.credentials import PDF, a_claim, a_verified_credential, in_days

LICENCE = Requirement("us_medical_license", "US-CA", 4, 120)


def test_a_claim_waits_and_counts_for_nothing(session: Session, ana: Actor) -> None:
    credential = a_claim(session, ana)
    holding = gate.holds(session, ana.id, LICENCE, clock.now())
    assert credential.state is CredentialState.NEEDS_REVIEW
    assert holding.verdict is Verdict.UNKNOWN
    assert gate.valid_intervals(session, ana.id, LICENCE) == []


def test_the_number_is_sealed_and_masked(session: Session, ana: Actor) -> None:
    credential = a_claim(session, ana, identifier="a  9876543")
    row = session.execute(
        sa.text("SELECT identifier, identifier_mask FROM credentials WHERE id = :id"), {"id": credential.id}
    ).one()
    session.refresh(credential)
    assert credential.identifier == "A 9876543"
    assert b"9876543" not in bytes(row.identifier)
    assert row.identifier_mask == "•••••6543"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "wizardry"}, "type"),
        ({"jurisdiction": "US-ZZ"}, "jurisdiction"),
        ({"identifier": "none"}, "identifier"),
        ({"expires_on": in_days(-2)}, "expires_on"),
        ({"document": claims.Upload("x.html", b"<script>")}, "document"),
        ({"type": "us_npi", "identifier": "1234567890"}, "identifier"),
        ({"type": "press_card_uk"}, "document"),
    ],
)
def test_what_cannot_be_claimed(session: Session, ana: Actor, change: dict, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        a_claim(session, ana, **change)
    assert refusal.value.field == field


def stored() -> set[Path]:
    """The files of all documents."""
    return set((settings.current().data / "documents").glob("*/*"))


def test_of_a_claim_that_is_refused_no_file_is_left(session: Session, ana: Actor, ben: Actor) -> None:
    a_claim(session, ben, "us_npi", jurisdiction=None, identifier="1234567893", document=PDF)
    before = stored()
    with pytest.raises(Invalid, match="on the site already"):
        a_claim(session, ana, "us_npi", jurisdiction=None, identifier="1234567893", document=PDF)
    assert stored() == before


def test_documents_are_limited_for_each_person_and_refused_ones_count(
    session: Session, ana: Actor, ben: Actor
) -> None:
    first = a_claim(session, ana, document=PDF)
    for _n in range(limits.DOCUMENTS.most - 1):
        with pytest.raises(Invalid):
            a_claim(session, ana, document=claims.Upload("x.html", b"<script>"))
    with pytest.raises(TooMany):
        a_claim(session, ana, document=PDF)
    with pytest.raises(TooMany):
        claims.resubmit_credential(session, ana, first.public_id, document=PDF)
    assert a_claim(session, ana)
    assert a_claim(session, ben, document=PDF)


def test_a_last_day_and_a_name_are_needed(session: Session, ana: Actor) -> None:
    with pytest.raises(Invalid) as refusal:
        claims.submit_credential(session, ana, "us_medical_license", "US-CA", "A 1234", ana.name, None)
    assert refusal.value.field == "expires_on"
    with pytest.raises(Invalid) as refusal:
        claims.submit_credential(session, ana, "us_medical_license", "US-CA", "A 1234", "\u200b ", in_days(9))
    assert refusal.value.field == "name_on_register"


def test_nobody_lists_under_a_number_that_is_claimed(session: Session, ana: Actor, ben: Actor) -> None:
    first = a_claim(session, ana, identifier="A 5555")
    with pytest.raises(Invalid) as refusal:
        a_claim(session, ben, identifier="a-5555")
    assert refusal.value.field == "identifier"
    claims.withdraw_credential(session, ana, first.public_id)
    assert a_claim(session, ben, identifier="A5555").person_id == ben.id


def test_only_experts_claim_and_only_their_own(session: Session, ana: Actor, ben: Actor, rev: Actor) -> None:
    with pytest.raises(NotAllowed):
        a_claim(session, rev)
    credential = a_claim(session, ana)
    with pytest.raises(NotFound):
        claims.withdraw_credential(session, ben, credential.public_id)


def test_withdrawing_keeps_what_counted(session: Session, ana: Actor, rev: Actor) -> None:
    credential = a_verified_credential(session, ana, rev)
    later = clock.now() + timedelta(hours=3)
    with clock.at(later):
        claims.withdraw_credential(session, ana, credential.public_id)
    [(start, end)] = gate.valid_intervals(session, ana.id, LICENCE)
    assert start < end == later


def test_sending_again_keeps_what_counts(session: Session, ana: Actor, rev: Actor) -> None:
    credential = a_verified_credential(session, ana, rev, expires_on=in_days(20))
    claims.resubmit_credential(session, ana, credential.public_id, expires_on=in_days(700), document=PDF)
    assert credential.state is CredentialState.NEEDS_REVIEW
    assert gate.holds(session, ana.id, LICENCE, clock.now()).verdict is Verdict.PASS


def test_a_question_has_to_be_answered(session: Session, ana: Actor, rev: Actor) -> None:
    credential = a_claim(session, ana)
    reviews.claim_review(session, rev, credential.public_id)
    reviews.request_info(session, rev, credential.public_id, "Is this your maiden name?")
    with pytest.raises(Invalid):
        claims.resubmit_credential(session, ana, credential.public_id)
    claims.resubmit_credential(session, ana, credential.public_id, answer="Yes, until 2019.")
    assert (credential.state, credential.answer) == (CredentialState.NEEDS_REVIEW, "Yes, until 2019.")


def test_those_who_want_to_know_are_told_in_the_same_transaction(
    session: Session, ana: Actor, rev: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(hooks, "changed", [lambda session, person_id: told.append(person_id)])
    a_verified_credential(session, ana, rev)
    assert told == [ana.id, ana.id]


def test_the_automatic_check_claims_no_more_than_typing(session: Session, ana: Actor) -> None:
    credential = a_claim(session, ana)
    [check] = session.scalars(sa.select(Attestation).filter_by(credential_id=credential.id))
    assert (check.method, check.level, check.fields_agreed) == ("A", 1, [])
