"""The books: double entry, append-only, balanced by the database itself. Accounts are keyed by strings."""

from marketplace.ledger.balances import NotCovered, balance, balances, hold, require_cover, require_covers
from marketplace.ledger.chart import Account
from marketplace.ledger.journal import (
    AlreadyPosted,
    NewEntry,
    entries_for,
    entries_of,
    post,
    post_many,
    reverse,
)
from marketplace.ledger.models import JournalEntry

__all__ = [
    "Account",
    "AlreadyPosted",
    "JournalEntry",
    "NewEntry",
    "NotCovered",
    "balance",
    "balances",
    "entries_for",
    "entries_of",
    "hold",
    "post",
    "post_many",
    "require_cover",
    "require_covers",
    "reverse",
]
