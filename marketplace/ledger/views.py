"""The books, for finance: trial balance, accounts, journal, and the months with their closing."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa
from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import FINANCE, Role
from marketplace.errors import Invalid, NotFound
from marketplace.i18n import gettext as _
from marketplace.ledger import chart, export, knowledge, periods, queries
from marketplace.ledger.explained import explained
from marketplace.ledger.forms import AsOfForm, JournalForm, KnownForm, RangeForm
from marketplace.ledger.models import JournalEntry, LedgerAccount
from marketplace.ledger.sources import link_for, owner_of, parts_of
from marketplace.ledger.states import Step
from marketplace.ledger.words import event_name
from marketplace.settings import current
from marketplace.web import actor, db_session, guard, page, paged, table_response
from marketplace.web.access import signed_in

F = TypeVar("F", bound=RangeForm)

bp = Blueprint("ledger", __name__, url_prefix="/books")


@bp.context_processor
def _words() -> dict[str, object]:
    return {
        "link_for": link_for,
        "owner_of": owner_of,
        "event_name": event_name,
        "explained": explained,
        "last_day": periods.last_day,
    }


@bp.app_context_processor
def _from_elsewhere() -> dict[str, object]:
    return {"sees_books": lambda: signed_in() and actor().has(*FINANCE)}


@bp.get("/")
@guard(*FINANCE)
def trial_balance() -> ResponseReturnValue:
    """Every code of the chart with its balance, now or at the end of a day."""
    form, day = AsOfForm(request.args), _day()
    known = _known(form)
    found = queries.currencies(db_session()) or [current().books_currency]
    currency = request.args.get("currency", found[0])
    lines = queries.trial_balance(db_session(), currency, day, known)
    return page(
        "ledger/trial_balance.html",
        form=form,
        lines=lines,
        currency=currency,
        currencies=found,
        day=day,
        known=known,
        asked=_asked_at(known),
    )


@bp.get("/codes/<code>/<currency>")
@guard(*FINANCE)
def code(code: str, currency: str) -> ResponseReturnValue:
    """The accounts of one code with their balances, now or at the end of a day."""
    day, everything = _day(), bool(request.args.get("all"))
    known = _known(AsOfForm(request.args))
    # What an account held on an earlier day is not known by what it holds now.
    query = queries.accounts_of(code, currency, empty=everything or day is not None, known=known)
    accounts = paged(db_session(), query, by=LedgerAccount.id, size=50)
    named = accounts.rows or db_session().scalars(queries.accounts_of(code, currency).limit(1)).all()
    if not named:
        raise NotFound(_("Nothing was posted to such an account."))
    return page(
        "ledger/code.html",
        code=code,
        currency=currency,
        name=chart.name_of(code),
        accounts=accounts,
        balances=queries.balances_of(db_session(), accounts.rows, day, known),
        total=named[0].usual(queries.balance_of_code(db_session(), code, currency, day, known)),
        day=day,
        known=known,
        asked=_asked_at(known),
        everything=everything,
    )


@bp.get("/accounts/<key>/<currency>")
@guard(*FINANCE)
def account(key: str, currency: str) -> ResponseReturnValue:
    """One account: its postings, the last first, with the balance after each; all, or between two days."""
    found, form = queries.find_account(db_session(), key, currency), RangeForm(request.args)
    since, day = form.days
    known = _known(form)
    postings = paged(db_session(), queries.postings_of(found, day, since, known), by=queries.IN_TURN, size=50)
    return page(
        "ledger/account.html",
        form=form,
        account=found,
        lines=queries.running(db_session(), found, postings.rows, day, known),
        balance=_balance(found, day, known),
        before=_balance(found, since - timedelta(days=1), known) if since else None,
        moved=queries.moved(db_session(), found, since, day, known) if since or day else None,
        postings=postings,
        since=since,
        day=day,
        known=known,
        asked=_asked_at(known),
    )


@bp.get("/accounts/<key>/<currency>/export")
@guard(*FINANCE)
def account_export(key: str, currency: str) -> ResponseReturnValue:
    """The postings of an account as a file."""
    found = queries.find_account(db_session(), key, currency)
    form = _sensible(RangeForm(request.args))
    since, day = form.days
    asked = queries.journal(since=since, until=day, known=_known(form))
    rows = export.rows(db_session(), asked, found)
    return table_response(export.file_name(found), export.header(), rows)


@bp.get("/journal")
@guard(*FINANCE)
def journal() -> ResponseReturnValue:
    """Entries, those of the last day of the books first."""
    form = JournalForm(request.args)
    entries = paged(db_session(), _asked(form), by=(JournalEntry.booked_on, JournalEntry.id), size=20)
    return page("ledger/journal.html", form=form, entries=entries)


@bp.get("/journal/export")
@guard(*FINANCE)
def journal_export() -> ResponseReturnValue:
    """The same entries as a file."""
    rows = export.rows(db_session(), _asked(_sensible(JournalForm(request.args))))
    return table_response("journal.csv", export.header(), rows)


@bp.get("/journal/<uuid:public_id>")
@guard(*FINANCE)
def entry(public_id: uuid.UUID) -> ResponseReturnValue:
    """One entry, both sides, with what it comes from."""
    found = queries.find_entry(db_session(), public_id)
    reversal = queries.reversal_of(db_session(), found)
    taken_back = queries.taken_back_by(db_session(), found)
    return page(
        "ledger/entry.html",
        entry=found,
        reversal=reversal,
        taken_back=taken_back,
        parts=parts_of(found.id),
    )


@bp.get("/months")
@guard(*FINANCE)
def months() -> ResponseReturnValue:
    """The months of the books, and what is next for each."""
    found = periods.periods(db_session())
    steps = [periods.what_is_next(actor(), each, found[n + 1 :]) for n, each in enumerate(found)]
    near = {
        each.month: periods.left_to_do(db_session(), each.month)
        for each, step in zip(found, steps, strict=True)
        if step in (Step.HOLD, Step.CLOSE, Step.COLLEAGUE)
    }
    return page("ledger/months.html", months=list(zip(found, steps, strict=True)), left_to_do=near)


@bp.post("/months/<month>/hold")
@guard(*FINANCE)
def hold(month: str) -> ResponseReturnValue:
    """Put a month on hold."""
    periods.hold(db_session(), actor(), periods.month_of(month))
    flash(_("The month is on hold. A colleague can close it now."), "success")
    return redirect(url_for("ledger.months"), 303)


@bp.post("/months/<month>/opening")
@guard(*FINANCE)
def open_again(month: str) -> ResponseReturnValue:
    """Take a month off hold."""
    periods.open_period(db_session(), actor(), periods.month_of(month))
    flash(_("The month is open again."), "success")
    return redirect(url_for("ledger.months"), 303)


@bp.post("/months/<month>/closing")
@guard(Role.FINANCE_RELEASER, fresh=True)
def close(month: str) -> ResponseReturnValue:
    """Close a month for good."""
    periods.close(db_session(), actor(), periods.month_of(month))
    flash(_("The month is closed. Nothing can be booked in it any more."), "success")
    return redirect(url_for("ledger.months"), 303)


def _sensible(form: F) -> F:
    """A file says nothing of what is wrong with its days, so there is none. Raises Invalid."""
    if not form.validate():
        raise Invalid(" ".join(str(sentence) for said in form.errors.values() for sentence in said))
    return form


def _asked(form: JournalForm) -> sa.Select[JournalEntry]:
    since, until = form.days
    return queries.journal(
        code=form.code.data or "",
        text=form.source.data or "",
        since=since,
        until=until,
        known=_known(form),
    )


def _balance(account: LedgerAccount, day: date | None, known: datetime | None) -> int:
    return queries.balances_of(db_session(), [account], day, known)[account.id]


def _known(form: KnownForm) -> datetime | None:
    """The moment of whose knowledge the books are read; whatever was sealed by then is there."""
    if form.moment is not None:
        knowledge.wait(db_session())
    return form.moment


def _asked_at(known: datetime | None) -> str | None:
    """The moment as an address carries it."""
    return f"{known:%Y-%m-%dT%H:%M:%S}" if known else None


def _day() -> date | None:
    """The day at whose end balances are struck, if the address names one."""
    form = AsOfForm(request.args)
    return form.day.data if form.validate() else None
