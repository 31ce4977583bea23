"""An application and a contract of one client, with both sides and a stranger."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy.orm import Session

from marketplace import clock, tasks
from marketplace.actor import Actor
from marketplace.contracts.models import Offer
from marketplace.contracts.offers import OfferDraft, make_offer
from marketplace.gigs.models import Application
from marketplace.messages.models import Message
from marketplace.messages.sending import send
from marketplace.storage import Upload
from tests.cast import Cast
from tests.factories.contracts import FEE_BPS, MONDAY, Deal, a_deal
from tests.factories.gigs import an_application, an_expert

STRANGERS = ("zed", "ben", "rev", "fin", "gil")


@dataclass(frozen=True)
class Desk:
    """A signed contract, and somebody who has only applied."""

    session: Session
    cast: Cast
    deal: Deal
    applicant: Actor
    application: Application

    @property
    def contract(self) -> tuple[str, uuid.UUID]:
        return "contract", self.deal.contract.public_id

    @property
    def applied(self) -> tuple[str, uuid.UUID]:
        return "application", self.application.public_id

    @property
    def project(self) -> tuple[str, uuid.UUID]:
        return "project", self.deal.project.public_id

    def write(
        self, actor: Actor, about: tuple[str, uuid.UUID], text: str = "Good morning.", *files: Upload
    ) -> Message:
        return send(self.session, actor, *about, uuid.uuid4(), text, files)


def offer_to(desk: Desk) -> Offer:
    """What the applicant signs to work there too."""
    draft = OfferDraft(rate=150_00, hours_per_week=5, starts_on=clock.today("America/New_York"))
    return make_offer(desk.session, desk.deal.client, desk.application.public_id, draft, fee_bps=FEE_BPS)


@pytest.fixture
def desk(session: Session, cast: Cast) -> Iterator[Desk]:
    tasks.register()
    with clock.at(MONDAY):
        deal = a_deal(session)
        applicant = an_expert(session, "Ines Applicant")
        application = an_application(session, applicant, deal.gig)
        yield Desk(session, cast, deal, applicant, application)
