"""The fee of what is offered: that of the first day on which it can be worked, and what follows it."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.fees import queries
from marketplace.contracts.fees.schedule import fee_on
from marketplace.contracts.models import Contract, Offer
from marketplace.contracts.states import OfferState
from marketplace.contracts.taxes import queries as taxes
from marketplace.contracts.taxes import words
from marketplace.gigs.members import tell_client
from marketplace.gigs.models import Project
from marketplace.i18n import day
from marketplace.i18n import gettext as _


def said_of_project(session: Session, project: Project, agreed: int) -> str:
    """What the fee of an offer would be, by the day of the work; `agreed` (hundredths of a per cent) where no
    dated fee says it."""
    changes = queries.accepted(session, project.organization_id, project.id)
    today = clock.today("UTC")
    fee = queries.percent(fee_on(changes, today, agreed))
    sentence = _("Our fee is %(fee)s %% of the pay.", fee=fee)
    return " ".join([sentence, *queries.to_come(changes, today, agreed), *_taxed(session, project, today)])


def said_of(session: Session, offer: Offer) -> str:
    """The fee of the first day that can still be worked, whether the offer said another, and what follows; of
    an offer that is over, what it said."""
    if offer.state is not OfferState.MADE:
        return _on_top(offer.fee_bps)
    changes = queries.accepted(session, offer.organization_id, offer.project_id)
    on = first_day(offer.starts_on, offer.person.time_zone)
    fee = fee_on(changes, on, offer.fee_bps)
    sentences = [_on_top(fee), *queries.to_come(changes, on, offer.fee_bps)]
    if fee != offer.fee_bps:
        was = _("When the offer was made it was %(fee)s %%.", fee=queries.percent(offer.fee_bps))
        sentences.insert(1, was)
    return " ".join([*sentences, *_taxed(session, offer.project, on)])


def first_day(starts_on: date, zone: str) -> date:
    """The first day that can be worked if it is signed today by somebody who lives in `zone`."""
    return max(starts_on, clock.today(zone))


def tell_if_other(session: Session, contract: Contract) -> None:
    """Tell the client, before money is reserved, when the fee of the first day of a contract that is being
    signed is another than its offer said. Nobody changes the fee until the transaction ends."""
    queries.hold_still(session, contract)
    fee, offered = contract.fee_on(first_day(contract.starts_on, contract.time_zone)), contract.offer.fee_bps
    if fee == offered:
        return
    title, starts = contract.gig.title, first_day(contract.starts_on, contract.time_zone)
    tell_client(
        session,
        contract.organization_id,
        "fee.changed",
        f"/contracts/{contract.public_id}",
        lambda: (
            _("Our fee is %(fee)s %% of the pay for a contract that is signed now", fee=queries.percent(fee)),
            _(
                "%(gig)s. The offer said %(offered)s %%; the fee of %(day)s, its first day, applies.",
                gig=title,
                offered=queries.percent(offered),
                day=day(starts),
            ),
        ),
    )


def _taxed(session: Session, project: Project, on: date) -> list[str]:
    """The tax on the fee, where any was ever decided."""
    said = words.said(taxes.decided(session, project.organization_id), on)
    return [_("Tax on it: %(said)s", said=said)] if said else []


def _on_top(fee_bps: int) -> str:
    return _("%(fee)s %% of the pay, on top of it.", fee=queries.percent(fee_bps))
