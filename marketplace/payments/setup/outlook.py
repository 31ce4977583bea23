"""All that an expert should know of how and when they are paid, for their own page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock
from marketplace.accounts.models import Person
from marketplace.actor import Actor
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments import earnings, promises, taxforms
from marketplace.payments.models import LIVE_ITEM, ConnectedAccount, PayoutItem
from marketplace.payments.setup import countries, holding, missing, wishes
from marketplace.payments.setup.models import BankHold, PayoutRequest


@dataclass(frozen=True)
class Outlook:
    """How an expert's account stands, what it lacks, what is held, and when what is approved goes out.

    `country` says why Stripe does not pay where the expert lives, if it does not.
    """

    account: ConnectedAccount | None
    standing: str
    country: str | None
    groups: Sequence[missing.Group]
    hold: BankHold | None
    blockers: Sequence[str]
    approved: Money
    minimum: Money
    request: PayoutRequest | None
    next_run: date

    @property
    def asked(self) -> bool:
        """Does Stripe wait for something from the expert now?"""
        urgent = [group for group in self.groups if group.when != missing.LATER]
        return any(not entry.from_stripe for group in urgent for entry in group.entries)

    @property
    def ready(self) -> bool:
        """Can the expert be paid?"""
        return self.account is not None and self.account.ready and self.account.ended_at is None


def outlook(session: Session, actor: Actor, currency: str) -> Outlook:
    """The outlook of an expert."""
    person = session.get_one(Person, actor.id)
    account = _account(session, person)
    live = account is not None and account.ended_at is None
    hold = holding.hold_of(session, account.id) if account else None
    approved = earnings.sums_of(session, actor, currency)["approved"]
    minimum = Money(wishes.minimum_of(session, person.id, currency), currency)
    request = wishes.open_request(session, person.id)
    served = live or countries.served(session, person.country)
    blockers = _blockers(session, person, account, hold, (approved, minimum, request))
    ready = account is not None and account.ready and live
    return Outlook(
        account=account,
        standing=_held() if ready and (hold or blockers) else missing.standing(account),
        country=None if served else countries.why_not(person.country),
        groups=missing.groups(account) if live else [],
        hold=hold,
        blockers=blockers,
        approved=approved,
        minimum=minimum,
        request=request,
        next_run=promises.pay_day(clock.now()),
    )


def holds() -> sa.Select[BankHold]:
    """Holds, newest first, with whose they are: for finance."""
    return (
        sa.select(BankHold)
        .options(joinedload(BankHold.account).joinedload(ConnectedAccount.person))
        .options(joinedload(BankHold.asker), joinedload(BankHold.ender))
    )


def _account(session: Session, person: Person) -> ConnectedAccount | None:
    """The live account, else the one that ended last."""
    return session.scalars(
        sa.select(ConnectedAccount)
        .filter_by(person_id=person.id)
        .order_by(ConnectedAccount.ended_at.is_not(None), ConnectedAccount.id.desc())
        .limit(1)
    ).one_or_none()


def _held() -> str:
    return _("You are set up to be paid, but something holds your pay for now.")


def _blockers(
    session: Session,
    person: Person,
    account: ConnectedAccount | None,
    hold: BankHold | None,
    waiting: tuple[Money, Money, PayoutRequest | None],
) -> list[str]:
    """Why what is approved does not go out with the next pay run, each with what to do about it. Holds and
    what Stripe misses have places of their own on the page."""
    approved, minimum, request = waiting
    found = []
    for currency, amount in (account.owes if account else {}).items():
        found.append(
            _(
                "Your account at Stripe is %(amount)s below zero, so whatever is sent would only fill it up. "
                "Nothing is sent until it is settled: look at your account at Stripe, or write to us.",
                amount=Money(amount, currency),
            )
        )
    if (form := taxforms.due(session, person.id)) is not None:
        found.append(form.sentence)
    if _on_its_way(session, person):
        found.append(_("An earlier payment to you is still being sent. What came after it goes out next."))
    if 0 < approved.amount < minimum.amount and request is None:
        found.append(
            _(
                "%(approved)s is approved, and you are paid from %(minimum)s on. It waits for more; choose a "
                "smaller amount below, or ask to be paid now.",
                approved=approved,
                minimum=minimum,
            )
        )
    return found


def _on_its_way(session: Session, person: Person) -> bool:
    busy = sa.exists().where(PayoutItem.person_id == person.id, PayoutItem.state.in_(LIVE_ITEM))
    return bool(session.scalar(sa.select(busy)))
