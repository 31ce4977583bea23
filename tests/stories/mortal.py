"""A process that does one thing and is killed in the middle of it, as by a power cut: no handler runs.

`python -m tests.stories.mortal URL ACT ARGUMENTS TARGET WHEN` kills itself before or after the first call of
TARGET, such as `marketplace.payments.gateway:Gateway.send_transfer`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import reduce, wraps
from importlib import import_module
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from marketplace import clock, jobs, settings, tasks
from marketplace.accounts.grants import actor_for
from marketplace.actor import Actor
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.signing import accept_offer
from marketplace.db import new_session
from marketplace.payments import batches, connected_accounts, fundings
from marketplace.payments.gateway import connect
from tests.factories.payments import SITE


def works(session: Session) -> None:
    jobs.wake(session)
    session.commit()
    jobs.run_due(session)


def open_checkout(session: Session, person: int, funding: str) -> None:
    carla, stripe = _actor(session, person), connect(settings.current())
    fundings.open_checkout(session, stripe, carla, UUID(funding), return_url=SITE, cancel_url=SITE)


def settle(session: Session, session_id: str) -> None:
    fundings.settle_funding(session, connect(settings.current()), session_id)


def sign(session: Session, person: int, offer: str) -> None:
    expert = _actor(session, person)
    accept_offer(session, expert, UUID(offer), expert.name)


def set_up(session: Session, person: int) -> None:
    expert, stripe = _actor(session, person), connect(settings.current())
    connected_accounts.set_up_payouts(session, stripe, expert, return_url=SITE, refresh_url=SITE)


def approve(session: Session, person: int, sheet: str, version: int) -> None:
    approve_timesheet(session, _actor(session, person), UUID(sheet), version)


def release(session: Session, person: int, batch: str) -> None:
    batches.release_batch(session, _actor(session, person), UUID(batch))


ACTS: dict[str, Callable[..., None]] = {
    act.__name__: act for act in (works, open_checkout, settle, sign, set_up, approve, release)
}


def die(target: str, when: str) -> None:
    """Let the first call of `target` be the end, before or after it is carried out."""
    module, _colon, path = target.partition(":")
    *holders, name = path.split(".")
    holder = reduce(getattr, holders, import_module(module))
    alive = getattr(holder, name)

    @wraps(alive)
    def last(*args: Any, **kwargs: Any) -> None:
        if when == "after":
            alive(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(holder, name, last)


def _actor(session: Session, person: int) -> Actor:
    return actor_for(session, person, second_factor_at=clock.now())


if __name__ == "__main__":
    url, act, arguments, target, when = sys.argv[1:]
    tasks.register()
    die(target, when)
    with new_session(url) as session:
        ACTS[act](session, *json.loads(arguments))
