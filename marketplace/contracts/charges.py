"""What was charged to clients' projects, by the ledger: pay, fee and its tax, and the rounding that the site
bears.

A charge is an entry of the journal that touches a project's money (2010, 2020 or 2120) and pay (2100), the
fee (4010), its tax (2300) or rounding (5080). Reserving, funding and giving back touch none of these four.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock, ledger
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.fees.schedule import Split, split
from marketplace.contracts.models import Approval, ApprovedLine, Contract, Timesheet
from marketplace.gigs.models import Gig, Project
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.money import Money

PAY = chart.expert_payable(uuid.UUID(int=0)).code
FEE, TAX, ROUNDING = chart.client_fees().code, chart.tax_payable().code, chart.rounding().code


@dataclass(frozen=True)
class Charge:
    """One entry: amounts in minor units, less than zero for what came back to the project.

    `kind` is the first word of its source, such as `approval`; `rounding` is what the client need not pay.
    """

    entry_id: int
    kind: str
    memo: str
    at: datetime
    project: Project
    gig: Gig | None
    on_test: bool
    minutes: int
    pay: int
    fee: int
    tax: int
    rounding: int

    @property
    def total(self) -> int:
        """What left the project's money."""
        return self.pay + self.fee + self.tax + self.rounding


@dataclass(frozen=True)
class About:
    """What an entry is for; nothing is known of one whose kind nobody registered."""

    gig: Gig | None = None
    on_test: bool = False
    minutes: int = 0


@dataclass(frozen=True)
class HourCosts:
    """Of what an hour costs the client, the expert's pay, the fee and its tax; `posted` says that hours were
    paid."""

    pay: Money
    fee: Money
    tax: Money
    posted: bool

    @property
    def whole(self) -> Money:
        return self.pay + self.fee + self.tax


# By kind: what the entries of these sources (public ids) are for.
Explain = Callable[[Session, Sequence[uuid.UUID]], Mapping[uuid.UUID, About]]
_explained: dict[str, Explain] = {}


def register(kind: str, explain: Explain) -> None:
    """Let `explain` answer for entries whose source is `kind:<public id>`."""
    _explained[kind] = explain


def charges(session: Session, projects: Iterable[Project], *where: sa.ColumnElement[bool]) -> list[Charge]:
    """The charges of projects, in the order in which they happened; `where` narrows the journal."""
    by_key = {key: project for project in projects for key in _keys(project)}
    touching = (
        sa.select(Posting.entry_id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(LedgerAccount.key.in_(by_key))
    )
    rows = session.execute(
        sa.select(
            JournalEntry,
            sa.func.min(LedgerAccount.key).filter(LedgerAccount.key.in_(by_key)),
            _sum(PAY),
            _sum(FEE),
            _sum(TAX),
            _sum(ROUNDING),
        )
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(JournalEntry.id.in_(touching), *where)
        .group_by(JournalEntry.id)
        .having(sa.func.bool_or(LedgerAccount.code.in_([PAY, FEE, TAX, ROUNDING])))
        .order_by(JournalEntry.occurred_at, JournalEntry.id)
    ).all()
    about = _about(session, [entry.source for entry, *_rest in rows])
    return [
        _charge(entry, by_key[key], about.get(entry.source, About()), [int(amount) for amount in amounts])
        for entry, key, *amounts in rows
    ]


def an_hour_of(session: Session, contract: Contract) -> HourCosts:
    """What an hour of a contract costs by what was posted for it, or as agreed while nothing was."""
    approvals = session.execute(
        sa.select(Approval.public_id, sa.func.sum(ApprovedLine.minutes))
        .join(Approval.timesheet)
        .join(ApprovedLine, ApprovedLine.approval_id == Approval.id)
        .where(Timesheet.contract_id == contract.id)
        .group_by(Approval.id)
    ).all()
    minutes = sum(int(each) for _id, each in approvals)
    if not minutes:
        decided = contract.tax_at(clock.now())
        agreed = split(contract.rate, contract.fee_at(clock.now()), decided.rate_bps if decided else 0)
        return _an_hour(contract, agreed, posted=False)
    posted = {PAY: 0, FEE: 0, TAX: 0}
    for entry in ledger.entries_of(session, [f"approval:{public_id}" for public_id, _m in approvals]):
        for posting in entry.postings:
            if posting.account.code in posted:
                posted[posting.account.code] -= posting.amount
    an_hour = ((2 * posted[code] * 60 + minutes) // (2 * minutes) for code in (PAY, FEE, TAX))
    return _an_hour(contract, Split(*an_hour), posted=True)


def _an_hour(contract: Contract, parts: Split, *, posted: bool) -> HourCosts:
    pay, fee, tax = (Money(each, contract.currency) for each in (parts.pay, parts.fee, parts.tax))
    return HourCosts(pay, fee, tax, posted)


def _keys(project: Project) -> list[str]:
    accounts = (chart.project_funds, chart.project_reserved, chart.disputed)
    return [account(project.public_id).key for account in accounts]


def _sum(code: str) -> sa.ColumnElement[int]:
    """What was credited to a code, less what was debited."""
    return sa.func.coalesce(-sa.func.sum(Posting.amount).filter(LedgerAccount.code == code), 0)


def _charge(entry: JournalEntry, project: Project, about: About, amounts: Sequence[int]) -> Charge:
    pay, fee, tax, rounding = amounts
    return Charge(
        entry_id=entry.id,
        kind=entry.source.partition(":")[0],
        memo=entry.memo,
        at=entry.occurred_at,
        project=project,
        gig=about.gig,
        on_test=about.on_test,
        minutes=about.minutes,
        pay=pay,
        fee=fee,
        tax=tax,
        rounding=rounding,
    )


def _about(session: Session, sources: Iterable[str]) -> dict[str, About]:
    found: dict[str, About] = {}
    for kind, group in groupby(sorted(sources), key=lambda source: source.partition(":")[0]):
        if explain := _explained.get(kind):
            ids = [uuid.UUID(source.partition(":")[2]) for source in group]
            found |= {f"{kind}:{public_id}": each for public_id, each in explain(session, ids).items()}
    return found


def _approvals(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, About]:
    minutes = sa.func.sum(ApprovedLine.minutes)
    rows = session.execute(
        sa.select(Approval.public_id, Contract, minutes)
        .join(ApprovedLine, ApprovedLine.approval_id == Approval.id)
        .join(Timesheet, Timesheet.id == Approval.timesheet_id)
        .join(Contract, Contract.id == Timesheet.contract_id)
        .where(Approval.public_id.in_(ids))
        .group_by(Approval.id, Contract.id)
        .options(joinedload(Contract.gig))
    )
    return {
        public_id: About(contract.gig, contract.test_id is not None, int(worked))
        for public_id, contract, worked in rows
    }


def _disputes(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, About]:
    """What came back of a questioned line: it charges nothing but the rounding that was borne for it."""
    disputes = session.scalars(
        sa.select(TimeDispute)
        .where(TimeDispute.public_id.in_(ids))
        .options(joinedload(TimeDispute.contract).joinedload(Contract.gig))
    )
    return {each.public_id: About(each.contract.gig, each.contract.test_id is not None) for each in disputes}


register("approval", _approvals)
register("time_dispute", _disputes)
