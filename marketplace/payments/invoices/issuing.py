"""Issuing an invoice: what was charged in a month that is over, and is on none yet, is frozen on one."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs
from marketplace.accounts.models import Organization, OrganizationKind
from marketplace.actor import CLIENT, SITE, Actor, Role
from marketplace.contracts.charges import Charge, charges
from marketplace.contracts.costs import cost_centre
from marketplace.contracts.periods import Period, month_of
from marketplace.contracts.taxes.listing import Listed
from marketplace.db import new_id, use_case
from marketplace.errors import Refused
from marketplace.gigs.find import there
from marketplace.gigs.models import Project
from marketplace.i18n import gettext as _
from marketplace.ledger.models import JournalEntry
from marketplace.money import Money
from marketplace.payments.invoices import taxes
from marketplace.payments.invoices.models import Invoice, InvoiceCharge, InvoiceLine
from marketplace.settings import current


@dataclass(frozen=True)
class OpenMonth:
    """A month of an organization with charges that no invoice has yet."""

    period: Period
    charges: Sequence[Charge]

    @property
    def currency(self) -> str:
        return self.charges[0].project.currency

    @property
    def total(self) -> Money:
        return Money(sum(each.total for each in self.charges), self.currency)


@use_case
def issue_invoice(
    session: Session, actor: Actor, organization_id: uuid.UUID, month: str, currency: str
) -> Invoice:
    """The invoice of a month such as `2026-11`; the one that there is when it was issued before.

    Raises NotFound, NotAllowed; Refused while the month is not over, an earlier one is open, nothing was
    charged, or the client's legal name and address are not known.
    """
    organization = there(
        session.scalars(
            sa.select(Organization)
            .where(
                Organization.public_id == organization_id, Organization.id.in_(actor.organizations(*CLIENT))
            )
            .with_for_update(key_share=True)
        ).one_or_none()
    )
    actor.require(Role.CLIENT_ADMIN, organization_id=organization.id)
    found = session.scalars(
        sa.select(Invoice).filter_by(organization_id=organization.id, currency=currency)
    ).all()
    same = [each for each in found if f"{each.month:%Y-%m}" == month]
    return same[0] if same else _issue(session, actor, organization, month, currency)


def issue_due(session: Session) -> int:
    """Issue what is open of months that are over, for clients that said who they are by law; for how many."""
    query = sa.select(Organization.id).filter_by(kind=OrganizationKind.CLIENT)
    ids = session.scalars(query.where(Organization.legal_name.is_not(None)).order_by(Organization.id)).all()
    return jobs.one_by_one(session, _issue_all, ids)


def open_months(session: Session, organization: Organization) -> list[OpenMonth]:
    """The months with charges on no invoice, oldest first, one for each currency.

    What came to be known of a month after its invoice stands on the next one: an invoice stays as it is.
    """
    zone = current().books_zone
    months: dict[tuple[date, str], list[Charge]] = {}
    earliest = _earliest(session, organization)
    for each in _open(session, organization):
        currency = each.project.currency
        day = max(each.at.astimezone(zone).date().replace(day=1), earliest.get(currency, date.min))
        months.setdefault((day, currency), []).append(each)
    return [OpenMonth(month_of(day, zone), months[day, currency]) for day, currency in sorted(months)]


def _earliest(session: Session, organization: Organization) -> dict[str, date]:
    """The first day of the month after the last invoice, by currency."""
    last = sa.select(Invoice.currency, sa.func.max(Invoice.month)).group_by(Invoice.currency)
    rows = session.execute(last.where(Invoice.organization_id == organization.id))
    return {currency: (month + timedelta(days=32)).replace(day=1) for currency, month in rows}


def fingerprint(invoice: Invoice) -> bytes:
    """SHA-256 over what the invoice says, without its number; of its taxes where it says any."""
    said: list[object] = [
        str(invoice.public_id), invoice.month.isoformat(), invoice.currency, invoice.seller, invoice.buyer,
        invoice.tax_bps, invoice.tax_reason, invoice.tax, invoice.paid,
        [
            [each.kind, each.project, each.gig, each.purchase_order, each.cost_centre, each.minutes,
             each.pay, each.fee, each.rounding]
            for each in invoice.lines
        ],
    ]  # fmt: skip
    if invoice.taxes:
        said += [invoice.taxes, [[each.tax, each.taxes] for each in invoice.lines]]
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).digest()


@use_case
def _issue_all(session: Session, organization_id: int) -> int:
    organization = session.scalars(
        sa.select(Organization).filter_by(id=organization_id).with_for_update(key_share=True)
    ).one()
    over = [each for each in open_months(session, organization) if each.period.is_over]
    for each in over:
        _issue(session, SITE, organization, each.period.key, each.currency)
    return len(over)


def _issue(session: Session, actor: Actor, organization: Organization, key: str, currency: str) -> Invoice:
    months = [each for each in open_months(session, organization) if each.currency == currency]
    chosen = next((each for each in months if each.period.key == key), None)
    if chosen is None:
        raise Refused(_("Nothing was charged in that month that is not on an invoice yet."))
    if not chosen.period.is_over:
        raise Refused(_("This month is not over. Its invoice can be issued from the first of the next one."))
    if chosen is not months[0]:
        raise Refused(_("Issue %(month)s first: invoices follow one another.", month=months[0].period.label))
    if not (organization.legal_name and organization.legal_address):
        raise Refused(_("Write down the company's legal name and address first: they stand on the invoice."))
    invoice = _invoice(session, actor, organization, chosen)
    session.add(invoice)
    session.flush()
    audit.record(
        session, actor, "invoice.issued", "invoice", invoice.public_id, number=invoice.number,
        month=key, total=invoice.total.amount, sha256=invoice.sha256.hex(),
    )  # fmt: skip
    return invoice


def _invoice(session: Session, actor: Actor, organization: Organization, month: OpenMonth) -> Invoice:
    ours, found = current(), month.charges
    taxed = taxes.of_charges(session, found)
    sides = taxes.numbers(taxed.values())
    invoice = Invoice(
        public_id=new_id(),
        organization=organization,
        month=month.period.first_day,
        currency=month.currency,
        issued_at=clock.now(),
        issued_by=actor.person_id,
        seller=_party(ours.legal_name, ours.legal_address, ours.tax_number) | sides.seller,
        buyer=_party(organization.legal_name, organization.legal_address, organization.tax_number)
        | sides.buyer,
        # The rates stand in `taxes`; where nothing was decided the reason says why there is none.
        tax_bps=0,
        tax_reason=ours.tax_reason,
        taxes=taxes.by_rate(taxed.values()),
        tax=sum(each.tax for each in found),
        pay=sum(each.pay for each in found),
        fee=sum(each.fee for each in found),
        rounding=sum(each.rounding for each in found),
        paid=sum(each.total for each in found),
        lines=list(_lines(found, taxed)),
    )
    invoice.sha256 = fingerprint(invoice)
    return invoice


def _party(name: str | None, address: str | None, tax_number: str | None) -> dict[str, str]:
    return {"name": name or "", "address": address or "", "tax_number": tax_number or ""}


def _lines(found: Iterable[Charge], taxed: Mapping[int, Sequence[Listed]]) -> Iterable[InvoiceLine]:
    groups: dict[tuple[object, ...], list[Charge]] = {}
    for each in found:
        gig = each.gig.id if each.gig else 0
        alike = tuple(row.decision.id for row in taxed.get(each.entry_id, ()))
        groups.setdefault((each.project.id, gig, _kind(each), each.total < 0, alike), []).append(each)
    by_booking = sorted(groups.values(), key=lambda group: _booking(group[0]))
    return [_line(place, group, taxed) for place, group in enumerate(by_booking, 1)]


def _booking(charge: Charge) -> tuple[str, str, int]:
    return charge.project.purchase_order or "", cost_centre(charge), charge.project.id


def _kind(charge: Charge) -> str:
    return "test" if charge.on_test else charge.kind


def _line(place: int, group: Sequence[Charge], taxed: Mapping[int, Sequence[Listed]]) -> InvoiceLine:
    first = group[0]
    return InvoiceLine(
        position=place,
        kind=_kind(first),
        project=first.project.name,
        gig=first.gig.title if first.gig else first.memo,
        purchase_order=first.project.purchase_order or "",
        cost_centre=cost_centre(first),
        minutes=sum(each.minutes for each in group),
        pay=sum(each.pay for each in group),
        fee=sum(each.fee for each in group),
        tax=sum(each.tax for each in group),
        taxes=taxes.by_rate(taxed.get(each.entry_id, ()) for each in group),
        rounding=sum(each.rounding for each in group),
        charges=[InvoiceCharge(journal_entry_id=each.entry_id) for each in group],
    )


def _open(session: Session, organization: Organization) -> list[Charge]:
    projects = session.scalars(sa.select(Project).filter_by(organization_id=organization.id)).all()
    return charges(session, projects, JournalEntry.id.not_in(sa.select(InvoiceCharge.journal_entry_id)))
