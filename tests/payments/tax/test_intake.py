"""Handing in forms: what is asked, what is refused, what is kept and what nobody sees."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.audit.models import AuditEvent
from marketplace.errors import FreshFactorNeeded, Invalid, NotAllowed, Refused
from marketplace.notifications.models import Notification
from marketplace.payments import taxforms
from marketplace.payments.tax import certifications, intake, notices, numbers, office, standing
from marketplace.payments.tax.intake import hand_in_w8ben, hand_in_w9
from marketplace.payments.tax.models import TaxForm
from marketplace.payments.tax.states import Classification, FormState, NumberKind
from tests.factories.accounts import enter
from tests.factories.gigs import an_expert
from tests.factories.payments import finance
from tests.payments.tax.conftest import W8BEN_TYPED, W9_TYPED, Mode, a_w8ben, a_w9
from tests.visitor import Visitor, words

NOW = datetime(2026, 9, 4, 12, tzinfo=UTC)


@pytest.fixture
def ana(session: Session) -> Actor:
    return an_expert(session, "Ana Silva")


def test_a_w9_counts_at_once_and_until_it_is_replaced(session: Session, ana: Actor) -> None:
    assert taxforms.due(session, ana.id) is not None
    first = a_w9(session, ana)
    assert taxforms.due(session, ana.id) is None
    assert (first.number_end, first.valid_until) == ("4399", None)
    second = a_w9(session, ana, number_kind=NumberKind.EIN, number="91-1144442")
    session.refresh(first)
    assert (first.state, second.state) == (FormState.REPLACED, FormState.ACCEPTED)


@pytest.mark.parametrize("rate", ["\u00b2", "30.5", "-1", "1e1", "", "٣", "10.12345"])
def test_a_treaty_rate_is_a_plain_number_up_to_thirty(session: Session, ana: Actor, rate: str) -> None:
    treaty = {"treaty_article": "12", "treaty_income": "pay", "treaty_why": "resident"}
    with pytest.raises(Invalid, match="rate of the treaty"):
        a_w8ben(session, ana, claims=True, treaty_rate=rate, **treaty)
    assert a_w8ben(session, ana, claims=True, treaty_rate="12.5 %", **treaty).state is FormState.ACCEPTED


def test_a_w8ben_runs_to_the_end_of_the_third_year(session: Session, ana: Actor) -> None:
    with clock.at(NOW):
        form = a_w8ben(session, ana)
    assert form.valid_until == date(2029, 12, 31)
    with clock.at(datetime(2029, 12, 31, 18, tzinfo=UTC)):
        assert taxforms.due(session, ana.id) is None
    with clock.at(datetime(2030, 1, 1, 18, tzinfo=UTC)):
        missing = taxforms.due(session, ana.id)
    assert missing is not None
    assert "ran out on" in missing.sentence


@given(st.dates(date(2000, 1, 1), date(2200, 1, 1)))
def test_the_last_day_is_always_the_end_of_the_third_year_after(day: date) -> None:
    last = intake.last_day(day)
    assert (last.year - day.year, last.month, last.day) == (3, 12, 31)


@pytest.mark.parametrize(
    ("kind", "number", "good"),
    [
        (NumberKind.SSN, "536 90 4399", True),
        (NumberKind.SSN, "000-12-3456", False),
        (NumberKind.SSN, "078-05-1120", False),
        (NumberKind.SSN, "111-11-1111", False),
        (NumberKind.SSN, "53690439", False),
        (NumberKind.EIN, "91-1144442", True),
        (NumberKind.EIN, "07-1144442", False),
        (NumberKind.ITIN, "912-90-3456", True),
        (NumberKind.ITIN, "123-45-6789", False),
        (NumberKind.ATIN, "912-93-3456", True),
        (NumberKind.ATIN, "123-45-6789", False),
    ],
)
def test_formats_of_us_numbers(kind: NumberKind, number: str, good: bool) -> None:
    if good:
        assert numbers.us_number(kind, number).isdigit()
    else:
        with pytest.raises(Invalid):
            numbers.us_number(kind, number)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"signature": "Somebody Else"}, "signature"),
        ({"number": "000-00-0000"}, "number"),
        ({"number_kind": NumberKind.FOREIGN}, "number_kind"),
        ({"classification": Classification.C_CORPORATION}, "number_kind"),
        ({"name": "  "}, "name"),
    ],
)
def test_what_a_w9_refuses(session: Session, ana: Actor, changed: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        hand_in_w9(session, ana, replace(W9_TYPED, **changed))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"citizenship": "US"}, "citizenship"),
        ({"country": "US"}, "country"),
        ({"outside_us": False}, "outside_us"),
        ({"number": ""}, "number"),
        ({"claims": True, "treaty_rate": "40"}, "treaty_rate"),
        ({"claims": True, "treaty_rate": "0"}, "treaty_article"),
        ({"born_on": date(2025, 1, 1)}, "born_on"),
        ({"us_kind": NumberKind.ITIN, "us_number": "123"}, "number"),
    ],
)
def test_what_a_w8ben_refuses(session: Session, ana: Actor, changed: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        hand_in_w8ben(session, ana, replace(W8BEN_TYPED, **changed))
    assert refused.value.field == field


def test_a_reason_stands_for_a_foreign_number(session: Session, ana: Actor) -> None:
    form = a_w8ben(session, ana, number="", no_number="My country issues none.")
    assert (form.number_kind, form.number) == (NumberKind.NONE, None)


def test_in_mode_external_nothing_is_asked_and_nothing_kept(
    session: Session, ana: Actor, mode: Mode, app
) -> None:
    mode("external", "external")
    assert taxforms.due(session, ana.id) is None
    with pytest.raises(Refused):
        a_w9(session, ana)
    page = Visitor(enter(app.test_client(), session, ana))
    assert page.get("/pay/tax/w-9").status_code == 404
    assert "no tax number is stored" in words(page.get("/pay/tax"))
    assert standing.missing(session, [ana.id]) == set()


def test_the_number_is_encrypted_and_what_was_signed_never_changes(session: Session, ana: Actor) -> None:
    form = a_w9(session, ana)
    session.commit()
    number, details = session.execute(
        sa.text("SELECT number, details FROM tax_forms WHERE id = :id"), {"id": form.id}
    ).one()
    assert b"536904399" not in bytes(number) + bytes(details)
    assert b"Albany" not in bytes(details)
    for change in ("signed_name = 'x'", "number_end = '0000'", "valid_until = now()"):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(sa.text(f"UPDATE tax_forms SET {change} WHERE id = :id"), {"id": form.id})


def test_only_finance_with_a_fresh_factor_sees_the_number_and_that_is_audited(
    session: Session, ana: Actor
) -> None:
    form, desk = a_w9(session, ana), finance(session)
    with pytest.raises(NotAllowed):
        office.reveal(session, ana, form.public_id)
    with pytest.raises(FreshFactorNeeded):
        office.reveal(session, replace(desk.fin, second_factor_at=None), form.public_id)
    assert office.reveal(session, desk.fin, form.public_id).number == "536904399"
    looked = session.scalars(sa.select(AuditEvent).filter_by(verb="reveal")).one()
    assert (looked.person_id, looked.subject_id) == (desk.fin.id, form.public_id)


def test_a_refused_form_is_missing_again_and_the_expert_reads_why(session: Session, ana: Actor) -> None:
    form, desk = a_w9(session, ana), finance(session)
    with pytest.raises(Invalid):
        office.refuse_form(session, desk.fin, form.public_id, " ")
    office.refuse_form(session, desk.fin, form.public_id, "The name does not match the number.")
    missing = taxforms.due(session, ana.id)
    assert missing is not None
    assert "does not match" in missing.sentence
    assert "does not match" in session.scalars(sa.select(Notification).filter_by(person_id=ana.id)).one().body


def test_the_certification_is_frozen() -> None:
    """A version is never edited. New words get a new one, and a line here."""
    text = {
        name: hashlib.sha256("\n".join(each).encode()).hexdigest()[:12]
        for name, each in certifications.TEXTS.items()
    }
    assert text == {"w9-2024-03": "ce5b5633e3c1", "w8ben-2021-10": "72af06388d0d"}


def test_an_expert_is_told_once_at_each_step(session: Session, ana: Actor) -> None:
    with clock.at(NOW):
        a_w8ben(session, ana)
    last = datetime(2029, 12, 31, 18, tzinfo=UTC)
    told = []
    for days in (61, 60, 59, 30, 29, 7, 6, 0, -1, -2):
        with clock.at(last - timedelta(days=days)):
            told.append(notices.warn(session))
    assert told == [0, 1, 0, 1, 0, 1, 0, 0, 1, 0]
    titles = session.scalars(sa.select(Notification.title).filter_by(person_id=ana.id)).all()
    assert [("ran out" in each) for each in titles] == [False, False, False, True]


def test_who_comes_late_is_told_once(session: Session, ana: Actor) -> None:
    with clock.at(NOW):
        a_w8ben(session, ana)
    with clock.at(datetime(2029, 12, 28, 18, tzinfo=UTC)):
        assert [notices.warn(session), notices.warn(session)] == [1, 0]


def test_an_expert_hands_in_both_forms_in_the_pages(session: Session, ana: Actor, app) -> None:
    page = Visitor(enter(app.test_client(), session, ana))
    assert "A tax form (W-9) is missing" in words(page.get("/pay/tax"))
    page.get("/pay/tax/w-9")
    fields = {
        "name": ana.name, "classification": "individual", "street": "1 Main Street", "city": "Albany NY",
        "country": "US", "number_kind": "ssn", "number": "536904399", "signature": ana.name,
    }  # fmt: skip
    assert "the form is not signed" in words(page.post("/pay/tax/w-9", **fields))
    told = words(page.post("/pay/tax/w-9", **fields, certify="y"))
    assert "••• 4399" in told
    assert "536904399" not in told
    page.get("/pay/tax/w-8ben")
    fields = {
        "name": ana.name, "citizenship": "PT", "street": "Rua do Sol", "city": "Lisboa", "country": "PT",
        "born_on": "1985-04-03", "number": "PT501442600", "claims": "no", "outside_us": "y",
        "signature": ana.name, "certify": "y",
    }  # fmt: skip
    assert "W-8BEN" in words(page.post("/pay/tax/w-8ben", **fields))
    assert len(standing.history(session, ana.id)) == 2


def test_the_desk_shows_forms_masked(session: Session, ana: Actor, app) -> None:
    form, desk = a_w9(session, ana), finance(session)
    page = Visitor(enter(app.test_client(), session, desk.fin))
    assert "••• 4399" in words(page.get("/tax"))
    shown = page.get(f"/tax/forms/{form.public_id}")
    assert "536904399" not in shown.text
    assert "Albany" not in shown.text
    shown = page.post(f"/tax/forms/{form.public_id}/number")
    assert "536904399" in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    told = words(page.post(f"/tax/forms/{form.public_id}/refusal", reason="Another number."))
    assert "Another number." in told
    assert session.scalars(sa.select(TaxForm)).one().state is FormState.REFUSED


def test_strangers_find_no_form(session: Session, ana: Actor, app) -> None:
    form = a_w9(session, ana)
    ben = Visitor(enter(app.test_client(), session, an_expert(session, "Ben Stranger")))
    assert ben.get(f"/tax/forms/{form.public_id}").status_code == 404
    assert "4399" not in words(ben.get("/pay/tax"))
