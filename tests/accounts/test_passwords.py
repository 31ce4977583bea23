"""Which passwords are refused, and how they are kept."""

from __future__ import annotations

import pytest

from marketplace.accounts import passwords
from marketplace.errors import Invalid

ABOUT = ("Ana Alvarez", "ana.alvarez@example.com")


@pytest.mark.parametrize(
    "password",
    [
        "short one 1",
        "aaaaaaaaaaaaaaaa",
        "password1234",
        "Password12345",
        "123456789012",
        "qwertyuiopasdf",
        "AnaAlvarez2026",
        "alvarez-alvarez-1",
        "correcthorsebatterystaple",
        "x" * 201,
    ],
)
def test_short_long_and_guessable_ones_are_refused_with_advice(password: str) -> None:
    with pytest.raises(Invalid) as refusal:
        passwords.check(password, *ABOUT)
    assert refusal.value.field == "password"


@pytest.mark.parametrize(
    "password",
    [
        "seven quiet herons",
        "ünïcödé ist schön",
        "749201857362",
        "🌱🌊🔥🌙⭐🍀🐚🪁🧵🎐🪶🧭",
        "a b c d e f g h",
        "x7$Kq9!mZp2w",
    ],
)
def test_any_characters_will_do_and_none_are_required(password: str) -> None:
    passwords.check(password, *ABOUT)


def test_only_a_hash_is_kept_and_only_the_password_matches_it() -> None:
    kept = passwords.hashed("seven quiet herons")
    assert kept.startswith("$argon2id$")
    assert passwords.matches(kept, "seven quiet herons")
    assert not passwords.matches(kept, "seven quiet heron")
    assert not passwords.matches(kept, "seven\0quiet herons")
    assert not passwords.matches("not a hash", "seven quiet herons")


def test_the_same_letters_typed_on_another_keyboard_match() -> None:
    assert passwords.matches(passwords.hashed("cafe\u0301 au lait noir"), "caf\u00e9 au lait noir")
