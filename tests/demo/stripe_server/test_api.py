"""Who is let in, what is accepted, and how lists and expansions answer."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import stripe

from marketplace import clock
from marketplace.demo.stripe_server.catalog import OPERATIONS
from marketplace.demo.stripe_server.params import Either, Kind, Many, Shape
from tests.demo.stripe_server.description import DESCRIPTION
from tests.demo.stripe_server.harness import KEY, Handle, client_for, start_stripe
from tests.demo.stripe_server.people import Platform


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Handle]:
    """One server for all of these: they look at manners, not at money."""
    handle = start_stripe(tmp_path_factory.mktemp("manners"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARKETPLACE_CLOCK_FILE", str(handle.clock_file))
        yield handle
    handle.kill()


def ask(local: Handle, method: str, path: str, body: str = "", **headers: str) -> tuple[int, Any, Any]:
    """A bare request, for what the official client would never send."""
    connection = http.client.HTTPConnection("127.0.0.1", local.port, timeout=20)
    given = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-www-form-urlencoded", **headers}
    connection.request(method, path, body, given)
    answer = connection.getresponse()
    try:
        return answer.status, json.loads(answer.read()), answer.headers
    finally:
        connection.close()


def test_a_wrong_key_is_not_let_in(local: Handle) -> None:
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key"):
        client_for(local.url, "sk_test_wrong").v1.balance.retrieve()


def test_no_key_is_not_let_in(local: Handle) -> None:
    status, body, headers = ask(local, "GET", "/v1/balance", Authorization="")
    assert (status, body["error"]["type"]) == (401, "invalid_request_error")
    assert headers["Request-Id"].startswith("req_")


def test_the_version_is_echoed_and_another_one_refused(local: Handle) -> None:
    assert ask(local, "GET", "/v1/balance")[2]["Stripe-Version"] == "2026-10-28.endive"
    assert ask(local, "GET", "/v1/balance", **{"Stripe-Version": "2020-08-27"})[0] == 400


def test_an_unknown_address_is_not_found(local: Handle) -> None:
    assert ask(local, "GET", "/v1/nothing")[0] == 404


def test_an_account_of_nobody_is_forbidden(local: Handle) -> None:
    with pytest.raises(stripe.PermissionError):
        local.client().v1.balance.retrieve({}, {"stripe_account": "acct_nobody"})


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("amount=1&currency=usd&destination=a&colour=red", "parameter_unknown", "colour"),
        ("amount=1&destination=a", "parameter_missing", "currency"),
        ("amount=ten&currency=usd&destination=a", "parameter_invalid_integer", "amount"),
        ("amount=1.5&currency=usd&destination=a", "parameter_invalid_integer", "amount"),
        ("amount=0&currency=usd&destination=a", "parameter_invalid_integer", "amount"),
        ("amount=1&currency=usd&destination=", "parameter_invalid_empty", "destination"),
        ("amount=1&currency=usd&destination=a&source_type=gold", None, "source_type"),
        ("amount=1&currency=usd&destination[x]=a", None, "destination"),
        ("amount=1&currency=usd&destination=a&metadata=x", None, "metadata"),
        ("amount=1&currency=usd&destination=a&expand=x", None, "expand"),
    ],
)
def test_parameters_are_refused_as_stripe_refuses_them(
    local: Handle, body: str, code: str | None, param: str
) -> None:
    status, answer, _ = ask(local, "POST", "/v1/transfers", body)
    assert (status, answer["error"].get("code"), answer["error"]["param"]) == (400, code, param)


def test_metadata_has_its_limits(platform: Platform) -> None:
    for wrong in ({"k" * 41: "v"}, {"k": "v" * 501}, {f"k{n}": "v" for n in range(51)}):
        with pytest.raises(stripe.InvalidRequestError):
            platform.client.v1.customers.create({"metadata": wrong})


@pytest.mark.parametrize("body", ["{", "[]", '"x"', "[" * 100_000])
def test_a_body_that_is_not_an_object_is_refused(local: Handle, body: str) -> None:
    status, answer, _ = ask(local, "POST", "/v2/core/accounts", body, **{"Content-Type": "application/json"})
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


def test_lists_are_paged_newest_first_both_ways(platform: Platform) -> None:
    customers = platform.client.v1.customers
    mine: Any = {"email": "paged@example.com"}
    made = [customers.create(mine).id for _ in range(5)][::-1]
    first = customers.list({"limit": 2, **mine})
    assert ([one.id for one in first.data], first.has_more) == (made[:2], True)
    second = customers.list({"limit": 3, "starting_after": made[1], **mine})
    assert ([one.id for one in second.data], second.has_more) == (made[2:], False)
    back = customers.list({"limit": 2, "ending_before": made[4], **mine})
    assert ([one.id for one in back.data], back.has_more) == (made[2:4], True)
    assert [one.id for one in customers.list({"limit": 2, **mine}).auto_paging_iter()] == made


@pytest.mark.parametrize("limit", [0, 101])
def test_a_page_has_1_to_100_rows(platform: Platform, limit: int) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        platform.client.v1.customers.list({"limit": limit})


def test_a_cursor_that_is_nothing_is_refused(platform: Platform) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        platform.client.v1.customers.list({"starting_after": "cus_none"})


def test_lists_are_filtered_by_creation(platform: Platform) -> None:
    customers = platform.client.v1.customers
    mine: Any = {"email": "timed@example.com"}
    early = customers.create(mine)
    clock.advance(timedelta(hours=1))
    late = customers.create(mine)
    after = customers.list({"created": {"gt": early.created}, **mine}).data
    before = customers.list({"created": {"lt": late.created}, **mine}).data
    assert ([one.id for one in after], [one.id for one in before]) == ([late.id], [early.id])


def test_v2_lists_lead_to_the_next_page(platform: Platform) -> None:
    made = {platform.account().id for _ in range(3)}
    found = platform.client.v2.core.accounts.list({"limit": 2})
    assert {one.id for one in found.auto_paging_iter()} >= made


def test_expand_unfolds_lists_and_nested_objects(platform: Platform) -> None:
    platform.fund(10_000)
    intents = platform.client.v1.payment_intents.list(
        {"expand": ["data.latest_charge.balance_transaction"]}
    ).data
    assert intents[0].latest_charge.balance_transaction.fee == 320  # type: ignore[union-attr]
    transactions = platform.client.v1.balance_transactions.list({"expand": ["data.source"]}).data
    assert transactions[0].source.object == "charge"  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["amount", "data.customer", "latest_charge.amount", "a.b.c.d.e"])
def test_what_cannot_be_expanded_is_refused(platform: Platform, path: str) -> None:
    platform.fund(10_000)
    intent = platform.client.v1.payment_intents.list().data[0]
    with pytest.raises(stripe.InvalidRequestError, match="expand"):
        platform.client.v1.payment_intents.retrieve(intent.id, {"expand": [path]})


def test_one_account_does_not_see_the_objects_of_another(rich: Platform) -> None:
    ana, ben = rich.expert(), rich.expert()
    payment = rich.transfer(ana, 100).destination_payment
    with pytest.raises(stripe.InvalidRequestError, match="No such charge"):
        rich.client.v1.charges.retrieve(payment, {}, {"stripe_account": ben})


@pytest.mark.skipif(DESCRIPTION is None, reason="Stripe's description is not beside the project")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_nothing_is_accepted_that_stripe_does_not_know(operation: Any) -> None:
    assert DESCRIPTION is not None
    path = operation.path.replace("{", "x").replace("}", "")
    known = DESCRIPTION.op_for(operation.method, path)
    assert known is not None
    if operation.method == "GET":
        schema = known.get("x-query", {})
    else:
        schema = next(iter(known.get("requestBody", {}).get("content", {}).values()), {}).get("schema", {})
    extra = unknown_to(schema, operation.params) - ({"expand"} if operation.method == "DELETE" else set())
    if operation.api == "v2" and not operation.params.fields.keys() - {"expand"}:
        return
    assert not extra


def unknown_to(schema: Any, kind: Kind, at: str = "") -> set[str]:
    """The parameters of ours that the description lacks."""
    while "$ref" in schema:
        assert DESCRIPTION is not None
        schema = DESCRIPTION.SPEC["components"]["schemas"][schema["$ref"].split("/")[-1]]
    options = schema.get("anyOf", [schema])
    if isinstance(kind, Either):
        kind = kind.nested
    if isinstance(kind, Many):
        inner = [option["items"] for option in options if "items" in option]
        return unknown_to(inner[0], kind.kind, at) if inner else {at}
    if not isinstance(kind, Shape):
        return set()
    properties = next((option["properties"] for option in options if "properties" in option), {})
    extra = {f"{at}{name}" for name in kind.fields if name not in properties}
    for name, field in kind.fields.items():
        extra |= unknown_to(properties[name], field, f"{at}{name}.") if name in properties else set()
    return extra
