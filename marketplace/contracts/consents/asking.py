"""Asking whoever works on a gig for consent when the statement on the use of their work changes.

Until they answer they work under the version that they signed, for at most seven days. After that no new time
counts before they have answered: their silence is not a yes, and work is never used by what nobody agreed to.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import SITE, Actor
from marketplace.contracts import find
from marketplace.contracts.consents import queries
from marketplace.contracts.consents.models import Consent, ConsentState
from marketplace.contracts.models import Contract
from marketplace.contracts.states import ContractState
from marketplace.contracts.weeks import to_minute
from marketplace.gigs import data_use
from marketplace.gigs.members import tell
from marketplace.gigs.models import DataUse, Gig
from marketplace.i18n import gettext as _
from marketplace.i18n import zoned

ANSWER_WITHIN = timedelta(days=7)


def ask_working(session: Session, actor: Actor, gig: Gig, new: DataUse) -> None:
    """Ask everybody who works on the gig. Needs the gig's lock, so that nobody signs meanwhile."""
    query = sa.select(Contract.id).filter_by(gig_id=gig.id, state=ContractState.ACTIVE, test_id=None)
    for contract_id in session.scalars(query.order_by(Contract.id)).all():
        ask(session, actor, find.hold(session, contract_id), new)


def ask(session: Session, actor: Actor, contract: Contract, new: DataUse) -> None:
    """Ask a contract's expert to agree to `new`, unless they work by what it says. Needs its lock.

    A question that waits falls away: the statement has changed again, or was changed back.
    """
    if contract.state is not ContractState.ACTIVE:
        return
    drop(session, contract)
    in_force = queries.agreed(session, contract)
    if in_force and data_use.same(in_force[-1].statement, new):
        return
    now = clock.now()
    asked = Consent(
        contract=contract,
        data_use=new,
        asked_at=now,
        answer_by=to_minute(now + ANSWER_WITHIN),
        state=ConsentState.WAITING,
    )
    session.add(asked)
    session.flush()
    audit.record(session, actor, "data_use.asked", "contract", contract.public_id, version=new.version)
    tell(
        session,
        contract.person_id,
        "data_use.asked",
        f"/consents/{asked.public_id}",
        lambda: (
            _("Your work is to be used in another way"),
            _(
                "%(gig)s. Agree, or stop and be paid, by %(when)s. Until you answer, what you signed holds.",
                gig=contract.gig.title,
                when=zoned(asked.answer_by, contract.time_zone),
            ),
        ),
    )


def drop(session: Session, contract: Contract, to: ConsentState = ConsentState.VOID) -> None:
    """Close the question that waits, if one does: its answer is needed no more. Needs the contract's lock."""
    asked = queries.waiting(session, contract)
    if asked is not None:
        close(session, SITE, asked, to)


def close(
    session: Session, actor: Actor, asked: Consent, to: ConsentState, signed_name: str | None = None
) -> None:
    """Write down what became of a question. Needs the contract's lock."""
    asked.state, asked.answered_at, asked.signed_name = to, clock.now(), signed_name
    session.flush()
    audit.record(
        session, actor, f"data_use.{to}", "contract", asked.contract.public_id, version=asked.data_use.version
    )


def unanswered(session: Session, contract: Contract, start: datetime, end: datetime) -> datetime | None:
    """The moment in [start, end) from which time does not count, as the days to answer were over and nobody
    had; None when all of it counts. A late yes counts for those days too; nothing else that came of it does.
    """
    query = sa.select(sa.func.min(Consent.answer_by)).where(Consent.contract_id == contract.id)
    return session.scalar(query.where(queries.is_silent(), queries.silent_in(start, end)))


data_use.on_new.append(ask_working)
