"""From what happened to its entries, and from an entry back to what happened."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.contracts.adjustments.giving import Draft, adjust
from marketplace.contracts.adjustments.models import Kind
from marketplace.contracts.approvals import approve_timesheet
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, a_deal, a_submitted_week
from tests.factories.payments import finance
from tests.visitor import Visitor, words

TO_THE_BOOKS = re.compile(r'href="(/books/journal\?source=[^"]+)"')


def test_a_week_its_contract_and_a_bonus_lead_to_their_entries_and_back(app: Flask, session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        fin = finance(session).fin
    with clock.at(MONDAY + timedelta(days=1)):
        sheet = a_submitted_week(session, deal, MONDAY + timedelta(hours=1))
        approval = approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
        draft = Draft(Kind.BONUS, 50_00, "outstanding", "Every case was read twice.", uuid.uuid4())
        bonus = adjust(session, deal.client, deal.contract.public_id, draft)
        visitor = Visitor(enter(app.test_client(), session, fin))
        for page, source in (
            (f"/timesheets/{sheet.public_id}", f"approval:{approval.public_id}"),
            (f"/contracts/{deal.contract.public_id}", f"reservation:{deal.contract.public_id}"),
            (f"/adjustments/{bonus.public_id}", f"adjustment:{bonus.public_id}"),
        ):
            [found] = TO_THE_BOOKS.findall(visitor.get(page).text)
            entries = ledger.entries_for(session, source)
            assert entries
            listed = visitor.get(found.replace("&amp;", "&")).text
            for entry in entries:
                assert f"/books/journal/{entry.public_id}" in listed
            back = visitor.get(f"/books/journal/{entries[0].public_id}").text
            way = re.search(r"<dt>Comes from</dt>\s*<dd><a href=\"([^\"]+)\"", back)
            assert way is not None
            assert visitor.get(way.group(1)).status_code in (200, 303)


def test_nobody_else_is_led_to_the_books(app: Flask, session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        visitor = Visitor(enter(app.test_client(), session, deal.client))
        page = visitor.get(f"/contracts/{deal.contract.public_id}")
    assert "in the books" not in words(page)
    assert TO_THE_BOOKS.findall(page.text) == []
