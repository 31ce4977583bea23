"""Reviewers: leases, agreement, reasons, and the ways in which nobody decides about themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, reasons
from marketplace.actor import Actor, Role
from marketplace.credentials import gate, lapses, reviews, types
from marketplace.credentials.gate import Requirement, Verdict
from marketplace.credentials.models import Credential
from marketplace.credentials.states import CredentialState, Standing
from marketplace.errors import Invalid, NotAllowed, Refused
from tests.factories.accounts import a_person, an_actor
from tests.factories.credentials import PDF, a_claim, a_verified_credential, attested, in_days

LICENCE = Requirement("us_medical_license", "US-CA", 4, 120)
SOURCE = "https://www.docinfo.org/"
WHY = "The board lists somebody else under this number."
AGREED = types.TYPES["us_medical_license"].agree


def verdict(session: Session, ana: Actor) -> Verdict:
    return gate.holds(session, ana.id, LICENCE, clock.now()).verdict


def attest_with(session: Session, rev: Actor, credential: Credential, **change: object) -> None:
    asked = {
        "source_url": SOURCE, "source_as_of": in_days(0), "fields_agreed": AGREED, "valid_to": in_days(300),
    }  # fmt: skip
    reviews.claim_review(session, rev, credential.public_id)
    reviews.attest(session, rev, credential.public_id, **{**asked, **change})


def test_verified_at_the_primary_source(session: Session, ana: Actor, rev: Actor) -> None:
    credential = a_claim(session, ana, document=PDF)
    attestation = attested(session, rev, credential)
    assert credential.state is CredentialState.VERIFIED
    assert (attestation.level, attestation.reviewer_person_id) == (4, rev.id)
    assert attestation.evidence_sha256 == credential.document.sha256
    assert verdict(session, ana) is Verdict.PASS


def test_the_document_alone_is_level_two(session: Session, ana: Actor, rev: Actor) -> None:
    credential = a_claim(session, ana, document=PDF)
    assert attested(session, rev, credential, source_url=None).level == 2
    assert verdict(session, ana) is Verdict.FAIL


def test_nothing_is_verified_that_nobody_looked_at(session: Session, ana: Actor, rev: Actor) -> None:
    credential = a_claim(session, ana)
    with pytest.raises(Invalid, match="say where you looked it up"):
        attested(session, rev, credential, source_url=None)


@pytest.mark.parametrize("missing", AGREED)
def test_all_has_to_agree_the_name_above_all(session: Session, ana: Actor, rev: Actor, missing: str) -> None:
    with pytest.raises(Refused):
        attest_with(session, rev, a_claim(session, ana), fields_agreed=set(AGREED) - {missing})


@pytest.mark.parametrize(
    "change",
    [
        {"status_at_source": Standing.INACTIVE},
        {"conditions": "Supervised practice only"},
        {"valid_to": None},
        {"valid_to": in_days(-2)},
        {"source_as_of": in_days(-121)},
        {"source_as_of": in_days(3)},
        {"source_url": "javascript:alert(1)"},
    ],
)
def test_what_cannot_be_attested(session: Session, ana: Actor, rev: Actor, change: dict) -> None:
    credential = a_claim(session, ana)
    with pytest.raises((Invalid, Refused)):
        attest_with(session, rev, credential, **change)
    session.refresh(credential)
    assert credential.state is CredentialState.NEEDS_REVIEW


def test_a_lease_keeps_colleagues_away_for_half_an_hour(
    session: Session, ana: Actor, rev: Actor, kim: Actor
) -> None:
    credential = a_claim(session, ana)
    reviews.claim_review(session, rev, credential.public_id)
    with pytest.raises(Refused):
        reviews.claim_review(session, kim, credential.public_id)
    with clock.at(clock.now() + timedelta(minutes=31)):
        with pytest.raises(Refused):
            reviews.release_review(session, rev, credential.public_id)
        assert reviews.claim_review(session, kim, credential.public_id).claimed_by == kim.id


def test_a_released_one_is_free_at_once(session: Session, ana: Actor, rev: Actor, kim: Actor) -> None:
    credential = a_claim(session, ana)
    reviews.claim_review(session, rev, credential.public_id)
    reviews.release_review(session, rev, credential.public_id)
    assert reviews.claim_review(session, kim, credential.public_id).claimed_by == kim.id


def test_nobody_reviews_their_own(session: Session, kim: Actor) -> None:
    credential = a_claim(session, kim)
    with pytest.raises(Refused):
        reviews.claim_review(session, kim, credential.public_id)


def test_an_expert_reviews_nothing(session: Session, ana: Actor, ben: Actor) -> None:
    with pytest.raises(NotAllowed):
        reviews.claim_review(session, ben, a_claim(session, ana).public_id)


def test_rejecting_says_why_and_ends_what_counted(session: Session, ana: Actor, rev: Actor) -> None:
    credential = a_verified_credential(session, ana, rev)
    from marketplace.credentials import claims

    claims.resubmit_credential(session, ana, credential.public_id)
    reviews.claim_review(session, rev, credential.public_id)
    reviews.reject(session, rev, credential.public_id, "name_differs", WHY, SOURCE)
    statement = reasons.about(session, "credential", credential.public_id)
    assert statement is not None
    assert (statement.decision, statement.person_id, statement.explanation) == ("rejected", ana.id, WHY)
    assert verdict(session, ana) is Verdict.FAIL


@pytest.mark.parametrize(("reason", "why"), [("magic", WHY), ("name_differs", "")])
def test_no_rejection_without_a_reason(
    session: Session, ana: Actor, rev: Actor, reason: str, why: str
) -> None:
    credential = a_claim(session, ana)
    reviews.claim_review(session, rev, credential.public_id)
    with pytest.raises(Invalid):
        reviews.reject(session, rev, credential.public_id, reason, why)


@pytest.mark.parametrize(
    ("standing", "state"),
    [
        (Standing.CONDITIONS, CredentialState.SUSPENDED),
        (Standing.SUSPENDED, CredentialState.SUSPENDED),
        (Standing.REVOKED, CredentialState.REVOKED),
    ],
)
def test_a_source_that_changes_its_mind_ends_it_from_then_on(
    session: Session, ana: Actor, rev: Actor, standing: Standing, state: CredentialState
) -> None:
    credential = a_verified_credential(session, ana, rev)
    later = clock.now() + timedelta(days=2)
    with clock.at(later):
        lapses.record_lapse(session, rev, credential.public_id, standing, WHY, SOURCE)
        assert verdict(session, ana) is Verdict.FAIL
    assert credential.state is state
    [(_start, end)] = gate.valid_intervals(session, ana.id, LICENCE)
    assert end == later


def test_an_upheld_appeal_brings_another_reviewer(
    session: Session, ana: Actor, rev: Actor, kim: Actor, opa: Actor
) -> None:
    from marketplace.credentials import tasks  # noqa: F401 (an upheld appeal reopens)

    credential = a_claim(session, ana)
    reviews.claim_review(session, rev, credential.public_id)
    reviews.reject(session, rev, credential.public_id, "name_differs", WHY)
    statement = reasons.about(session, "credential", credential.public_id)
    assert statement is not None
    made = reasons.appeal(session, ana, statement.public_id, "It is my name since I married in 2019.")
    reasons.decide(session, opa, made.public_id, "upheld", "The marriage certificate settles it.")
    session.refresh(credential)
    assert credential.state is CredentialState.NEEDS_REVIEW
    with pytest.raises(Refused):
        reviews.claim_review(session, rev, credential.public_id)
    assert attested(session, kim, credential).reviewer_person_id == kim.id


def refused(session: Session, statement: str, **values: object) -> str:
    with pytest.raises(DBAPIError) as refusal, session.begin_nested():
        session.execute(sa.text(statement), values)
    return str(refusal.value.orig)


def test_the_database_keeps_attestations_as_they_are(session: Session, ana: Actor, rev: Actor) -> None:
    credential = a_verified_credential(session, ana, rev)
    assert "permission denied" in refused(session, "UPDATE attestations SET level = 4")
    assert "permission denied" in refused(session, "DELETE FROM attestations")
    assert "nobody attests their own" in refused(
        session,
        "INSERT INTO attestations (public_id, credential_id, method, source, looked_at, reviewer_person_id, "
        "fields_agreed, status_at_source, valid_from, level) VALUES (gen_random_uuid(), :id, 'H', 'x', "
        "clock_timestamp(), :person, '{name}', 'active', clock_timestamp(), 2)",
        id=credential.id, person=ana.id,
    )  # fmt: skip


def test_the_database_verifies_nothing_without_an_attestation(session: Session, ana: Actor) -> None:
    credential = a_claim(session, ana)
    message = refused(session, "UPDATE credentials SET state = 'verified' WHERE id = :id", id=credential.id)
    assert "by an attestation only" in message


def test_even_the_owner_of_the_tables_changes_no_attestation(committed) -> None:
    with committed.session() as session:
        ana = an_actor(session, a_person(session, "Ana Expert", Role.EXPERT))
        rev = an_actor(session, a_person(session, "Rev Reviewer", Role.REVIEWER))
        a_verified_credential(session, ana, rev)
    with committed.owner() as owner:
        assert "append-only" in refused(owner, "UPDATE attestations SET level = 4")
