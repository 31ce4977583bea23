"""The pages to practise on: every switch is on them, in words, and works without JavaScript."""

from __future__ import annotations

import html
from pathlib import Path

import pytest

from marketplace.demo.stripe_server import faults, lessons
from marketplace.demo.stripe_server.__main__ import open_store
from marketplace.demo.stripe_server.app import create_app


def test_every_switch_is_told_in_words() -> None:
    assert set(lessons.BY_KIND) == set(faults.KINDS)
    assert all(lesson.title and lesson.happens and lesson.look for lesson in lessons.BY_KIND.values())


@pytest.mark.parametrize("path", ["/practice", "/practice/disputes", "/practice/accounts"])
def test_the_pages_are_plain_and_let_nothing_else_in(tmp_path: Path, path: str) -> None:
    store = open_store(tmp_path, [])
    page = create_app(store, frozenset()).test_client().get(path)
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    store.close()


def test_every_switch_can_be_armed_on_the_page(tmp_path: Path) -> None:
    store = open_store(tmp_path, [])
    visitor = create_app(store, frozenset()).test_client()
    page = visitor.get("/practice").text
    for kind in faults.KINDS:
        assert f'name="kind" value="{kind}"' in page
        assert visitor.post("/practice/faults", data={"kind": kind}).status_code == 303
    shown = html.unescape(visitor.get("/practice").text)
    assert all(str(lesson.title) in shown for lesson in lessons.BY_KIND.values())
    with store.reading() as transaction:
        assert faults.armed_kinds(transaction) == set(faults.KINDS)
    store.close()
