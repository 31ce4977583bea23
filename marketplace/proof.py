"""A proof: a statement about the data that must hold, and the drifts that show where it does not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module

from sqlalchemy.orm import Session

SLICES = (
    "audit.trail",
    "ledger.proofs",
    "credentials.proofs",
    "gigs.proofs",
    "contracts.proofs",
    "payments.proofs",
    "payments.invoices.proofs",
    "payments.setup.proofs",
    "payments.tax.proofs",
    "payments.chargebacks.proofs",
    "payments.debts.proofs",
    "payments.lost.proofs",
    "reconciliation.proofs",
)
# What a drift is about when its proof could not even be run.
ITSELF = "the proof itself"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drift:
    """Where a proof fails: `subject` names the thing; amounts are minor units where money is meant."""

    subject: str
    expected: str
    found: str


@dataclass(frozen=True)
class Proof:
    """`code` such as P1 or I3, a `title` in words, and `run`, which yields a Drift for each violation."""

    code: str
    title: str
    run: Callable[[Session], Iterable[Drift]]


def every() -> list[Proof]:
    """All proofs, in the order of the slices."""
    return [proof for name in SLICES for proof in import_module(f"marketplace.{name}").PROOFS]


def look(session: Session, proof: Proof) -> list[Drift]:
    """What the proof finds. One that cannot be run has not been shown to hold, and keeps no other from it."""
    try:
        with session.begin_nested():
            return list(proof.run(session))
    except Exception as error:
        log.exception("A proof could not be run", extra={"code": proof.code})
        return [Drift(ITSELF, "run", f"could not be run: {type(error).__name__}")]
