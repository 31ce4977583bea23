"""What one of finance has proposed: fees, tax, credit, and what becomes of wired or lost money."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.actor import Actor, Role
from marketplace.contracts.credit.models import CreditLine
from marketplace.contracts.fees.models import FeeChange
from marketplace.contracts.states import OfferState
from marketplace.contracts.taxes.models import TaxProfile, TaxRate
from marketplace.home.finance.waiting.parts import MOST, Waiting, other
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments.debts.models import LEFT, ClientDebt
from marketplace.payments.lost.models import STANDS, LostTransfer
from marketplace.payments.models import Funding
from marketplace.payments.tax.models import TaxThreshold
from marketplace.reconciliation import decisions as money_decisions
from marketplace.reconciliation.revaluing.models import ExchangeRate, Revaluation


def fees(session: Session, actor: Actor) -> Iterator[Waiting]:
    query = sa.select(FeeChange).where(FeeChange.state == OfferState.MADE)
    people = (FeeChange.maker, FeeChange.organization, FeeChange.project)
    for each in session.scalars(query.options(*map(joinedload, people)).order_by(FeeChange.id).limit(MOST)):
        scope = each.project or each.organization
        yield Waiting(
            _("A fee"), None, each.made_at, each.maker.full_name, "contracts.fees",
            other(actor, each.made_by), detail=scope.name if scope else _("all clients"),
        )  # fmt: skip


def credit(session: Session, actor: Actor) -> Iterator[Waiting]:
    query = sa.select(CreditLine).where(CreditLine.confirmed_by.is_(None), CreditLine.ended_at.is_(None))
    people = (CreditLine.preparer, CreditLine.organization)
    for each in session.scalars(query.options(*map(joinedload, people)).order_by(CreditLine.id).limit(MOST)):
        mine = other(actor, each.prepared_by) or other(actor, each.prepared_by, role=Role.OPERATOR)
        yield Waiting(
            _("A credit line"), each.money, each.prepared_at, each.preparer.full_name, "payments.credit_line",
            mine, {"line_id": each.public_id}, each.organization.name,
        )  # fmt: skip


def decisions(session: Session, actor: Actor) -> Iterator[Waiting]:
    for each in money_decisions.waiting(session)[:MOST]:
        yield Waiting(
            money_decisions.what(each), Money(each.line.amount, each.line.currency), each.proposed_at,
            each.proposer.full_name, "reconciliation.line", other(actor, each.proposed_by),
            {"public_id": each.line.public_id}, each.line.counterparty,
        )  # fmt: skip


def tax_rates(session: Session, actor: Actor) -> Iterator[Waiting]:
    """Rates of tax on our fees."""
    query = sa.select(TaxRate).where(TaxRate.state == OfferState.MADE).options(joinedload(TaxRate.maker))
    for each in session.scalars(query.order_by(TaxRate.id).limit(MOST)):
        yield Waiting(
            _("A tax rate"), None, each.made_at, each.maker.full_name, "contracts.tax_rates",
            other(actor, each.made_by), detail=each.place,
        )  # fmt: skip


def tax_profiles(session: Session, actor: Actor) -> Iterator[Waiting]:
    """Where clients say that they are for tax: one of finance confirms it."""
    query = sa.select(TaxProfile).where(TaxProfile.state == OfferState.MADE)
    people = (TaxProfile.maker, TaxProfile.organization)
    for each in session.scalars(query.options(*map(joinedload, people)).order_by(TaxProfile.id).limit(MOST)):
        yield Waiting(
            _("Where a client is for tax"), None, each.made_at, each.maker.full_name, "contracts.tax_profile",
            actor.id != each.made_by, {"profile_id": each.public_id}, each.organization.name,
        )  # fmt: skip


def debts(session: Session, actor: Actor) -> Iterator[Waiting]:
    """What clients owe after a payment failed, and one of finance wants written off."""
    asked = (ClientDebt.asked_by.is_not(None), ClientDebt.written_off_by.is_(None), LEFT > 0)
    query = sa.select(ClientDebt).where(*asked)
    project = joinedload(ClientDebt.funding).joinedload(Funding.project)
    for each in session.scalars(query.options(joinedload(ClientDebt.asker), project).limit(MOST)):
        assert each.asker is not None
        assert each.asked_at is not None
        yield Waiting(
            _("A client’s debt to write off"), each.money, each.asked_at, each.asker.full_name,
            "payments.debt", other(actor, each.asked_by), {"debt_id": each.public_id},
            each.funding.project.name,
        )  # fmt: skip


def lost_transfers(session: Session, actor: Actor) -> Iterator[Waiting]:
    """What Stripe sent and the books lost, where one of finance says what it was."""
    query = sa.select(LostTransfer).where(STANDS, LostTransfer.asked_by.is_not(None))
    query = query.options(joinedload(LostTransfer.asker)).order_by(LostTransfer.id)
    for each in session.scalars(query.limit(MOST)):
        assert each.asker is not None
        assert each.asked_at is not None
        yield Waiting(
            _("A lost transfer"), each.money, each.asked_at, each.asker.full_name, "payments.lost_transfer",
            other(actor, each.asked_by), {"lost_id": each.public_id}, each.destination,
        )  # fmt: skip


def thresholds(session: Session, actor: Actor) -> Iterator[Waiting]:
    """From how much on a year's payments are reported to the tax office."""
    query = sa.select(TaxThreshold).where(TaxThreshold.state == OfferState.MADE)
    for each in session.scalars(query.options(joinedload(TaxThreshold.maker)).limit(MOST)):
        yield Waiting(
            _("A threshold for tax forms"), Money(each.amount, "USD"), each.made_at,
            each.maker.full_name if each.maker else "", "payments.tax_thresholds",
            other(actor, each.made_by), detail=f"{each.form}, {each.from_year}",
        )  # fmt: skip


def exchange_rates(session: Session, actor: Actor) -> Iterator[Waiting]:
    """What other currencies were worth on a day."""
    query = sa.select(ExchangeRate).where(ExchangeRate.state == OfferState.MADE)
    query = query.options(joinedload(ExchangeRate.maker)).order_by(ExchangeRate.id)
    for each in session.scalars(query.limit(MOST)):
        yield Waiting(
            _("An exchange rate"), None, each.made_at, each.maker.full_name,
            "reconciliation.exchange_rates", other(actor, each.made_by), detail=each.currency,
        )  # fmt: skip


def revaluations(session: Session, actor: Actor) -> Iterator[Waiting]:
    """What a month's end makes of other currencies."""
    query = sa.select(Revaluation).where(Revaluation.state == OfferState.MADE)
    query = query.options(joinedload(Revaluation.maker)).order_by(Revaluation.id)
    for each in session.scalars(query.limit(MOST)):
        yield Waiting(
            _("A month’s revaluation"), each.gain, each.made_at, each.maker.full_name,
            "reconciliation.revaluation", other(actor, each.made_by), {"public_id": each.public_id},
            f"{each.month:%Y-%m}",
        )  # fmt: skip
