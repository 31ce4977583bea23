"""The site as one that keeps tax forms, and people who sign them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, settings
from marketplace.accounts.models import Person
from marketplace.actor import Actor
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedAccount
from marketplace.payments.tax.intake import W9, W8Ben, hand_in_w8ben, hand_in_w9
from marketplace.payments.tax.models import TaxForm
from marketplace.payments.tax.states import Classification, NumberKind
from tests.factories.contracts import MONDAY, Deal
from tests.factories.payments import Finance, a_paid_deal, an_approved_week, finance

FRIDAY = MONDAY + timedelta(days=4)

W9_TYPED = W9(
    name="Ana Silva", business_name="", classification=Classification.INDIVIDUAL, street="1 Main Street",
    city="Albany NY 12207", country="US", number_kind=NumberKind.SSN, number="536-90-4399",
    told_by_irs=False, signature="Ana Silva",
)  # fmt: skip
W8BEN_TYPED = W8Ben(
    name="Ana Silva", citizenship="PT", street="Rua do Sol 7", city="1000-001 Lisboa", country="PT",
    mailing="", born_on=date(1985, 4, 3), number="PT 501 442 600", no_number="", us_kind=None, us_number="",
    claims=False, treaty_article="", treaty_rate="", treaty_income="", treaty_why="", outside_us=True,
    signature="ana silva",
)  # fmt: skip

Mode = Callable[..., None]


@pytest.fixture(autouse=True)
def mode(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mode]:
    """Forms are kept here, and pay is reported on a 1099-NEC, until the test says otherwise."""

    def choose(tax_mode: str = "forms", us_form: str = "nec") -> None:
        monkeypatch.setenv("MARKETPLACE_TAX_MODE", tax_mode)
        monkeypatch.setenv("MARKETPLACE_US_FORM", us_form)
        settings.current.cache_clear()

    choose()
    yield choose
    monkeypatch.undo()
    settings.current.cache_clear()


@pytest.fixture
def deal(session: Session, gateway: Gateway) -> Deal:
    """An hour at RATE is approved and in no batch."""
    with clock.at(MONDAY):
        made = a_paid_deal(session, gateway)
    an_approved_week(session, made, MONDAY)
    return made


@pytest.fixture
def desk(session: Session) -> Finance:
    with clock.at(FRIDAY):
        return finance(session)


def a_w9(session: Session, expert: Actor, **changed: object) -> TaxForm:
    """A W-9 that the expert signs."""
    typed = replace(W9_TYPED, name=expert.name, signature=expert.name, **changed)
    return hand_in_w9(session, expert, typed)


def a_w8ben(session: Session, expert: Actor, **changed: object) -> TaxForm:
    """A W-8BEN that the expert signs, of whom nothing says US."""
    session.execute(sa.update(Person).where(Person.id == expert.id).values(country="PT"))
    mine = ConnectedAccount.person_id == expert.id
    session.execute(sa.update(ConnectedAccount).where(mine).values(country="PT"))
    session.commit()
    typed = replace(W8BEN_TYPED, name=expert.name, signature=expert.name, **changed)
    return hand_in_w8ben(session, expert, typed)
