"""What is said of matching is what matching does."""

from __future__ import annotations

from flask import Flask

from marketplace.matching import about, names
from marketplace.matching.criteria import explain
from marketplace.matching.match import Kind
from tests.matching.test_criteria import ANA, GIG
from tests.visitor import Visitor, words


def test_every_criterion_is_told_with_its_weight() -> None:
    found = explain(GIG, ANA).criteria
    facts = {"title": "Credentials"}
    told = {each.label: each.weight for each in (*about.musts(), *about.merits())}
    assert told == {names.label(each.code, facts): each.weight for each in found}
    assert {each.code for each in found if each.kind is Kind.SOFT}
    assert sum(each.weight for each in about.merits()) == 100


def test_anybody_may_read_it(app: Flask) -> None:
    said = words(Visitor(app.test_client()).get("/how-matching-works"))
    assert "How the rate fits" in said
    assert "Version 1 of the rules." in said
