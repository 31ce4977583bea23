"""What an error of the database leaves in the log: which rule refused, and nothing of what was written."""

from __future__ import annotations

import json
import logging

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace.db import violated
from marketplace.logs import JsonLines
from tests.factories.accounts import a_person, a_sign_in

WRITE = sa.text(
    "INSERT INTO sign_ins (public_id, person_id, email, password_hash, created_at)"
    " VALUES (gen_random_uuid(), :person, :email, :password_hash, now())"
)


def logged(session: Session, **values: object) -> str:
    """The line that a handler of errors would write."""
    with pytest.raises(IntegrityError) as refusal, session.begin_nested():
        session.execute(WRITE, values)
    assert violated(refusal.value)
    told = (refusal.type, refusal.value, refusal.tb)
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "It failed", (), told)
    line: str = json.loads(JsonLines().format(record))["exception"]
    return line


def test_what_is_there_already_is_not_told(session: Session) -> None:
    ana = a_sign_in(session, a_person(session, email="ana@example.com"))
    line = logged(session, person=ana.person_id, email=ana.email, password_hash="$argon2id$hush")
    assert "uq_sign_ins_email" in line
    assert "ana@example.com" not in line
    assert "hush" not in line


def test_the_row_that_a_rule_refused_is_not_told(session: Session) -> None:
    ana = a_person(session, email="ana@example.com")
    line = logged(session, person=ana.id, email="ana@example.com", password_hash="plain hush")
    assert "ck_sign_ins_password_hash" in line
    assert "ana@example.com" not in line
    assert "hush" not in line
