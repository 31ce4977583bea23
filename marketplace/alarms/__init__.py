"""Alarms: proofs that do not hold, since when, what each stops meanwhile, and who looks into it."""

from marketplace.alarms.raising import (
    accounts,
    look,
    look_into,
    record,
    require_none,
    standing,
    stops_all,
)

__all__ = ["accounts", "look", "look_into", "record", "require_none", "standing", "stops_all"]
