"""What Stripe sent and the books lost: a row and an alarm until the books know it or two people decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import alarms, clock
from marketplace.actor import Actor
from marketplace.contracts.approvals import approve_timesheet
from marketplace.errors import FreshFactorNeeded, Invalid, NotAllowed, Refused
from marketplace.payments import facts
from marketplace.payments.lost import deciding, finding
from marketplace.payments.lost.models import LostTransfer
from marketplace.payments.models import ConnectedAccount, PayoutItem
from marketplace.payments.preparing import prepare_batch
from marketplace.payments.releasing import release_batch
from marketplace.payments.states import ItemState, TransfersState
from marketplace.proofs import every
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, a_deal, a_submitted_week
from tests.factories.payments import Finance, finance
from tests.visitor import Visitor, words

WHY = "The payslip of the lost batch says so"


class Listing:
    """A gateway that lists these transfers, the newest first, and counts those that were read."""

    def __init__(self, *found: facts.SentTransfer) -> None:
        self.found, self.read = found, 0

    def transfers(self) -> Any:
        for each in self.found:
            self.read += 1
            yield each


def sent(
    name: str, amount: int = 150_00, hours_ago: int = 0, item: str | None = "lost"
) -> facts.SentTransfer:
    created = int((clock.now() - timedelta(hours=hours_ago)).timestamp())
    return facts.SentTransfer(
        f"tr_{name}", amount, "USD", "acct_1", f"item_{name}_1", f"py_{name}", f"txn_{name}", "card", item,
        created,
    )  # fmt: skip


def fresh(actor: Actor) -> Actor:
    return replace(actor, second_factor_at=clock.now())


def subjects(session: Session) -> list[str]:
    return [each.subject for each in alarms.standing(session)]


def look(session: Session, *found: facts.SentTransfer) -> Listing:
    listing = Listing(*found)
    finding.catch_up(session, listing)  # type: ignore[arg-type]
    return listing


@pytest.fixture
def desk(session: Session) -> Finance:
    return finance(session)


@pytest.fixture
def item(session: Session, desk: Finance) -> PayoutItem:
    """An expert's pay, released, of which nothing was sent."""
    with clock.at(MONDAY):
        deal = a_deal(session)
    with clock.at(MONDAY + timedelta(days=7, hours=1)):
        sheet = a_submitted_week(session, deal, MONDAY)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    session.add(
        ConnectedAccount(
            person_id=deal.expert.id, stripe_id="acct_1", country="US",
            transfers=TransfersState.ACTIVE, requirements=[], owes={}, created_at=clock.now(),
        )
    )  # fmt: skip
    session.commit()
    batch = prepare_batch(session, desk.fin, clock.now())
    release_batch(session, fresh(desk.gil), batch.public_id)
    return session.scalars(sa.select(PayoutItem)).one()


@pytest.fixture
def lost(session: Session, item: PayoutItem) -> LostTransfer:
    """Stripe sent the very same already, by a batch that is gone."""
    look(session, sent("a", item.amount))
    return session.scalars(sa.select(LostTransfer)).one()


def test_what_was_found_stays_until_it_is_decided_whatever_is_listed_later(session: Session) -> None:
    look(session, sent("b"), sent("a"))
    assert subjects(session) == ["transfer tr_b to acct_1", "transfer tr_a to acct_1"]
    look(session)
    look(session, sent("b"), sent("a"), sent("other", item=None))
    assert len(subjects(session)) == 2
    [proof] = [each for each in every() if each.code == "LT1"]
    assert len(list(proof.run(session))) == 2


def test_it_is_read_back_to_where_it_was_read_before_and_a_little_further(session: Session) -> None:
    assert look(session, sent("c", item=None), sent("b", hours_ago=900, item=None)).read == 2
    with clock.at(clock.now() + timedelta(hours=3)):
        # A transfer that is known, or not ours, does not end the search.
        listing = look(session, *(sent(f"n{n}", hours_ago=1, item=None) for n in range(300)), sent("a", 1, 3),
                       sent("old", hours_ago=5), sent("older", hours_ago=6))  # fmt: skip
    assert listing.read == 302
    assert subjects(session) == ["transfer tr_a to acct_1"]


def test_where_stripe_does_not_answer_it_begins_at_the_same_place(session: Session) -> None:
    look(session)

    class Broken(Listing):
        def transfers(self) -> Any:
            yield from super().transfers()
            raise ConnectionError

    with clock.at(clock.now() + timedelta(hours=9)):
        with pytest.raises(ConnectionError):
            finding.catch_up(session, Broken(sent("new", item=None)))  # type: ignore[arg-type]
        look(session, sent("new", item=None), sent("a", hours_ago=8))
    assert subjects(session) == ["transfer tr_a to acct_1"]


def test_two_people_say_which_payment_it_was_and_it_is_not_sent_again(
    session: Session, desk: Finance, item: PayoutItem, lost: LostTransfer
) -> None:
    with pytest.raises(Invalid, match="does not wait"):
        deciding.ask(session, desk.fin, lost.public_id, lost.public_id, WHY)
    with pytest.raises(Invalid, match="would be sent"):
        deciding.ask(session, desk.fin, lost.public_id, None, WHY)
    asked = deciding.ask(session, desk.gil, lost.public_id, item.public_id, WHY)
    with pytest.raises(NotAllowed, match="somebody else"):
        deciding.decide(session, fresh(desk.gil), lost.public_id, asked.seen)
    with pytest.raises(Refused, match="A colleague"):
        deciding.ask(session, desk.fin, lost.public_id, item.public_id, WHY)
    deciding.take_back(session, desk.fin, lost.public_id)
    seen = deciding.ask(session, desk.fin, lost.public_id, item.public_id, WHY).seen
    with pytest.raises(FreshFactorNeeded):
        deciding.decide(session, replace(desk.gil, second_factor_at=None), lost.public_id, seen)
    with pytest.raises(Refused, match="not what was asked for"):
        deciding.decide(session, fresh(desk.gil), lost.public_id, "paid")
    deciding.decide(session, fresh(desk.gil), lost.public_id, seen)
    session.refresh(item)
    assert (item.state, item.transfers[-1].stripe_id) == (ItemState.SENT, "tr_a")
    assert subjects(session) == []
    with pytest.raises(Refused, match="known by now"):
        deciding.take_back(session, desk.fin, lost.public_id)
    look(session, sent("a", item.amount))
    assert subjects(session) == []


def test_what_pays_nothing_here_is_decided_too(session: Session, desk: Finance) -> None:
    look(session, sent("a"))
    lost = session.scalars(sa.select(LostTransfer)).one()
    seen = deciding.ask(session, desk.fin, lost.public_id, None, WHY).seen
    assert subjects(session) == ["transfer tr_a to acct_1"]
    deciding.decide(session, fresh(desk.gil), lost.public_id, seen)
    assert subjects(session) == []


@pytest.mark.parametrize(
    "change",
    [
        {"decided_at": sa.func.now(), "decided_by": LostTransfer.asked_by},
        {"says": "paid"},
        {"asked_at": LostTransfer.found_at - timedelta(seconds=1)},
    ],
    ids=["by one", "without a payment", "before it was found"],
)
def test_the_database_wants_two_people_and_a_decision_after_the_find(
    session: Session, desk: Finance, change: dict[str, Any]
) -> None:
    look(session, sent("a"))
    lost = session.scalars(sa.select(LostTransfer)).one()
    deciding.ask(session, desk.fin, lost.public_id, None, WHY)
    with pytest.raises(DBAPIError, match="ck_lost_transfers"), session.begin_nested():
        session.execute(sa.update(LostTransfer).values(change))


def test_what_is_decided_stays_and_is_what_was_asked(session: Session, desk: Finance) -> None:
    look(session, sent("a"))
    lost = session.scalars(sa.select(LostTransfer)).one()
    seen = deciding.ask(session, desk.fin, lost.public_id, None, WHY).seen
    both = {"decided_by": desk.gil.id, "decided_at": clock.now(), "reason": "Another"}
    with pytest.raises(DBAPIError, match="something else was asked"), session.begin_nested():
        session.execute(sa.update(LostTransfer).values(both))
    deciding.decide(session, fresh(desk.gil), lost.public_id, seen)
    with pytest.raises(DBAPIError, match="is known"), session.begin_nested():
        session.execute(sa.update(LostTransfer).values(decided_at=None, decided_by=None))


def test_two_of_finance_decide_on_the_pages(
    app: Flask, session: Session, desk: Finance, item: PayoutItem, lost: LostTransfer
) -> None:
    fin = Visitor(enter(app.test_client(), session, desk.fin))
    assert "Say what it was" in words(fin.get("/finance"))
    assert "tr_a" in words(fin.get("/lost-transfers"))
    path = f"/lost-transfers/{lost.public_id}"
    page = words(fin.get(path))
    assert f"The pay of {item.person.full_name} that waits, {lost.money}" in page
    assert "Choose one." in words(fin.post(path, reason=WHY))
    told = words(fin.post(path, pays=str(item.public_id), reason=WHY))
    assert "Now a second person has to confirm it." in told
    gil = Visitor(enter(app.test_client(), session, desk.gil))
    assert "A lost transfer" in words(gil.get("/finance"))
    assert "It was the pay of" in words(gil.get(path))
    session.refresh(lost)
    assert "Confirmed by" in words(gil.post(f"{path}/confirm", seen=lost.seen))
    session.refresh(item)
    assert item.state is ItemState.SENT
