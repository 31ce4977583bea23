"""Submitting a week with the passkey of one's identity, with a limit on how often it is tried."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from marketplace.accounts import limits
from marketplace.actor import Actor
from marketplace.contracts import timesheets
from marketplace.contracts.approving.same_person import Answer
from marketplace.contracts.models import Timesheet


def confirm_and_submit(
    session: Session, actor: Actor, timesheet_public_id: uuid.UUID, seen_version: int, answer: Answer
) -> Timesheet:
    """Submit a week with the answer of the bound passkey, which is kept with it as evidence.

    Raises as `submit_timesheet`; TooMany as for codes. A refusal touches nothing that was entered.
    """
    key = f"week {actor.id}"
    limits.spend(session, limits.SECOND_FACTOR, key)
    sheet = timesheets.submit_timesheet(session, actor, timesheet_public_id, seen_version, answer)
    limits.give_back_one(session, limits.SECOND_FACTOR, key)
    return sheet
