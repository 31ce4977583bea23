"""Asking an applicant to take the test of a gig, which is an offer of paid time and nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, money
from marketplace.actor import Actor, Role
from marketplace.contracts import limits, offers, terms
from marketplace.contracts.credit import cover as credit
from marketplace.contracts.fees import queries as fees
from marketplace.contracts.fees.models import FeeChange
from marketplace.contracts.fees.schedule import fee_on, highest, split
from marketplace.contracts.models import Offer
from marketplace.contracts.sittings import graders, queries
from marketplace.contracts.states import OfferState
from marketplace.contracts.taxes import queries as taxes
from marketplace.contracts.taxes import schedule as taxing
from marketplace.db import use_case
from marketplace.errors import Refused
from marketplace.gigs import find
from marketplace.gigs.members import tell, tell_client
from marketplace.gigs.models import Application, ExpertProfile
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.qualification.writing import fix
from marketplace.gigs.states import ApplicationState
from marketplace.i18n import gettext as _
from marketplace.money import Money

WAITING = (ApplicationState.APPLIED, ApplicationState.SHORTLISTED)


@dataclass(frozen=True)
class Price:
    """What a test pays an hour, and what it costs the client at most, pay, fee and its tax."""

    rate: Money
    most: Money


@use_case
def ask(session: Session, actor: Actor, application_public_id: uuid.UUID, *, fee_bps: int) -> Offer:
    """Ask an applicant to take the test that the gig asks for. `fee_bps` is as in `make_offer`.

    Raises Refused when the gig is not open or asks for none, they are taking it or have taken it, nobody who
    may grade it is chosen, or the project's free money does not pay for it.
    """
    application = find.application(session, actor, application_public_id, lock=True)
    gig = application.gig
    actor.require(Role.CLIENT_ADMIN, organization_id=gig.project.organization_id)
    test = gig.test
    if test is None:
        raise Refused(_("This gig asks for no test."))
    offers.require_open(gig)
    fix(session, test)
    fees.hold(session)
    price = price_of(session, application, test, fee_bps)
    _require(session, application, test, price)
    offer = offers.put(
        session,
        actor,
        application,
        offers.OfferDraft(price.rate.amount, -(-test.minutes // 60), clock.today("UTC")),
        _terms(application, test, price.rate),
        fee_bps=fee_on(_changes(session, application), clock.today(application.person.time_zone), fee_bps),
        test=test,
    )
    client = gig.project.organization.name
    tell(
        session,
        application.person_id,
        "test.offered",
        f"/offers/{offer.public_id}",
        lambda: (
            _("%(client)s asks you to take a paid test", client=client),
            _(
                "%(gig)s. It takes %(minutes)s minutes at most, and every minute is paid. Begin it within "
                "seven days.",
                gig=gig.title,
                minutes=test.minutes,
            ),
        ),
    )
    return offer


def take_back(session: Session, actor: Actor, application: Application) -> None:
    """The application is over, so the offer of its test is too, unless the test was begun: then it goes on,
    and is paid. Needs a running transaction that holds the application's row."""
    query = sa.select(Offer).where(
        Offer.application_id == application.id, Offer.test_id.is_not(None), Offer.state == OfferState.MADE
    )
    by_expert = actor.person_id == application.person_id
    # Who begins it at this moment holds the offer, and is waited for.
    for offer in session.scalars(
        query.with_for_update(of=Offer, key_share=True).execution_options(populate_existing=True)
    ):
        offers.decide(session, actor, offer, OfferState.DECLINED if by_expert else OfferState.WITHDRAWN)
        if by_expert:
            _tell_client(session, offer)


def price_of(session: Session, application: Application, test: QualificationTest, fee_bps: int) -> Price:
    """The bottom of the gig's band, or the least that the expert works for, where that is more; and what it
    costs at the highest fee, and tax on it, of the days on which it can be taken, `fee_bps` where no dated
    fee says it."""
    gig = application.gig
    currency, rate = gig.project.currency, gig.rate_min or 0
    profile = session.get(ExpertProfile, application.person_id)
    if profile is not None and profile.currency == currency:
        rate = max(rate, profile.min_rate)
    pay = money.for_minutes(rate, test.minutes)
    today = clock.today(application.person.time_zone)
    # It may go on over midnight.
    end = today + offers.OPEN_FOR + timedelta(days=2)
    fee = highest(_changes(session, application), today, end, fee_bps)
    decided = taxes.decided(session, gig.project.organization_id)
    most = split(pay, fee, taxing.highest(decided, today, end)).total
    return Price(Money(rate, currency), Money(most, currency))


def _changes(session: Session, application: Application) -> Sequence[FeeChange]:
    project = application.gig.project
    return fees.accepted(session, project.organization_id, project.id)


def _require(session: Session, application: Application, test: QualificationTest, price: Price) -> None:
    if application.state not in WAITING:
        raise Refused(_("Only somebody whose application waits can be asked to take the test."))
    standing = queries.standings(session, application.gig, [application.person_id])[application.person_id]
    if not standing.may_ask:
        raise Refused(standing.sentence)
    if test.id in graders.tests_of(session, application.person_id):
        raise Refused(_("This expert grades the test, so they cannot take it."))
    if not graders.able(session, test, limits.requirements(application.gig)):
        raise Refused(
            _(
                "Nobody is chosen yet who may grade this test: it takes somebody who works for you and holds "
                "every credential that the gig asks for. Choose them on the page of the test, then ask again."
            )
        )
    _require_cover(session, application, price)


def _require_cover(session: Session, application: Application, price: Price) -> None:
    project = application.gig.project
    free = credit.available(session, project)
    if free < price.most.amount:
        raise Refused(
            _(
                "The project has %(free)s free, and the test can cost %(most)s. Add funds first.",
                free=Money(max(0, free), project.currency),
                most=price.most,
            )
        )


def _tell_client(session: Session, offer: Offer) -> None:
    tell_client(
        session,
        offer.organization_id,
        "offer.declined",
        f"/gigs/{offer.gig.public_id}/applications",
        lambda: (
            _("An applicant who was asked to take the test withdrew"),
            _("%(gig)s. The test was not begun, so it costs nothing.", gig=offer.gig.title),
        ),
    )


def _terms(application: Application, test: QualificationTest, rate: Money) -> str:
    gig = application.gig
    return terms.write_test(
        terms.PaidTest(
            client=gig.project.organization.name,
            expert=application.person.full_name,
            gig=gig.title,
            test=test.title,
            minutes=test.minutes,
            rate=rate,
        )
    )
