"""Tables as files: a cell is never a formula, and an amount always a number."""

from __future__ import annotations

import csv
import io

import pytest
from flask import Flask

from marketplace.web import table_response


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("-12.00", "-12.00"), ("-5", "-5"), ("12.00", "12.00"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"),
        ("+41 44 123", "'+41 44 123"), ("-12.00\n", "'-12.00\n"),
    ],
)  # fmt: skip
def test_a_cell_is_no_formula_and_an_amount_stays_a_number(app: Flask, cell: str, kept: str) -> None:
    with app.test_request_context():
        text = table_response("a.csv", ["Amount"], [[cell]]).get_data(as_text=True)
    assert list(csv.reader(io.StringIO(text.lstrip("\ufeff")))) == [["Amount"], [kept]]
