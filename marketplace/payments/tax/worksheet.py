"""A year's payments to each expert, by the day on which they were sent, as the form that reports them asks.

What counts is what the expert earned, before tax was withheld (box 1 of a 1099-NEC), and box 4 what was. A
payment counts by the kind of form that was in force when it was prepared, whatever was signed or refused
later. One payee and year is on one form at most: which one is the operator's setting, and once a year was
taken along to be reported it never changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Person
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case
from marketplace.errors import NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments.models import PayoutBatch, PayoutItem, Transfer, TransferReversal
from marketplace.payments.states import TransferState
from marketplace.payments.tax import standing, thresholds
from marketplace.payments.tax.models import ReportedYear, TaxForm, TaxThreshold, details_of
from marketplace.payments.tax.numbers import number_word
from marketplace.payments.tax.states import CORPORATIONS, FormKind, FormState, NumberKind, Report, Why
from marketplace.payments.tax.words import form_name, report_word
from marketplace.settings import current

# The tax office takes amounts in dollars.
REPORTED_IN = "USD"
FIRST_YEAR = 2000


@dataclass(frozen=True)
class Paid:
    """What was paid in a year to one person in one currency, by forms of one kind of which `form` is the
    newest: pay before tax, in how many payments, what was withheld, and how much of it was worked in the US
    by a foreign person."""

    person: Person
    form: TaxForm | None
    paid: Money
    count: int
    backup: Money
    nra: Money
    us_source: Money


@dataclass(frozen=True)
class Row:
    """A line of the worksheet; `above` says that it is reported on a 1099, `missing` what keeps it back."""

    paid: Paid
    form: TaxForm | None
    report: Report
    above: bool
    missing: Sequence[str]


@dataclass(frozen=True)
class Worksheet:
    """A year, with the figure that counts; `confirmed` when the figure is that of the year itself."""

    year: int
    us_form: str
    threshold: TaxThreshold | None
    confirmed: bool
    reported: ReportedYear | None
    rows: Sequence[Row]

    def total(self, what: str) -> list[Money]:
        """`paid`, `backup` or `nra` of all rows, by currency."""
        sums: dict[str, Money] = {}
        for row in self.rows:
            amount: Money = getattr(row.paid, what)
            sums[amount.currency] = sums.get(amount.currency, Money(0, amount.currency)) + amount
        return [sums[currency] for currency in sorted(sums)]


def bounds(year: int) -> tuple[datetime, datetime]:
    """The tax year as UTC moments, in the zone of the books."""
    zone = str(current().books_zone)
    return clock.midnight(date(year, 1, 1), zone), clock.midnight(date(year + 1, 1, 1), zone)


def years(session: Session) -> list[int]:
    """The tax years in which something was paid, and this one, the newest first."""
    year = sa.extract("year", sa.func.timezone(str(current().books_zone), moved().c.at))
    found = session.scalars(sa.select(year).distinct())
    return sorted({*map(int, found), clock.today(str(current().books_zone)).year}, reverse=True)


def worksheet(session: Session, actor: Actor, year: int) -> Worksheet:
    """The worksheet of a year, for finance. Raises NotFound for a year that cannot be one."""
    actor.require(*FINANCE)
    if not FIRST_YEAR <= year <= clock.today(str(current().books_zone)).year:
        raise NotFound(_("There is no worksheet of that year."))
    us_form = current().us_form
    threshold = None if us_form == "external" else thresholds.of_year(session, us_form, year)
    paid = _paid(session, year)
    noticed = standing.noticed(session, {each.person.id for each in paid})
    rows = [_row(each, each.form, each.person.id in noticed, us_form, threshold) for each in paid]
    return Worksheet(
        year=year,
        us_form=us_form,
        threshold=threshold,
        confirmed=threshold is None or thresholds.is_confirmed(threshold, year),
        reported=session.get(ReportedYear, year),
        rows=rows,
    )


@use_case
def take_along(session: Session, actor: Actor, year: int) -> tuple[Worksheet, Mapping[int, TaxForm]]:
    """The worksheet with the forms in full, to be filed: the year is on this form from now on.

    Raises NotAllowed, FreshFactorNeeded, or Refused when somebody else reports, while the year still runs or
    its figure is not confirmed, or when it was taken along for the other form: the same money is never on
    both.
    """
    actor.require(*FINANCE)
    actor.require_fresh_factor()
    us_form = current().us_form
    if us_form == "external":
        raise Refused(
            _("Somebody else reports these payments, by the setting US_FORM. Nothing is taken along.")
        )
    _require_ready(session, us_form, year)
    session.execute(
        insert(ReportedYear)
        .values(year=year, form=us_form, first_by=actor.id, first_at=clock.now())
        .on_conflict_do_nothing()
    )
    reported = session.get_one(ReportedYear, year)
    if reported.form != us_form:
        raise Refused(
            _("%(year)s was reported on the other form. The same money is never on both.", year=str(year))
        )
    found = worksheet(session, actor, year)
    forms = {row.form.id: row.form for row in found.rows if row.form and row.above}
    for form in forms.values():
        audit.record(session, actor, "reveal", "tax_form", form.public_id, year=year, form=us_form)
    return found, forms


def _require_ready(session: Session, us_form: str, year: int) -> None:
    """What is taken along settles the year's form and figure for good."""
    if year >= clock.today(str(current().books_zone)).year:
        raise Refused(_("%(year)s still runs. Take it along when it is over.", year=str(year)))
    if not thresholds.is_confirmed(thresholds.of_year(session, us_form, year), year):
        raise Refused(
            _("The figure of %(year)s is not known here yet. Propose it with its source, let a colleague "
              "accept it, then take the year along.", year=str(year))
        )  # fmt: skip


def header() -> list[str]:
    """What the columns of `rows` are called."""
    return [
        _("Year"), _("Payee id"), _("Name"), _("Business name"), _("Form here"), _("Number is"), _("Number"),
        _("Street"), _("City"), _("Country"), _("Currency"), _("Paid"), _("Payments"), _("Withheld, backup"),
        _("Worked in the US"), _("Withheld, foreign person"), _("Reported on"), _("To be reported"),
        _("Missing"),
    ]  # fmt: skip


def rows(found: Worksheet, revealed: Mapping[int, TaxForm]) -> Iterator[list[str]]:
    """A line for each payee, kind of form and currency; number and address only of forms (internal ids) that
    are `revealed`."""
    for row in found.rows:
        paid, form = row.paid, row.form
        full = revealed.get(form.id) if form else None
        details = details_of(full) if full else {}
        yield [
            str(found.year), str(paid.person.public_id), form.name if form else paid.person.full_name,
            (form.business_name or "") if form else "", form_name(form.kind) if form else "",
            number_word(form.number_kind) if form else "",
            (full.number or "") if full else (form.masked if form else ""),
            details.get("street", ""), details.get("city", ""), form.country if form else paid.person.country,
            paid.paid.currency, str(paid.paid.decimal), str(paid.count), str(paid.backup.decimal),
            str(paid.us_source.decimal), str(paid.nra.decimal), report_word(row.report),
            _("yes") if row.above else _("no"), "; ".join(row.missing),
        ]  # fmt: skip


def moved() -> sa.Subquery:
    """What was sent to each person, before tax, `at` which moment; and, below zero, what came back."""
    none: Any = sa.literal(0)
    sent = (
        sa.select(
            Transfer.sent_at.label("at"),
            PayoutItem.person_id,
            PayoutBatch.currency,
            PayoutItem.tax_form_id.label("form"),
            (PayoutItem.amount + PayoutItem.withheld).label("paid"),
            sa.literal(1).label("count"),
            PayoutItem.withheld_why.label("why"),
            PayoutItem.withheld,
            sa.func.coalesce(PayoutItem.withheld_of, none).label("of"),
        )
        .select_from(Transfer)
        .join(Transfer.item)
        .join(PayoutItem.batch)
        .where(Transfer.state == TransferState.SENT)
    )
    back = (
        sa.select(
            TransferReversal.made_at, PayoutItem.person_id, PayoutBatch.currency, PayoutItem.tax_form_id,
            -TransferReversal.amount, none, sa.null(), none, none,
        )
        .select_from(TransferReversal)
        .join(TransferReversal.transfer)
        .join(Transfer.item)
        .join(PayoutItem.batch)
    )  # fmt: skip
    return sa.union_all(sent, back).subquery()


def _paid(session: Session, year: int) -> list[Paid]:
    start, end = bounds(year)
    each = moved()

    def withheld(why: Why, amount: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(amount).filter(each.c.why == why), 0)

    query = (
        sa.select(
            Person,
            each.c.currency,
            each.c.form,
            sa.func.sum(each.c.paid),
            sa.func.sum(each.c.count),
            withheld(Why.BACKUP, each.c.withheld),
            withheld(Why.NRA, each.c.withheld),
            withheld(Why.NRA, each.c.of),
        )
        .join(each, each.c.person_id == Person.id)
        .where(each.c.at >= start, each.c.at < end)
        .group_by(Person.id, each.c.currency, each.c.form)
        .order_by(Person.full_name, Person.id, each.c.currency, each.c.form)
    )
    rows = session.execute(query).all()
    forms = _forms(session, {person.id for person, *_rest in rows})
    return _by_kind(
        (person, at, _counted(forms[person.id], form), amounts) for person, at, form, *amounts in rows
    )


def _forms(session: Session, people: Collection[int]) -> dict[int, list[TaxForm]]:
    """All forms of these people (internal ids), without what is encrypted, the newest first."""
    found: dict[int, list[TaxForm]] = {person: [] for person in people}
    query = sa.select(TaxForm).where(TaxForm.person_id.in_(people)).order_by(TaxForm.id.desc())
    for form in session.scalars(query.options(sa.orm.defer(TaxForm.number), sa.orm.defer(TaxForm.details))):
        found[form.person_id].append(form)
    return found


def _counted(forms: Sequence[TaxForm], under: int | None) -> TaxForm | None:
    """The form that says what a payment under one (internal id) is: the newest of its kind that counts, else
    itself. What was paid while none was asked for is by the form that counts, or else the newest."""
    paid = next((each for each in forms if each.id == under), None)
    counting = [each for each in forms if each.state is FormState.ACCEPTED]
    same = [each for each in counting if paid is None or each.kind is paid.kind]
    return next(iter(same), paid or next(iter(forms), None))


def _by_kind(rows: Iterable[tuple[Person, str, TaxForm | None, Sequence[Any]]]) -> list[Paid]:
    """Together what was paid to one person in one currency by forms of one kind."""
    sums: dict[tuple[Person, str, FormKind | None], list[int]] = {}
    newest: dict[tuple[Person, str, FormKind | None], TaxForm | None] = {}
    for person, currency, form, amounts in rows:
        key = person, currency, form.kind if form else None
        sums[key] = [a + int(b) for a, b in zip(sums.get(key, [0] * len(amounts)), amounts, strict=True)]
        newest[key] = form
    return [
        Paid(person, newest[person, at, kind], Money(paid, at), count, *(Money(each, at) for each in kept))
        for (person, at, kind), (paid, count, *kept) in sums.items()
    ]


def _row(
    paid: Paid, form: TaxForm | None, noticed: bool, us_form: str, threshold: TaxThreshold | None
) -> Row:
    report = _report(form, us_form, backup=paid.backup.amount > 0)
    above = False
    if threshold is not None:
        over = thresholds.reaches(threshold, paid.paid.amount, paid.count)
        # What was withheld is always reported, whatever the form, or the payee could not claim it.
        above = (over and report in (Report.NEC, Report.K, Report.UNKNOWN)) or paid.backup.amount > 0
    return Row(paid, form, report, above, list(_missing(paid, form, noticed, above)))


def _report(form: TaxForm | None, us_form: str, *, backup: bool) -> Report:
    if us_form == "external":
        return Report.EXTERNAL
    if form is None:
        return Report.UNKNOWN
    if backup:
        return Report(us_form)
    if form.kind is FormKind.W8BEN:
        return Report.FOREIGN
    if us_form == "nec" and form.classification in CORPORATIONS:
        return Report.CORPORATION
    return Report(us_form)


def _missing(paid: Paid, form: TaxForm | None, noticed: bool, above: bool) -> Iterator[str]:
    if form is None:
        yield _("no form")
    elif form.kind is FormKind.W9 and form.number_kind is NumberKind.APPLIED_FOR:
        yield _("no number")
    if noticed:
        yield _("B-notice open")
    if paid.us_source.amount:
        yield _("1042-S, with your adviser")
    if above and paid.paid.currency != REPORTED_IN:
        yield _("amount in dollars")
