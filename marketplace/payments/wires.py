"""Client money in by wire: a request has an ISO 11649 reference, and counts once its money is at the bank.

Only the bank's statement says that it is: `credit` is called for one of its lines, from reconciliation.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from sqlalchemy.orm import Session
from stdnum import iso11649
from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_97_10

from marketplace import audit, clock, ledger
from marketplace.actor import Actor
from marketplace.contracts.budgets import alerts
from marketplace.db import new_id
from marketplace.errors import Invalid, Refused
from marketplace.gigs import projection
from marketplace.i18n import gettext as _
from marketplace.ledger import JournalEntry, chart
from marketplace.ledger.chart import Account
from marketplace.money import Money
from marketplace.notifications import notify
from marketplace.payments import fees, words
from marketplace.payments.debts import books as debts
from marketplace.payments.models import Funding
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import FundingState, Rail, RefundState, move
from marketplace.settings import ClientBank, current

NUMBERS = sa.Sequence("wire_numbers", metadata=None)
_BETWEEN = re.compile(r"[^A-Z0-9]+")
_GAP = "[^A-Z0-9]*"
_WRITTEN = re.compile(rf"(?<![A-Z0-9])R{_GAP}F(?:{_GAP}[0-9]){{2}}{_GAP}F{_GAP}R(?:{_GAP}[0-9])+(?![A-Z0-9])")
_ENDS = re.compile(r"[0-9](?![A-Z0-9])")


def account_for(currency: str) -> ClientBank | None:
    """The account that clients wire this currency to; None when they cannot."""
    return current().client_bank if currency == current().books_currency else None


def reference_of(number: int) -> str:
    """The creditor reference of a request: `RF`, check digits by mod 97-10 (ISO 11649), and its number."""
    name = f"FR{number}"
    return f"RF{mod_97_10.calc_check_digits(name + 'RF')}{name}"


def written(reference: str) -> str:
    """In groups of four, as people copy it."""
    return str(iso11649.format(reference))


def references_in(text: str) -> set[str]:
    """The references of requests that stand in a text, with whatever a bank puts between their characters.

    A longer number is another reference; digits that stand apart behind one may belong to it or not, and do
    only where the check digits say so.
    """
    found = set()
    for written_out in _WRITTEN.finditer(text.upper()):
        for end in _ENDS.finditer(written_out[0]):
            read = read_reference(_BETWEEN.sub("", written_out[0][: end.end()]))
            if read:
                found.add(read)
    return found


def read_reference(text: str) -> str | None:
    """A creditor reference without spaces; None unless its check digits are right."""
    try:
        return str(iso11649.validate(text))
    except ValidationError:
        return None


def request(session: Session, actor: Actor, asked: Funding) -> Funding:
    """Make a request of a new lot: number, reference, and nothing to do but wait for its money.

    Raises Invalid where clients cannot wire the currency, or the amount is too small.
    """
    if account_for(asked.currency) is None:
        raise Invalid(_("Wires in %(currency)s are not taken here.", currency=asked.currency), field="rail")
    least = fees.SMALLEST_FUNDING[asked.currency]
    if asked.amount < least:
        raise Invalid(_("Fund at least %(least)s.", least=Money(least, asked.currency)), field="amount")
    return _numbered(session, actor, asked)


def _numbered(session: Session, actor: Actor, asked: Funding) -> Funding:
    asked.charge_amount = asked.amount
    asked.reference = reference_of(session.scalar(sa.select(NUMBERS.next_value())) or 0)
    asked.state = FundingState.OPEN
    session.add(asked)
    session.flush()
    audit.record(
        session, actor, "prepare", "funding", asked.public_id,
        amount=asked.amount, rail=asked.rail.value, reference=asked.reference,
    )  # fmt: skip
    return asked


def again(session: Session, actor: Actor, paid: Funding, amount: int) -> Funding:
    """A request of its own, of any amount, for money that came under the reference of one that is paid."""
    return _numbered(
        session,
        actor,
        Funding(
            public_id=new_id(),
            project=paid.project,
            organization_id=paid.organization_id,
            currency=paid.currency,
            amount=amount,
            rail=Rail.WIRE,
            created_by=paid.created_by,
            created_at=clock.now(),
        ),
    )


def credit(
    session: Session, actor: Actor, lot: Funding, entry: ledger.NewEntry, amount: int, paid_from: str
) -> JournalEntry:
    """Book `entry`, whose money pays the request, and credit the project with what really arrived.

    Needs the request locked. Raises Refused when it is no wire, or is paid.
    """
    if lot.rail is not Rail.WIRE or lot.state is not FundingState.OPEN:
        raise Refused(_("This request is paid already, or is no wire."))
    move(lot, FundingState.PAID)
    lot.paid_at, lot.net, lot.fee, lot.paid_from = clock.now(), amount, 0, paid_from or None
    [booked] = ledger.post_many(session, actor, [entry])
    audit.record(session, actor, "settle", "funding", lot.public_id, net=amount, asked=lot.amount)
    debts.settle(session, lot.project)
    projection.push_project(session, lot.project_id)
    alerts.rearm(session, lot.project)
    _tell(session, lot)
    return booked


def entry_for(session: Session, lot: Funding, line: Account, amount: int, at: object) -> ledger.NewEntry:
    """What credits the request from the account that its money lies on."""
    times = sum(
        entry.event.startswith("paid") for entry in ledger.entries_of(session, [f"funding:{lot.public_id}"])
    )
    return ledger.NewEntry(
        source=f"funding:{lot.public_id}",
        event=f"paid {times + 1}" if times else "paid",
        currency=lot.currency,
        lines=[(line, amount), (chart.project_funds(lot.project.public_id), -amount)],
        occurred_at=at,  # type: ignore[arg-type]
        memo=_("Client funds received by wire"),
    )


def open_again(session: Session, actor: Actor, lot: Funding) -> None:
    """Its bank line was somebody else's. Needs the entry reversed by the caller in the same transaction.

    Raises NotCovered when the project has used the money, Refused when part of it went back.
    """
    # Refunds are made and released under the lock of the funds, so they are looked for once it is ours.
    ledger.require_cover(session, chart.project_funds(lot.project.public_id), lot.currency, lot.net or 0)
    going_back = sa.select(Refund.id).filter_by(funding_id=lot.id)
    if session.scalar(going_back.where(Refund.state != RefundState.CANCELLED).limit(1)):
        raise Refused(_("Part of this payment goes back to the client already, so it stays matched."))
    move(lot, FundingState.OPEN)
    lot.paid_at = lot.net = lot.fee = lot.paid_from = None
    audit.record(session, actor, "reopen", "funding", lot.public_id, amount=lot.amount)


def expire(session: Session, actor: Actor, lot: Funding) -> None:
    """End an open request that nobody asked for: the client is not to pay it."""
    move(lot, FundingState.EXPIRED)
    audit.record(session, actor, "expire", "funding", lot.public_id, amount=lot.amount)


def _tell(session: Session, lot: Funding) -> None:
    arrived = Money(lot.net or 0, lot.currency)
    notify(
        session,
        lot.created_by,
        "funding",
        _("%(amount)s arrived for %(project)s", amount=arrived, project=lot.project.name),
        difference(lot) or words.funding(FundingState.PAID),
        f"/projects/{lot.project.public_id}/funding",
    )


def difference(lot: Funding) -> str:
    """What arrived beyond, or below, what was asked for, in a sentence; empty when it is the same."""
    apart = Money(abs((lot.net or lot.amount) - lot.amount), lot.currency)
    if not apart:
        return ""
    asked = Money(lot.amount, lot.currency)
    if (lot.net or 0) < lot.amount:
        return _(
            "%(apart)s less than the %(asked)s that were asked for. What arrived is credited; "
            "ask for another wire to add the rest.",
            apart=apart,
            asked=asked,
        )
    return _(
        "%(apart)s more than the %(asked)s that were asked for. All of it is credited.",
        apart=apart,
        asked=asked,
    )
