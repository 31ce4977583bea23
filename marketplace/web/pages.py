"""Answers: a rendered page, or a file that a browser must not run."""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from urllib.parse import quote

from flask import make_response, render_template, request
from werkzeug.wrappers import Response

UNPROCESSABLE = 422
_UNSAFE_NAME = re.compile(r"[^\w. -]+")
_UNSAFE_PLAIN = re.compile(r"[^A-Za-z0-9_. -]+")


def page(template: str, *, form: Any = None, status: int = 200, **context: Any) -> Response:
    """Render `template`; 422 when `form` was sent and refused."""
    refused = form is not None and request.method == "POST" and (form.errors or form.form_errors)
    answer = make_response(render_template(template, form=form, **context))
    answer.status_code = UNPROCESSABLE if refused else status
    return answer


def file_response(data: bytes, name: str, media_type: str, *, inline: bool = False) -> Response:
    """A file under its own name, never run or framed, never kept by a cache between."""
    answer = make_response(data)
    kind = "inline" if inline and media_type.startswith("image/") else "attachment"
    answer.headers["Content-Type"] = media_type
    answer.headers["Content-Disposition"] = f"{kind}; {_named(name)}"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _named(name: str) -> str:
    """Headers hold ASCII: the nearest name in it, and the true one beside it (RFC 6266, RFC 8187)."""
    whole = _UNSAFE_NAME.sub("_", name)
    plain = _UNSAFE_PLAIN.sub("_", unicodedata.normalize("NFKD", whole).encode("ascii", "replace").decode())
    if plain == whole:
        return f'filename="{plain}"'
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(whole, safe='')}"
