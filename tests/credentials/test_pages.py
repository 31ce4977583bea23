"""The pages, as the expert, the reviewer and a stranger see them."""

from __future__ import annotations

import html
import io
import re
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.http import parse_options_header

from marketplace import clock, storage
from marketplace.actor import Actor
from marketplace.credentials import claims, reviews, types
from marketplace.credentials.models import Credential
from marketplace.credentials.states import CredentialState
from marketplace.credentials.tasks import expire
from tests.factories.accounts import enter
from tests.factories.credentials import PDF, PNG, a_claim, a_verified_credential, in_days
from tests.visitor import Visitor, words

AGREED = list(types.TYPES["us_medical_license"].agree)


def browser(client: FlaskClient, session: Session, actor: Actor) -> Visitor:
    return Visitor(enter(client, session, actor))


def test_an_expert_adds_a_licence(client: FlaskClient, session: Session, ana: Actor) -> None:
    ana_there = browser(client, session, ana)
    ana_there.get("/credentials/new/us_medical_license")
    page = ana_there.post(
        "/credentials/new/us_medical_license",
        jurisdiction="US-CA",
        identifier="a 123456",
        name_on_register="Ana Expert",
        expires_on=in_days(400).isoformat(),
        document=(io.BytesIO(PDF.data), PDF.name),
    )
    assert page.status_code == 200
    assert "Waiting for review" in words(page)
    assert "123456" not in words(page)
    assert "US medical licence, California" in words(ana_there.get("/credentials/"))


def test_an_expired_credential_names_the_day_and_the_next_step(
    client: FlaskClient, session: Session, ana: Actor, rev: Actor
) -> None:
    with clock.at(datetime(2026, 6, 1, 16, 0, tzinfo=UTC)):
        kept = a_verified_credential(session, ana, rev, expires_on=in_days(1))
    with clock.at(datetime(2026, 6, 5, 16, 0, tzinfo=UTC)):
        expire(session)
        page = words(browser(client, session, ana).get("/credentials/"))
        assert "counted until Wed 3 Jun 2026" in page
        assert "Send the renewal" in page
        page = words(browser(client, session, ana).get(f"/credentials/{kept.public_id}"))
    assert "It counted until Wed 3 Jun 2026" in page
    assert "Its last day was Tue 2 Jun 2026. Send the renewal" in page


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Диплом врача.pdf", "_ _.pdf"),
        ("Zeugnis für Ärzte.pdf", "Zeugnis fu_r A_rzte.pdf"),
        ("医師免許.pdf", "_.pdf"),
    ],
)
def test_a_document_opens_under_its_own_name_in_any_script(
    client: FlaskClient, session: Session, ana: Actor, name: str, plain: str
) -> None:
    credential = a_claim(session, ana, document=claims.Upload(name, PDF.data))
    answer = browser(client, session, ana).get(f"/credentials/{credential.public_id}/document")
    assert (answer.status_code, answer.data) == (200, PDF.data)
    _kind, options = parse_options_header(answer.headers["Content-Disposition"])
    assert options == {"filename": name}
    assert f'filename="{plain}"' in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("left", [b"", b"short", b"x" * 200])
def test_a_damaged_document_is_not_found(
    client: FlaskClient, session: Session, ana: Actor, left: bytes
) -> None:
    credential = a_claim(session, ana, document=PDF)
    assert credential.document is not None
    storage.path_of(credential.document.public_id).write_bytes(left)
    answer = browser(client, session, ana).get(f"/credentials/{credential.public_id}/document")
    assert answer.status_code == 404
    assert "This document is damaged" in words(answer)


def test_a_mistyped_number_is_told(client: FlaskClient, session: Session, ana: Actor) -> None:
    ana_there = browser(client, session, ana)
    page = ana_there.post("/credentials/new/us_npi", identifier="1234567890", name_on_register="Ana Expert")
    assert page.status_code == 422
    assert "check digit does not fit" in words(page)
    assert "choose it again" not in words(page), "this kind asks for no file"
    assert "Issued in" not in words(page)


def test_the_queue_and_the_board_go_on_until_their_end(
    client: FlaskClient, session: Session, ana: Actor, rev: Actor
) -> None:
    waiting = [a_claim(session, ana) for _n in range(52)]
    # Several end on one day, and that day lies across the end of a page.
    ending = [a_verified_credential(session, ana, rev, expires_on=in_days(9 + n // 7)) for n in range(53)]
    reviewer = browser(client, session, rev)
    for path, all_of in (("/credentials/queue", waiting), ("/credentials/expiring?within=60", ending)):
        numbers = [str(each.identifier_mask) for each in all_of]
        first = reviewer.get(path)
        if all_of is ending:
            assert "Within 30 days 53 Within 60 days 53 Within 90 days 53" in words(first)
        assert f"{len(all_of)} {'wait in all' if all_of is waiting else 'in all'}" in words(first)
        further = re.search(r'rel="next"\s+href="([^"]+)"', first.text)
        assert further
        second = reviewer.get(html.unescape(further.group(1)))
        assert 'rel="next"' not in second.text
        seen = [mask for page in (first, second) for mask in re.findall(r'class="sub">([^<]+)', page.text)]
        assert seen == numbers


def test_a_file_that_the_browser_forgets_is_asked_for_again(
    client: FlaskClient, session: Session, ana: Actor
) -> None:
    ana_there = browser(client, session, ana)
    page = ana_there.post("/credentials/new/us_medical_license", identifier="", name_on_register="Ana E.")
    assert "If you had chosen a file, choose it again" in words(page)
    assert 'value="Ana E."' in page.text


@pytest.mark.parametrize("kind", types.ALL, ids=lambda kind: kind.code)
def test_every_kind_has_its_form(client: FlaskClient, session: Session, ana: Actor, kind: object) -> None:
    assert browser(client, session, ana).get(f"/credentials/new/{kind.code}").status_code == 200  # type: ignore[attr-defined]


def test_the_reviewer_sees_the_number_only_while_it_is_in_their_hands(
    client: FlaskClient, session: Session, ana: Actor, rev: Actor
) -> None:
    credential = a_claim(session, ana, identifier="A 7654321", document=PNG)
    path = f"/credentials/{credential.public_id}"
    rev_there = browser(client, session, rev)
    assert "A 7654321" not in words(rev_there.get(f"{path}/review"))
    assert rev_there.get(f"{path}/document").status_code == 404
    page = rev_there.post(f"{path}/claim")
    assert "A 7654321" in words(page)
    paper = rev_there.client.get(f"{path}/document?inline=1")
    assert paper.data == PNG.data
    assert paper.headers["Content-Disposition"].startswith("inline")
    assert "sandbox" in paper.headers["Content-Security-Policy"]


def test_the_expert_sees_who_opened_their_document(
    client: FlaskClient, session: Session, ana: Actor, rev: Actor
) -> None:
    credential = a_claim(session, ana, document=PDF)
    path = f"/credentials/{credential.public_id}"
    assert "Who opened your document" not in words(browser(client, session, ana).get(path))
    rev_there = browser(client, session, rev)
    rev_there.post(f"{path}/claim")
    rev_there.client.get(f"{path}/document")
    page = words(browser(client, session, ana).get(path))
    assert "A reviewer" in page[page.index("Who opened your document") :]


def test_a_pdf_is_never_shown_in_the_page(client: FlaskClient, session: Session, ana: Actor) -> None:
    credential = a_claim(session, ana, document=PDF)
    paper = browser(client, session, ana).get(f"/credentials/{credential.public_id}/document?inline=1")
    assert paper.headers["Content-Disposition"].startswith("attachment")


def test_a_reviewer_verifies(client: FlaskClient, session: Session, ana: Actor, rev: Actor) -> None:
    credential = a_claim(session, ana)
    path = f"/credentials/{credential.public_id}"
    rev_there = browser(client, session, rev)
    rev_there.post(f"{path}/claim")
    told = {
        "attest-source_url": "https://www.docinfo.org/",
        "attest-source_as_of": in_days(0).isoformat(),
        "attest-valid_to": in_days(365).isoformat(),
    }
    page = rev_there.post(f"{path}/attestation", **told, **{"attest-agreed": AGREED[1:]})
    assert page.status_code == 422
    assert "The number is the one that was claimed" in words(page)
    page = rev_there.post(f"{path}/attestation", **told, **{"attest-agreed": AGREED})
    assert "It is verified." in words(page)
    session.refresh(credential)
    assert credential.state is CredentialState.VERIFIED


def test_a_rejection_reaches_the_expert_with_its_reason(
    client: FlaskClient, session: Session, ana: Actor, rev: Actor
) -> None:
    credential = a_claim(session, ana)
    path = f"/credentials/{credential.public_id}"
    rev_there = browser(client, session, rev)
    rev_there.post(f"{path}/claim")
    rev_there.post(
        f"{path}/rejection",
        **{
            "reject-reason_code": "name_differs",
            "reject-explanation": "The board shows Anna Expertowicz under it.",
        },
    )
    page = browser(client, session, ana).get(path)
    assert "Anna Expertowicz" in words(page)
    assert "appeal if it is wrong" in words(page)


def test_a_question_and_its_answer(client: FlaskClient, session: Session, ana: Actor, rev: Actor) -> None:
    credential = a_claim(session, ana)
    path = f"/credentials/{credential.public_id}"
    rev_there = browser(client, session, rev)
    rev_there.post(f"{path}/claim")
    rev_there.post(f"{path}/question", **{"ask-question": "Is that your maiden name?"})
    ana_there = browser(client, session, ana)
    assert "Is that your maiden name?" in words(ana_there.get(path))
    answered = {"answer": "Yes, until 2019.", "expires_on": in_days(365).isoformat()}
    assert ana_there.post(f"{path}/again", **answered).status_code == 200
    page = browser(client, session, rev).post(f"{path}/claim")
    assert "Yes, until 2019." in words(page)


def test_what_changed_at_the_source_is_recorded(
    client: FlaskClient, session: Session, ana: Actor, rev: Actor
) -> None:
    credential = a_verified_credential(session, ana, rev, expires_on=in_days(20))
    rev_there = browser(client, session, rev)
    assert "Ana Expert" in words(rev_there.get("/credentials/expiring"))
    path = f"/credentials/{credential.public_id}/lapse"
    assert rev_there.get(path).status_code == 200
    page = rev_there.post(
        path,
        standing="suspended",
        source_url="https://www.docinfo.org/",
        explanation="The board suspended it on 2 November.",
    )
    assert "Suspended" in words(page)


def test_the_queue_shows_the_oldest_first_and_not_ones_own(
    client: FlaskClient, session: Session, ana: Actor, kim: Actor
) -> None:
    a_claim(session, kim, identifier="A 881111")
    a_claim(session, ana, identifier="A 882222")
    a_claim(session, ana, "us_npi", identifier="1234567893")
    page = words(browser(client, session, kim).get("/credentials/queue"))
    assert "1111" not in page
    assert page.index("2222") < page.index("7893")


def paths(credential: Credential) -> list[str]:
    return [
        f"/credentials/{credential.public_id}{end}"
        for end in ("", "/again", "/document", "/review", "/lapse")
    ]


def test_a_stranger_finds_nothing(client: FlaskClient, session: Session, ana: Actor, ben: Actor) -> None:
    credential = a_claim(session, ana, document=PDF)
    ben_there = browser(client, session, ben)
    assert {ben_there.get(path).status_code for path in paths(credential)} == {404}
    assert ben_there.post(f"/credentials/{credential.public_id}/withdrawal").status_code == 404


def test_withdrawing(client: FlaskClient, session: Session, ana: Actor) -> None:
    credential = a_claim(session, ana)
    page = browser(client, session, ana).post(f"/credentials/{credential.public_id}/withdrawal")
    assert "Withdrawn" in words(page)


def test_a_second_look_after_an_appeal_is_not_in_the_first_reviewers_queue(
    client: FlaskClient, session: Session, ana: Actor, rev: Actor
) -> None:
    from marketplace.credentials import lapses

    credential = a_claim(session, ana, identifier="A 3333")
    reviews.claim_review(session, rev, credential.public_id)
    reviews.reject(session, rev, credential.public_id, "name_differs", "Another name is shown there.")
    lapses.reopen(session, rev, credential.public_id)
    assert "3333" not in words(browser(client, session, rev).get("/credentials/queue"))


def test_sent_again_while_it_counts(client: FlaskClient, session: Session, ana: Actor, rev: Actor) -> None:
    credential = a_verified_credential(session, ana, rev)
    claims.resubmit_credential(session, ana, credential.public_id)
    page = words(browser(client, session, ana).get("/credentials/"))
    assert "counts until" in page
    assert "Waiting for review" in page


def test_from_advice_straight_to_the_renewal(
    client: FlaskClient, session: Session, ana: Actor, rev: Actor
) -> None:
    kept = a_verified_credential(session, ana, rev)
    there = browser(client, session, ana)
    path = f"/credentials/held/{kept.type}"
    for place in ("", f"?place={kept.jurisdiction}"):
        assert there.client.get(path + place).location == f"/credentials/{kept.public_id}/again"
    for other in (f"{path}?place=US-NY", "/credentials/held/us_npi", "/credentials/held/nothing"):
        assert there.client.get(other).location == "/credentials/"
    claims.withdraw_credential(session, ana, kept.public_id)
    assert there.client.get(path).location == "/credentials/"
