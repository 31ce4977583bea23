"""What the movements of a statement were for, line by line. What nobody explains is shown by its memo."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import settings
from marketplace.contracts import queries as work
from marketplace.contracts.adjustments import queries as adjustments
from marketplace.contracts.adjustments import words as adjusted
from marketplace.contracts.models import Approval
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments.models import PayoutItem, Transfer
from marketplace.payments.queries import carrying
from marketplace.payments.statements.movements import Movement
from marketplace.payments.states import TransferState
from marketplace.payments.words import deposit


@dataclass(frozen=True)
class Line:
    """A line of a statement. `on` is the day it counts, `worked_on` that of the hour it is for, if any.

    `amount` is less than zero for what went out; `reference` says by which deposit.
    """

    on: date
    what: str
    amount: Money
    worked_on: date | None = None
    client: str = ""
    gig: str = ""
    minutes: int | None = None
    rate: Money | None = None
    reference: str = ""


# Explains movements whose source begins with a word: the lines of each, by source.
Explain = Callable[[Session, Sequence[Movement], ZoneInfo], Mapping[str, Sequence[Line]]]
_explained: dict[str, Explain] = {}


def register(kind: str, explain: Explain) -> None:
    """Let `explain` answer for sources that begin with `kind:`."""
    _explained[kind] = explain


def lines_of(session: Session, movements: Sequence[Movement], zone: ZoneInfo) -> list[Line]:
    """The lines of movements, in their order; together they always come to what the movements do."""
    known: dict[str, Sequence[Line]] = {}
    for kind, group in groupby(sorted(movements, key=_kind), key=_kind):
        if explain := _explained.get(kind):
            known.update(explain(session, list(group), zone))
    return [line for each in movements for line in _adding_up(each, known.get(each.source, ()), zone)]


def on_day(moment: datetime, zone: ZoneInfo) -> date:
    """The day of a moment in a zone."""
    return moment.astimezone(zone).date()


def _kind(movement: Movement) -> str:
    return movement.source.partition(":")[0]


def _adding_up(movement: Movement, lines: Sequence[Line], zone: ZoneInfo) -> Iterator[Line]:
    """Its lines, and whatever they leave out of it."""
    yield from lines
    rest = movement.amount.amount - sum(line.amount.amount for line in lines)
    if rest:
        yield Line(on_day(movement.at, zone), movement.memo, Money(rest, movement.amount.currency))


def _approved(session: Session, movements: Sequence[Movement], zone: ZoneInfo) -> dict[str, list[Line]]:
    ids = [uuid.UUID(each.source.partition(":")[2]) for each in movements if each.event == "approved"]
    approvals = {
        approval.id: approval
        for approval in session.scalars(sa.select(Approval).where(Approval.public_id.in_(ids)))
    }
    found: dict[str, list[Line]] = {}
    for line in work.lines_for_payable(session, list(approvals)):
        approval = approvals[line.approval_id]
        found.setdefault(f"approval:{approval.public_id}", []).append(_worked(line, approval, zone))
    return found


def _worked(line: work.PaidLine, approval: Approval, zone: ZoneInfo) -> Line:
    currency = line.contract.currency
    return Line(
        on=on_day(approval.at, zone),
        what=_("Approved after a question") if approval.dispute_id else _("Approved"),
        amount=Money(line.expert_amount, currency),
        worked_on=on_day(line.started_at, zone),
        client=line.client,
        gig=line.gig_title,
        minutes=line.minutes,
        rate=Money(line.rate, currency),
    )


def _besides(session: Session, movements: Sequence[Movement], zone: ZoneInfo) -> dict[str, list[Line]]:
    at = {each.source: each.at for each in movements}
    ids = [uuid.UUID(source.partition(":")[2]) for source in at]
    found = {f"adjustment:{each.public_id}": each for each in adjustments.with_public_ids(session, ids)}
    return {
        source: [
            Line(
                on=on_day(at[source], zone),
                what=f"{adjusted.title(each)}: {adjusted.reason(each)}",
                amount=each.pay,
                client=each.contract.organization.name,
                gig=each.contract.gig.title,
            )
        ]
        for source, each in found.items()
    }


def _sent(session: Session, movements: Sequence[Movement], zone: ZoneInfo) -> dict[str, list[Line]]:
    sent = {each.source: each for each in movements if each.event == "sent"}
    ids = [uuid.UUID(source.partition(":")[2]) for source in sent]
    items = session.scalars(sa.select(PayoutItem).where(PayoutItem.public_id.in_(ids))).all()
    payouts = dict(carrying(session, [item.id for item in items]))
    found = {}
    for item in items:
        movement, payout = sent[f"payout_item:{item.public_id}"], payouts.get(item.id)
        said = ", ".join(
            (day(payout.arrival_date), deposit(payout.status), payout.trace_id or payout.stripe_id)
        ) if payout else _("No deposit yet")  # fmt: skip
        line = Line(on_day(movement.at, zone), _("Paid out"), movement.amount, reference=said)
        found[movement.source] = [line]
    return found


def _withheld(session: Session, movements: Sequence[Movement], zone: ZoneInfo) -> dict[str, list[Line]]:
    """Kept back when the payment was released; the tax office counts it on the day on which that was sent."""
    kept = {each.source: each for each in movements if each.event == "withheld"}
    ids = [uuid.UUID(source.partition(":")[2]) for source in kept]
    query = (
        sa.select(PayoutItem.public_id, Transfer.sent_at)
        .join(Transfer.item)
        .where(PayoutItem.public_id.in_(ids), Transfer.state == TransferState.SENT)
    )
    books = settings.current().books_zone
    found = {}
    for public_id, sent_at in session.execute(query):
        assert sent_at is not None
        movement = kept[f"withholding:{public_id}"]
        said = _("for the payment of %(day)s", day=day(on_day(sent_at, books)))
        found[movement.source] = [
            Line(on_day(movement.at, zone), _("Tax withheld"), movement.amount, reference=said)
        ]
    return found


register("withholding", _withheld)
register("approval", _approved)
register("adjustment", _besides)
register("payout_item", _sent)
