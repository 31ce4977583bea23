"""An invoice as a PDF, and as rows for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from marketplace.contracts.limits import spell
from marketplace.contracts.periods import month_of
from marketplace.i18n import current_locale, day
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments.invoices import taxes
from marketplace.payments.invoices.models import Invoice, InvoiceLine
from marketplace.pdf import Column, Document, Heading, Pairs, Paragraph, Part, Table
from marketplace.settings import current


def file_name(invoice: Invoice, ending: str) -> str:
    """`INV-000012.pdf`."""
    return f"{invoice.name}.{ending}"


def document(invoice: Invoice) -> Document:
    """The invoice to be printed, dated by the day of its issue."""
    zone = current().books_zone
    issued = invoice.issued_at.astimezone(zone).date()
    parts: list[Part] = [
        Pairs(
            [
                (_("Number"), invoice.name),
                (_("Issued"), day(issued)),
                (_("For work approved in"), month_of(invoice.month, zone).label),
                (_("From"), _party(invoice.seller)),
                (_("To"), _party(invoice.buyer)),
            ]
        )
    ]
    for booking, lines in groupby(invoice.lines, key=_booking):
        parts += [Heading(booking, 2), _table(invoice, list(lines))]
    parts += [Heading(_("Together"), 2), _sums(invoice)]
    parts.append(Paragraph(_taxes(invoice)))
    parts.append(
        Paragraph(
            _(
                "It was paid from the funds of the projects as each week was approved. Lines below zero are "
                "credits for what an earlier invoice charged. SHA-256 of its content: %(sha256)s",
                sha256=invoice.sha256.hex(),
            ),
            small=True,
        )
    )
    return Document(_("Invoice %(name)s", name=invoice.name), current_locale(), issued, parts)


def header() -> list[str]:
    """What the columns of `rows` are called."""
    return [
        _("Invoice"), _("Month"), _("What"), _("Project"), _("Gig"), _("Purchase order"), _("Cost centre"),
        _("Minutes"), _("Expert's pay"), _("Fee"), _("Rounding that we bear"), _("Together"), _("Currency"),
        _("Tax on the fee"), _("Tax, at what rate and why"), _("Our tax number"), _("Your tax number"),
    ]  # fmt: skip


def rows(invoice: Invoice) -> Iterator[list[str]]:
    """Each line, with amounts as decimals in major units."""
    for line in invoice.lines:
        amounts = (line.pay, line.fee, line.rounding, line.pay + line.fee + line.tax + line.rounding)
        yield [
            invoice.name, f"{invoice.month:%Y-%m}", kind_said(line), line.project, line.gig,
            line.purchase_order, line.cost_centre, str(line.minutes),
            *(str(invoice.money(amount).decimal) for amount in amounts), invoice.currency,
            str(invoice.money(line.tax).decimal), "; ".join(taxes.said(each) for each in line.taxes),
            *(party.get("vat_id") or party["tax_number"] for party in (invoice.seller, invoice.buyer)),
        ]  # fmt: skip


def kind_said(line: InvoiceLine) -> str:
    """What a line charges, in words; a credit says so."""
    said = {
        "approval": _("Work"),
        "test": _("Paid tests"),
        "time_dispute": _("Rounding of questioned lines"),
        "adjustment": _("Bonuses and corrections"),
    }.get(line.kind, line.kind.replace("_", " ").capitalize())
    return _("Credit: %(what)s", what=said) if line.pay + line.fee < 0 else said


def _party(party: dict[str, str]) -> str:
    number = party["tax_number"] and _("Tax number %(number)s", number=party["tax_number"])
    vat_id = party.get("vat_id", "") and _("VAT number %(number)s", number=party.get("vat_id", ""))
    return "\n".join(filter(None, (party["name"], party["address"], number, vat_id)))


def _booking(line: InvoiceLine) -> str:
    order = line.purchase_order and _("Purchase order %(number)s", number=line.purchase_order)
    centre = line.cost_centre and _("Cost centre %(name)s", name=line.cost_centre)
    return " · ".join(filter(None, (order, centre))) or _("No purchase order or cost centre")


def _table(invoice: Invoice, lines: list[InvoiceLine]) -> Table:
    columns = [
        Column(_("Project and gig"), share=2), Column(_("What")), Column(_("Hours"), right=True),
        Column(_("Pay"), right=True), Column(_("Fee"), right=True),
        *([Column(_("Tax"), right=True)] if invoice.taxes else []), Column(_("Together"), right=True),
    ]  # fmt: skip
    cells = [
        [
            f"{line.project}\n{line.gig}", kind_said(line), spell(line.minutes),
            *_amounts(invoice, line.pay, line.fee, line.tax),
        ]
        for line in lines
    ]  # fmt: skip
    minutes, *sums = (sum(getattr(line, name) for line in lines) for name in ("minutes", "pay", "fee", "tax"))
    total = [_("Together"), "", spell(minutes), *_amounts(invoice, *sums)]
    return Table(columns, [*cells, total], totals=1)


def _amounts(invoice: Invoice, pay: int, fee: int, tax: int) -> list[str]:
    parts = (pay, fee, tax) if invoice.taxes else (pay, fee)
    return [str(invoice.money(amount)) for amount in (*parts, pay + fee + tax)]


def _sums(invoice: Invoice) -> Table:
    pairs: list[tuple[str, Money]] = [
        (_("Experts’ pay"), invoice.money(invoice.pay)),
        (_("Fee"), invoice.money(invoice.fee)),
    ]
    if invoice.rounding:
        pairs.append((_("Rounding that we bear"), invoice.money(invoice.rounding)))
    pairs += [
        (_("Net"), invoice.net),
        *_taxed(invoice),
        (_("Total"), invoice.total),
        (_("Already paid from funds"), -invoice.money(invoice.paid)),
        (_("Balance due"), invoice.due),
    ]
    columns = [Column(_("Sum")), Column(_("Amount"), right=True)]
    return Table(columns, [[label, str(amount)] for label, amount in pairs], totals=1)


def _taxed(invoice: Invoice) -> list[tuple[str, Money]]:
    if not invoice.taxes:
        return [
            (_("Tax at %(percent)s %%", percent=f"{invoice.tax_bps / 100:g}"), invoice.money(invoice.tax))
        ]
    return [
        (
            _("%(tax)s, on our fee of %(fee)s", tax=taxes.rate_said(each), fee=invoice.money(each["base"])),
            invoice.money(each["tax"]),
        )
        for each in invoice.taxes
    ]


def _taxes(invoice: Invoice) -> str:
    if not invoice.taxes:
        return invoice.tax_reason
    notes = dict.fromkeys(taxes.note(each["basis"]) for each in invoice.taxes)
    whose = _("We tax our fee; experts’ pay is theirs and bears no tax of ours.")
    return " ".join([*filter(None, notes), whose])
