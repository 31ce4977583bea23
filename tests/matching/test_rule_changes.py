"""What an operator changes in the rules holds at once, is told to all, and is never overwritten unseen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import jobs, tasks
from marketplace.actor import Actor, Role
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.gigs.finding.alerts import ANNOUNCE
from marketplace.gigs.forms import GigForm
from marketplace.gigs.models import Gig
from marketplace.matching import domains, history, ranking, rules
from marketplace.matching.models import MatchRules
from marketplace.matching.rule_changes import DomainDraft, add_domain, change_domain, set_weights
from marketplace.matching.tree import Level
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.gigs import RADIOLOGY, an_expert, an_open_gig
from tests.visitor import Visitor, words

SKILLS_FIRST = rules.Weights(10, 10, 60, 10, 10, 0)


@dataclass(frozen=True)
class Scene:
    opa: Actor
    ana: Actor
    client: Actor
    gig: Gig


@pytest.fixture
def scene(app: Flask, session: Session) -> Scene:
    client, gig = an_open_gig(session)
    opa = an_actor(session, a_person(session, "Opa Okafor", Role.OPERATOR))
    ana = an_expert(session)
    session.commit()
    return Scene(opa, ana, client, gig)


def draft(code: str, **changes: object) -> DomainDraft:
    found = domains.tree().domains[code]
    return replace(DomainDraft(found.title, found.parent, found.offered), **changes)  # type: ignore[arg-type]


def told(session: Session) -> list[str]:
    rules.use(session)
    return [each.told for each in history.changes(session, 10)]


def test_new_weights_count_from_the_next_look(session: Session, scene: Scene) -> None:
    before = ranking.match_of(session, scene.gig.id, scene.ana.id)
    assert set_weights(session, scene.opa, SKILLS_FIRST, "Skills are what clients ask for.", 1) == 2
    rules.use(session)
    after = ranking.match_of(session, scene.gig.id, scene.ana.id)
    assert before is not None
    assert after is not None
    assert (before.rules, after.rules) == (1, 2)
    assert {each.code: each.weight for each in after.criteria}["skills"] == 60
    [(_gig, ranked)] = ranking.best_gigs(session, scene.ana.id)
    assert ranked.score == after.score
    last, first = history.changes(session, 10)
    assert "Skills: 60 instead of 15" in last.told
    assert "Weeks approved" not in last.told
    assert (last.reason, first.told) == ("Skills are what clients ask for.", "The rules as they come.")


def test_a_job_matches_by_the_newest_rules(
    session: Session, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks.register()
    seen: set[int] = set()
    monkeypatch.setitem(jobs._handlers, ANNOUNCE, lambda _session, gig: seen.add(rules.current().version))
    set_weights(session, scene.opa, SKILLS_FIRST, "Skills.", 1)
    rules.forget()
    jobs.defer(session, ANNOUNCE, gig=scene.gig.id)
    session.commit()
    jobs.run_due(session)
    assert seen == {2}


@pytest.mark.parametrize(
    ("weights", "reason", "field"),
    [
        (rules.Weights(30, 25, 15, 15, 10, 6), "More.", None),
        (rules.Weights(130, -25, 15, -15, -10, 5), "More.", None),
        (rules.SHIPPED.weights, "The same.", None),
        (SKILLS_FIRST, " ", "reason"),
        (SKILLS_FIRST, "x" * 501, "reason"),
    ],
)
def test_weights_that_do_not_add_up_or_say_why(
    session: Session, scene: Scene, weights: rules.Weights, reason: str, field: str | None
) -> None:
    with pytest.raises(Invalid) as refused:
        set_weights(session, scene.opa, weights, reason, 1)
    assert refused.value.field == field
    assert told(session) == ["The rules as they come."]


def test_two_who_change_at_once(session: Session, scene: Scene) -> None:
    set_weights(session, scene.opa, SKILLS_FIRST, "First.", 1)
    with pytest.raises(Refused):
        set_weights(session, scene.opa, rules.SHIPPED.weights, "Second.", 1)
    with pytest.raises(Refused):
        add_domain(session, scene.opa, DomainDraft("Knots", "law"), Level.OCCUPATION, "", 1)
    assert len(told(session)) == 2


def test_no_version_is_ever_changed(session: Session, scene: Scene) -> None:
    for statement in (
        "UPDATE match_rules SET reason = 'x'",
        "DELETE FROM match_rules",
        "DELETE FROM match_domains",
    ):
        with pytest.raises(DBAPIError):
            session.execute(sa.text(statement))
        session.rollback()
    with pytest.raises(DBAPIError):
        session.execute(
            sa.text("UPDATE match_domains SET parent = code, parent_level = level WHERE code = 'law'")
        )


def test_nobody_else_changes_the_rules(session: Session, scene: Scene) -> None:
    with pytest.raises(NotAllowed):
        set_weights(session, scene.client, SKILLS_FIRST, "Mine.", 1)
    with pytest.raises(NotAllowed):
        add_domain(session, scene.ana, DomainDraft("Knots", "law"), Level.OCCUPATION, "", 1)
    with pytest.raises(NotAllowed):
        change_domain(session, scene.ana, RADIOLOGY, draft(RADIOLOGY, title="Rays"), "", 1)


def test_a_new_speciality_fits_a_gig_of_its_occupation_whole(session: Session, scene: Scene) -> None:
    code = add_domain(
        session, scene.opa, DomainDraft("  Rays of   Röntgen ", RADIOLOGY), Level.SPECIALITY, "", 1
    )
    assert code == f"{RADIOLOGY}.rays-of-r-ntgen"
    rules.use(session)
    assert domains.title(code) == "Rays of Röntgen"
    assert code in dict(option for _group, options in domains.choices() for option in options)
    other = an_expert(session, domains=(code,))
    match = ranking.match_of(session, scene.gig.id, other.id)
    assert match is not None
    depth = next(each for each in match.criteria if each.code == "domain_depth")
    assert depth.points == depth.weight
    assert told(session)[0] == "Rays of Röntgen is new."


def test_codes_never_collide(session: Session, scene: Scene) -> None:
    one = add_domain(session, scene.opa, DomainDraft("Łódź", RADIOLOGY), Level.SPECIALITY, "", 1)
    two = add_domain(session, scene.opa, DomainDraft("Lódź", RADIOLOGY), Level.SPECIALITY, "", 2)
    group = add_domain(session, scene.opa, DomainDraft("Skilled trades", None), Level.GROUP, "", 3)
    assert len({one, two, group}) == 3
    assert group == "skilled-trades"


@pytest.mark.parametrize(
    ("made", "level", "field"),
    [
        (DomainDraft("", "law"), Level.OCCUPATION, "title"),
        (DomainDraft("x" * 101, "law"), Level.OCCUPATION, "title"),
        (DomainDraft("radiologists", "law"), Level.OCCUPATION, "title"),
        (DomainDraft("Knots", "law"), Level.GROUP, "parent"),
        (DomainDraft("Knots", None), Level.OCCUPATION, "parent"),
        (DomainDraft("Knots", "nothing"), Level.OCCUPATION, "parent"),
        (DomainDraft("Knots", RADIOLOGY), Level.FAMILY, "parent"),
        (DomainDraft("Knots", RADIOLOGY), Level.OCCUPATION, "parent"),
    ],
)
def test_a_domain_that_cannot_be(
    session: Session, scene: Scene, made: DomainDraft, level: Level, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        add_domain(session, scene.opa, made, level, "", 1)
    assert refused.value.field == field


def test_a_domain_that_moves_changes_who_fits_at_once(session: Session, scene: Scene) -> None:
    assert ranking.best_gigs(session, scene.ana.id)
    surgeon = an_expert(session, domains=("29-1216",))
    assert ranking.best_gigs(session, surgeon.id)
    session.commit()
    assert change_domain(session, scene.opa, "29-1216", draft("29-1216", parent="law"), "A trial.", 1) == 1
    rules.use(session)
    assert not ranking.best_gigs(session, surgeon.id)
    assert ranking.best_gigs(session, scene.ana.id)
    assert "moved out of Physicians and surgeons" in told(session)[0]


def test_a_domain_is_renamed_and_withdrawn_in_one_go(session: Session, scene: Scene) -> None:
    changed = draft(RADIOLOGY, title="Radiology", offered=False)
    assert change_domain(session, scene.opa, RADIOLOGY, changed, "Clearer.", 1) == 2
    assert told(session)[:2] == [
        "Radiology can no longer be chosen.",
        "Radiology was called “Radiologists” until then.",
    ]
    chosen = {code for _group, options in domains.choices() for code, _title in options}
    kept = {code for _group, options in domains.choices((RADIOLOGY,)) for code, _title in options}
    assert kept - chosen == {RADIOLOGY}
    assert change_domain(session, scene.opa, RADIOLOGY, changed, "Again.", 3) == 0
    with pytest.raises(NotFound):
        change_domain(session, scene.opa, "nothing", changed, "", 3)


def test_who_chose_a_domain_keeps_it(app: Flask, session: Session, scene: Scene) -> None:
    change_domain(session, scene.opa, RADIOLOGY, draft(RADIOLOGY, offered=False), "", 1)
    rules.use(session)
    with app.test_request_context():
        of_gig, new = GigForm.of(scene.gig), GigForm(currency="USD")
        assert RADIOLOGY in [value for value, *_rest in of_gig.domain.iter_choices()]
        assert RADIOLOGY not in [value for value, *_rest in new.domain.iter_choices()]


def test_an_operator_does_it_in_the_browser(app: Flask, session: Session, scene: Scene) -> None:
    opa = Visitor(enter(app.test_client(), session, scene.opa))
    said = words(
        opa.post("/domains", title="Ray art", level=str(int(Level.SPECIALITY)), parent=RADIOLOGY, seen="1")
    )
    assert "It can be chosen from now on." in said
    assert "Ray art" in words(opa.get("/domains"))
    said = words(
        opa.post(f"/domains/{RADIOLOGY}.ray-art", title="Ray craft", parent=RADIOLOGY, offered="y", seen="2")
    )
    assert "Saved. It counts from now on" in said
    told = dict.fromkeys(("domain", "rate", "skills", "availability"), "20") | {"record": "10"}
    said = words(opa.post("/weights", **told, response="11", seen="3", reason="Even."))
    assert "Together they must be 100; these are 101." in said
    said = words(stale := opa.post("/weights", **told, response="10", seen="2", reason="Even."))
    assert "The rules were changed meanwhile, so this is not saved." in said
    assert 'name="seen" type="hidden" value="3"' in stale.text
    assert "Even." in stale.text
    said = words(opa.post("/weights", **told, response="10", seen="3", reason="Even."))
    assert "compared by these weights" in said
    public = words(Visitor(app.test_client()).get("/how-matching-works"))
    assert "Even." in public
    assert "Ray craft was called “Ray art” until then." in public
    assert session.scalar(sa.select(sa.func.max(MatchRules.version))) == 4
