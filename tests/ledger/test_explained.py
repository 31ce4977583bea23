"""Every account of the chart is explained, and an as-of balance is the kept one."""

from __future__ import annotations

import inspect
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.ledger import chart, queries
from marketplace.ledger.chart import Account
from marketplace.ledger.explained import explained
from tests.factories.accounts import enter
from tests.factories.payments import finance
from tests.ledger.conftest import book
from tests.visitor import Visitor, words

NOVEMBER = datetime(2026, 11, 3, 17, tzinfo=UTC)


def accounts() -> list[Account]:
    """One of each that the chart can make."""
    makers = [
        each
        for _name, each in inspect.getmembers(chart, inspect.isfunction)
        if inspect.signature(each).return_annotation == "Account"
    ]
    return [make(*(uuid.UUID(int=1) for _p in inspect.signature(make).parameters)) for make in makers]


@pytest.mark.parametrize("account", accounts(), ids=lambda account: account.code)
def test_an_account_has_a_name_and_is_explained(account: Account) -> None:
    assert account.name
    assert explained(account.code).endswith(".")
    assert account.kind


def test_no_two_accounts_of_the_chart_are_one() -> None:
    found = accounts()
    assert len({each.code for each in found}) == len({each.key for each in found}) == len(found)


def test_a_code_that_is_not_in_the_chart_is_not_explained() -> None:
    assert explained("9999") == ""


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 1000)), min_size=1, max_size=8))
def test_as_of_today_is_what_is_kept_and_every_day_is_the_sum_until_then(
    session: Session, rows: list[tuple[int, int]]
) -> None:
    with clock.at(NOVEMBER + timedelta(days=60)):
        for n, amount in rows:
            book(session, f"a:{uuid.uuid4()}", amount, NOVEMBER + timedelta(days=n))
        account = queries.find_account(session, chart.stripe_balance().key, "USD")
        [now, *_rest] = queries.trial_balance(session, "USD")
        assert now.amount == sum(amount for _n, amount in rows)
        assert queries.trial_balance(session, "USD", clock.today("UTC"))[0] == now
        for days in (0, 20, 60):
            until = NOVEMBER.date() + timedelta(days=days)
            expected = sum(amount for n, amount in rows if n <= days)
            assert queries.balances_of(session, [account], until) == {account.id: expected}
            assert queries.trial_balance(session, "USD", until)[0].amount == expected
        session.rollback()


def test_the_pages_explain_their_accounts(app: Flask, session: Session) -> None:
    book(session, "a:1", 500, NOVEMBER)
    session.commit()
    fin = Visitor(enter(app.test_client(), session, finance(session).fin))
    key = chart.stripe_balance().key
    for path in ("/books/", "/books/codes/1100/USD", f"/books/accounts/{key}/USD", "/books/?day=2026-11-30"):
        assert explained("1100") in words(fin.get(path))
