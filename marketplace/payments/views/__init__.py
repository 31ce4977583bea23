"""The pages of money: clients fund, experts get paid, finance prepares, releases and looks into things."""

from flask import Blueprint, url_for

from marketplace.ledger import chart
from marketplace.payments import words
from marketplace.payments.payouts import settles_on
from marketplace.settings import current

bp = Blueprint("payments", __name__)


def address(endpoint: str, **values: object) -> str:
    """Where Stripe sends people back to: on the site as it is configured, whatever host the browser named."""
    return current().base_url + url_for(endpoint, **values)  # type: ignore[arg-type]


@bp.context_processor
def _words() -> dict[str, object]:
    return {"words": words, "settles_on": settles_on, "account_name": chart.name_of}


import marketplace.payments.views.client  # noqa: E402
import marketplace.payments.views.expert  # noqa: E402
import marketplace.payments.views.finance  # noqa: E402
import marketplace.payments.views.links  # noqa: E402
import marketplace.payments.views.sweeping  # noqa: E402, F401
