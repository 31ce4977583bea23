"""Secrets that a browser or a mail carries. The site keeps only their hashes."""

from __future__ import annotations

import hashlib
import secrets

BYTES = 32


def new_token() -> str:
    """256 random bits, fit for an address or a cookie."""
    return secrets.token_urlsafe(BYTES)


def token_hash(token: str) -> bytes:
    """What is kept of a token. It is random, so a plain hash cannot be guessed back (ASVS 6.5.2)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
