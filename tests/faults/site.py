"""The site on a committed database, as several processes and threads use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask
from sqlalchemy.orm import Session

from marketplace.actor import Actor
from marketplace.settings import Settings
from tests import conftest
from tests.factories.accounts import enter
from tests.visitor import Visitor


@contextmanager
def site(chosen: Settings, new_session: Callable[[], Session]) -> Iterator[Flask]:
    """The site with a session of its own for each request."""
    app = conftest.site(chosen)
    before = {name: app.extensions[name] for name in ("new_session", "end_session")}
    app.extensions.update(new_session=new_session, end_session=Session.close)
    try:
        yield app
    finally:
        app.extensions.update(before)


def visitor(app: Flask, session: Session, who: Actor) -> Visitor:
    """Somebody signed in; `session` is only used for signing in."""
    made = Visitor(enter(app.test_client(), session, who))
    session.rollback()
    return made
