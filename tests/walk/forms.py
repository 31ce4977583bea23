"""The forms of a page as a browser reads them, without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

# Into these a person types what may be seen; `number` is any of them that asks for one.
TYPED = ("text", "textarea", "date", "time", "email", "url", "tel", "search", "datetime-local")


@dataclass
class Field:
    """One field: what kind it is, and what it holds."""

    kind: str
    value: str


@dataclass
class PageForm:
    """A form that is sent by POST; `fields` by their names, as nobody touched them."""

    action: str
    whole: bool = False
    fields: dict[str, Field] = field(default_factory=dict)

    def named(self, *kinds: str) -> list[str]:
        """The names of the fields of these kinds."""
        return [name for name, each in self.fields.items() if each.kind in kinds]


def forms_in(html: str, address: str) -> list[PageForm]:
    """The POST forms of the page at this address."""
    reader = _Reader(address)
    reader.feed(html)
    reader.close()
    return reader.forms


class _Reader(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__(convert_charrefs=True)
        self.address = address
        self.forms: list[PageForm] = []
        self._form: PageForm | None = None
        self._open: Field | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._begin(given)
        elif self._form is not None and tag == "option":
            self._option(given)
        elif self._form is not None and given.get("name"):
            self._field(tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag in ("select", "textarea"):
            if self._open and tag == "textarea":
                # A browser takes the first line break away.
                self._open.value = self._open.value.removeprefix("\r").removeprefix("\n")
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open and self._open.kind == "textarea":
            self._open.value += data

    def _begin(self, given: dict[str, str | None]) -> None:
        self._form = None
        if (given.get("method") or "").lower() == "post":
            whole = given.get("enctype") == "multipart/form-data"
            self._form = PageForm(given.get("action") or self.address, whole)
            self.forms.append(self._form)

    def _field(self, tag: str, given: dict[str, str | None]) -> None:
        assert self._form is not None
        kind = (given.get("type") or "text") if tag == "input" else tag
        if given.get("inputmode") in ("decimal", "numeric"):
            kind = "number"
        made = Field(kind, given.get("value") or "")
        name = given["name"] or ""
        unset = kind in ("radio", "checkbox") and "checked" not in given
        if not (unset and name in self._form.fields):
            self._form.fields[name] = made
        self._open = made if tag in ("select", "textarea") else None

    def _option(self, given: dict[str, str | None]) -> None:
        if self._open and ("selected" in given or not self._open.value):
            self._open.value = given.get("value") or ""
