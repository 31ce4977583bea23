"""Passkeys, made and used by an authenticator in software (WebAuthn level 3, ES256, no attestation)."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy.orm import Session
from webauthn.helpers import bytes_to_base64url

from marketplace import clock, settings
from marketplace.accounts import factors, passkeys
from marketplace.accounts.models import SignIn
from marketplace.errors import Invalid
from tests.cast import Cast
from tests.factories.accounts import a_sign_in

PRESENT, VERIFIED, NEW_KEY = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """Keeps one key; `origin` and `host` are what its browser believes to be talking to."""

    origin: str = field(default_factory=lambda: settings.current().base_url)
    host: str = "localhost"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: os.urandom(32))
    uses: int = 0

    def make(self, challenge: str) -> str:
        numbers = self.key.public_key().public_numbers()
        key = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        kept = bytes(16) + len(self.id).to_bytes(2) + self.id + cbor2.dumps(key)
        data = self._data(PRESENT | VERIFIED | NEW_KEY) + kept
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(self._client("webauthn.create", challenge), attestationObject=made)

    def use(self, challenge: str) -> str:
        self.uses += 1
        client, data = self._client("webauthn.get", challenge), self._data(PRESENT | VERIFIED)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(client, authenticatorData=data, signature=signature)

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.uses.to_bytes(4)

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _answer(self, client: bytes, **parts: bytes) -> str:
        said = {
            name: bytes_to_base64url(value) for name, value in {"clientDataJSON": client, **parts}.items()
        }
        own = bytes_to_base64url(self.id)
        return json.dumps({"id": own, "rawId": own, "type": "public-key", "response": said})


@pytest.fixture
def ana(session: Session, cast: Cast) -> SignIn:
    return a_sign_in(session, cast.person(cast.ana))


@pytest.fixture
def laptop(session: Session, cast: Cast, ana: SignIn) -> Authenticator:
    """Ana's, with a passkey for this site."""
    made = Authenticator()
    _options, challenge = passkeys.offer_to_add(session, ana)
    answer = made.make(challenge)
    codes = passkeys.add_passkey(
        session, cast.ana, ana.id, answer, challenge, "my laptop", signed_in_at=clock.now()
    )
    assert len(codes) == 10
    return made


def offered(session: Session, sign_in: SignIn) -> str:
    offer = passkeys.offer_to_use(session, sign_in.id)
    assert offer is not None
    return offer[1]


def test_a_passkey_is_made_and_opens_the_account(
    session: Session, ana: SignIn, laptop: Authenticator
) -> None:
    assert [each.label for each in factors.confirmed(session, ana.id)] == ["my laptop"]
    for _time in range(2):
        challenge = offered(session, ana)
        passkeys.check_passkey(session, ana.id, laptop.use(challenge), challenge)


def test_an_answer_to_another_challenge_does_not(
    session: Session, ana: SignIn, laptop: Authenticator
) -> None:
    before = laptop.use(offered(session, ana))
    with pytest.raises(Invalid):
        passkeys.check_passkey(session, ana.id, before, offered(session, ana))
    with pytest.raises(Invalid):
        passkeys.check_passkey(session, ana.id, before, None)


def test_an_answer_for_another_site_does_not(session: Session, ana: SignIn, laptop: Authenticator) -> None:
    laptop.origin = "https://marketplace.evil.example"
    challenge = offered(session, ana)
    with pytest.raises(Invalid):
        passkeys.check_passkey(session, ana.id, laptop.use(challenge), challenge)


def test_a_copied_passkey_whose_count_runs_back_does_not(
    session: Session, ana: SignIn, laptop: Authenticator
) -> None:
    laptop.uses = 7
    challenge = offered(session, ana)
    passkeys.check_passkey(session, ana.id, laptop.use(challenge), challenge)
    laptop.uses = 2
    challenge = offered(session, ana)
    with pytest.raises(Invalid):
        passkeys.check_passkey(session, ana.id, laptop.use(challenge), challenge)


def test_the_passkey_of_somebody_else_does_not(
    session: Session, cast: Cast, ana: SignIn, laptop: Authenticator
) -> None:
    ben = a_sign_in(session, cast.person(cast.ben), totp_secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    assert passkeys.offer_to_use(session, ben.id) is None
    challenge = offered(session, ana)
    with pytest.raises(Invalid):
        passkeys.check_passkey(session, ben.id, laptop.use(challenge), challenge)


def test_one_passkey_is_not_kept_twice(session: Session, cast: Cast, laptop: Authenticator) -> None:
    ben = a_sign_in(session, cast.person(cast.ben))
    _options, challenge = passkeys.offer_to_add(session, ben)
    answer = laptop.make(challenge)
    with pytest.raises(Invalid, match="in use already"):
        passkeys.add_passkey(session, cast.ben, ben.id, answer, challenge, signed_in_at=clock.now())
