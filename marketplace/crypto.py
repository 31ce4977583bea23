"""Encryption of single fields and documents under the master key; keyed fingerprints for look-up.

AES-256-GCM; the context (such as `second_factors.secret`) is bound in, so that a sealed value moved to
another place does not open. The first byte names the key, which leaves room to rotate it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import cache

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from marketplace import settings

KEY_ID = b"\x01"
_NONCE = 12


class NotSealedHere(Exception):
    """The value was changed, moved, or sealed under another key."""


def seal(plain: bytes, context: str) -> bytes:
    """`plain` encrypted for `context`."""
    nonce = os.urandom(_NONCE)
    return KEY_ID + nonce + AESGCM(_key("seal")).encrypt(nonce, plain, context.encode())


def open_sealed(sealed: bytes, context: str) -> bytes:
    """What `seal` was given. Raises NotSealedHere when it does not open."""
    if sealed[:1] != KEY_ID:
        raise NotSealedHere(context)
    try:
        return AESGCM(_key("seal")).decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], context.encode())
    except InvalidTag:
        raise NotSealedHere(context) from None


def fingerprint(text: str, context: str) -> bytes:
    """32 bytes that are equal for equal `text`, and tell nothing without the master key."""
    return hmac.digest(_key("fingerprint"), f"{context}\0{text}".encode(), hashlib.sha256)


def same(one: str, other: str) -> bool:
    """Are these equal? Takes as long whether they are or not."""
    return hmac.compare_digest(one.encode(), other.encode())


class Sealed(sa.TypeDecorator[str]):
    """A text column that is encrypted on its way into the database."""

    impl = sa.LargeBinary
    cache_ok = True

    def __init__(self, context: str) -> None:
        super().__init__()
        self.context = context

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> bytes | None:
        return None if value is None else seal(value.encode(), self.context)

    def process_result_value(self, value: bytes | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else open_sealed(value, self.context).decode()


@cache
def _key(purpose: str) -> bytes:
    """A key of its own for each purpose, so that none is used in two ways (RFC 5869)."""
    return HKDFExpand(hashes.SHA256(), 32, purpose.encode()).derive(settings.current().master_key)
