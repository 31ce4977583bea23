"""What was only reserved when a payment was lost, and is not worked after all, makes our loss smaller.

Its client has that money from its bank already. So of each loss a claim is kept on what the project's weeks
held at that moment; what these weeks give back goes to us, before anything of it is refunded.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs, ledger
from marketplace.actor import SITE
from marketplace.db import use_case
from marketplace.gigs import projection
from marketplace.gigs.models import Project
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.payments.chargebacks.models import Chargeback, LossClaim
from marketplace.payments.debts import books as debts
from marketplace.payments.models import Funding


def keep(session: Session, lot: Funding, loss: int, chargeback: Chargeback | None = None) -> None:
    """Claim at most `loss` minor units of what the project's weeks hold now and no other loss claims."""
    most = min(loss, _reserved(session, lot.project) - open_of(session, lot.project))
    if most > 0:
        session.add(
            LossClaim(
                funding=lot, chargeback=chargeback, open=most, recovered=0, bookings=0, since=clock.now()
            )
        )


def lessen(session: Session, chargeback: Chargeback) -> None:
    """What came back from the bank is no loss, and claimed by nobody any more."""
    left = chargeback.loss
    for each in _open(session, Funding.id == chargeback.funding_id, LossClaim.chargeback_id == chargeback.id):
        each.open = min(each.open, left)
        left -= each.open


def open_of(session: Session, project: Project) -> int:
    """Minor units of a project's money that are claimed and not recovered."""
    claimed = sa.select(sa.func.sum(LossClaim.open)).join(LossClaim.funding)
    return int(session.scalar(claimed.where(Funding.project_id == project.id)) or 0)


def recover_all(session: Session) -> int:
    """Recover what weeks gave back, for how many projects; what is free pays what is owed. Asks nobody."""
    claimed = sa.select(Funding.project_id).join(LossClaim, LossClaim.funding_id == Funding.id)
    found = session.scalars(claimed.where(LossClaim.open > 0).distinct().order_by(Funding.project_id)).all()
    done = jobs.one_by_one(session, _recover, found)
    debts.settle_all(session)
    return done


@use_case
def _recover(session: Session, project_id: int) -> bool:
    # A chargeback is held before the funds are, as wherever it is booked.
    lost = sa.select(Chargeback.id).join(Chargeback.funding).where(Funding.project_id == project_id)
    held = sa.select(Chargeback).where(Chargeback.id.in_(lost)).order_by(Chargeback.id)
    session.scalars(held.with_for_update().execution_options(populate_existing=True)).all()
    project = session.get_one(Project, project_id)
    funds = chart.project_funds(project.public_id)
    ledger.hold(session, [funds], project.currency)
    # Before what weeks gave back is read: what they give between the two is counted, and not given up.
    reserved = _reserved(session, project)
    for claim in _open(session, Funding.project_id == project_id):
        free = -ledger.balance(session, funds, project.currency)
        _book(session, claim, max(0, min(claim.open, free, _given_back(session, claim))))
        claim.open = min(claim.open, max(0, reserved))
        session.flush()
    projection.push_project(session, project_id)
    return True


def _book(session: Session, claim: LossClaim, amount: int) -> None:
    if not amount:
        return
    claim.open, claim.recovered = claim.open - amount, claim.recovered + amount
    claim.bookings += 1
    if claim.chargeback is not None:
        claim.chargeback.loss -= amount
        claim.chargeback.from_funds += amount
    debt = debts.of_lot(session, claim.funding) if claim.chargeback is None else None
    if debt is not None:
        debt.recovered += amount
    project = claim.funding.project.public_id
    ledger.post(
        session,
        SITE,
        source=claim.source,
        event=f"recovered {claim.id}.{claim.bookings}",
        currency=claim.funding.currency,
        lines=[
            (chart.project_funds(project), amount),
            (chart.client_receivable(project) if debt else chart.chargeback_losses(), -amount),
        ],
        occurred_at=clock.now(),
        memo=_("Reserved when a payment was lost, and not worked"),
    )


def _given_back(session: Session, claim: LossClaim) -> int:
    """What weeks that were reserved before the claim gave back since, less what claims took of it."""
    before = sa.select(JournalEntry.source).where(
        JournalEntry.event == "reserved", JournalEntry.occurred_at <= claim.since
    )
    given = (JournalEntry.event == "returned") & JournalEntry.source.in_(before)
    moved = (
        sa.select(sa.func.sum(-Posting.amount))
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(
            LedgerAccount.key == chart.project_funds(claim.funding.project.public_id).key,
            JournalEntry.occurred_at >= claim.since,
            given | JournalEntry.event.startswith("recovered "),
        )
    )
    return int(session.scalar(moved) or 0)


def _reserved(session: Session, project: Project) -> int:
    return -ledger.balance(session, chart.project_reserved(project.public_id), project.currency)


def _open(session: Session, *which: sa.ColumnElement[bool]) -> Sequence[LossClaim]:
    query = sa.select(LossClaim).join(LossClaim.funding).where(LossClaim.open > 0, *which)
    query = query.order_by(LossClaim.id).with_for_update(of=LossClaim)
    return session.scalars(query.execution_options(populate_existing=True)).all()
