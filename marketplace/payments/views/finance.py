"""Finance prepares a batch, a second person releases it, and both see what became of each payment."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace import clock, ledger
from marketplace.actor import FINANCE, Role
from marketplace.contracts.adjustments import queries as adjustments
from marketplace.contracts.queries import lines_for_payable
from marketplace.i18n import gettext as _
from marketplace.i18n import moment, ngettext
from marketplace.ledger import chart
from marketplace.ledger.sources import link_for
from marketplace.money import Money
from marketplace.payments import batches as use
from marketplace.payments import calling_off, queries, unpaid
from marketplace.payments.forms import CallOffForm, CutOffForm, PauseForm
from marketplace.payments.models import PayoutBatch, PayoutItem
from marketplace.payments.runs import confirming, pausing, reversing, themselves
from marketplace.payments.setup import wishes
from marketplace.payments.states import BatchState, ItemState
from marketplace.payments.tasks import gateway
from marketplace.payments.views import bp, running
from marketplace.settings import current
from marketplace.web import actor, db_session, guard, page, paged, try_form

States = dict[ItemState, tuple[int, Money]]


@bp.get("/payouts")
@guard(*FINANCE)
def batches() -> ResponseReturnValue:
    """All batches, what is owed, and what needs somebody to look."""
    return home_page(cut_off_form())


@bp.post("/payouts")
@guard(Role.FINANCE_PREPARER)
def prepare() -> ResponseReturnValue:
    """Gather what was approved and is not paid."""
    form = CutOffForm().choose_of(_currencies())
    batch = try_form(
        form, lambda: use.prepare_batch(db_session(), actor(), form.cut_off_at(), form.currency.data)
    )
    if batch is None:
        return home_page(form)
    return redirect(url_for("payments.batch", batch_id=batch.public_id), 303)


@bp.get("/payouts/<uuid:batch_id>")
@guard(*FINANCE)
def batch(batch_id: uuid.UUID) -> ResponseReturnValue:
    """A batch: who is paid, who is not and why, and how far it is."""
    return batch_page(batch_id, PauseForm(formdata=None))


def batch_page(batch_id: uuid.UUID, pause_form: PauseForm) -> ResponseReturnValue:
    """The page of a batch, with the form that stops it as it was filled in."""
    found = queries.batch(db_session(), actor(), batch_id)
    states = queries.by_state(db_session(), found)
    prepared, total = found.state == BatchState.PREPARED, _total(states, found.currency)
    return page(
        "payments/batch.html",
        batch=found,
        paid=paged(db_session(), queries.paid_by(found), by=PayoutItem.id, size=50),
        left_out=paged(
            db_session(), queries.left_out_of(found), by=PayoutItem.id, size=50, name="left_out_after"
        ),
        states=states,
        total=total,
        people=_people(states),
        left_total=_total(states, found.currency, going=False),
        left_people=_people(states, going=False),
        cover=queries.cover(gateway(), total) if prepared and total else None,
        moving=found.state in (BatchState.RELEASED, BatchState.SENDING),
        may_release=_may_release(found) and bool(total),
        may_take_out=prepared and actor().has(Role.FINANCE_PREPARER),
        pause_form=pause_form,
        **running.shown(found, total),
    )


@bp.get("/payouts/<uuid:batch_id>/release")
@guard(Role.FINANCE_RELEASER, fresh=True)
def confirm_release(batch_id: uuid.UUID) -> ResponseReturnValue:
    """Look once more at the sums before money moves."""
    found = queries.batch(db_session(), actor(), batch_id)
    if not _may_release(found):
        return _as_it_stands(found)
    states = queries.by_state(db_session(), found)
    total = _total(states, found.currency)
    return page(
        "payments/confirm_release.html",
        batch=found,
        states=states,
        total=total,
        people=_people(states),
        cover=queries.cover(gateway(), total),
        seen=confirming.digest(db_session(), found).hex(),
        **running.shown(found, total),
    )


@bp.post("/payouts/<uuid:batch_id>/release")
@guard(Role.FINANCE_RELEASER, fresh=True)
def release(batch_id: uuid.UUID) -> ResponseReturnValue:
    """Let it go, or confirm it as the first of two."""
    found = queries.batch(db_session(), actor(), batch_id)
    if found.releaser is not None:
        return _as_it_stands(found)
    # Whoever sends no hash has seen nothing.
    done = use.release_batch(db_session(), actor(), batch_id, request.form.get("seen", ""))
    running.say(done)
    return redirect(url_for("payments.batch", batch_id=batch_id), 303)


@bp.post("/payouts/<uuid:batch_id>/cancel")
@guard(*FINANCE)
def cancel(batch_id: uuid.UUID) -> ResponseReturnValue:
    """Drop it; its hours are offered again."""
    use.cancel_batch(db_session(), actor(), batch_id)
    flash(_("Cancelled. The same hours are offered in the next batch."), "info")
    return redirect(url_for("payments.batches"), 303)


@bp.get("/payouts/items/<uuid:item_id>")
@guard(*FINANCE)
def item(item_id: uuid.UUID) -> ResponseReturnValue:
    """One payment: every try, what it pays, and what to do next."""
    return _item(item_id, CallOffForm())


@bp.post("/payouts/items/<uuid:item_id>/call-off")
@guard(*FINANCE)
def call_off_item(item_id: uuid.UUID) -> ResponseReturnValue:
    """It was released, and must not be sent."""
    form = CallOffForm()
    done = try_form(
        form,
        lambda: calling_off.call_off(db_session(), actor(), item_id, form.reason.data or "", gateway()),
    )
    if done is None:
        return _item(item_id, form)
    flash(_("Called off. Nothing was sent, and the pay is offered again in the next batch."), "success")
    return redirect(url_for("payments.item", item_id=item_id), 303)


def _item(item_id: uuid.UUID, form: CallOffForm) -> ResponseReturnValue:
    found = queries.item(db_session(), actor(), item_id)
    lines = lines_for_payable(db_session(), [each.approval_id for each in found.approvals])
    besides = adjustments.with_ids(db_session(), [each.adjustment_id for each in found.adjustments])
    payouts = queries.payouts_of(db_session(), found)
    payout = payouts[-1] if payouts else None
    entries = ledger.entries_of(
        db_session(),
        [f"approval:{each.approval.public_id}" for each in found.approvals]
        + [f"adjustment:{each.public_id}" for each in besides]
        + [f"withholding:{item_id}", f"payout_item:{item_id}"]
        + [f"transfer_reversal:{each.public_id}" for each in reversing.of_item(db_session(), found)]
        + [f"connected_payout:{each.stripe_id}" for each in payouts],
    )
    deposit = link_for(f"connected_payout:{payout.stripe_id}") if payout else None
    return page(
        "payments/item.html",
        item=found,
        lines=lines,
        besides=besides,
        entries=entries,
        payout=payout,
        deposit=deposit,
        account=chart.expert_payable(found.person.public_id).key,
        left_out=found.state in queries.LEFT_OUT,
        form=form,
        may_call_off=found.state == ItemState.RELEASED,
    )


@bp.post("/payouts/items/<uuid:item_id>/cancel")
@guard(Role.FINANCE_PREPARER)
def cancel_item(item_id: uuid.UUID) -> ResponseReturnValue:
    """Take one expert out of a batch that was not released."""
    found = use.cancel_item(db_session(), actor(), item_id)
    flash(_("Taken out. The pay is offered again in the next batch."), "info")
    return redirect(url_for("payments.batch", batch_id=found.batch.public_id), 303)


def cut_off_form(**given: None) -> CutOffForm:
    """Up to today, in the currency of what waits, or in one of several."""
    return CutOffForm(cut_off=clock.today(str(current().books_zone)), **given).choose_of(_currencies())


def _currencies() -> list[str]:
    return unpaid.currencies(db_session()) or [current().books_currency]


def home_page(form: CutOffForm, pause_form: PauseForm | None = None) -> ResponseReturnValue:
    """The page of all batches, with its forms as they were filled in."""
    currency = current().books_currency
    owed = [queries.owed(db_session(), each) for each in _currencies()]
    found = paged(db_session(), queries.batches_for(actor()), by=PayoutBatch.id)
    held = ledger.balance(db_session(), chart.stripe_balance(), currency)
    return page(
        "payments/batches.html",
        form=form,
        batches=found,
        sizes=queries.sizes(db_session(), [each.id for each in found.rows]),
        owed=[(amount, ngettext("to one expert", "to %(n)s experts", people)) for people, amount in owed],
        at_stripe=Money(held, currency),
        asking=wishes.how_many_ask(db_session()),
        trouble=queries.trouble(db_session(), actor()),
        may_prepare=actor().has(Role.FINANCE_PREPARER),
        pauses=pausing.pauses_of(db_session()),
        pause_form=pause_form or PauseForm(formdata=None),
        may_resume=actor().has(Role.FINANCE_RELEASER),
    )


def _as_it_stands(batch: PayoutBatch) -> ResponseReturnValue:
    """Lead to a batch that cannot be released now, with the reason: a second click must not alarm anybody."""
    if batch.releaser is not None and batch.released_at is not None:
        said = _("This batch was released by %(name)s, %(when)s. It is paid once.",
                 name=batch.releaser.full_name, when=moment(batch.released_at))  # fmt: skip
        flash(said, "info")
    elif running.confirmed_by_me(batch):
        flash(_("You confirmed this batch, so somebody else has to release it. Ask a colleague."), "info")
    elif batch.prepared_by == actor().id:
        flash(_("You prepared this, so somebody else has to release it. Ask a colleague."), "info")
    elif (why := themselves.why_not(db_session(), actor(), batch)) is not None:
        flash(why, "info")
    return redirect(url_for("payments.batch", batch_id=batch.public_id), 303)


def _may_release(batch: PayoutBatch) -> bool:
    if batch.state != BatchState.PREPARED or not actor().has(Role.FINANCE_RELEASER):
        return False
    mine = batch.prepared_by == actor().id or running.confirmed_by_me(batch)
    return not mine and themselves.why_not(db_session(), actor(), batch) is None


def _total(states: States, currency: str, *, going: bool = True) -> Money:
    return Money(sum(amount.amount for _count, amount in _which(states, going)), currency)


def _people(states: States, *, going: bool = True) -> str:
    return ngettext("one expert", "%(n)s experts", sum(count for count, _amount in _which(states, going)))


def _which(states: States, going: bool) -> list[tuple[int, Money]]:
    return [value for state, value in states.items() if (state not in queries.LEFT_OUT) is going]
