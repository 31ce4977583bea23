"""Payments that a client's bank takes back: finance sees each, answers the bank, and sees what it costs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace import ledger
from marketplace.actor import FINANCE, Role
from marketplace.contracts.models import Contract
from marketplace.gigs.models import Project
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.ledger.sources import owner_of
from marketplace.money import Money
from marketplace.payments.chargebacks import answering, failures, queries, weeks, words
from marketplace.payments.chargebacks.models import Chargeback
from marketplace.payments.debts.queries import owed_by
from marketplace.payments.forms import EvidenceForm
from marketplace.payments.models import Funding
from marketplace.payments.states import FundingState
from marketplace.payments.views import bp
from marketplace.settings import current
from marketplace.web import actor, db_session, guard, page, paged, try_form


@bp.get("/chargebacks")
@guard(*FINANCE)
def chargebacks() -> ResponseReturnValue:
    """What banks contest, the oldest first, whose time for an answer ends first; and what they decided."""
    currency = current().books_currency
    return page(
        "payments/chargebacks.html",
        undecided=paged(
            db_session(),
            queries.chargebacks_for(actor(), decided=False),
            by=Chargeback.id,
            rising=True,
            name="open_after",
        ),
        decided=paged(db_session(), queries.chargebacks_for(actor(), decided=True), by=Chargeback.id),
        exposed=Money(queries.exposure(db_session(), currency), currency),
        lost=Money(ledger.balance(db_session(), chart.chargeback_losses(), currency), currency),
    )


@bp.get("/chargebacks/<uuid:chargeback_id>")
@guard(*FINANCE)
def chargeback(chargeback_id: uuid.UUID) -> ResponseReturnValue:
    """One chargeback: where its money is, what to answer, and what shows that the work was done."""
    return _chargeback(chargeback_id, EvidenceForm())


@bp.post("/chargebacks/<uuid:chargeback_id>/evidence")
@guard(*FINANCE)
def answer_chargeback(chargeback_id: uuid.UUID) -> ResponseReturnValue:
    """What the bank is told, once."""
    form = EvidenceForm()
    done = try_form(
        form, lambda: answering.answer(db_session(), actor(), chargeback_id, form.text.data or "")
    )
    if done is None:
        return _chargeback(chargeback_id, form)
    flash(_("Written down. It is sent to the bank through Stripe."), "success")
    return redirect(url_for("payments.chargeback", chargeback_id=chargeback_id), 303)


@bp.post("/chargebacks/<uuid:chargeback_id>/weeks")
@guard(*FINANCE)
def ask_for_weeks(chargeback_id: uuid.UUID) -> ResponseReturnValue:
    """The first of two wants the weeks to come let go."""
    weeks.ask_for_weeks(db_session(), actor(), chargeback_id)
    flash(_("Noted. Now a second person has to confirm it."), "info")
    return redirect(url_for("payments.chargeback", chargeback_id=chargeback_id), 303)


@bp.post("/chargebacks/<uuid:chargeback_id>/weeks/confirm")
@guard(Role.FINANCE_RELEASER, fresh=True)
def free_weeks(chargeback_id: uuid.UUID) -> ResponseReturnValue:
    """The second lets them go."""
    weeks.free_weeks(db_session(), actor(), chargeback_id)
    flash(_("The weeks that have not begun are let go, and their experts are told."), "success")
    return redirect(url_for("payments.chargeback", chargeback_id=chargeback_id), 303)


@bp.app_context_processor
def _about_payments() -> dict[str, object]:
    # The pages of projects and contracts belong to slices below, which know nothing of payments.
    return {
        "came_back": _came_back,
        "failed_late": _failed_late,
        "owed_by": lambda project: owed_by(db_session(), project),
        "is_contested": lambda contract: queries.is_contested(db_session(), contract.project_id),
        "chargeback_words": words,
    }


def _came_back(project: Project) -> Sequence[Chargeback]:
    return queries.of_project(db_session(), project)


def _failed_late(project: Project) -> list[tuple[Funding, Money]]:
    """Payments that failed after they were paid, each with what of it is owed, or was lost."""
    failed = sa.select(Funding).filter_by(project_id=project.id, state=FundingState.FAILED_AFTER_PAID)
    found = db_session().scalars(failed.order_by(Funding.id.desc())).all()
    return [(lot, failures.missing(db_session(), lot)) for lot in found]


def _chargeback(chargeback_id: uuid.UUID, form: EvidenceForm) -> ResponseReturnValue:
    found = queries.chargeback(db_session(), actor(), chargeback_id)
    me, project = actor().id, found.funding.project
    work = queries.work_of(db_session(), project)
    if form.text.data is None:
        form.text.data = _draft(found, [contract for contract, _sheets in work])
    ahead = weeks.ahead(db_session(), found)
    letting_go = found.is_open and found.weeks_freed_by is None
    return page(
        "payments/chargeback.html",
        chargeback=found,
        project=project,
        form=form,
        work=work,
        owner_of=owner_of,
        ahead=ahead,
        entries=ledger.entries_of(db_session(), [f"chargeback:{chargeback_id}"]),
        may_answer=found.waits_for_answer and not found.answered,
        may_ask=letting_go and bool(ahead) and found.weeks_asked_by is None,
        may_free=letting_go
        and bool(ahead)
        and found.weeks_asked_by not in (None, me)
        and actor().has(Role.FINANCE_RELEASER),
    )


def _draft(chargeback: Chargeback, contracts: Sequence[Contract]) -> str:
    """A beginning for the answer, out of what is written down."""
    lot = chargeback.funding
    return _(
        "%(client)s paid %(amount)s for the project “%(project)s”. %(n)s experts worked on it under "
        "signed agreements; their hours were submitted week by week and approved by the client before they "
        "were paid.",
        client=lot.project.organization.name,
        amount=Money(lot.charge_amount, lot.currency),
        project=lot.project.name,
        n=len({each.person_id for each in contracts}),
    )
