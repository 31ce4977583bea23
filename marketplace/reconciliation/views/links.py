"""Where the books find the pages behind their sources."""

from __future__ import annotations

import uuid

from flask import url_for

from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.ledger import sources
from marketplace.ledger.sources import Link
from marketplace.reconciliation import tracing
from marketplace.web import db_session


def _line_link(rest: str) -> Link:
    line, _colon, _account = rest.partition(":")
    return Link(_("Bank line"), url_for("reconciliation.line", public_id=line))


def _statement_link(rest: str) -> Link:
    return Link(_("Bank statement"), url_for("reconciliation.statement", public_id=rest))


def _account_link(rest: str) -> Link:
    account, _colon, _unapplied = rest.partition(":")
    return Link(_("Bank account"), url_for("reconciliation.bank_account", public_id=account))


def _deposit_link(rest: str) -> Link:
    return Link(_("Payout to an expert's bank"), url_for("reconciliation.deposit", stripe_id=rest))


def _arrival_link(rest: str) -> Link:
    found = tracing.arrival_of(db_session(), uuid.UUID(rest))
    if found is None:
        return Link(_("Not on a bank statement yet"), None)
    return Link(_("Bank line of %(day)s", day=day(found.booked_on)), _line_link(str(found.public_id)).path)


def _revaluation_link(rest: str) -> Link:
    return Link(_("Revaluation"), url_for("reconciliation.revaluation", public_id=rest))


sources.register("revaluation", _revaluation_link)
sources.register("sweep_arrival", _arrival_link)
sources.register("statement_line", _line_link)
sources.register("bank_statement", _statement_link)
sources.register("bank_account", _account_link)
sources.register("connected_payout", _deposit_link)
