"""The schema goes all the way up, and all the way back."""

from __future__ import annotations

import sqlalchemy as sa

from marketplace import schema
from tests.conftest import Committed

LEFT_OVER = sa.text(
    "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
)


def test_down_to_nothing_and_up_again(committed: Committed) -> None:
    with committed.owner() as owner:
        before = owner.scalar(LEFT_OVER)
    schema.downgrade(committed.server.owner_url, "base")
    with committed.owner() as owner:
        assert owner.scalar(LEFT_OVER) == 0
    schema.upgrade(committed.server.owner_url)
    with committed.owner() as owner:
        assert owner.scalar(LEFT_OVER) == before
