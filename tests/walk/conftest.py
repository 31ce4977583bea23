"""One world for all tests here: they look, and whoever may not do something changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from marketplace.embedded import Server
from tests.walk.visits import a_world, browsers_of, site_of
from tests.walk.world import World


@pytest.fixture(scope="package")
def world(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with a_world(server, tmp_path_factory.mktemp("walk")) as made:
        yield made


@pytest.fixture(autouse=True)
def at_rest(request: pytest.FixtureRequest) -> Iterator[None]:
    """No transaction of this world is left open while another test takes its time in a world of its own: the
    database ends those that do nothing for a minute."""
    yield
    if "world" in request.fixturenames:
        request.getfixturevalue("world").house.session.rollback()


@pytest.fixture(scope="package")
def site(world: World) -> Flask:
    return site_of(world)


@pytest.fixture(scope="package")
def browsers(world: World, site: Flask) -> dict[str, FlaskClient]:
    return browsers_of(world, site)
