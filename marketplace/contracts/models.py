"""Offers, contracts, the money they reserve, and the time that is worked on them."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, ExcludeConstraint
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship, remote

from marketplace import clock
from marketplace.accounts.models import Organization, Person
from marketplace.actor import CLIENT, Actor, Role
from marketplace.contracts.fees import schedule
from marketplace.contracts.fees.models import FeeChange
from marketplace.contracts.states import (
    ContractState,
    OfferState,
    ReservationState,
    Source,
    TimeKind,
    TimesheetState,
)
from marketplace.contracts.taxes import schedule as taxing
from marketplace.contracts.taxes.models import TaxDecision
from marketplace.db import Base, Key, Public, Word
from marketplace.gigs.models import Application, DataUse, Gig, Guidelines, Project
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.money import Money, for_minutes

_LIVE = sa.text("removed_at IS NULL")
_RUNNING = sa.text("ended_at IS NULL AND removed_at IS NULL")


class Offer(Public, Base):
    """What a client offers one applicant, with the whole text that would be signed. `rate` is for an hour.

    With a `test` it is the paid test that is offered, and nothing else. `data_use` is the version of the
    statement on the use of the work that the text holds; None of a test, whose answers train nothing.
    `same_person` asks for the passkey of the expert's identity with each week.
    """

    __tablename__ = "offers"

    id: Mapped[Key]
    application_id: Mapped[int] = mapped_column(sa.ForeignKey("applications.id"))
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organizations.id"), index=True)
    project_id: Mapped[int] = mapped_column(sa.ForeignKey("projects.id"))
    gig_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id"), index=True)
    test_id: Mapped[int | None] = mapped_column(sa.ForeignKey("qualification_tests.id"))
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    rate: Mapped[int]
    currency: Mapped[str]
    fee_bps: Mapped[int]
    hours_per_week: Mapped[int]
    starts_on: Mapped[date]
    terms_version: Mapped[str]
    terms: Mapped[str]
    data_use_id: Mapped[int | None] = mapped_column(sa.ForeignKey("data_uses.id"))
    same_person: Mapped[bool] = mapped_column(server_default=sa.false(), default=False)
    state: Mapped[OfferState] = mapped_column(Word(OfferState))
    expires_at: Mapped[datetime]
    made_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    made_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]

    application: Mapped[Application] = relationship()
    organization: Mapped[Organization] = relationship()
    project: Mapped[Project] = relationship()
    gig: Mapped[Gig] = relationship()
    test: Mapped[QualificationTest | None] = relationship()
    data_use: Mapped[DataUse | None] = relationship()
    person: Mapped[Person] = relationship(foreign_keys=[person_id])

    __table_args__ = (
        sa.Index("uq_offers_made", "application_id", unique=True, postgresql_where=sa.text("state = 'made'")),
        sa.Index("ix_offers_expires_at", "expires_at", postgresql_where=sa.text("state = 'made'")),
    )

    @property
    def test_pay(self) -> Money | None:
        """What the whole time of its test pays; None when it offers work."""
        return Money(for_minutes(self.rate, self.test.minutes), self.currency) if self.test else None

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """The expert it was made to, the client's people, and operators."""
        return _both_sides(cls.person_id, cls.organization_id, actor)


class Contract(Public, Base):
    """A signed offer. `time_zone` says when its weeks begin; `rounding_rule` how an hour becomes money.

    That of a paid `test` is over when the test is, and takes no place of the gig.
    """

    __tablename__ = "contracts"

    id: Mapped[Key]
    offer_id: Mapped[int] = mapped_column(sa.ForeignKey("offers.id"), unique=True)
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organizations.id"), index=True)
    project_id: Mapped[int] = mapped_column(sa.ForeignKey("projects.id"), index=True)
    gig_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id"), index=True)
    test_id: Mapped[int | None] = mapped_column(sa.ForeignKey("qualification_tests.id"))
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    currency: Mapped[str]
    fee_bps: Mapped[int]
    hours_per_week: Mapped[int]
    time_zone: Mapped[str]
    rounding_rule: Mapped[str]
    starts_on: Mapped[date]
    signed_name: Mapped[str]
    signed_at: Mapped[datetime]
    terms_sha256: Mapped[bytes]
    state: Mapped[ContractState] = mapped_column(Word(ContractState))
    ended_at: Mapped[datetime | None]

    offer: Mapped[Offer] = relationship()
    organization: Mapped[Organization] = relationship()
    project: Mapped[Project] = relationship()
    gig: Mapped[Gig] = relationship()
    test: Mapped[QualificationTest | None] = relationship()
    person: Mapped[Person] = relationship()
    rates: Mapped[list[ContractRate]] = relationship(order_by="ContractRate.from_at")
    fees: Mapped[list[FeeChange]] = relationship(
        primaryjoin=lambda: _accepted_fees(Contract.project_id, Contract.organization_id),
        order_by=FeeChange.from_on,
        viewonly=True,
    )
    """What was accepted and can apply to it: of its project, of its client, and of all."""
    taxes: Mapped[list[TaxDecision]] = relationship(
        primaryjoin=lambda: _tax_decisions(Contract.organization_id),
        order_by=(TaxDecision.from_on, TaxDecision.id),
        viewonly=True,
    )
    """What can apply to our fee: its client's decisions, and those of clients that have none."""

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """The expert, the client's people, finance staff and operators."""
        return _both_sides(cls.person_id, cls.organization_id, actor)

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which its days and weeks begin."""
        return ZoneInfo(self.time_zone)

    @property
    def week_minutes(self) -> int:
        """Minutes that can be worked in a week, and are reserved for it."""
        return self.test.minutes if self.test else self.hours_per_week * 60

    def rate_at(self, moment: datetime) -> int:
        """Minor units an hour in force at `moment`; later rates never touch earlier hours."""
        return next(each.rate for each in reversed(self.rates) if each.from_at <= moment)

    @property
    def rate(self) -> int:
        """Minor units an hour in force now; one that begins later is the last of `rates`."""
        return self.rate_at(max(clock.now(), self.rates[0].from_at))

    def highest_rate(self, start: datetime, end: datetime) -> int:
        """Minor units an hour that some hour of [start, end) is paid at the most."""
        return max(self.rate_at(start), *(each.rate for each in self.rates if start <= each.from_at < end), 0)

    def fee_on(self, on: date) -> int:
        """The fee of work on a day of its zone, in hundredths of a per cent of the pay: by the schedule, and
        as agreed in the offer where that is silent."""
        return schedule.fee_on(self.fees, on, self.fee_bps)

    def fee_at(self, moment: datetime) -> int:
        """The fee of work that begins at `moment`."""
        return self.fee_on(moment.astimezone(self.zone).date())

    def highest_fee(self, start: datetime, end: datetime) -> int:
        """The highest fee of some day of [start, end)."""
        first, last = (each.astimezone(self.zone).date() for each in (start, end))
        return schedule.highest(self.fees, first, last, self.fee_bps)

    def tax_on(self, on: date) -> TaxDecision | None:
        """The tax that our fee for work on a day of its zone bears; None while nothing was ever decided."""
        return taxing.applies(self.taxes, on)

    def tax_at(self, moment: datetime) -> TaxDecision | None:
        """The tax that our fee for work that begins at `moment` bears."""
        return self.tax_on(moment.astimezone(self.zone).date())

    def highest_tax(self, start: datetime, end: datetime) -> int:
        """The highest tax on the fee of some day of [start, end), in hundredths of a per cent of the fee."""
        first, last = (each.astimezone(self.zone).date() for each in (start, end))
        return taxing.highest(self.taxes, first, last)

    @property
    def rate_cuts(self) -> list[datetime]:
        """The moments at which a rate begins, where entries are split."""
        return [each.from_at for each in self.rates]


class ContractRate(Base):
    """A rate for an hour, in force from `from_at` until the next one."""

    __tablename__ = "contract_rates"

    id: Mapped[Key]
    contract_id: Mapped[int] = mapped_column(sa.ForeignKey("contracts.id"))
    rate: Mapped[int]
    from_at: Mapped[datetime]
    agreed_at: Mapped[datetime]

    __table_args__ = (sa.UniqueConstraint("contract_id", "from_at"),)


class Reservation(Base):
    """Money set aside for a week of a contract: `amount` is pay, fee and its tax for `minutes`, in minor
    units."""

    __tablename__ = "reservations"

    id: Mapped[Key]
    contract_id: Mapped[int] = mapped_column(sa.ForeignKey("contracts.id"))
    week_start_at: Mapped[datetime]
    week_end_at: Mapped[datetime]
    minutes: Mapped[int]
    amount: Mapped[int]
    state: Mapped[ReservationState] = mapped_column(Word(ReservationState))

    contract: Mapped[Contract] = relationship()

    __table_args__ = (
        sa.UniqueConstraint("contract_id", "week_start_at"),
        sa.Index("ix_reservations_held", "week_end_at", postgresql_where=sa.text("state = 'held'")),
    )


class TimeEntry(Public, Base):
    """An interval of work in UTC, to the minute. A version that no longer counts has `removed_at`; when
    another took its place, `replaced_by_id` names it. A running timer has no `ended_at`."""

    __tablename__ = "time_entries"

    id: Mapped[Key]
    contract_id: Mapped[int] = mapped_column(sa.ForeignKey("contracts.id"), index=True)
    timesheet_id: Mapped[int] = mapped_column(sa.ForeignKey("timesheets.id"), index=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    kind: Mapped[TimeKind] = mapped_column(Word(TimeKind))
    source: Mapped[Source] = mapped_column(Word(Source))
    task_kind: Mapped[str]
    items: Mapped[int | None]
    note: Mapped[str]
    version: Mapped[int]
    replaced_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("time_entries.id"))
    removed_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]

    contract: Mapped[Contract] = relationship()
    timesheet: Mapped[Timesheet] = relationship(back_populates="all_entries")

    __table_args__ = (
        ExcludeConstraint(
            ("person_id", "="),
            (sa.func.tstzrange(sa.column("started_at"), sa.column("ended_at")), "&&"),
            name="ex_time_entries_overlap",
            where=_LIVE,
            using="gist",
        ),
        sa.Index("uq_time_entries_running", "person_id", unique=True, postgresql_where=_RUNNING),
    )

    @property
    def minutes(self) -> int:
        """Whole minutes that really elapsed; 0 while the timer runs."""
        return 0 if self.ended_at is None else int((self.ended_at - self.started_at).total_seconds()) // 60


class GuidelinesReading(Base):
    """A version of the gig's guidelines that the expert of a contract has begun to read, or has read.

    `time_entry_id` is the entry whose timer was started for it; None when a timer ran anyway.
    """

    __tablename__ = "guidelines_readings"

    contract_id: Mapped[int] = mapped_column(sa.ForeignKey("contracts.id"), primary_key=True)
    guidelines_id: Mapped[int] = mapped_column(sa.ForeignKey("guidelines.id"), primary_key=True)
    begun_at: Mapped[datetime]
    time_entry_id: Mapped[int | None] = mapped_column(sa.ForeignKey("time_entries.id"))
    read_at: Mapped[datetime | None]

    guidelines: Mapped[Guidelines] = relationship()


class Timesheet(Public, Base):
    """A contract's week. `version` counts every change, so that an approval names what was seen.

    `two_people` says that its client's rule asked for two when it was submitted.
    """

    __tablename__ = "timesheets"

    id: Mapped[Key]
    contract_id: Mapped[int] = mapped_column(sa.ForeignKey("contracts.id"))
    week_start_at: Mapped[datetime]
    week_end_at: Mapped[datetime]
    zone: Mapped[str]
    state: Mapped[TimesheetState] = mapped_column(Word(TimesheetState))
    submitted_at: Mapped[datetime | None]
    approve_by: Mapped[datetime | None]
    two_people: Mapped[bool] = mapped_column(server_default=sa.false(), default=False)
    version: Mapped[int]

    contract: Mapped[Contract] = relationship()
    approvals: Mapped[list[Approval]] = relationship(back_populates="timesheet", order_by="Approval.id")
    all_entries: Mapped[list[TimeEntry]] = relationship(
        back_populates="timesheet", order_by="TimeEntry.started_at, TimeEntry.id"
    )

    __table_args__ = (
        sa.UniqueConstraint("contract_id", "week_start_at"),
        sa.Index("ix_timesheets_approve_by", "approve_by", postgresql_where=sa.text("state = 'submitted'")),
    )

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """Those who may see its contract."""
        return cls.contract_id.in_(sa.select(Contract.id).where(Contract.visible_to(actor)))

    @classmethod
    def worked(cls) -> sa.ColumnElement[bool]:
        """Those in which something was worked: an entry that is neither removed nor, as that of a timer that
        ran for less than a minute, of no length."""
        long = TimeEntry.ended_at.is_(None) | (TimeEntry.ended_at > TimeEntry.started_at)
        return cls.all_entries.any(TimeEntry.removed_at.is_(None) & long)

    @property
    def approval(self) -> Approval | None:
        """The client's decision about the week; further approvals are what rulings awarded."""
        return next(iter(self.approvals), None)

    @property
    def entries(self) -> list[TimeEntry]:
        """The entries that count, earliest first."""
        return [entry for entry in self.all_entries if entry.removed_at is None]

    @property
    def earlier_versions(self) -> list[TimeEntry]:
        """What was changed or removed, as it was; a timer that ran for less than a minute is not shown."""
        return [entry for entry in self.all_entries if entry.removed_at is not None and entry.ended_at]

    @property
    def paid_minutes(self) -> int:
        """Minutes of the entries that are paid."""
        return sum(entry.minutes for entry in self.entries if entry.kind is TimeKind.PAID)

    @property
    def starts_on(self) -> date:
        """The Monday on which its week begins, in its own zone."""
        return self.week_start_at.astimezone(ZoneInfo(self.zone)).date()


class Approval(Public, Base):
    """Time approved: a week without its questioned lines, or with a `dispute_id` what was awarded of one.

    By a person, or at a deadline by the site (`person_id` is then empty).

    `expert_amount`, `fee_amount` and `tax_amount` are the sums of its lines, in minor units of the contract's
    currency. With a `first_id` somebody else had given the first of two approvals; with a `for_person_id` it
    was given for somebody who was away.
    """

    __tablename__ = "approvals"

    id: Mapped[Key]
    timesheet_id: Mapped[int] = mapped_column(sa.ForeignKey("timesheets.id"), index=True)
    dispute_id: Mapped[int | None] = mapped_column(sa.ForeignKey("time_disputes.id"))
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    for_person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    first_id: Mapped[int | None]
    first_person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    at: Mapped[datetime]
    lines_sha256: Mapped[bytes]
    expert_amount: Mapped[int]
    fee_amount: Mapped[int]
    tax_amount: Mapped[int] = mapped_column(server_default="0", default=0)

    timesheet: Mapped[Timesheet] = relationship(back_populates="approvals")
    person: Mapped[Person | None] = relationship(foreign_keys=[person_id])
    for_person: Mapped[Person | None] = relationship(foreign_keys=[for_person_id])
    first_person: Mapped[Person | None] = relationship(foreign_keys=[first_person_id])
    lines: Mapped[list[ApprovedLine]] = relationship(order_by="ApprovedLine.id")

    __table_args__ = (
        sa.Index(
            "uq_approvals_of_week",
            "timesheet_id",
            unique=True,
            postgresql_where=sa.text("dispute_id IS NULL"),
        ),
        sa.Index("ix_approvals_dispute_id", "dispute_id", postgresql_where=sa.text("dispute_id IS NOT NULL")),
        sa.ForeignKeyConstraint(
            ["first_id", "first_person_id", "timesheet_id"],
            ["first_approvals.id", "first_approvals.person_id", "first_approvals.timesheet_id"],
            name="fk_approvals_first_id_first_approvals",
        ),
    )

    @property
    def by(self) -> str | None:
        """Who approved; None for the deadline."""
        return self.person.full_name if self.person else None


class ApprovedLine(Base):
    """One entry as it was approved: minutes at a rate, rounded once, and the checks valid at that time.

    `fee_bps` is the fee in force on its day; None of what was approved before fees were dated, where it is
    the contract's. `tax_decision_id` says which tax our fee bore; None where none was ever decided.
    `part` is 1 for what an appeal added to an entry of which a ruling had awarded less.
    """

    __tablename__ = "approved_lines"

    id: Mapped[Key]
    approval_id: Mapped[int] = mapped_column(sa.ForeignKey("approvals.id"), index=True)
    time_entry_id: Mapped[int] = mapped_column(sa.ForeignKey("time_entries.id"))
    part: Mapped[int] = mapped_column(sa.SmallInteger, server_default="0", default=0)
    minutes: Mapped[int]
    rate: Mapped[int]
    expert_amount: Mapped[int]
    fee_amount: Mapped[int]
    fee_bps: Mapped[int | None]
    tax_amount: Mapped[int] = mapped_column(server_default="0", default=0)
    tax_decision_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tax_decisions.id"))
    credential_attestation_ids: Mapped[list[int]] = mapped_column(ARRAY(sa.BigInteger))

    entry: Mapped[TimeEntry] = relationship()
    tax_decision: Mapped[TaxDecision | None] = relationship()

    __table_args__ = (sa.UniqueConstraint("time_entry_id", "part", name="uq_approved_lines_time_entry_id"),)


def _accepted_fees(
    project: sa.orm.InstrumentedAttribute[int], organization: sa.orm.InstrumentedAttribute[int]
) -> sa.ColumnElement[bool]:
    own_project = remote(foreign(FeeChange.project_id)) == project
    own_client = remote(foreign(FeeChange.organization_id)) == organization
    of_all = FeeChange.project_id.is_(None) & FeeChange.organization_id.is_(None)
    return sa.and_(FeeChange.state == OfferState.ACCEPTED, sa.or_(own_project, own_client, of_all))


def _tax_decisions(organization: sa.orm.InstrumentedAttribute[int]) -> sa.ColumnElement[bool]:
    own = remote(foreign(TaxDecision.organization_id)) == organization
    return sa.or_(own, TaxDecision.organization_id.is_(None))


def _both_sides(
    person: sa.orm.InstrumentedAttribute[int], organization: sa.orm.InstrumentedAttribute[int], actor: Actor
) -> sa.ColumnElement[bool]:
    if actor.has(Role.OPERATOR, Role.FINANCE_PREPARER, Role.FINANCE_RELEASER):
        return sa.true()
    return sa.or_(person == actor.person_id, organization.in_(actor.organizations(*CLIENT)))
