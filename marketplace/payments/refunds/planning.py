"""Which money goes back where: to the lots it came from, the newest first, never more than a lot brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs, ledger
from marketplace.actor import SITE
from marketplace.contracts.adjustments import hooks
from marketplace.contracts.budgets import caps, ending
from marketplace.contracts.budgets.models import ProjectEnding
from marketplace.db import use_case
from marketplace.gigs.members import tell_client
from marketplace.gigs.models import Project
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.ledger.models import LedgerAccount, LedgerBalance
from marketplace.money import Money
from marketplace.payments import fees
from marketplace.payments.chargebacks import claims
from marketplace.payments.models import Funding
from marketplace.payments.refunds import contested
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import FundingState, RefundState, move


@dataclass(frozen=True)
class Part:
    """So much of a lot goes back; `lot` is None for money that no lot of ours brought."""

    lot: Funding | None
    amount: Money


def plan(session: Session, project: Project, amount: Money) -> list[Part]:
    """Where `amount` of a project's free money would go; `amount` is at most what `unprepared` says. Of a
    currency with three decimals Stripe takes whole tens; the rest is paid by hand."""
    parts, left = [], amount.amount
    for lot in _lots(session, project):
        step = fees.step(amount.currency) if lot.charge else 1
        part = min(left, contested.may_go_back(session, lot)) // step * step
        if part > 0:
            parts.append(Part(lot, Money(part, amount.currency)))
            left -= part
    return [*parts, Part(None, Money(left, amount.currency))] if left > 0 else parts


def prepare_refunds(session: Session) -> int:
    """Prepare what goes back of projects that have ended, once nothing of them waits; for how many. What was
    prepared and is no longer covered is called off, and prepared anew with what is left."""
    claims.recover_all(session)
    key = sa.func.concat("project:", sa.cast(Project.public_id, sa.Text), ":funds")
    free = (
        sa.select(ProjectEnding.project_id)
        .join(Project, Project.id == ProjectEnding.project_id)
        .join(LedgerAccount, (LedgerAccount.key == key) & (LedgerAccount.currency == Project.currency))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .group_by(ProjectEnding.project_id)
        .having(sa.func.sum(LedgerBalance.amount) < 0)
        .order_by(ProjectEnding.project_id)
    )
    prepared = sa.select(Refund.project_id).where(Refund.state == RefundState.PREPARED)
    projects = {*session.scalars(free), *session.scalars(prepared.distinct())}
    return jobs.one_by_one(session, _prepare, sorted(projects))


@use_case
def _prepare(session: Session, project_id: int) -> bool:
    # Two workers come one after the other: the second finds what the first has prepared.
    project = session.get_one(
        Project, project_id, with_for_update={"key_share": True}, populate_existing=True
    )
    caps.hold(session, project)
    _call_off_uncovered(session, project)
    ended, left = ending.ended(session, project), unprepared(session, project)
    if ended is None or not left or not ending.is_settled(session, project):
        return False
    for part in plan(session, project, left):
        _add(session, project, ended, part)
    tell_client(
        session,
        project.organization_id,
        "refund.prepared",
        f"/projects/{project.public_id}/end",
        lambda: (
            _("%(amount)s of %(project)s go back to you", amount=left, project=project.name),
            _("Our finance staff release it next. The page says where each part goes."),
        ),
    )
    return True


def unprepared(session: Session, project: Project) -> Money:
    """Free money of a project that no refund takes yet, no bank decides about, and no loss claims."""
    waiting = contested.withheld(session, _lots(session, project)) + claims.open_of(session, project)
    left = _free(session, project) - promised(session, project) - waiting
    return Money(max(0, left), project.currency)


def promised(session: Session, project: Project) -> int:
    """Minor units of a project's free money that refunds take which nobody has released yet."""
    taken = sa.select(sa.func.sum(Refund.amount)).filter_by(project_id=project.id)
    return int(session.scalar(taken.where(Refund.state == RefundState.PREPARED)) or 0)


def _free(session: Session, project: Project) -> int:
    return -ledger.balance(session, chart.project_funds(project.public_id), project.currency)


def _call_off_uncovered(session: Session, project: Project) -> None:
    """Those of a payment that its bank contests too. Needs the lock on the project's funds. What is being
    released now is left to its releaser."""
    query = sa.select(Refund).filter_by(project_id=project.id, state=RefundState.PREPARED)
    covered = promised(session, project) <= max(0, _free(session, project))
    query = query.order_by(Refund.id).with_for_update(of=Refund, skip_locked=True)
    for refund in session.scalars(query.execution_options(populate_existing=True)).all():
        if covered and _may_go(session, refund):
            continue
        move(refund, RefundState.CANCELLED)
        audit.record(session, SITE, "call_off", "refund", refund.public_id, amount=refund.amount)
    session.flush()


def _may_go(session: Session, refund: Refund) -> bool:
    """Does the bank of its payment leave it? Money of no payment has none."""
    lot = refund.funding
    return lot is None or contested.may_go_back(session, lot, besides=refund) >= refund.amount


def _lots(session: Session, project: Project) -> Sequence[Funding]:
    """The paid lots, newest first."""
    paid = sa.select(Funding).filter_by(project_id=project.id, state=FundingState.PAID)
    return session.scalars(paid.order_by(Funding.paid_at.desc(), Funding.id.desc())).all()


def _add(session: Session, project: Project, ended: ProjectEnding, part: Part) -> None:
    refund = Refund(
        project=project,
        funding=part.lot,
        amount=part.amount.amount,
        currency=part.amount.currency,
        asked_by=ended.ended_by,
        prepared_at=clock.now(),
    )
    session.add(refund)
    session.flush()
    audit.record(
        session, SITE, "prepare", "refund", refund.public_id,
        amount=refund.amount, funding=part.lot.public_id if part.lot else None,
    )  # fmt: skip


hooks.promised.append(promised)
