"""An expert's statements: the months and years that have something, each as PDF and CSV."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from flask.typing import ResponseReturnValue

from marketplace import pdf
from marketplace.accounts.models import Person
from marketplace.actor import Role
from marketplace.contracts.periods import month_of, period_of
from marketplace.i18n import zone_name
from marketplace.payments.statements import documents
from marketplace.payments.statements.building import Statement, statement
from marketplace.payments.statements.movements import months
from marketplace.payments.views import bp
from marketplace.web import actor, db_session, file_response, guard, page, table_response


@bp.get("/pay/statements")
@guard(Role.EXPERT)
def statements() -> ResponseReturnValue:
    """Each month in which something was earned or paid, with what is owed at its end."""
    person = db_session().get_one(Person, actor().id)
    zone = ZoneInfo(person.time_zone)
    found = [
        (month_of(each.first_day, zone), each)
        for each in months(db_session(), person.public_id, person.time_zone)
    ]
    years = list(dict.fromkeys(period.year for period, _month in found))
    return page("payments/statements.html", months=found, years=years, zone=zone_name(person.time_zone))


@bp.get("/pay/statements/<period>/pdf")
@guard(Role.EXPERT)
def statement_pdf(period: str) -> ResponseReturnValue:
    """The statement of a month such as 2026-11, or of a year, as a document."""
    found = _statement(period)
    file = pdf.render(documents.document(found))
    return file_response(file, documents.file_name(found, "pdf"), "application/pdf")


@bp.get("/pay/statements/<period>/csv")
@guard(Role.EXPERT)
def statement_csv(period: str) -> ResponseReturnValue:
    """The same, line by line for a spreadsheet."""
    found = _statement(period)
    return table_response(documents.file_name(found, "csv"), documents.header(), documents.rows(found))


def _statement(key: str) -> Statement:
    person = db_session().get_one(Person, actor().id)
    return statement(db_session(), person, period_of(key, ZoneInfo(person.time_zone)))
