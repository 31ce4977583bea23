"""Harbour Bank's statement: what the operator downloads and reconciles with."""

from __future__ import annotations

import json
from datetime import timedelta
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring

from marketplace import clock
from tests.demo.stripe_server.harness import Handle
from tests.demo.stripe_server.people import Platform

SPACE = {"c": "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"}


def cents(node: Element | None) -> int:
    """An Amt with its CdtDbtInd, in minor units."""
    assert node is not None
    amount = int(str(node.findtext("c:Amt", None, SPACE)).replace(".", ""))
    return -amount if node.findtext("c:CdtDbtInd", None, SPACE) == "DBIT" else amount


def statements(local: Handle, query: str = "") -> list[Element]:
    found: list[Element] = fromstring(local.get(f"/bank/statement.camt053.xml{query}")[1]).findall(
        ".//c:Stmt", SPACE
    )
    return found


def a_paid_payout(rich: Platform) -> str:
    payout = rich.client.v1.payouts.create({"amount": 123_456, "currency": "usd"})
    clock.advance(timedelta(days=7))
    rich.local.settle()
    return payout.id


def test_balances_run_on_from_day_to_day_and_explain_themselves(rich: Platform) -> None:
    a_paid_payout(rich)
    closing = None
    for statement in statements(rich.local, "?from=2020-01-01"):
        opening, end = statement.findall("c:Bal", SPACE)
        assert closing is None or cents(opening) == closing
        closing = cents(end)
        assert cents(opening) + sum(cents(entry) for entry in statement.findall("c:Ntry", SPACE)) == closing
    assert closing is not None


def test_the_account_starts_with_ten_thousand_dollars(local: Handle) -> None:
    first = statements(local, "?from=2020-01-01")[0]
    assert cents(first.find("c:Bal", SPACE)) == 1_000_000


def test_a_platform_payout_is_a_credit_that_names_stripe_and_its_trace(rich: Platform) -> None:
    id = a_paid_payout(rich)
    trace = rich.client.v1.payouts.retrieve(id).trace_id
    assert trace is not None
    entries = [entry for statement in statements(rich.local) for entry in statement.findall("c:Ntry", SPACE)]
    mine = next(entry for entry in entries if entry.findtext(".//c:EndToEndId", None, SPACE) == id)
    assert cents(mine) == 123_456
    text = mine.findtext(".//c:Ustrd", "", SPACE)
    assert "STRIPE" in text
    assert str(trace.value) in text
    assert mine.findtext("c:Sts/c:Cd", None, SPACE) == "BOOK"
    assert mine.findtext("c:AcctSvcrRef", None, SPACE)


def test_the_banks_own_charge_is_on_the_first_banking_day_of_each_month(local: Handle) -> None:
    lines = json.loads(local.get("/bank/lines.json")[1])
    assert len(lines) >= 6
    assert {line["amount"] for line in lines} == {-1_500}
    assert all(line["booked_on"][8:] in ("01", "02", "03") for line in lines)


def test_experts_payouts_do_not_reach_the_operators_bank(rich: Platform) -> None:
    rich.transfer(rich.expert(), 5_000)
    clock.advance(timedelta(days=7))
    rich.local.settle()
    assert all(line["amount"] < 0 for line in json.loads(rich.local.get("/bank/lines.json")[1]))


def test_the_same_range_gives_the_same_bytes(rich: Platform) -> None:
    a_paid_payout(rich)
    path = f"/bank/statement.camt053.xml?from=2026-01-01&to={(clock.now() - timedelta(days=1)).date()}"
    first = rich.local.get(path)
    rich.local.stop()
    rich.local.start_again()
    assert rich.local.get(path) == first


def test_days_that_are_none_are_refused(local: Handle) -> None:
    for query in ("?from=yesterday", "?from=2026-02-02&to=2026-02-01"):
        assert local.get(f"/bank/statement.camt053.xml{query}")[0] == 400
    assert local.get("/bank")[0] == 200
