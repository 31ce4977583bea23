"""The demo's made-up world: each holds what their profession does, and their headline is a whole phrase."""

from __future__ import annotations

import pytest

from marketplace.credentials import types
from marketplace.demo import world
from marketplace.demo.history.stage import SEED
from marketplace.demo.templates import GROUPS
from marketplace.matching import domains

PHYSICIANS, DENTISTS, VETERINARIANS = "29-12", "29-1021", "29-1131"
HELD_BY = {
    "us_medical_license": (PHYSICIANS,),
    "gb_doctor": (PHYSICIANS,),
    "us_nurse": ("29-1141", "29-1171"),
    "us_npi": ("29-10", "29-1123", "19-3033"),
    "us_bar": ("23-1011", "23-1023"),
    "pe_license": ("17-2",),
    "cfa": ("13-20",),
    "press_card_uk": ("27-30", "27-4021"),
}


@pytest.fixture(scope="module")
def drawn() -> world.World:
    return world.draw(SEED)


def test_each_claims_what_their_own_profession_holds(drawn: world.World) -> None:
    claimed = {(each.domains[0], each.claim.type) for each in drawn.experts if each.claim}
    assert {type_ for _domain, type_ in claimed} == set(HELD_BY)
    for domain, type_ in claimed:
        assert domains.among(domain, HELD_BY[type_]), (domain, type_)
    assert not any(domain == VETERINARIANS for domain, _type in claimed)
    assert {type_ for domain, type_ in claimed if domain == DENTISTS} == {"us_npi"}


def test_each_claim_is_one_that_can_be_made(drawn: world.World) -> None:
    for each in drawn.experts:
        if each.claim:
            kind = types.TYPES[each.claim.type]
            assert kind.check(each.claim.identifier, each.name) is None
            assert (each.claim.months_left is not None) == kind.expires
            assert each.claim.jurisdiction in kind.places or not kind.places


def test_a_gig_asks_for_the_licence_of_its_profession(drawn: world.World) -> None:
    gigs = [gig for project in drawn.projects for gig in project.gigs if gig.requirement]
    assert len({gig.requirement for gig in gigs}) > 3
    for gig in gigs:
        assert gig.requirement
        if gig.domain not in GROUPS:
            assert domains.among(gig.domain, HELD_BY[gig.requirement[0]]), gig.title


@pytest.mark.parametrize(
    ("title", "phrase"),
    [
        ("Film and Video Editors", "Film and video editor"),
        ("Computer and Information Research Scientists", "Computer and information research scientist"),
        ("Obstetricians and Gynecologists", "Obstetrician and gynecologist"),
        (
            "Mining and Geological Engineers, Including Mining Safety Engineers",
            "Mining and geological engineer",
        ),
        ("Judges, Magistrate Judges, and Magistrates", "Judge"),
        ("Actuaries", "Actuary"),
    ],
)
def test_an_occupation_is_said_of_one_person_as_a_whole_phrase(title: str, phrase: str) -> None:
    assert world.one_of(title) == phrase


def test_headlines_end_with_what_somebody_is(drawn: world.World) -> None:
    """A title that was cut in its middle would leave an adjective, such as `Commercial`."""
    for each in drawn.experts:
        found = domains.find(each.domains[0])
        assert found
        last = found.title.split(",")[0].split()[-1].lower()
        said = each.headline.rsplit(", ", 1)[0].split()[-1].lower()
        assert last.startswith(said[:-1]), each.headline
