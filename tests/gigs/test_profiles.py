"""An expert's profile, written in two windows."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace.actor import Actor, Role
from marketplace.gigs.models import ExpertProfile
from marketplace.gigs.profiles import NONE_YET, Outdated, ProfileDraft, save_profile, version_of
from marketplace.money import Money
from tests.conftest import Committed
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.gigs import RADIOLOGY, an_expert
from tests.visitor import Visitor, words

DRAFT = ProfileDraft("Radiologist", (RADIOLOGY,), ("en",), Money(120_00, "USD"), 20)
VERSION = re.compile(r'name="version" type="hidden" value="([^"]*)"')


@pytest.fixture
def ana(session: Session) -> Actor:
    return an_expert(session)


def at_browser(app: Flask, session: Session, actor: Actor) -> Visitor:
    return Visitor(enter(app.test_client(), session, actor))


def opened(browser: Visitor) -> Callable[..., dict[str, object]]:
    """A window with the form: what it sends, with anything typed instead."""
    found = VERSION.search(browser.get("/profile").text)
    assert found
    sent = {
        "version": found[1], "headline": "Radiologist", "domains": [RADIOLOGY], "languages": ["en"],
        "min_rate": "120.00", "hours_per_week": "20",
    }  # fmt: skip
    return lambda **typed: {**sent, **typed}


def test_a_second_window_is_told_what_differs_and_may_then_replace_it(
    app: Flask, session: Session, ana: Actor
) -> None:
    browser = at_browser(app, session, ana)
    first, second = opened(browser), opened(browser)
    browser.post("/profile", **first(headline="Chest radiologist", languages=["en", "de"], min_rate="140.00"))
    sent = second(headline="Radiologist, chest", about="Eleven years.", languages=["fr"], min_rate="130.00")
    told = browser.post("/profile", **sent)
    assert told.status_code == 422
    assert "Your profile was changed after you opened it" in words(told)
    assert "Headline: Your profile says now: Chest radiologist" in words(told)
    assert "Languages that you write well: Your profile says now: English, German" in words(told)
    assert "The least you work for, an hour: Your profile says now: 140.00" in words(told)
    assert "About you: Your profile" not in words(told)
    assert "Domains: Your profile" not in words(told)
    assert 'value="Radiologist, chest"' in told.text
    assert "Eleven years." in told.text
    profile = session.get_one(ExpertProfile, ana.id)
    assert (profile.headline, profile.min_rate, profile.about) == ("Chest radiologist", 140_00, "")
    again = VERSION.search(told.text)
    assert again
    browser.post("/profile", **{**sent, "version": again[1]})
    assert (profile.headline, profile.min_rate) == ("Radiologist, chest", 130_00)
    assert (profile.languages, profile.about) == (["fr"], "Eleven years.")


def test_what_only_the_other_window_changed_stays(app: Flask, session: Session, ana: Actor) -> None:
    """Each window changes something else: both changes hold, and a conflict in one field undoes no other."""
    browser = at_browser(app, session, ana)
    first, second, third = opened(browser), opened(browser), opened(browser)
    browser.post("/profile", **first(headline="Chest radiologist", skills="CT"))
    browser.post("/profile", **second(about="Eleven years."))
    profile = session.get_one(ExpertProfile, ana.id)
    assert (profile.headline, profile.skills, profile.about) == ("Chest radiologist", ["CT"], "Eleven years.")
    told = browser.post("/profile", **third(headline="Neuroradiologist"))
    assert "Headline: Your profile says now: Chest radiologist" in words(told)
    assert "Skills: Your profile says now" not in words(told)
    version = VERSION.search(told.text)
    assert version
    assert 'value="CT"' in told.text
    assert "Eleven years.</textarea>" in told.text
    again = third(headline="Neuroradiologist", skills="CT", about="Eleven years.", version=version[1])
    browser.post("/profile", **again)
    assert (profile.headline, profile.skills, profile.about) == ("Neuroradiologist", ["CT"], "Eleven years.")


def test_also_who_writes_the_first_one_in_two_windows(app: Flask, session: Session) -> None:
    person = an_actor(session, a_person(session, "Ana Expert", Role.EXPERT))
    browser = at_browser(app, session, person)
    first, second = opened(browser), opened(browser)
    browser.post("/profile", **first(headline="First"))
    told = words(browser.post("/profile", **second(headline="Second")))
    assert "Headline: Your profile says now: First" in told
    assert session.get_one(ExpertProfile, person.id).headline == "First"


def test_a_second_click_is_no_change(session: Session, ana: Actor) -> None:
    version = version_of(session.get_one(ExpertProfile, ana.id))
    changed = replace(DRAFT, skills=("CT",))
    assert version_of(save_profile(session, ana, changed, version)) != version
    save_profile(session, ana, changed, version)
    with pytest.raises(Outdated) as refusal:
        save_profile(session, ana, replace(DRAFT, skills=("MR",), headline="Doctor"), version)
    assert (refusal.value.fields, refusal.value.elsewhere) == (("skills",), ())


@pytest.mark.committed
def test_of_two_who_write_the_first_one_at_once_one_is_told(committed: Committed) -> None:
    with committed.session() as session:
        person = an_actor(session, a_person(session, "Ana Expert", Role.EXPERT))
        session.commit()
    both = Barrier(2)

    def save(headline: str) -> str:
        with committed.session() as session:
            both.wait(10)
            try:
                return save_profile(session, person, replace(DRAFT, headline=headline), NONE_YET).headline
            except Outdated:
                return "told"

    with ThreadPoolExecutor() as pool:
        said = set(pool.map(save, ("First", "Second")))
    with committed.session() as session:
        assert said == {"told", session.scalars(sa.select(ExpertProfile.headline)).one()}
