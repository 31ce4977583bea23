"""Where the books find the pages behind their sources."""

from __future__ import annotations

from flask import url_for

from marketplace.i18n import gettext as _
from marketplace.ledger.sources import Link, register


def _funding(rest: str) -> Link:
    return Link(_("Client funds received"), url_for("payments.lot", funding_id=rest))


def _item(rest: str) -> Link:
    return Link(_("Payment to an expert"), url_for("payments.item", item_id=rest))


def _sweep(rest: str) -> Link:
    return Link(_("Sweep of fees"), url_for("payments.sweep", sweep_id=rest))


def _payout(rest: str) -> Link:
    return Link(_("Payout %(id)s to an expert's bank", id=rest), None)


register("funding", _funding)
register("payout_item", _item)
register("sweep", _sweep)
register("connected_payout", _payout)
