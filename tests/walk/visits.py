"""The site around a world: its addresses, and everybody at a browser of their own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from marketplace import clock, settings, tasks
from marketplace.embedded import Server
from marketplace.payments.gateway import connect
from tests.cast import Cast
from tests.conftest import Committed, clone, site_on
from tests.demo.stripe_server.harness import KEY, start_stripe
from tests.factories.accounts import enter
from tests.stories.house import House, next_monday
from tests.walk.world import World, made

ANYONE = "anyone"


@contextmanager
def a_world(server: Server, folder: Path) -> Iterator[World]:
    """A world on a database, a local Stripe and a clock of its own."""
    with ExitStack() as stack:
        stripe = start_stripe(folder)
        stack.callback(settings.current.cache_clear)
        stack.callback(stripe.kill)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("MARKETPLACE_CLOCK_FILE", str(stripe.clock_file))
        patch.setenv("MARKETPLACE_STRIPE_API_BASE", stripe.url)
        patch.setenv("MARKETPLACE_STRIPE_KEY", KEY)
        settings.current.cache_clear()
        tasks.register()
        database = stack.enter_context(clone(server, f"walk_{uuid.uuid4().hex[:12]}"))
        session = stack.enter_context(Committed(database).session())
        house = House(session, connect(settings.current()), stripe, Cast(session), next_monday())
        clock.advance(house.at(0, 12) - clock.now())
        yield made(house)


def site_of(world: World, environment: str = "test") -> Flask:
    """The site on the world's session; `demo` has the demonstration's pages and its strip too."""
    return site_on(world.house.session, replace(settings.current(), environment=environment))


def browsers_of(world: World, site: Flask) -> dict[str, FlaskClient]:
    """Everybody at a browser of their own, signed in, and somebody who is not."""
    session = world.house.session
    people = {name: enter(site.test_client(), session, actor) for name, actor in world.everybody().items()}
    return {**people, ANYONE: site.test_client()}


def rules(app: Flask, method: str) -> list[Rule]:
    """The site's own rules for a method, in the order of their names."""
    found = [rule for rule in app.url_map.iter_rules() if method in (rule.methods or ())]
    return sorted(found, key=lambda rule: rule.endpoint)


def path_of(site: Flask, world: World, rule: Rule) -> str:
    """The rule's address in this world."""
    with site.test_request_context():
        return site.url_for(rule.endpoint, _external=False, **world.address(rule))


def opened(site: Flask, world: World, browser: FlaskClient, rule: Rule) -> TestResponse:
    """What this browser is answered at the rule's address."""
    return browser.get(path_of(site, world, rule), buffered=True)


def gets_in(answer: TestResponse) -> bool:
    """The page itself, or one that it leads to; not the sign-in."""
    return answer.status_code < 400 and "/sign-in" not in answer.headers.get("Location", "")
