"""The pages of accounts, walked as people do: without JavaScript, with forms and links."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts import sessions
from marketplace.accounts.links import new_link
from marketplace.accounts.models import LinkPurpose, Person, SecondFactor, SignIn, WebSession
from marketplace.db import use_case
from tests.accounts.test_registering import mailed, token_in
from tests.cast import Cast
from tests.factories.accounts import PASSWORD, a_sign_in, an_organization
from tests.visitor import Visitor, words

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NEW_EXPERT = {
    "wants": "expert",
    "full_name": "Ana Alvarez",
    "email": "ana@example.com",
    "password": PASSWORD,
    "country": "US",
    "time_zone": "America/New_York",
}


@pytest.fixture
def visitor(client: FlaskClient) -> Visitor:
    return Visitor(client)


def signed_in(visitor: Visitor, email: str, code: str = "", **fields: str) -> Visitor:
    """Through the form, and the second factor if a code is given."""
    visitor.get("/sign-in")
    visitor.post("/sign-in", email=email, password=PASSWORD, **fields)
    if code:
        visitor.post("/second-factor", code=code)
    return visitor


def test_an_expert_registers_confirms_and_is_signed_in(session: Session, visitor: Visitor) -> None:
    visitor.get("/register?as=expert")
    assert "Look in your mail" in words(visitor.post("/register", **NEW_EXPERT))
    link = f"/verify/{token_in(mailed(session))}"
    assert "ana@example.com" in words(visitor.get(link))
    visitor.post(link, password=PASSWORD)
    assert "Ana Alvarez" in words(visitor.get("/security"))


def test_registering_an_address_in_use_looks_the_same(session: Session, visitor: Visitor, cast: Cast) -> None:
    a_sign_in(session, cast.person(cast.ana), email="ana@example.com")
    visitor.get("/register")
    assert "Look in your mail" in words(visitor.post("/register", **NEW_EXPERT))


def test_what_was_typed_is_kept_except_the_password(visitor: Visitor) -> None:
    visitor.get("/register")
    answer = visitor.post("/register", **{**NEW_EXPERT, "password": "short", "full_name": "Ana <Alvarez>"})
    assert answer.status_code == 422
    assert "at least 12 characters" in words(answer)
    assert "Ana &lt;Alvarez&gt;" in answer.text
    assert "short" not in re.findall(r'value="([^"]*)"', answer.text)


def test_signing_in_with_a_second_factor(session: Session, visitor: Visitor, cast: Cast) -> None:
    fin = a_sign_in(session, cast.person(cast.fin), totp_secret=SECRET)
    signed_in(visitor, fin.email)
    assert "One more step" in words(visitor.get("/second-factor"))
    assert "With the address" in words(visitor.get("/notifications")), "the password alone opens nothing"
    assert visitor.post("/second-factor", code="000000").status_code == 422
    visitor.post("/second-factor", code=pyotp.TOTP(SECRET).at(clock.now()))
    assert "Fin Farrell" in words(visitor.get("/security"))


@use_case
def link_to_confirm(session: Session, sign_in: SignIn) -> str:
    return new_link(session, LinkPurpose.VERIFY, sign_in.email, sign_in_id=sign_in.id)


def test_confirming_an_address_does_not_go_round_the_second_factor(
    session: Session, visitor: Visitor, cast: Cast
) -> None:
    fin = a_sign_in(session, cast.person(cast.fin), totp_secret=SECRET)
    link = f"/verify/{link_to_confirm(session, fin)}"
    visitor.get(link)
    assert "One more step" in words(visitor.post(link, password=PASSWORD))
    assert "With the address you registered" in words(visitor.get("/security"))


def test_the_second_factor_cannot_be_reached_without_the_password(visitor: Visitor) -> None:
    assert "With the address you registered" in words(visitor.get("/second-factor"))
    visitor.post("/second-factor", code="123456")
    assert "With the address you registered" in words(visitor.get("/security"))


def test_ten_minutes_after_the_password_the_code_comes_too_late(
    session: Session, visitor: Visitor, cast: Cast
) -> None:
    fin = a_sign_in(session, cast.person(cast.fin), totp_secret=SECRET)
    signed_in(visitor, fin.email)
    with clock.at(clock.now() + timedelta(minutes=11)):
        visitor.post("/second-factor", code=pyotp.TOTP(SECRET).at(clock.now()))
        assert "With the address you registered" in words(visitor.get("/security"))


def test_finance_without_a_second_factor_opens_nothing_until_one_is_added(
    session: Session, visitor: Visitor, cast: Cast
) -> None:
    fin = a_sign_in(session, cast.person(cast.fin))
    signed_in(visitor, fin.email)
    for path in ("/security", "/ledger", "/notifications", "/"):
        assert "Add an authenticator app" in words(visitor.get(path))
    secret = session.scalars(sa.select(SecondFactor)).one().secret or ""
    answer = visitor.post("/security/app", code=pyotp.TOTP(secret).at(clock.now()), label="my phone")
    assert "Keep these recovery codes" in words(answer)
    assert "my phone" in words(visitor.get("/security"))


def test_another_browser_is_shown_another_secret(
    session: Session, visitor: Visitor, cast: Cast, app: Flask
) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    stranger = signed_in(Visitor(app.test_client()), ana.email)
    stranger.get("/security/app")
    known = session.scalars(sa.select(SecondFactor)).one().secret or ""
    signed_in(visitor, ana.email)
    assert known not in visitor.get("/security/app").text
    own = session.scalars(sa.select(SecondFactor)).one().secret or ""
    assert own in visitor.get("/security/app").text.replace(" ", "")
    assert known not in stranger.get("/security/app").text
    assert own not in stranger.get("/security/app").text.replace(" ", "")
    answer = visitor.post("/security/app", code=pyotp.TOTP(own).at(clock.now()))
    assert "Keep these recovery codes" in words(answer)


def test_the_session_begins_anew_at_sign_in_and_ends_on_the_server(
    session: Session, visitor: Visitor, cast: Cast
) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    visitor.get("/sign-in")
    planted = visitor.client.get_cookie("session")
    signed_in(visitor, ana.email)
    own = visitor.client.get_cookie("session")
    assert planted is not None
    assert own is not None
    assert planted.value != own.value
    assert sessions.find(session, planted.value) is None
    assert own.http_only
    assert own.same_site == "Lax"
    visitor.post("/sign-out")
    visitor.client.set_cookie("session", own.value)
    assert "With the address you registered" in words(visitor.get("/security"))


def test_the_database_keeps_no_cookie(session: Session, visitor: Visitor) -> None:
    visitor.get("/sign-in")
    cookie = visitor.client.get_cookie("session")
    assert cookie is not None
    row = session.scalars(sa.select(WebSession)).one()
    assert cookie.value not in str(vars(row))


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_never_leads_to_another_site(session: Session, cast: Cast, app: Flask, path: str) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    visitor = Visitor(app.test_client())
    visitor.get("/sign-in")
    data = {"csrf_token": visitor.token, "email": ana.email, "password": PASSWORD, "next": path}
    answer = visitor.client.post("/sign-in", data=data)
    assert (answer.status_code, answer.location) == (303, "/")


def test_signing_in_leads_back_to_where_one_was_going(session: Session, cast: Cast, visitor: Visitor) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    answer = visitor.get("/decisions")
    assert "With the address you registered" in words(answer)
    data = {"csrf_token": visitor.token, "email": ana.email, "password": PASSWORD, "next": "/decisions"}
    assert visitor.client.post("/sign-in", data=data).location == "/decisions"


def test_a_form_from_elsewhere_is_refused(session: Session, cast: Cast, app: Flask) -> None:
    visitor = cast.visitor(app, cast.ana)
    assert visitor.client.post("/sign-out").status_code == 400
    assert visitor.client.post("/sign-out", data={"csrf_token": "ünïcödé"}).status_code == 422
    assert "Ana Alvarez" in words(visitor.get("/security"))


def test_a_session_on_another_device_can_be_ended_and_only_by_its_owner(
    session: Session, cast: Cast, app: Flask
) -> None:
    here, there, zed = (cast.visitor(app, who) for who in (cast.ana, cast.ana, cast.zed))
    ids = re.findall(r"/security/sessions/([0-9a-f-]{36})/end", here.get("/security").text)
    assert len(ids) == 1, "one's own is ended by signing out"
    zed.get("/security")
    assert zed.post(f"/security/sessions/{ids[0]}/end").status_code == 404
    assert "Ana Alvarez" in words(there.get("/security"))
    here.post(f"/security/sessions/{ids[0]}/end")
    assert "With the address you registered" in words(there.get("/security"))


def test_what_matters_asks_for_the_factor_again_and_leads_back(
    session: Session, cast: Cast, app: Flask
) -> None:
    opa = a_sign_in(session, cast.person(cast.opa), totp_secret=SECRET)
    visitor = cast.visitor(app, cast.opa)
    zed = cast.person(cast.zed).public_id
    page = f"/people/{zed}"
    with clock.at(clock.now() + timedelta(minutes=11)):
        visitor.get(page)
        headers = {"Referer": f"http://localhost{page}"}
        data = {"csrf_token": visitor.token, "role": "reviewer"}
        asked = visitor.client.post(page, data=data, headers=headers)
        assert asked.location == f"/confirm?next={page}"
        visitor.get(asked.location)
        fields = {"code": pyotp.TOTP(SECRET).at(clock.now()), "next": page}
        confirmed = visitor.client.post("/confirm", data={"csrf_token": visitor.token, **fields})
        assert confirmed.location == page
        assert "The role is given" in words(visitor.post(page, role="reviewer"))
    assert opa.person_id == cast.opa.id


def test_who_has_no_factor_is_led_to_add_one(cast: Cast, app: Flask) -> None:
    visitor = cast.visitor(app, cast.ana)
    answer = visitor.get("/confirm?next=//evil.example")
    assert "A second factor is needed" in words(answer)
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/people", {"opa"}),
        ("/companies", {"opa"}),
        ("/appeals", {"opa"}),
        ("/team", {"carla"}),
        ("/security", {"ana", "ben", "carla", "dev", "fin", "gil", "rev", "opa", "zed"}),
        ("/decisions", {"ana", "ben", "carla", "dev", "fin", "gil", "rev", "opa", "zed"}),
        ("/notifications", {"ana", "ben", "carla", "dev", "fin", "gil", "rev", "opa", "zed"}),
    ],
)
def test_each_page_opens_for_those_it_is_for(cast: Cast, app: Flask, path: str, allowed: set[str]) -> None:
    opened = {
        name for name, who in cast.everyone().items() if cast.visitor(app, who).get(path).status_code == 200
    }
    assert opened == allowed


def test_an_admin_invites_and_a_colleague_joins(session: Session, cast: Cast, app: Flask) -> None:
    carla = cast.visitor(app, cast.carla)
    team = f"/team/{cast.lumen.public_id}"
    carla.get(team)
    assert "on its way to dee@example.com" in words(
        carla.post(team, email="dee@example.com", role="client_approver")
    )
    dee = Visitor(app.test_client())
    link = f"/invitation/{token_in(mailed(session, 'dee@example.com'))}"
    assert "Join Lumen Labs" in words(dee.get(link))
    dee.post(link, full_name="Dee Day", country="GB", time_zone="Europe/London", password=PASSWORD)
    assert "Approver, Lumen Labs" in words(dee.get("/security"))
    assert "Dee Day" in words(carla.get(team))


def test_a_refused_acceptance_keeps_what_was_typed(session: Session, cast: Cast, app: Flask) -> None:
    carla, dee = cast.visitor(app, cast.carla), Visitor(app.test_client())
    carla.get("/team")
    carla.post(f"/team/{cast.lumen.public_id}", email="dee@example.com", role="client_admin")
    link = f"/invitation/{token_in(mailed(session, 'dee@example.com'))}"
    dee.get(link)
    fields = {"full_name": "Dee Day", "country": "GB", "time_zone": "Europe/London", "password": "short"}
    answer = dee.post(link, **fields)
    assert answer.status_code == 422
    assert 'value="Dee Day"' in answer.text


def test_a_colleague_with_an_account_signs_in_first(session: Session, cast: Cast, app: Flask) -> None:
    zed = a_sign_in(session, cast.person(cast.zed))
    carla = cast.visitor(app, cast.carla)
    carla.get("/team")
    carla.post(f"/team/{cast.lumen.public_id}", email=zed.email, role="client_admin")
    link = f"/invitation/{token_in(mailed(session, zed.email))}"
    assert "Sign in with" in words(Visitor(app.test_client()).get(link))
    visitor = cast.visitor(app, cast.zed)
    visitor.get(link)
    visitor.post(f"{link}/accept")
    assert "Admin, Lumen Labs" in words(visitor.get("/security"))


def test_the_team_of_another_company_is_not_there(cast: Cast, app: Flask) -> None:
    carla = cast.visitor(app, cast.carla)
    assert carla.get("/team/00000000-0000-0000-0000-000000000000").status_code == 404


def test_links_that_were_used_or_made_up_say_so(visitor: Visitor) -> None:
    for path in ("/verify/x", "/reset/x", "/invitation/x"):
        answer = visitor.get(path)
        assert answer.status_code == 409
        assert "used already or has run out" in words(answer)


def test_preferences_are_kept_and_lead_nowhere_else(session: Session, cast: Cast, app: Flask) -> None:
    visitor = cast.visitor(app, cast.ana)
    visitor.get("/security")
    data = {"csrf_token": visitor.token, "theme": "dark", "time_zone": "Asia/Tokyo", "next": "//evil.example"}
    assert visitor.client.post("/preferences", data=data).location == "/"
    assert 'data-theme="dark"' in visitor.get("/security").text
    assert session.get_one(Person, cast.ana.id).time_zone == "Asia/Tokyo"


def test_a_browser_that_is_known_is_remembered_and_cannot_be_made_up(
    session: Session, cast: Cast, visitor: Visitor
) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    signed_in(visitor, ana.email)
    known = visitor.client.get_cookie("known")
    assert known is not None
    assert ana.email not in known.value
    visitor.client.set_cookie("known", known.value + "x")
    assert signed_in(visitor, ana.email).get("/security").status_code == 200


def test_a_visitor_who_only_looks_is_given_no_cookie(session: Session, client: FlaskClient) -> None:
    assert client.get("/healthz").headers.get("Set-Cookie") is None
    assert session.scalars(sa.select(WebSession)).all() == []


def test_a_made_up_passkey_leaves_the_code(session: Session, visitor: Visitor, cast: Cast) -> None:
    fin = a_sign_in(session, cast.person(cast.fin), totp_secret=SECRET)
    signed_in(visitor, fin.email)
    answer = visitor.post("/second-factor/passkey", answer='{"id": "AAAA"}')
    assert "passkey was not recognised" in words(answer)
    assert "One more step" in words(answer)


def test_closing_the_account_ends_what_is_open(session: Session, cast: Cast, app: Flask) -> None:
    visitor = cast.visitor(app, cast.ana)
    assert visitor.get("/security").status_code == 200
    session.get_one(Person, cast.ana.id).closed_at = clock.now()
    session.commit()
    assert "With the address you registered" in words(visitor.get("/security"))
    assert session.scalars(sa.select(SignIn)).one().disabled_at is None


def test_every_company_is_reached(app: Flask, session: Session, cast: Cast) -> None:
    for verified in (True, False):
        for n in range(51):
            an_organization(session, f"Company {verified} {n:02}", verified=verified)
    opa = cast.visitor(app, cast.opa)
    first = opa.get("/companies")
    for verified, name in ((True, "verified_after"), (False, "after")):
        last = f"Company {verified} 50"
        assert last not in words(first)
        further = re.search(rf'href="([^"]*[?&;]{name}=[^"]+)"', first.text)
        assert further is not None
        assert last in words(opa.get(html.unescape(further.group(1))))
