"""What an operation accepts: a small language of kinds, read strictly and refused as Stripe refuses.

A value comes either from a form (all strings, nested by brackets) or from JSON. A parameter that is not in
an operation's shape is refused, also when Stripe knows it and this server does not: nothing is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Protocol
from urllib.parse import parse_qsl

from marketplace.demo.stripe_server.errors import Json, invalid

_BRACKET = re.compile(r"[^\[\]]+|\[\]")
_WHOLE = re.compile(r"-?\d{1,15}")
_INDEX = re.compile(r"\d{1,4}")


class Kind(Protocol):
    required: bool

    def read(self, value: object, at: str) -> Any: ...


class Text:
    """A string. `clear` lets an empty one through, which unsets what is there."""

    def __init__(self, longest: int = 5000, *, required: bool = False, clear: bool = False) -> None:
        self.longest, self.required, self.clear = longest, required, clear

    def read(self, value: object, at: str) -> str:
        if not isinstance(value, str):
            raise invalid(f"Invalid string: {value}", at)
        if not value and not self.clear:
            raise invalid(
                f"You passed an empty string for '{at}'. We assume empty values are an attempt to unset a "
                f"parameter; however '{at}' cannot be unset. You should remove '{at}' from your request or "
                "supply a non-empty value.",
                at,
                "parameter_invalid_empty",
            )
        if len(value) > self.longest:
            raise invalid(f"Invalid string: must be at most {self.longest} characters", at)
        return value


class Whole:
    """An integer between `least` and `most`."""

    def __init__(self, least: int | None = None, most: int | None = None, *, required: bool = False) -> None:
        self.least, self.most, self.required = least, most, required

    def read(self, value: object, at: str) -> int:
        if isinstance(value, bool) or not _WHOLE.fullmatch(str(value)):
            raise invalid(f"Invalid integer: {value}", at, "parameter_invalid_integer")
        number = int(str(value))
        if self.least is not None and number < self.least:
            raise invalid(f"This value must be greater than or equal to {self.least}.", at,
                          "parameter_invalid_integer")  # fmt: skip
        if self.most is not None and number > self.most:
            raise invalid(f"This value must be less than or equal to {self.most}.", at,
                          "parameter_invalid_integer")  # fmt: skip
        return number


class Flag:
    """A boolean."""

    def __init__(self, *, required: bool = False) -> None:
        self.required = required

    def read(self, value: object, at: str) -> bool:
        if value in (True, "true"):
            return True
        if value in (False, "false"):
            return False
        raise invalid(f"Invalid boolean: {value}", at)


class Choice:
    """One of a closed list of words."""

    def __init__(self, *words: str, required: bool = False) -> None:
        self.words, self.required = words, required

    def read(self, value: object, at: str) -> str:
        if value not in self.words:
            raise invalid(f"Invalid {at}: must be one of {', '.join(self.words)}", at)
        return str(value)


class Many:
    """A list of one kind."""

    def __init__(self, kind: Kind, *, required: bool = False) -> None:
        self.kind, self.required = kind, required

    def read(self, value: object, at: str) -> list[Any]:
        if not isinstance(value, list):
            raise invalid("Invalid array", at)
        return [self.kind.read(item, f"{at}[{index}]") for index, item in enumerate(value)]


class Metadata:
    """Up to 50 short keys with values of up to 500 characters; an empty value unsets its key."""

    def __init__(self) -> None:
        self.required = False

    def read(self, value: object, at: str) -> dict[str, str]:
        if value == "":
            return {}
        if not isinstance(value, dict):
            raise invalid("Invalid object", at)
        if len(value) > 50:
            raise invalid("Metadata can hold at most 50 keys.", at)
        return {self._key(key, at): Text(500, clear=True).read(item, f"{at}[{key}]")
                for key, item in value.items()}  # fmt: skip

    def _key(self, key: str, at: str) -> str:
        if len(key) > 40:
            raise invalid(f"Metadata keys must be 40 characters or less: {key}", at)
        return key


class ByCurrency:
    """An object of integers keyed by currency, or an empty string that clears it."""

    def __init__(self) -> None:
        self.required = False

    def read(self, value: object, at: str) -> dict[str, int]:
        if value == "":
            return {}
        if not isinstance(value, dict):
            raise invalid("Invalid object", at)
        return {key: Whole(0).read(item, f"{at}[{key}]") for key, item in value.items()}


class Either:
    """A plain value or an object, as in `created=17…` and `created[gte]=17…`."""

    def __init__(self, plain: Kind, nested: Shape) -> None:
        self.plain, self.nested, self.required = plain, nested, False

    def read(self, value: object, at: str) -> Any:
        return self.nested.read(value, at) if isinstance(value, dict) else self.plain.read(value, at)


class Shape:
    """An object with exactly these fields."""

    def __init__(
        self, fields: dict[str, Kind] | None = None, /, *, required: bool = False, **more: Kind
    ) -> None:
        self.fields = {**(fields or {}), **more}
        self.required = required

    def read(self, value: object, at: str = "") -> Json:
        if not isinstance(value, dict):
            raise invalid("Invalid object", at or None)
        self._refuse_unknown(value, at)
        for name, kind in self.fields.items():
            if kind.required and value.get(name) is None:
                where = _join(at, name)
                raise invalid(f"Missing required param: {where}.", where, "parameter_missing")
        return {name: self.fields[name].read(item, _join(at, name))
                for name, item in value.items() if item is not None}  # fmt: skip

    def _refuse_unknown(self, value: Json, at: str) -> None:
        unknown = [_join(at, name) for name in value if name not in self.fields]
        if len(unknown) == 1:
            raise invalid(f"Received unknown parameter: {unknown[0]}", unknown[0], "parameter_unknown")
        if unknown:
            raise invalid(
                f"Received unknown parameters: {', '.join(unknown)}", unknown[0], "parameter_unknown"
            )


def decode_form(text: str) -> Json:
    """`a[b][0]=x` becomes `{"a": {"b": ["x"]}}`, as stripe's client writes it."""
    root: Json = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        _put(root, _BRACKET.findall(key) or [key], value)
    return {key: _lists(value) for key, value in root.items()}


def _put(root: Json, path: list[str], value: str) -> None:
    here = root
    for part in path[:-1]:
        inner = here.setdefault(str(len(here)) if part == "[]" else part, {})
        if not isinstance(inner, dict):
            raise invalid("Invalid object", path[0])
        here = inner
    here[str(len(here)) if path[-1] == "[]" else path[-1]] = value


def _lists(value: object) -> object:
    if not isinstance(value, dict):
        return value
    inner = {key: _lists(item) for key, item in value.items()}
    if inner and all(_INDEX.fullmatch(key) for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def _join(at: str, name: str) -> str:
    return f"{at}[{name}]" if at else name


def pick(values: Json, names: Iterable[str]) -> Json:
    """The named values, None where absent: the nullable fields of an answer."""
    return {name: values.get(name) for name in names}


EXPAND = Many(Text())
CREATED = Either(Whole(), Shape(gt=Whole(), gte=Whole(), lt=Whole(), lte=Whole()))
PAGE: dict[str, Kind] = {
    "limit": Whole(1, 100),
    "starting_after": Text(),
    "ending_before": Text(),
    "expand": EXPAND,
}
NOTHING = Shape(expand=EXPAND)
