"""Our own style sheets, scripts and pictures, under an address that changes with what is in them.

So a browser asks for each of them once, and never shows an old one with a new page. The version stands in
the path, not after it: a script's own imports are relative, and so have it too.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Flask, send_from_directory
from werkzeug.wrappers import Response

from marketplace.web.access import public

YEAR = 365 * 24 * 3600


def install(app: Flask, folder: Path) -> None:
    """Serve the folder as the endpoint `static`."""
    current = _version(folder)

    @public
    def static(version: str, filename: str) -> Response:
        known = version == current
        answer = send_from_directory(folder, filename, max_age=YEAR if known else 0)
        answer.cache_control.immutable = known
        return answer

    app.add_url_rule("/static/<version>/<path:filename>", "static", static)

    @app.url_defaults
    def name_the_version(endpoint: str, values: dict[str, object]) -> None:
        if endpoint == "static":
            values.setdefault("version", current)


def _version(folder: Path) -> str:
    """Another one as soon as a file is another."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
