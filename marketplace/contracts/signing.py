"""Signing an offer: from here on there is a contract, with money behind its first two weeks."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor
from marketplace.contracts import find, limits, offers, reservations, terms
from marketplace.contracts.consents import asking as consents
from marketplace.contracts.fees import offering
from marketplace.contracts.models import Contract, ContractRate, Offer
from marketplace.contracts.states import ContractState, OfferState
from marketplace.contracts.weeks import to_minute, week_of
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs import applications, data_use
from marketplace.gigs import find as find_gig
from marketplace.gigs.find import there
from marketplace.gigs.members import tell_client
from marketplace.gigs.states import GigState
from marketplace.i18n import gettext as _
from marketplace.text import line


@use_case
def accept_offer(session: Session, actor: Actor, offer_public_id: uuid.UUID, signed_name: str) -> Contract:
    """Sign by typing one's own name. The gig's row is locked for its places, the project's funds for cover.

    Raises Invalid when the name is another; Refused, saying what is missing, when the offer is no longer
    open, a credential is not in force on the first day, no place is left, or the funds do not cover the
    first two weeks.
    """
    offer = offers.own(find.offer(session, actor, offer_public_id, lock=True), actor)
    gig = find_gig.gig(session, actor, offer.gig.public_id, lock=True)
    if offer.state is OfferState.MADE and offer.expires_at <= clock.now():
        raise Refused(_("This offer ran out. Ask the client to make it again."))
    if offer.test_id is not None:
        raise Refused(_("This is a paid test. It begins when you sign it on its own page."))
    if gig.state is GigState.REMOVED:
        raise Refused(_("The gig was taken down, so no contract can begin on it now."))
    offers.decide(session, actor, offer, OfferState.ACCEPTED)
    contract = contract_of(offer, signature(offer, signed_name))
    session.add(contract)
    limits.require_credentials(session, gig, actor.id, limits.begins(contract))
    applications.require_seat(session, gig)
    first = week_of(limits.begins(contract), contract.time_zone)
    session.flush()
    offering.tell_if_other(session, contract)
    reservations.reserve(session, actor, contract, (first, first.next))
    applications.mark_hired(session, actor, offer.application)
    # What was offered is signed as it stands; what has changed since is asked.
    consents.ask(session, actor, contract, there(data_use.newest(session, gig.id)))
    audit.record(session, actor, "contract.signed", "contract", contract.public_id, offer=offer.public_id)
    tell_client(
        session,
        offer.organization_id,
        "contract.signed",
        f"/contracts/{contract.public_id}",
        lambda: (
            _("%(expert)s signed", expert=contract.signed_name),
            _("%(gig)s. Two weeks of work are reserved.", gig=gig.title),
        ),
    )
    return contract


def signature(offer: Offer, typed: str) -> str:
    """The name with which the offer is signed. Raises Invalid when another was typed."""
    name = line(offer.person.full_name)
    if line(typed).casefold() != name.casefold():
        raise Invalid(
            _("Type your name as it stands in the agreement: %(name)s.", name=name), field="signed_name"
        )
    return name


def contract_of(offer: Offer, signed_name: str) -> Contract:
    """The contract that the signature makes, in the zone where the expert lives."""
    now = clock.now()
    return Contract(
        offer=offer,
        organization_id=offer.organization_id,
        project=offer.project,
        gig=offer.gig,
        test=offer.test,
        person=offer.person,
        currency=offer.currency,
        fee_bps=offer.fee_bps,
        hours_per_week=offer.hours_per_week,
        time_zone=offer.person.time_zone,
        rounding_rule="half_up_per_line",
        starts_on=offer.starts_on,
        signed_name=signed_name,
        signed_at=now,
        terms_sha256=terms.fingerprint(offer.terms),
        state=ContractState.ACTIVE,
        rates=[ContractRate(rate=offer.rate, from_at=to_minute(now), agreed_at=now)],
    )
