"""An expert whose W-8BEN runs out is told 60, 30 and 7 days before, and when it has."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.db import use_case
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.notifications import notify
from marketplace.payments.tax import standing
from marketplace.payments.tax.models import TaxForm
from marketplace.payments.tax.states import FormState
from marketplace.settings import current

# Days before the last day; 0 is told once it is over.
STEPS = (0, 7, 30, 60)
AT_ONCE = 500


@use_case
def warn(session: Session) -> int:
    """Tell those whose form comes to its next step; how many. Each step is told once."""
    if not standing.asked():
        return 0
    today = clock.today(str(current().books_zone))
    return sum(_step(session, today, step) for step in STEPS)


def _step(session: Session, today: date, step: int) -> int:
    """The most urgent step comes first, so that nobody is told two at once."""
    last = today + timedelta(days=step) if step else today - timedelta(days=1)
    forms = session.scalars(
        sa.select(TaxForm)
        .where(
            TaxForm.state == FormState.ACCEPTED,
            TaxForm.valid_until <= last,
            sa.func.coalesce(TaxForm.told, STEPS[-1] + 1) > step,
        )
        .order_by(TaxForm.id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    for form in forms:
        form.told = step
        _tell(session, form)
    return len(forms)


def _tell(session: Session, form: TaxForm) -> None:
    assert form.valid_until is not None
    if form.told:
        title = _("Your tax form runs out on %(day)s", day=day(form.valid_until))
    else:
        title = _("Your tax form ran out on %(day)s", day=day(form.valid_until))
    body = _("A W-8BEN counts for three years. Hand in a new one, which takes five minutes: without it "
             "nothing may be paid to you, and no new contract can be begun.")  # fmt: skip
    notify(session, form.person_id, "tax_form", title, body, standing.TAX_PATH)
