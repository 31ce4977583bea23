"""A W-8BEN that contradicts what is known waits for finance, and ends no backup withholding by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Person
from marketplace.errors import FreshFactorNeeded, Invalid, NotAllowed, Refused
from marketplace.payments import batches, taxforms
from marketplace.payments.models import ConnectedAccount
from marketplace.payments.states import Blocker, ItemState
from marketplace.payments.tax import intake, office, standing
from marketplace.payments.tax.states import FormState
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, RATE, Deal
from tests.factories.payments import Finance
from tests.payments.tax.conftest import FRIDAY, W8BEN_TYPED, a_w8ben, a_w9
from tests.payments.tax.test_withholding import TAX, one
from tests.visitor import Visitor, words


def test_after_a_w9_a_w8ben_waits_and_nothing_is_paid(
    session: Session, deal: Deal, desk: Finance, app: Flask
) -> None:
    with clock.at(FRIDAY):
        w9 = a_w9(session, deal.expert)
        office.record_notice(session, desk.fin, w9.person.public_id, clock.today("UTC"), "CP2100A")
        w8 = a_w8ben(session, deal.expert)
        assert (w9.state, w8.state) == (FormState.ACCEPTED, FormState.WAITING)
        due = taxforms.due(session, deal.expert.id)
        assert due is not None
        assert "a person of finance looks at it" in due.sentence
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        assert (one(session).state, one(session).blocker) == (ItemState.BLOCKED, Blocker.TAX_FORM)
        batches.cancel_batch(session, desk.fin, batch.public_id)
        fin = Visitor(enter(app.test_client(), session, desk.fin))
        assert "One form waits for you" in words(fin.get("/tax"))
        assert "CP2100A" in words(fin.get(f"/tax/forms/{w8.public_id}"))
        fin.post(f"/tax/forms/{w8.public_id}/acceptance")
        session.expire_all()
        assert (w9.state, w8.state) == (FormState.REPLACED, FormState.ACCEPTED)
        # The open notice withholds whatever the form.
        batches.prepare_batch(session, desk.fin, clock.now())
        assert (one(session).withheld, one(session).withheld_of) == (TAX, RATE)


def test_one_that_is_refused_leaves_what_counted(session: Session, deal: Deal, desk: Finance) -> None:
    with clock.at(FRIDAY):
        w9 = a_w9(session, deal.expert)
        first, second = a_w8ben(session, deal.expert), a_w8ben(session, deal.expert)
        assert (first.state, second.state) == (FormState.REPLACED, FormState.WAITING)
        own = replace(desk.fin, person_id=deal.expert.id)
        with pytest.raises(NotAllowed):
            office.accept_form(session, own, second.public_id)
        office.refuse_form(session, desk.fin, second.public_id, "You live in Albany.")
        assert taxforms.due(session, deal.expert.id) is None
        assert standing.form_of(session, deal.expert.id) == w9
        with pytest.raises(Refused):
            office.accept_form(session, desk.fin, second.public_id)


@pytest.mark.parametrize("sign", ["profile", "account"])
def test_whatever_else_says_us_lets_it_wait(session: Session, deal: Deal, sign: str) -> None:
    with clock.at(FRIDAY):
        assert a_w8ben(session, deal.expert).state is FormState.ACCEPTED
        model, key = (Person, "id") if sign == "profile" else (ConnectedAccount, "person_id")
        session.execute(sa.update(model).where(getattr(model, key) == deal.expert.id).values(country="US"))
        session.commit()
        name = deal.expert.name
        form = intake.hand_in_w8ben(session, deal.expert, replace(W8BEN_TYPED, name=name, signature=name))
        assert form.state is FormState.WAITING


def test_a_notice_is_ended_by_another_with_a_fresh_factor(
    session: Session, deal: Deal, desk: Finance
) -> None:
    with clock.at(FRIDAY):
        form = a_w9(session, deal.expert)
        notice = office.record_notice(session, desk.fin, form.person.public_id, clock.today("UTC"), "CP")
        fin, gil = (replace(each, second_factor_at=clock.now()) for each in (desk.fin, desk.gil))
        with pytest.raises(NotAllowed, match="recorded"):
            office.end_notice(session, fin, notice.public_id, "It is fine.")
        with pytest.raises(NotAllowed, match="yourself"):
            office.end_notice(
                session, replace(gil, person_id=deal.expert.id), notice.public_id, "It is fine."
            )
        with pytest.raises(FreshFactorNeeded):
            office.end_notice(session, replace(gil, second_factor_at=None), notice.public_id, "It is fine.")
        office.end_notice(session, gil, notice.public_id, "A new W-9 came.")


def test_declared_days_are_made_fewer_or_taken_back(
    session: Session, deal: Deal, desk: Finance, app: Flask
) -> None:
    with clock.at(MONDAY):
        form = a_w8ben(session, deal.expert)
        first, last = MONDAY.date(), (MONDAY + timedelta(days=2)).date()
        stay = office.declare_us_work(session, deal.expert, first, last)
    with clock.at(FRIDAY):
        fin = replace(desk.fin, second_factor_at=clock.now())
        for until in (last, first - timedelta(days=1)):
            with pytest.raises(Invalid):
                office.shorten_us_work(session, fin, stay.public_id, until, "The ticket.")
        office.shorten_us_work(session, fin, stay.public_id, first, "The ticket.")
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        assert one(session).withheld_of == RATE
        batches.cancel_batch(session, desk.fin, batch.public_id)
        page = Visitor(enter(app.test_client(), session, fin))
        assert "The ticket." in words(page.get(f"/tax/forms/{form.public_id}"))
        page.post(f"/tax/forms/{form.public_id}/us-work/{stay.public_id}/days", reason="She did not go.")
        assert "Taken back by" in words(page.get(f"/tax/forms/{form.public_id}"))
        batches.prepare_batch(session, desk.fin, clock.now())
        assert one(session).withheld_of is None
        with pytest.raises(Refused):
            office.shorten_us_work(session, fin, stay.public_id, None, "Again.")
        office.declare_us_work(session, deal.expert, first, first)


def test_the_database_keeps_a_form_that_was_decided(session: Session, deal: Deal) -> None:
    with clock.at(FRIDAY):
        form = a_w9(session, deal.expert)
        intake.replace(session, deal.expert.id, (FormState.ACCEPTED,))
        session.commit()
        with pytest.raises(DBAPIError):
            session.execute(
                sa.text("UPDATE tax_forms SET state = 'waiting', ended_at = NULL WHERE id = :id"),
                {"id": form.id},
            )
