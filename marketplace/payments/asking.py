"""Asking Stripe to make something, once: a customer, an account, a payment page.

Stripe refuses an idempotency key that comes back with other parameters, and names, addresses and titles may
change after an answer was lost. So what is asked for is committed before the call, and asked for again word
by word until Stripe has answered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.db import new_id, use_case
from marketplace.payments.models import StripeRequest
from marketplace.payments.outcomes import GatewayRefused, GatewayUnknown

# Under this key Stripe says the same for ever: it was used for other contents, or an error is kept under it.
NEVER_ENDS = ("key_used", "stored_error")

log = logging.getLogger(__name__)


def ask_once(
    session: Session, subject: str, asked: dict[str, str], call: Callable[[str, dict[str, str]], str]
) -> str:
    """The id of what Stripe made for `subject`, however often and by how many this is called.

    `call` takes the idempotency key and what to ask for: `asked` the first time, and the same from then on.
    Raises the gateway's errors. After a refusal the next time is a first time again, with a key of its own.
    """
    request = _intend(session, subject, asked)
    if request.answer is not None:
        return request.answer
    try:
        answer = call(request.key, request.asked)
    except GatewayRefused:
        _forget(session, request.key)
        raise
    except GatewayUnknown as error:
        if error.code in NEVER_ENDS:
            # To ask anew may make a second one; to go on asking would never make one that we know of.
            log.error("Stripe may hold something that nobody here knows of", extra={"key": request.key})
            _forget(session, request.key)
        raise
    _answered(session, request.key, answer)
    return answer


@dataclass(frozen=True)
class _Request:
    key: str
    asked: dict[str, str]
    answer: str | None


@use_case
def _intend(session: Session, subject: str, asked: dict[str, str]) -> _Request:
    session.execute(
        insert(StripeRequest)
        .values(subject=subject, key=f"{subject}:{new_id()}", asked=asked, asked_at=clock.now())
        .on_conflict_do_nothing()
    )
    row = session.get_one(StripeRequest, subject)
    return _Request(row.key, row.asked or {}, row.answer)


@use_case
def _answered(session: Session, key: str, answer: str) -> None:
    session.execute(
        sa.update(StripeRequest)
        .where(StripeRequest.key == key, StripeRequest.answer.is_(None))
        .values(answer=answer, asked=sa.null())
    )


@use_case
def _forget(session: Session, key: str) -> None:
    session.execute(sa.delete(StripeRequest).where(StripeRequest.key == key, StripeRequest.answer.is_(None)))
