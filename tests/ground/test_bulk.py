"""What many rows are written with at once."""

from __future__ import annotations

from uuid import RFC_4122, UUID

from marketplace import bulk
from marketplace.db import new_id


def test_ids_written_in_bulk_are_like_all_others() -> None:
    before = new_id()
    made = [UUID(bulk.new_public_id()) for _ in range(1_000)]
    assert len(set(made)) == 1_000
    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}
    # In order of time, to the millisecond.
    around = [each.bytes[:6] for each in (before, *made, new_id())]
    assert around == sorted(around)
