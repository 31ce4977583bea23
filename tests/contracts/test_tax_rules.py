"""Who bears which tax on our fee: the rule, the numbers, and what a client says until it counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.fees import offering
from marketplace.contracts.states import OfferState
from marketplace.contracts.taxes import queries, words
from marketplace.contracts.taxes.deciding import Seller, decide, in_force
from marketplace.contracts.taxes.models import Basis, TaxProfile, TaxRate
from marketplace.contracts.taxes.numbers import checked
from marketplace.contracts.taxes.profiles import ProfileDraft, confirm_profile, refuse_profile, say_where
from marketplace.errors import Invalid, NotAllowed, NotFound
from marketplace.notifications.models import Notification
from tests.factories.accounts import enter
from tests.factories.contracts import FEE_BPS, MONDAY, Deal, a_deal
from tests.factories.payments import Finance, finance
from tests.factories.taxes import OUR_NUMBER, a_place, a_rate, registered
from tests.visitor import Visitor
from tests.visitor import words as read

FREE = date(2026, 6, 15)
DAY = timedelta(days=1)
GERMAN, AMERICAN = Seller("DE", "", OUR_NUMBER), Seller("US", "NY", "")
NOBODY = Seller("", "", "")
FRENCH = "FR40303265045"


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


@pytest.fixture
def desk(session: Session) -> Finance:
    with clock.at(MONDAY):
        return finance(session)


def a_tax(country: str, bps: int | None, region: str = "", on: date = FREE) -> TaxRate:
    return TaxRate(country=country, region=region, name="VAT", rate_bps=bps, from_on=on)


def a_buyer(country: str, vat_id: str | None = None, region: str = "", business: bool = True) -> TaxProfile:
    return TaxProfile(country=country, region=region, business=business, vat_id=vat_id)


RATES = [a_tax("DE", 1_900), a_tax("US", 887, "NY"), a_tax("US", 725, "CA")]


@pytest.mark.parametrize(
    ("seller", "buyer", "basis", "bps"),
    [
        (NOBODY, a_buyer("DE"), Basis.NONE, 0),
        (GERMAN, None, Basis.UNSAID, 1_900),
        (GERMAN, a_buyer("DE"), Basis.DOMESTIC, 1_900),
        (GERMAN, a_buyer("DE", OUR_NUMBER), Basis.DOMESTIC, 1_900),
        (GERMAN, a_buyer("FR", FRENCH), Basis.REVERSE, 0),
        (GERMAN, a_buyer("FR"), Basis.NO_NUMBER, 1_900),
        (GERMAN, a_buyer("FR", business=False), Basis.NO_NUMBER, 1_900),
        (GERMAN, a_buyer("US", region="NY"), Basis.OUTSIDE, 0),
        (GERMAN, a_buyer("GB", "980780684"), Basis.OUTSIDE, 0),
        (AMERICAN, a_buyer("US", region="NY"), Basis.DOMESTIC, 887),
        (AMERICAN, a_buyer("US", region="CA"), Basis.DOMESTIC, 725),
        (AMERICAN, a_buyer("US", region="OR"), Basis.NONE, 0),
        (AMERICAN, a_buyer("FR", FRENCH), Basis.OUTSIDE, 0),
    ],
)
def test_the_rule(seller: Seller, buyer: TaxProfile | None, basis: Basis, bps: int) -> None:
    found = decide(seller, buyer, RATES, FREE)
    assert (found.basis, found.rate_bps) == (basis, bps)
    before = decide(seller, buyer, RATES, FREE - DAY)
    assert before.rate_bps == 0


def test_a_rate_is_in_force_until_the_next_and_a_regions_goes_before_its_countrys() -> None:
    rates = [
        a_tax("CA", 500),
        a_tax("CA", 1_300, "ON", FREE + DAY),
        a_tax("CA", None, "ON", FREE + 2 * DAY),
        a_tax("CA", 600, on=FREE + 3 * DAY),
    ]
    found = [in_force(rates, "CA", "ON", FREE + n * DAY) for n in range(-1, 4)]
    assert [each and each.rate_bps for each in found] == [None, 500, 1_300, 500, 600]


@pytest.mark.parametrize(
    ("country", "typed", "kept"),
    [
        ("FR", "FR 40 303 265 045", FRENCH),
        ("FR", "40303265045", FRENCH),
        ("GR", "EL 094259216", "EL094259216"),
        ("GB", "GB 980 7806 84", "980780684"),
        ("AU", "83 914 571 673", "83914571673"),
        ("CH", "CHE-107.787.577 IVA", "CHE107787577IVA"),
        ("BR", "12 34", "1234"),
    ],
)
def test_a_number_is_kept_compact(country: str, typed: str, kept: str) -> None:
    assert checked(country, typed) == kept


@pytest.mark.parametrize(("country", "typed"), [("FR", "40303265046"), ("FR", "DE136695976"), ("AU", "1")])
def test_a_number_with_wrong_digits_is_refused(country: str, typed: str) -> None:
    with pytest.raises(Invalid, match="check digits"):
        checked(country, typed)


def test_a_number_frees_only_once_it_is_confirmed(session: Session, deal: Deal, desk: Finance) -> None:
    organization = deal.project.organization
    with clock.at(MONDAY), registered():
        a_rate(session, desk, FREE)
        draft = ProfileDraft("FR", "", business=True, vat_id=FRENCH)
        said = say_where(session, deal.client, organization.public_id, draft)
        assert queries.rate_of(session, organization.id, FREE) == 1_900
        offered = offering.said_of_project(session, deal.project, FEE_BPS)
        assert "Tax on it: For work from Mon 15 Jun 2026 on: VAT 19 %" in offered
        with pytest.raises(Invalid, match="looked up"):
            confirm_profile(session, desk.fin, said.public_id, "ok")
        with pytest.raises(NotAllowed):
            confirm_profile(session, deal.client, said.public_id, "I say that it is right.")
        confirm_profile(session, desk.fin, said.public_id, "VIES names the same company.")
    assert said.from_on == FREE
    assert queries.rate_of(session, organization.id, FREE) == 0
    assert words.said(queries.decided(session, organization.id), FREE).startswith(
        "VAT 0 % of our fee: reverse"
    )
    told = session.scalars(sa.select(Notification.title).filter_by(person_id=deal.client.id)).all()
    assert {"VAT on our fee becomes 19 %", "Your billing details are confirmed"} <= set(told)


def test_a_later_rate_does_not_tax_who_is_free_of_it_and_does_who_is_not(
    session: Session, deal: Deal, desk: Finance
) -> None:
    with clock.at(MONDAY):
        other = a_deal(session)
    free, taxed = deal.project.organization, other.project.organization
    with clock.at(MONDAY), registered():
        a_rate(session, desk, FREE)
        a_rate(session, desk, FREE + 30 * DAY, 2_000)
        a_place(session, desk, deal.client, free, "FR", FRENCH)
        a_place(session, desk, other.client, taxed, "DE")
        a_rate(session, desk, FREE + 60 * DAY, 2_100)
        a_rate(session, desk, FREE + 90 * DAY, None)
    days = [FREE - DAY, *(FREE + n * DAY for n in (0, 30, 60, 90))]
    assert [queries.rate_of(session, free.id, each) for each in days] == [0] * 5
    assert [queries.rate_of(session, taxed.id, each) for each in days] == [0, 1_900, 2_000, 2_100, 0]


def test_who_refuses_says_why_and_nothing_changes(session: Session, deal: Deal, desk: Finance) -> None:
    organization = deal.project.organization
    with clock.at(MONDAY), registered():
        a_rate(session, desk, FREE)
        a_place(session, desk, deal.client, organization)
        draft = ProfileDraft("FR", "", business=True, vat_id=FRENCH)
        said = say_where(session, deal.client, organization.public_id, draft)
        refuse_profile(session, desk.fin, said.public_id, "VIES names another company.")
        again = say_where(session, deal.client, organization.public_id, draft)
        newest = say_where(
            session, deal.client, organization.public_id, replace(draft, country="BE", vat_id="")
        )
    assert [each.state for each in (said, again, newest)] == [
        OfferState.DECLINED, OfferState.WITHDRAWN, OfferState.MADE,
    ]  # fmt: skip
    assert queries.rate_of(session, organization.id, FREE) == 1_900


def test_only_its_admin_says_where_a_client_is(session: Session, deal: Deal) -> None:
    draft = ProfileDraft("FR", "", business=False, vat_id=FRENCH)
    public_id = deal.project.organization.public_id
    for actor in (deal.approver, deal.expert):
        with pytest.raises((NotAllowed, NotFound)):
            say_where(session, actor, public_id, draft)
    with pytest.raises(Invalid, match="Only a business"):
        say_where(session, deal.client, public_id, draft)
    with pytest.raises(Invalid, match="Choose a country"):
        say_where(session, deal.client, public_id, replace(draft, country="QQ", vat_id=""))


def test_both_sides_do_it_on_their_pages(app: Flask, session: Session, deal: Deal, desk: Finance) -> None:
    organization = deal.project.organization
    with clock.at(MONDAY), registered():
        fin = Visitor(enter(app.test_client(), session, desk.fin))
        fin.get("/tax-rates/new")
        fin.post(
            "/tax-rates/new", region="", name="VAT", act="set", rate="19", from_on=FREE.isoformat(),
            source="Section 12 of the UStG.",
        )  # fmt: skip
        [rate] = session.scalars(sa.select(TaxRate))
        assert (rate.country, rate.rate_bps, rate.from_on) == ("DE", 1_900, FREE)
        gil = Visitor(enter(app.test_client(), session, desk.gil))
        gil.get("/tax-rates")
        gil.post(f"/tax-rates/{rate.public_id}/acceptance")
        carla = Visitor(enter(app.test_client(), session, deal.client))
        path = f"/billing/{organization.public_id}"
        assert "VAT 19 %, our rate, as no billing details are confirmed" in read(carla.get(path))
        wrong = carla.post(path, country="FR", business="yes", vat_id="123", right="y")
        assert wrong.status_code == 422
        carla.post(path, country="FR", region="", business="yes", vat_id=FRENCH, right="y")
        [said] = session.scalars(sa.select(TaxProfile))
        assert "Lumen" in read(fin.get("/tax-rates")) or organization.name in read(fin.get("/tax-rates"))
        answer = f"/tax-rates/clients/{said.public_id}"
        fin.get(answer)
        fin.post(answer, act="confirm", note="VIES names the same company.")
        assert "reverse charge" in read(carla.get(path))
        contract = read(carla.get(f"/contracts/{deal.contract.public_id}"))
        assert "For work from Mon 15 Jun 2026 on: VAT 0 %, reverse charge" in contract
