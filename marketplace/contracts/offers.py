"""Offers: the whole text is written down when the offer is made, and nothing in it moves afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs
from marketplace.actor import SITE, Actor, Role
from marketplace.contracts import find, terms
from marketplace.contracts.budgets import caps
from marketplace.contracts.fees import queries as fees
from marketplace.contracts.fees.offering import first_day
from marketplace.contracts.fees.schedule import fee_on, highest, split
from marketplace.contracts.models import Offer
from marketplace.contracts.sittings import passes
from marketplace.contracts.states import OFFER_MOVES, OfferState, move
from marketplace.contracts.taxes import queries as taxes
from marketplace.contracts.taxes import schedule as taxing
from marketplace.contracts.weeks import week_on
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.gigs import applications, data_use
from marketplace.gigs import find as find_gig
from marketplace.gigs.find import there
from marketplace.gigs.members import tell, tell_client
from marketplace.gigs.models import Application, DataUse, ExpertProfile, Gig
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.states import GigState
from marketplace.i18n import gettext as _
from marketplace.money import Money

OPEN_FOR = timedelta(days=7)


@dataclass(frozen=True)
class OfferDraft:
    """`rate` is minor units of the project's currency for an hour."""

    rate: int
    hours_per_week: int
    starts_on: date


@use_case
def make_offer(
    session: Session, actor: Actor, application_public_id: uuid.UUID, draft: OfferDraft, *, fee_bps: int
) -> Offer:
    """Offer an applicant a contract, at the client's fee of its first day; `fee_bps`, in hundredths of a per
    cent of the pay, where no dated fee says it.

    Raises Invalid for a rate outside the gig's band or below what the expert works for, hours or a day that
    cannot be; Refused when the gig is closed, has no place left, or asks for a test that was not passed.
    """
    application = find_gig.application(session, actor, application_public_id, lock=True)
    gig = application.gig
    actor.require(Role.CLIENT_ADMIN, organization_id=gig.project.organization_id)
    require_open(gig)
    _check(session, gig, draft)
    _check_least(session, application, draft)
    # Who accepts a fee at this moment is waited for, or tells the client of it.
    fees.hold(session)
    changes = fees.accepted(session, gig.project.organization_id, gig.project_id)
    fee_bps = fee_on(changes, first_day(draft.starts_on, application.person.time_zone), fee_bps)
    _check_cap(session, application, draft, partial(highest, changes, agreed=fee_bps))
    passes.require(session, gig, application.person_id)
    applications.mark_offered(session, actor, application)
    statement = there(data_use.newest(session, gig.id))
    text = _terms(application, draft, statement)
    offer = put(session, actor, application, draft, text, fee_bps=fee_bps, statement=statement)
    client = gig.project.organization.name
    tell(
        session,
        application.person_id,
        "offer.made",
        f"/offers/{offer.public_id}",
        lambda: (
            _("%(client)s offers you a contract", client=client),
            _("%(gig)s. Read it and sign within seven days.", gig=gig.title),
        ),
    )
    return offer


@use_case
def withdraw_offer(session: Session, actor: Actor, offer_public_id: uuid.UUID) -> Offer:
    """Take an offer back before it is answered; the application waits as before."""
    offer = find.offer(session, actor, offer_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=offer.organization_id)
    decide(session, actor, offer, OfferState.WITHDRAWN)
    if offer.test_id is None:
        applications.mark_open_again(session, actor, offer.application)
    tell(
        session,
        offer.person_id,
        "offer.withdrawn",
        f"/offers/{offer.public_id}",
        lambda: (
            _("An offer was taken back") if offer.test_id is None else _("A paid test was taken back"),
            _("%(gig)s. Your application stays with the client.", gig=offer.gig.title),
        ),
    )
    return offer


@use_case
def decline_offer(session: Session, actor: Actor, offer_public_id: uuid.UUID) -> Offer:
    """The expert says no."""
    offer = own(find.offer(session, actor, offer_public_id, lock=True), actor)
    decide(session, actor, offer, OfferState.DECLINED)
    if offer.test_id is None:
        applications.mark_refused(session, actor, offer.application)
    tell_client(
        session,
        offer.organization_id,
        "offer.declined",
        f"/gigs/{offer.gig.public_id}/applications",
        lambda: (
            _("An expert declined your offer")
            if offer.test_id is None
            else _("An expert declined to take the test"),
            offer.gig.title,
        ),
    )
    return offer


def put(
    session: Session,
    actor: Actor,
    application: Application,
    draft: OfferDraft,
    text: str,
    *,
    fee_bps: int,
    test: QualificationTest | None = None,
    statement: DataUse | None = None,
) -> Offer:
    """Write down what is offered, with the text that would be signed. Needs a running transaction."""
    gig, project = application.gig, application.gig.project
    offer = Offer(
        application=application,
        organization_id=project.organization_id,
        project=project,
        gig=gig,
        test=test,
        person_id=application.person_id,
        rate=draft.rate,
        currency=project.currency,
        fee_bps=fee_bps,
        hours_per_week=draft.hours_per_week,
        starts_on=draft.starts_on,
        terms_version=terms.VERSION,
        terms=text,
        data_use=statement,
        same_person=gig.same_person,
        state=OfferState.MADE,
        expires_at=clock.now() + OPEN_FOR,
        made_by=actor.id,
        made_at=clock.now(),
    )
    session.add(offer)
    session.flush()
    audit.record(session, actor, "offer.made", "offer", offer.public_id, rate=offer.rate)
    return offer


def require_open(gig: Gig) -> None:
    """Raise Refused unless offers can be made for the gig."""
    if gig.state in (GigState.DRAFT, GigState.CLOSED, GigState.REMOVED):
        raise Refused(_("This gig is not open, so no offer can be made for it."))


def expire_offers(session: Session) -> int:
    """Close the offers whose time is over, each in a transaction of its own; how many."""
    overdue = sa.select(Offer.id).where(Offer.state == OfferState.MADE, Offer.expires_at <= clock.now())
    ids = session.scalars(overdue).all()
    return jobs.one_by_one(session, _expire, ids)


def stands(offer: Offer) -> OfferState:
    """Its state by the clock: nobody waits for a job to say that its time is over."""
    over = offer.state is OfferState.MADE and offer.expires_at <= clock.now()
    return OfferState.EXPIRED if over else offer.state


def own(offer: Offer, actor: Actor) -> Offer:
    """The offer, when it was made to `actor`. Raises NotFound."""
    if offer.person_id != actor.person_id:
        raise NotFound(_("There is no such page, or it is not yours to see."))
    return offer


def decide(session: Session, actor: Actor, offer: Offer, to: OfferState) -> None:
    """Move an offer out of waiting. Needs its row locked."""
    move(offer, to, OFFER_MOVES)
    offer.decided_at = clock.now()
    session.flush()
    audit.record(session, actor, f"offer.{to}", "offer", offer.public_id)


@use_case
def _expire(session: Session, offer_id: int) -> bool:
    offer = session.get_one(Offer, offer_id, with_for_update=True, populate_existing=True)
    if offer.state is not OfferState.MADE or offer.expires_at > clock.now():
        return False
    decide(session, SITE, offer, OfferState.EXPIRED)
    if offer.test_id is None:
        applications.mark_open_again(session, SITE, offer.application)
    path = f"/offers/{offer.public_id}"
    tell(session, offer.person_id, "offer.expired", path, lambda: _ran_out(offer))
    tell_client(session, offer.organization_id, "offer.expired", path, lambda: _ran_out(offer))
    return True


def _ran_out(offer: Offer) -> tuple[str, str]:
    if offer.test_id is not None:
        return (
            _("A paid test ran out"),
            _("%(gig)s. It was not begun in time; the client can ask again.", gig=offer.gig.title),
        )
    return (
        _("An offer ran out"),
        _("%(gig)s. It was not signed in time; the application waits as before.", gig=offer.gig.title),
    )


def _check(session: Session, gig: Gig, draft: OfferDraft) -> None:
    if applications.seats_left(session, gig) < 1:
        raise Refused(_("All places of this gig are filled. Add one to it first."))
    low, high = gig.band or (None, None)
    if low is None or high is None or not low.amount <= draft.rate <= high.amount:
        raise Invalid(
            _("The rate must lie within what the gig advertises: %(low)s to %(high)s.", low=low, high=high),
            field="rate",
        )
    if not 1 <= draft.hours_per_week <= 80:
        raise Invalid(_("Offer between 1 and 80 hours a week."), field="hours_per_week")
    if draft.starts_on < clock.now().date() - timedelta(days=1):
        raise Invalid(_("The first day cannot lie in the past."), field="starts_on")


def _check_least(session: Session, application: Application, draft: OfferDraft) -> None:
    """What an expert said is the least is no opening bid."""
    profile = session.get(ExpertProfile, application.person_id)
    if profile is None or profile.currency != application.gig.project.currency:
        return
    if draft.rate < profile.min_rate:
        raise Invalid(
            _("This expert works for %(least)s an hour or more. Offer at least that.", least=profile.asked),
            field="rate",
        )


def _check_cap(
    session: Session, application: Application, draft: OfferDraft, fee_of: Callable[[date, date], int]
) -> None:
    """A week of it, at the highest fee of its days (`fee_of`) and the highest tax on that, has to fit beside
    what the project's contracts take of its first two."""
    pay, zone = draft.rate * draft.hours_per_week, application.person.time_zone
    week = week_on(first_day(draft.starts_on, zone), zone)
    decided = taxes.decided(session, application.gig.project.organization_id)
    tax_of = partial(taxing.highest, decided)
    asked = {
        each.monday: caps.Share(
            split(pay, fee_of(each.monday, each.next.monday), tax_of(each.monday, each.next.monday)).total,
            draft.hours_per_week * 60,
        )
        for each in (week, week.next)
    }
    caps.require_room(session, application.gig.project, asked)


def _terms(application: Application, draft: OfferDraft, statement: DataUse) -> str:
    gig, project = application.gig, application.gig.project
    return terms.write(
        terms.Terms(
            client=project.organization.name,
            expert=application.person.full_name,
            gig=gig.title,
            services=gig.description,
            rate=Money(draft.rate, project.currency),
            hours_per_week=draft.hours_per_week,
            starts_on=draft.starts_on,
            data_use=statement,
            secrecy=gig.secrecy,
        )
    )
