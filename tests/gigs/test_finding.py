"""Finding gigs: facets that count what they leave, words with mistakes in them, and addresses to share."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from random import Random

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Organization
from marketplace.actor import Actor, Role
from marketplace.credentials.gate import Requirement
from marketplace.gigs.applications import withdraw_application
from marketplace.gigs.drafts import edit_gig
from marketplace.gigs.finding import lists
from marketplace.gigs.finding.facets import Reader, Sieve
from marketplace.gigs.finding.hiding import hide
from marketplace.gigs.finding.models import HideReason
from marketplace.gigs.finding.search import CREDENTIALS, HOURS, NEWEST, RATE, RATES, Search
from marketplace.gigs.models import Project
from marketplace.gigs.publishing import close_gig, pause_gig, publish_gig
from marketplace.gigs.states import TaskKind
from marketplace.matching import bits, domains, openings, ranking
from marketplace.matching.facts import CredentialFact, RequirementFact
from marketplace.matching.openings import Openings
from tests.bench.bare import LIST
from tests.conftest import Committed
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.credentials import a_claim, a_verified_credential, in_days
from tests.factories.gigs import (
    RADIOLOGY,
    a_client,
    a_draft,
    a_gig,
    a_project,
    an_application,
    an_expert,
    fund,
    licence,
)
from tests.visitor import Visitor, words

DICE = Random(5)
CODES = ("medicine", RADIOLOGY, "29-1051", "law", "23-1011")
TASKS = tuple(kind.value for kind in TaskKind)
LANGUAGES = ((), ("en",), ("en", "de"), ("fr",))
BAR, LICENCE, DEGREE = (
    RequirementFact(each, None, 2, None) for each in ("us_bar", "us_medical_license", "degree")
)
SETS = ((), (BAR,), (LICENCE,), (BAR, LICENCE), (DEGREE, BAR), (replace(BAR, jurisdiction="US-TX"),))


def some_openings(number: int) -> Openings:
    """Any gigs, the newest first."""

    def places(among: Sequence[object]) -> np.ndarray:
        return np.array([DICE.randrange(len(among)) for _ in range(number)], np.int16)

    sets = tuple(bits.languages(each) for each in LANGUAGES)
    return Openings(
        ids=np.arange(number, 0, -1, np.int64),
        published=np.arange(number, 0, -1, np.int64),
        client=np.zeros(number, np.int64),
        rate_min=np.zeros(number, np.int64),
        countries=np.zeros(number, np.int16),
        uses=np.zeros(number, np.int16),
        zoned=np.zeros(number, np.bool_),
        skills=np.zeros((number, 0), np.int32),
        rate=np.array([DICE.randrange(4_000, 25_000) for _ in range(number)], np.int64),
        hours=np.array([DICE.choice((5, 10, 20, 35)) for _ in range(number)], np.int16),
        domain=places(CODES),
        currency=places(("USD", "EUR")),
        task=places(TASKS),
        languages=places(LANGUAGES),
        credentials=places(SETS),
        domains=CODES,
        currencies=("USD", "EUR"),
        tasks=TASKS,
        country_sets=((),),
        language_sets=sets,
        credential_sets=SETS,
    )


def a_search() -> Search:
    def some(among: Sequence[str]) -> tuple[str, ...]:
        return tuple(DICE.sample(list(among), DICE.choice((0, 0, 1, 2))))

    return Search(
        domain=some(CODES),
        rate=DICE.choice((None, *RATES)),
        hours=DICE.choice((None, *HOURS)),
        task=some(TASKS),
        language=some(("en", "de", "fr")),
        credential=some(CREDENTIALS),
    )


def holding(type: str, level: int = 4) -> CredentialFact:
    return CredentialFact(type, "US-NY", level, date(2026, 1, 1), None, date(2026, 1, 1))


def by_hand_held(asked: Sequence[RequirementFact], reader: Reader) -> str:
    """Where places are asked for they are Texas, which nobody here has."""
    held, will = ({each.type for each in some} for some in (reader.held, reader.held + reader.reviewed))
    needed = {each.type if each.jurisdiction is None else "texas" for each in asked}
    if not needed:
        return "none"
    return "held" if needed <= held else "review" if needed <= will else "lacking"


def fits(found: Openings, place: int, search: Search, reader: Reader) -> bool:
    """By hand: does this gig pass the search?"""
    domain, asked = found.domains[found.domain[place]], SETS[found.credentials[place]]
    in_domain = not search.domain or any(each in domains.tree().path(domain) for each in search.domain)
    paid = search.rate is None or (
        found.rate[place] >= search.rate * 100 and found.currencies[found.currency[place]] == reader.currency
    )
    held = by_hand_held(asked, reader)
    said = LANGUAGES[found.languages[place]]
    return bool(
        in_domain
        and paid
        and (search.hours is None or found.hours[place] <= search.hours)
        and (not search.task or TASKS[found.task[place]] in search.task)
        and (not search.language or set(said) & set(search.language))
        and (not search.credential or held in search.credential)
        and found.ids[place] not in reader.hidden
    )


def some(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    return {name: [value for each, value in pairs if each == name] for name, _value in pairs}


def test_every_count_is_what_the_choice_would_leave() -> None:
    """Of a kind in which one can choose several, what the choice alone would leave beside all others."""
    found, reader = some_openings(300), Reader("USD", (holding("us_bar"),), (holding("degree"),), (7, 8))
    for _round in range(40):
        search = a_search()
        sieve = Sieve(found, search, reader, None)
        left = {int(place) for place in np.flatnonzero(sieve.left())}
        assert left == {n for n in range(len(found)) if fits(found, n, search, reader)}
        for facet in sieve.facets():
            for option in facet.options:
                value = int(option.value) if facet.single else (option.value,)
                alone = Search(**{**vars(search), facet.name: value})
                assert option.count == sum(fits(found, n, alone, reader) for n in range(len(found))), (
                    facet.name, option.value, search,
                )  # fmt: skip


def test_an_address_says_the_same_however_it_came_about() -> None:
    asked = some(
        [("task", "review"), ("task", "rank"), ("domain", "law"), ("rate", "100"), ("text", " chest  CT ")]
    )
    search = Search.read(asked)
    assert search == Search(text="chest CT", domain=("law",), rate=100, task=("rank", "review"))
    assert search.url_query() == "text=chest+CT&domain=law&rate=100&task=rank&task=review"
    assert Search.read(some(search.query())) == search
    assert search.without("task", "rank").task == ("review",)
    assert search.without("rate", "100").rate is None
    assert search.without("text", "").text == ""


def test_what_makes_no_sense_is_left_out() -> None:
    asked = some(
        [("task", "dance"), ("domain", "x"), ("rate", "1e9"), ("hours", "-1"), ("language", "klingon"),
         ("credential", "all"), ("text", "x" * 1_000)]
    )  # fmt: skip
    assert Search.read(asked) == Search(text="x" * 200)


@pytest.fixture
def client(session: Session) -> Actor:
    return a_client(session)[0]


@pytest.fixture
def project(session: Session, client: Actor) -> Project:
    made = a_project(session, client, the_organization(session))
    fund(session, made.public_id, 1_000_000_00)
    return made


def the_organization(session: Session) -> uuid.UUID:
    return session.scalars(sa.select(Organization.public_id)).one()


def titles(session: Session, who: Actor, search: Search, sort: str = NEWEST) -> list[str]:
    return [each.gig.title for each in lists.find(session, who.id, search, sort).rows]


def test_words_are_found_mistyped_begun_and_without_accents(
    session: Session, client: Actor, project: Project
) -> None:
    a_gig(session, client, project, title="Review radiology reports", description="Chest and neuro.")
    a_gig(
        session,
        client,
        project,
        title="Judge café menus",
        description="Taste is all.",
        skills=("résumé",),
        domain="creative",
    )
    ana = an_expert(session)
    for text in ("radiology", "radiolgy", "Radiol", "reviewing reports", "neuro chest"):
        assert titles(session, ana, Search(text=text)) == ["Review radiology reports"], text
    for text in ("cafe", "resume", "menus café"):
        assert titles(session, ana, Search(text=text)) == ["Judge café menus"], text
    assert lists.find(session, ana.id, Search(text="radiolgy"), NEWEST).taken == [("radiolgy", "radiology")]
    assert titles(session, ana, Search(text="radiology café")) == []
    assert titles(session, ana, Search(text="zzzzqqq")) == []
    for odd in ("'; --", "a & | ! ( :*", "the", "\\", "%"):
        titles(session, ana, Search(text=odd))


def test_the_highest_rate_first_and_pages_that_repeat_nothing(
    session: Session, client: Actor, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PAGE", 3)
    for n in range(10):
        a_gig(session, client, project, title=f"Gig {n}", rate_max=(150 + 10 * (n % 4)) * 100)
    ana = an_expert(session)
    for sort in (RATE, NEWEST):
        seen: list[str] = []
        after: str | None = None
        while True:
            found = lists.find(session, ana.id, Search(), sort, after)
            seen += [each.gig.title for each in found.rows]
            after = found.after
            if after is None:
                break
        assert found.total == 10
        by = {"rate": lambda n: (-(n % 4), -n), "newest": lambda n: -n}[sort]
        assert seen == [f"Gig {n}" for n in sorted(range(10), key=by)]


@pytest.mark.parametrize("after", ["", "x", "1-2", "1-2-3-4", "9" * 30 + "-1-1", "-1--2-3", "٣-1-1"])
def test_a_made_up_cursor_begins_at_the_beginning(
    session: Session, client: Actor, project: Project, after: str
) -> None:
    a_gig(session, client, project)
    assert len(lists.find(session, an_expert(session).id, Search(), NEWEST, after).rows) == 1


def test_what_opens_and_closes_is_noticed(session: Session, client: Actor, project: Project) -> None:
    ana = an_expert(session)
    first, second = (a_gig(session, client, project, title=title) for title in ("First", "Second"))
    assert titles(session, ana, Search()) == ["Second", "First"]
    pause_gig(session, client, first.public_id)
    edit_gig(session, client, second.public_id, a_draft(title="Second", task_kind=TaskKind.RANK))
    assert titles(session, ana, Search(task=("rank",))) == ["Second"]
    assert titles(session, ana, Search()) == ["Second"]
    publish_gig(session, client, first.public_id)
    close_gig(session, client, second.public_id)
    assert titles(session, ana, Search()) == ["First"]
    assert len(openings.current(session)) == 1
    openings.forget()
    assert openings.current(session).ids.tolist() == [first.id]


def test_what_memory_still_holds_is_not_shown_once_it_is_closed(
    session: Session, client: Actor, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    gig = a_gig(session, client, project)
    ana = an_expert(session)
    openings.current(session)
    monkeypatch.setattr(openings, "FRESH_FOR", 3600.0)
    pause_gig(session, client, gig.public_id)
    assert len(openings.current(session)) == 1
    assert titles(session, ana, Search()) == []
    assert ranking.best_gigs(session, ana.id) == []


def test_a_gig_without_money_is_not_found(session: Session, client: Actor) -> None:
    poor = a_project(session, client, the_organization(session), name="Unfunded")
    a_gig(session, client, poor)
    ana = an_expert(session)
    assert titles(session, ana, Search()) == []


def test_credentials_are_counted_by_what_one_holds(session: Session, client: Actor, project: Project) -> None:
    a_gig(session, client, project, title="Open to all")
    a_gig(session, client, project, title="For the licensed", requirements=(licence(),))
    degree = Requirement("degree", None, 2, None)
    a_gig(session, client, project, title="For graduates", requirements=(degree,))
    ana = an_expert(session)
    assert titles(session, ana, Search(credential=("lacking",))) == ["For graduates", "For the licensed"]
    assert titles(session, ana, Search(credential=("none",))) == ["Open to all"]
    assert titles(session, ana, Search(credential=("held",))) == []


def test_one_in_review_is_waited_for_and_a_lapsed_one_is_lacking(
    session: Session, client: Actor, project: Project
) -> None:
    a_gig(session, client, project, title="For the licensed", requirements=(licence(),))
    waits, lapsed = an_expert(session, "Wanda Waits"), an_expert(session, "Lena Lapsed")
    rev = an_actor(session, a_person(session, "Rev Reviewer", Role.REVIEWER))
    a_claim(session, waits)
    a_verified_credential(session, lapsed, rev, expires_on=in_days(3))

    def counted(who: Actor) -> list[str]:
        """The kinds that the gig is counted as."""
        return [each for each in CREDENTIALS if titles(session, who, Search(credential=(each,)))]

    assert counted(waits) == ["review"]
    assert counted(lapsed) == ["held"]
    with clock.at(clock.now() + timedelta(days=5)):
        assert counted(lapsed) == ["lacking"]


def test_two_credentials_with_one_bit_are_told_apart(
    session: Session, client: Actor, project: Project
) -> None:
    """In the index a licence of New York and the admission to any bar share a bit."""
    bar = Requirement("us_bar", None, 4, None)
    facts = (
        RequirementFact("us_medical_license", "US-NY", 4, None),
        RequirementFact("us_bar", None, 4, None),
    )
    assert bits.asked(facts[:1]) == bits.asked(facts[1:])
    a_gig(session, client, project, title="For lawyers", requirements=(bar,))
    ana = an_expert(session)
    a_claim(session, ana, jurisdiction="US-NY")
    assert titles(session, ana, Search(credential=("review",))) == []
    assert titles(session, ana, Search(credential=("lacking",))) == ["For lawyers"]


def test_a_gig_is_found_by_its_company(session: Session, client: Actor, project: Project) -> None:
    a_gig(session, client, project, title="Review radiology reports")
    ana = an_expert(session)
    for text in ("Northwind", "northwnd", "radiology northwind"):
        assert titles(session, ana, Search(text=text)) == ["Review radiology reports"], text


def test_what_one_has_applied_for_or_hidden_says_so(
    app: Flask, session: Session, client: Actor, project: Project
) -> None:
    gig = a_gig(session, client, project)
    ana = an_expert(session)
    browser = Visitor(enter(app.test_client(), session, ana))
    assert "Your application:" not in words(browser.get("/gigs"))
    application = an_application(session, ana, gig)
    for sort in ("match", "newest"):
        assert "Your application: Applied" in words(browser.get(f"/gigs?sort={sort}"))
    withdraw_application(session, ana, application.public_id)
    assert "Your application:" not in words(browser.get("/gigs"))
    assert "You have hidden this gig" not in words(browser.get(f"/gigs/{gig.public_id}"))
    hide(session, ana, gig.public_id, HideReason.PAY)
    assert "You have hidden this gig" in words(browser.get(f"/gigs/{gig.public_id}"))
    assert "You have hidden 1 gig, which no search finds." in words(browser.get("/gigs?sort=newest"))


def test_the_page_shows_counts_and_takes_choices_back(
    app: Flask, session: Session, client: Actor, project: Project
) -> None:
    a_gig(session, client, project)
    a_gig(session, client, project, title="Rank answers", task_kind=TaskKind.RANK)
    browser = Visitor(enter(app.test_client(), session, an_expert(session)))
    answer = browser.get("/gigs?task=rank&domain=medicine&sort=newest")
    said = words(answer)
    assert "1 gig, whether or not it suits you." in said
    assert "Review outputs ( 1 )" in said
    assert 'href="/gigs?domain=medicine&amp;sort=newest"' in answer.text
    assert 'href="/gigs?task=rank&amp;sort=newest"' in answer.text
    mistyped = words(browser.get("/gigs?text=radiolgy&sort=newest"))
    assert "No gig says “radiolgy”, so these are for “radiology”." in mistyped
    assert browser.get("/gigs?sort=odd&after=x&rate=x&domain=%01").status_code == 200


@pytest.mark.committed
def test_all_is_read_again_aside_while_others_go_on(
    committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with committed.session() as session:
        client, organization = a_client(session)
        fund(session, a_project(session, client, organization).public_id, 1_000_000_00)
        a_gig(session, client, session.scalars(sa.select(Project)).one())
        session.commit()
        assert len(openings.current(session)) == 1
    # What is removed, and not only closed, is noticed by reading all.
    with committed.owner() as owner:
        owner.execute(sa.text("DELETE FROM match_gigs"))
        owner.commit()
    with committed.session() as session:
        assert len(openings.current(session)) == 1
        monkeypatch.setattr(openings._kept, "read_whole", -math.inf)
        assert len(openings.current(session)) == 1
        deadline = time.monotonic() + 30
        while len(openings.current(session)):
            assert time.monotonic() < deadline, "it was never read again"
            time.sleep(0.02)


@pytest.mark.committed
def test_what_is_read_in_advance_is_there(committed: Committed) -> None:
    openings.warm(committed.session)
    assert openings._kept.openings is not None
    openings.forget()
    nowhere = sa.create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    openings.warm(lambda: Session(nowhere))
    assert openings._kept.openings is None


@pytest.mark.committed
def test_after_very_many_changes_all_is_read_once(
    committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    whole = openings._read

    def counted(session: Session) -> Openings:
        found = whole(session)
        read.append(len(found))
        return found

    monkeypatch.setattr(openings, "_read", counted)
    monkeypatch.setattr(openings, "MOST_CHANGES", 0)
    with committed.session() as session:
        client, organization = a_client(session)
        fund(session, a_project(session, client, organization).public_id, 1_000_000_00)
        project = session.scalars(sa.select(Project)).one()
        openings.current(session)
        a_gig(session, client, project)
        session.commit()
        deadline = time.monotonic() + 30
        while not len(openings.current(session)):
            assert time.monotonic() < deadline, "it was never read again"
            time.sleep(0.02)
        for _look in range(5):
            assert len(openings.current(session)) == 1
        assert read == [0, 1]


def test_the_bare_view_of_the_benchmark_shows_the_same_list(app: Flask, session: Session) -> None:
    """It draws the cards of the search page, so a change of them must not break it in silence."""
    client, organization = a_client(session)
    made = a_project(session, client, organization)
    fund(session, made.public_id, 1_000_000_00)
    gig = a_gig(session, client, made)
    with app.test_request_context():
        page = app.jinja_env.from_string(LIST)
        for words_of in app.template_context_processors["gigs"]:
            page.globals.update(words_of())
        assert gig.title in page.render(rows=[lists.Suited(gig, None)])
