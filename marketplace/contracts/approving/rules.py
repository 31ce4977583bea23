"""From what amount on a client needs two people to approve a week, and who they can be."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Organization
from marketplace.actor import CLIENT, Actor, Role
from marketplace.contracts.approving.models import ApprovalRule
from marketplace.contracts.lines import lines_of
from marketplace.contracts.models import Contract, Timesheet
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs import find
from marketplace.gigs.members import people_with
from marketplace.i18n import gettext as _
from marketplace.money import Money


@use_case
def set_rule(
    session: Session, actor: Actor, organization_public_id: uuid.UUID, amount: Money | None
) -> ApprovalRule:
    """Say from what pay and fee of a week together two people approve it; None for never.

    Holds for weeks that are submitted from now on. Raises NotFound, NotAllowed for anybody but an admin,
    Invalid for nothing or less, Refused while only one person can approve.
    """
    organization = find.organization(session, actor, organization_public_id)
    actor.require(Role.CLIENT_ADMIN, organization_id=organization.id)
    if amount is not None and amount.amount <= 0:
        raise Invalid(_("Give an amount above zero, or empty this."), field="amount")
    if amount is not None and len(people_with(session, organization.id, *CLIENT)) < 2:
        raise Refused(_("Only one person can approve in your company. Invite a colleague first."))
    before = rule_of(session, organization.id)
    currency = amount.currency if amount else before.currency if before else "USD"
    rule = ApprovalRule(
        organization_id=organization.id,
        currency=currency,
        amount=amount.amount if amount else None,
        set_by=actor.id,
        set_at=clock.now(),
    )
    session.add(rule)
    audit.record(
        session, actor, "approval_rule.set", "organization", organization.public_id,
        amount=rule.amount, currency=currency, before=before.amount if before else None,
    )  # fmt: skip
    return rule


def rule_of(session: Session, organization_id: int) -> ApprovalRule | None:
    """What counts now for a client (internal id); None when nothing was ever set."""
    query = sa.select(ApprovalRule).filter_by(organization_id=organization_id)
    return session.scalars(query.order_by(ApprovalRule.id.desc()).limit(1)).first()


def needs_two(session: Session, sheet: Timesheet) -> bool:
    """Does a week that is submitted now need two people?"""
    rule = rule_of(session, sheet.contract.organization_id)
    if rule is None or rule.amount is None or rule.currency != sheet.contract.currency:
        return False
    return sum(line.total for line in lines_of(sheet)) >= rule.amount


def alone_below(session: Session, contract: Contract, since: datetime) -> int | None:
    """Below what one person decides alone, minor units: the lowest amount that counted at any time `since`
    then, so that nobody changes it and acts at once. None when two were never needed."""
    rules = sa.select(ApprovalRule).filter_by(organization_id=contract.organization_id)
    before = session.scalars(
        rules.where(ApprovalRule.set_at <= since).order_by(ApprovalRule.id.desc()).limit(1)
    ).all()
    counted = [*before, *session.scalars(rules.where(ApprovalRule.set_at > since))]
    return min(
        (each.amount for each in counted if each.amount and each.currency == contract.currency), default=None
    )


def deciders(session: Session, contract: Contract) -> list[int]:
    """Internal ids of those who may approve its weeks: nobody approves their own."""
    people = people_with(session, contract.organization_id, *CLIENT)
    return [each for each in people if each != contract.person_id]


def how_many_decide(session: Session, organization: Organization) -> int:
    """How many people can approve for a client."""
    return len(people_with(session, organization.id, *CLIENT))
