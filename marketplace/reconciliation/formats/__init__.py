"""The formats in which banks write statements. A reader is one row of this table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.reconciliation.formats import camt053
from marketplace.reconciliation.formats.shapes import ReadStatement


class Format(NamedTuple):
    """A format's name, whether a file looks like it, and how it is read."""

    name: str
    recognises: Callable[[bytes], bool]
    read: Callable[[bytes], Sequence[ReadStatement]]


FORMATS = (Format("camt.053", camt053.recognises, camt053.read),)


def read(data: bytes) -> tuple[str, Sequence[ReadStatement]]:
    """The format's name and the statements in the file. Raises Invalid when no format fits."""
    for form in FORMATS:
        if form.recognises(data):
            return form.name, form.read(data)
    raise Invalid(
        _(
            "This is not a statement in a format known here (%(formats)s). Ask your bank for one of these.",
            formats=", ".join(form.name for form in FORMATS),
        ),
        field="file",
    )
