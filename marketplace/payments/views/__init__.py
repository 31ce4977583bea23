"""The pages of money: clients fund, experts get paid, finance prepares, releases and looks into things."""

from flask import Blueprint, url_for

from marketplace.contracts.limits import spell
from marketplace.ledger import chart
from marketplace.ledger.sources import Link, link_for
from marketplace.ledger.words import event_name
from marketplace.payments import promises, words
from marketplace.payments.models import Sweep
from marketplace.payments.payouts import settles_on
from marketplace.payments.states import SweepState
from marketplace.settings import current

bp = Blueprint("payments", __name__)


def address(endpoint: str, **values: object) -> str:
    """Where Stripe sends people back to: on the site as it is configured, whatever host the browser named."""
    return current().base_url + url_for(endpoint, **values)  # type: ignore[arg-type]


def arrival_of(sweep: Sweep) -> Link | None:
    """The bank line that shows a sweep, or that none does yet; nothing before it was sent."""
    sent = sweep.state in (SweepState.SENT, SweepState.PAID)
    return link_for(f"sweep_arrival:{sweep.public_id}") if sent else None


@bp.context_processor
def _words() -> dict[str, object]:
    return {
        "words": words,
        "settles_on": settles_on,
        "pay_weekday": promises.weekday,
        "account_name": chart.name_of,
        "arrival_of": arrival_of,
        "spell": spell,
        "link_for": link_for,
        "event_name": event_name,
    }


import marketplace.payments.views.chargebacks  # noqa: E402
import marketplace.payments.views.client  # noqa: E402
import marketplace.payments.views.credit  # noqa: E402
import marketplace.payments.views.debts  # noqa: E402
import marketplace.payments.views.expert  # noqa: E402
import marketplace.payments.views.feeds  # noqa: E402
import marketplace.payments.views.finance  # noqa: E402
import marketplace.payments.views.invoices  # noqa: E402
import marketplace.payments.views.links  # noqa: E402
import marketplace.payments.views.losing  # noqa: E402
import marketplace.payments.views.pausing  # noqa: E402
import marketplace.payments.views.refunding  # noqa: E402
import marketplace.payments.views.setup  # noqa: E402
import marketplace.payments.views.statements  # noqa: E402
import marketplace.payments.views.sweeping  # noqa: E402
import marketplace.payments.views.tax  # noqa: E402
import marketplace.payments.views.taxdesk  # noqa: E402
import marketplace.payments.views.topping  # noqa: E402, F401
