"""A statement as a PDF for people, and as rows for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator

from marketplace import clock
from marketplace.contracts.limits import spell
from marketplace.i18n import current_locale, day, zone_name
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments.statements.apart import Apart
from marketplace.payments.statements.building import Section, Statement
from marketplace.payments.statements.lines import Line
from marketplace.pdf import Column, Document, Heading, Pairs, Paragraph, Part, Table


def file_name(statement: Statement, ending: str) -> str:
    """`statement-2026-11.pdf`."""
    return f"statement-{statement.period.key}.{ending}"


def document(statement: Statement) -> Document:
    """The statement to be printed, dated by the last day that it covers."""
    period = statement.period
    today = clock.today(str(period.zone))
    parts: list[Part] = [
        Pairs(
            [
                (_("Expert"), statement.person.full_name),
                (_("From"), day(period.first_day)),
                (_("Until"), day(period.last_day)),
                (_("Days are those of"), zone_name(str(period.zone))),
            ]
        )
    ]
    if not period.is_over:
        parts.append(Paragraph(_("This period is not over: more can be added until its last day.")))
    for section in statement.sections:
        parts += _section(section, named=len(statement.sections) > 1)
    parts.append(Paragraph(_how(), small=True))
    title = _("Statement for %(period)s", period=period.label)
    return Document(title, current_locale(), min(period.last_day, today), parts)


def header() -> list[str]:
    """What the columns of `rows` are called."""
    return [
        _("Day"), _("What"), _("Client"), _("Gig"), _("Worked on"), _("Minutes"), _("Rate, an hour"),
        _("Added"), _("Paid out or taken off"), _("Owed after it"), _("Not in the balance"), _("Currency"),
        _("Deposit"),
    ]  # fmt: skip


def rows(statement: Statement) -> Iterator[list[str]]:
    """Opening balance, each line, closing balance, and below them what is not in the balance; by currency.

    Amounts are decimals in major units, days ISO 8601.
    """
    period = statement.period
    for section in statement.sections:
        balance = section.opening
        yield _balance_row(period.first_day.isoformat(), _("Opening balance"), balance)
        for line in section.lines:
            balance += line.amount
            yield _line_row(line, balance)
        yield _balance_row(period.last_day.isoformat(), _("Closing balance"), balance)
        for each in section.apart:
            yield _apart_row(each)


def _section(section: Section, *, named: bool) -> Iterator[Part]:
    if named:
        yield Heading(section.currency)
    yield Table(
        [Column(_("In short")), Column(_("Amount"), right=True)],
        [
            [_("Owed to you at the beginning"), str(section.opening)],
            [_("Added"), str(section.added)],
            [_("Paid out or taken off"), str(-section.taken)],
            [_("Owed to you at the end"), str(section.closing)],
        ],
        totals=1,
    )
    came, went = _lines(section, added=True), _lines(section, added=False)
    if came:
        yield Heading(_("Added"), 2)
        yield _came_table(section, came)
    if went:
        yield Heading(_("Paid out or taken off"), 2)
        yield _went_table(section, went)
    if section.apart:
        yield Heading(_("Questioned, and not in the balance"), 2)
        yield _apart_table(section)


def _lines(section: Section, *, added: bool) -> list[Line]:
    return [line for line in section.lines if (line.amount.amount > 0) is added]


def _came_table(section: Section, lines: list[Line]) -> Table:
    columns = [
        Column(_("Day"), share=0), Column(_("Work")), Column(_("Worked on"), share=0),
        Column(_("Hours"), right=True), Column(_("Rate"), right=True), Column(_("Pay"), right=True),
    ]  # fmt: skip
    cells = [
        [
            day(line.on), _work(line), day(line.worked_on) if line.worked_on else "",
            spell(line.minutes) if line.minutes is not None else "", str(line.rate or ""), str(line.amount),
        ]
        for line in lines
    ]  # fmt: skip
    total = [_("Together"), "", "", spell(sum(line.minutes or 0 for line in lines)), "", str(section.added)]
    return Table(columns, [*cells, total], totals=1)


def _work(line: Line) -> str:
    return "\n".join(filter(None, (line.gig, line.client))) + ("" if line.gig else line.what)


def _went_table(section: Section, lines: list[Line]) -> Table:
    columns = [
        Column(_("Day"), share=0), Column(_("What"), share=0), Column(_("Deposit in your bank")),
        Column(_("Amount"), right=True),
    ]  # fmt: skip
    cells = [[day(line.on), line.what, line.reference, str(-line.amount)] for line in lines]
    return Table(columns, [*cells, [_("Together"), "", "", str(section.taken)]], totals=1)


def _apart_table(section: Section) -> Table:
    columns = [
        Column(_("Worked on"), share=0), Column(_("Work")), Column(_("What became of it")),
        Column(_("Hours"), right=True), Column(_("Pay"), right=True),
    ]  # fmt: skip
    cells = [
        [day(e.worked_on), f"{e.gig}\n{e.client}", _became(e), spell(e.minutes), str(e.pay)]
        for e in section.apart
    ]
    return Table(columns, cells)


def _became(each: Apart) -> str:
    return _("Waits for an answer or a ruling") if each.waits else _("Not paid in the end")


def _how() -> str:
    return _(
        "Pay counts on the day it was approved, and a payment on the day it left for your account at Stripe. "
        "Tax that is withheld stands on the day on which the payment was released; for the tax year it "
        "counts with the payment, on the day that its line names. All amounts are those of the ledger. The "
        "client pays the fee on top; no fee is taken off your pay."
    )


def _balance_row(on: str, what: str, balance: Money) -> list[str]:
    return [on, what, *[""] * 7, _plain(balance), "", balance.currency, ""]


def _line_row(line: Line, balance: Money) -> list[str]:
    came = line.amount.amount > 0
    return [
        line.on.isoformat(), line.what, line.client, line.gig,
        line.worked_on.isoformat() if line.worked_on else "",
        "" if line.minutes is None else str(line.minutes), _plain(line.rate) if line.rate else "",
        _plain(line.amount) if came else "", "" if came else _plain(-line.amount), _plain(balance), "",
        line.amount.currency, line.reference,
    ]  # fmt: skip


def _apart_row(each: Apart) -> list[str]:
    return [
        "", _became(each), each.client, each.gig, each.worked_on.isoformat(), str(each.minutes), "", "", "",
        "", _plain(each.pay), each.pay.currency, "",
    ]  # fmt: skip


def _plain(amount: Money) -> str:
    return str(amount.decimal)
