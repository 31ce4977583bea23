"""The search page with its facets over HTTP, beside a bare view with the same list.

`BENCH_GIGS` says how many gigs are open (default 20,000; the promise is for 100,000).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import bulk, clock, embedded, schema, settings, tasks
from marketplace.accounts import sessions
from marketplace.accounts.models import Person
from marketplace.db import new_id, new_session, use_case
from marketplace.gigs.models import Gig, Project
from marketplace.gigs.states import GigState, TaskKind
from marketplace.matching import projections, skills
from marketplace.matching.facts import GigFacts
from marketplace.matching.models import MatchGig
from tests.bench import Row, crowd
from tests.factories.accounts import a_sign_in
from tests.factories.gigs import a_client, a_project, an_expert

GIGS = int(os.environ.get("BENCH_GIGS", "20000"))
REQUESTS, BROWSERS, WARM = 600, 2, 20
# The two that are compared take turns of a few seconds.
TURNS = 10
BARE = ("/",)
SEARCHES = (
    "/gigs?sort=newest",
    "/gigs?sort=rate&domain=medicine&rate=100",
    "/gigs?sort=newest&task=review&task=rank&language=en",
    "/gigs?sort=newest&hours=20&credential=none",
)
BY_MATCH = ("/gigs", "/gigs?domain=medicine&hours=20")
WORDS = ("/gigs?sort=newest&text=radiolgy", "/gigs?sort=newest&text=answers")
TEXTS = "INSERT INTO gig_texts SELECT id, setweight(to_tsvector('english', title), 'A') FROM gigs"
LEARNT = """
    INSERT INTO search_words SELECT DISTINCT unnest(tsvector_to_array(to_tsvector('simple', title))) FROM gigs
"""
NOUNS = ("radiology reports", "answers on tax law", "summaries of trials", "essays", "code reviews")


def rows() -> Iterator[Row]:
    tasks.register()
    server = embedded.ensure(settings.current())
    try:
        schema.upgrade(server.owner_url)
        with new_session(server.app_url) as session:
            cookie = _somebody(session)
            _fill(session)
        plain = server.owner_url.replace("postgresql+psycopg", "postgresql")
        with sa.create_engine(plain.replace("postgresql", "postgresql+psycopg")).connect() as owner:
            upkeep = owner.execution_options(isolation_level="AUTOCOMMIT")
            upkeep.execute(sa.text("VACUUM ANALYZE"))
            upkeep.execute(sa.text("CHECKPOINT"))  # warm: what was loaded is not written out under a request
        with (
            _running("tests.bench.bare", "{port}") as bare,
            _running("marketplace.cli", "serve", "--bind", "127.0.0.1:{port}") as site,
        ):
            yield from side_by_side(
                [("bare view", bare, BARE), (f"search with facets, {GIGS:,} gigs", site, SEARCHES)], cookie
            )
            yield asked("search for words, one mistyped", site, WORDS, cookie)
            yield asked("the best match first", site, BY_MATCH, cookie)
    finally:
        server.stop()


def side_by_side(asked_of: Sequence[tuple[str, int, Sequence[str]]], cookie: str) -> list[Row]:
    """Both in short turns, one after the other, so that a machine whose speed changes is fair to both."""
    took: list[list[float]] = [[] for _each in asked_of]
    whole = [0.0 for _each in asked_of]
    for _turn in range(TURNS):
        for place, (_what, port, paths) in enumerate(asked_of):
            found, seconds = _together(port, paths, cookie, REQUESTS // TURNS)
            took[place] += found
            whole[place] += seconds
    return [_row(what, took[n], whole[n]) for n, (what, _port, _paths) in enumerate(asked_of)]


def asked(what: str, port: int, paths: Sequence[str], cookie: str) -> Row:
    """The same for one alone."""
    return _row(what, *_together(port, paths, cookie, REQUESTS))


def _row(what: str, took: list[float], seconds: float) -> Row:
    """Milliseconds a request: the best, then the whole time by the number of requests, and the slowest
    hundredth."""
    ordered = sorted(took)
    return Row(what, len(took), ordered[0], seconds * 1000 / len(took), ordered[-len(took) // 100])


def _together(port: int, paths: Sequence[str], cookie: str, requests: int) -> tuple[list[float], float]:
    """What each request took (milliseconds), and all of them together (seconds), by browsers side by side."""
    with ThreadPoolExecutor(BROWSERS) as browsers:
        list(browsers.map(lambda _n: _browse(port, paths, cookie, WARM), range(BROWSERS)))
        started = time.perf_counter()
        found = browsers.map(lambda _n: _browse(port, paths, cookie, requests), range(BROWSERS))
        took = [each for times in found for each in times]
        return took, time.perf_counter() - started


def _browse(port: int, paths: Sequence[str], cookie: str, times: int) -> list[float]:
    connection, took = HTTPConnection("127.0.0.1", port), []
    for n in range(times):
        started = time.perf_counter()
        path = paths[n % len(paths)]
        connection.request("GET", path, headers={"Cookie": f"session={cookie}"})
        answer = connection.getresponse()
        body = answer.read()
        took.append((time.perf_counter() - started) * 1000)
        if answer.status != 200 or b"gig-list" not in body or (b"match-score" in body) != (path in BY_MATCH):
            raise RuntimeError(f"{path}: {answer.status}")
    return took


@contextmanager
def _running(module: str, *arguments: str) -> Iterator[int]:
    """A server as a process of its own; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", module, *(each.format(port=port) for each in arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _try in range(200):
            with socket.socket() as asking:
                if asking.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@use_case
def _somebody(session: Session) -> str:
    """An expert who has signed in: the cookie of their browser."""
    ana = an_expert(session)
    sign_in = a_sign_in(session, session.get_one(Person, ana.id))
    _row, token = sessions.begin(session, "A browser", {}, sign_in_id=sign_in.id, second_factor_at=None)
    return token


@use_case
def _fill(session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    made = list(zip(bulk.new_keys(session, Gig, GIGS), crowd.gigs(GIGS), strict=True))
    bulk.copy(session, Gig, (_gig(id_, project, facts) for id_, facts in made), **_always())
    numbers = skills.numbers(session, crowd.SKILLS)
    known = (
        {**projections.gig_row(replace(facts, gig_id=id_), numbers, open=True), "task_kind": _task(id_)}
        for id_, facts in made
    )
    bulk.copy(session, MatchGig, known, published_at=clock.now())
    session.execute(sa.text(TEXTS))
    session.execute(sa.text(LEARNT))


def _task(id_: int) -> TaskKind:
    return list(TaskKind)[id_ % 5]


def _gig(id_: int, project: Project, facts: GigFacts) -> dict[str, object]:
    return {
        "id": id_,
        "public_id": new_id(),
        "project_id": project.id,
        "title": f"Review {NOUNS[id_ % len(NOUNS)]}, part {id_}",
        "domain": facts.domain,
        "task_kind": _task(id_),
        "rate_min": facts.rate_min,
        "rate_max": facts.rate_max,
        "hours_per_week": facts.hours_per_week,
        "languages": list(facts.languages),
        "countries": list(facts.countries),
        "starts_on": facts.starts_on,
    }


def _always() -> dict[str, object]:
    return {
        "description": "Read each answer, and say why.", "guidelines": "",
        "trains": "A model.", "used_in": "Kept.", "uses": [], "skills": [],
        "headcount": 5, "state": GigState.PUBLISHED,
        "published_at": clock.now(), "version": 1,
    }  # fmt: skip
