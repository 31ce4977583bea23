"""Lists as Stripe pages them: newest first, by cursor in v1 and by page token in v2."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from marketplace.demo.stripe_server.errors import Json, invalid, missing
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.presenting import present

Condition = tuple[str, object]
_COMPARE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def page(call: Call, kind: str, url: str, where: list[Condition] | None = None) -> Json:
    """A v1 list of the caller's objects of a kind, with `has_more`."""
    limit = call.params.get("limit", 10)
    backwards = "ending_before" in call.params
    if backwards and "starting_after" in call.params:
        raise invalid("You cannot use both starting_after and ending_before.", "starting_after")
    conditions = [*(where or []), *during("created", call.params.get("created")), *_cursor(call, kind)]
    found = _select(call, kind, conditions, limit + 1, "ASC" if backwards else "DESC")
    data = found[:limit]
    return {
        "object": "list",
        "data": data[::-1] if backwards else data,
        "has_more": len(found) > limit,
        "url": url,
    }


def page_v2(call: Call, kind: str, url: str, where: list[Condition] | None = None) -> Json:
    """A v2 list; `page` is the number of rows to skip, which suits lists as small as these."""
    limit = call.params.get("limit", 20)
    token = call.params.get("page", "0")
    if not token.isdecimal():
        raise invalid(f"Invalid page token: {token}", "page")
    start = int(token)
    found = _select(call, kind, where or [], limit + 1, "DESC", start)
    return {
        "data": found[:limit],
        "next_page_url": _page_url(url, limit, start + limit) if len(found) > limit else None,
        "previous_page_url": _page_url(url, limit, max(0, start - limit)) if start else None,
    }


def during(column: str, asked: int | dict[str, int] | None) -> list[Condition]:
    """The conditions of a `created`-like filter: a moment, or bounds."""
    if asked is None:
        return []
    if isinstance(asked, int):
        return [(f"{column} = ?", asked)]
    return [(f"{column} {_COMPARE[bound]} ?", value) for bound, value in asked.items()]


def same(call: Call, *names: str) -> list[Condition]:
    """Equality with the named fields, where the call asks for it."""
    return [
        (f"json_extract(body, '$.{name}') = ?", call.params[name]) for name in names if name in call.params
    ]


def _cursor(call: Call, kind: str) -> list[Condition]:
    for name, sign in (("starting_after", "<"), ("ending_before", ">")):
        if name in call.params:
            row = call.transaction.row(
                "SELECT created, seq FROM object WHERE id = ? AND kind = ? AND account = ?",
                call.params[name], kind, call.account,
            )  # fmt: skip
            if row is None:
                raise missing(kind, call.params[name], name)
            here = "(SELECT created, seq FROM object WHERE id = ?)"
            return [(f"(created, seq) {sign} {here}", call.params[name])]
    return []


def _select(
    call: Call, kind: str, where: list[Condition], limit: int, order: str, skip: int = 0
) -> list[Json]:
    # The kind is a word of ours, written into the statement so that the partial indexes apply.
    conditions = " AND ".join([f"kind = '{kind}'", "account = ?", *(sql for sql, _ in where)])
    rows = call.transaction.rows(
        f"SELECT body FROM object WHERE {conditions}"  # noqa: S608 - made of words of ours only
        f" ORDER BY created {order}, seq {order} LIMIT ? OFFSET ?",
        call.account, *(value for _, value in where), limit, skip,
    )  # fmt: skip
    return [present(call.transaction, json.loads(row["body"])) for row in rows]


def _page_url(url: str, limit: int, start: int) -> str:
    return f"{url}?{urlencode({'limit': limit, 'page': start})}"
