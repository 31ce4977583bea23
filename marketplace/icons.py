"""Icons as inline SVG, read from the lucide wheel, so that no icon is committed or fetched.

`icon` is a Jinja global. The wheel is found without importing it: its package expects Django.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree as ET
from zipfile import ZipFile

from markupsafe import Markup

# Icons that point along the line of text and so turn round in a right-to-left page.
DIRECTIONAL = frozenset({"arrow-left", "arrow-right", "chevron-left", "chevron-right", "log-out", "undo-2"})


@cache
def icon(name: str) -> Markup:
    """The lucide icon `name` as decoration: hidden from assistive technology, sized and coloured by CSS.

    Raises LookupError when lucide has no icon of that name.
    """
    classes = "icon icon-directional" if name in DIRECTIONAL else "icon"
    return Markup(  # noqa: S704 - the shapes come from the pinned wheel
        f'<svg class="{classes}" viewBox="0 0 24 24" width="20" height="20" fill="none" '
        'stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" '
        f'aria-hidden="true" focusable="false">{_shapes(name)}</svg>'
    )


def _shapes(name: str) -> str:
    """What lies inside the `<svg>` of the icon, written anew so that only known-good XML is passed on."""
    try:
        with ZipFile(_archive()) as archive:
            drawing = ET.fromstring(archive.read(f"{name}.svg"))  # noqa: S314 - a pinned, hashed wheel
    except KeyError:
        raise LookupError(f"lucide has no icon named {name!r}") from None
    return "".join(_tag(shape) for shape in drawing)


def _tag(shape: ET.Element) -> str:
    attributes = "".join(f' {key}="{value}"' for key, value in shape.attrib.items())
    return f"<{shape.tag.rpartition('}')[2]}{attributes}/>"


def _archive() -> Path:
    spec = find_spec("lucide")
    if spec is None or not spec.submodule_search_locations:
        raise LookupError("The package lucide is not installed.")
    return Path(spec.submodule_search_locations[0]) / "lucide.zip"
