"""What many rows are written with at once; what COPY would read as something else comes back as it was."""

from __future__ import annotations

from uuid import RFC_4122, UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace import bulk
from marketplace.db import new_id, violated
from marketplace.matching.models import MatchSkill

ODD = ["plain", "a\tb", "a\nb", "a\\b", "\\N", 'a"b', "a\rb", "é\N{NO-BREAK SPACE}", ""]


def test_ids_written_in_bulk_are_like_all_others() -> None:
    before = new_id()
    made = [UUID(bulk.new_public_id()) for _ in range(1_000)]
    assert len(set(made)) == 1_000
    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}
    # In order of time, to the millisecond.
    around = [each.bytes[:6] for each in (before, *made, new_id())]
    assert around == sorted(around)


def test_texts_come_back_as_they_were(session: Session) -> None:
    bulk.copy(session, MatchSkill, ({"id": n, "name": text} for n, text in enumerate(ODD)))
    assert session.scalars(sa.select(MatchSkill.name).order_by(MatchSkill.id)).all() == ODD


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ([1, None, 3], ["1", "\\N", "3"]),
        ([True, False], ["t", "f"]),
        ([["a", 'b"c', "d\\e", "f\tg"]], ['{"a","b\\\\"c","d\\\\\\\\e","f\\tg"}']),
        ([[1, 2], []], ["{1,2}", "{}"]),
        (["a", None], ["a", "\\N"]),
        ([b"\x00\xff"], ["\\\\x00ff"]),
    ],
)
def test_a_column_is_written_value_by_value_where_kinds_differ(
    values: list[object], written: list[str]
) -> None:
    rows = [{"one": value, "other": n} for n, value in enumerate(values)]
    assert "".join(bulk.lines(rows)).splitlines() == [f"{text}\t{n}" for n, text in enumerate(written)]


def test_rows_that_name_other_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        list(bulk.lines([{"one": 1, "other": 2}, {"one": 1}]))


def test_what_the_database_refuses_is_told_as_of_any_statement_and_without_the_row(session: Session) -> None:
    with pytest.raises(IntegrityError) as refused:
        bulk.copy(session, MatchSkill, [{"id": n, "name": "nobody's business"} for n in (1, 2)])
    assert violated(refused.value) == "uq_match_skills_name"
    assert "nobody's business" not in str(refused.value)
