"""A person at a browser without JavaScript: opens pages, fills in forms, follows where they lead."""

from __future__ import annotations

import html
import re

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]+>", re.DOTALL)


class Visitor:
    """Wraps Flask's client: remembers the form token of the last page, and follows redirects."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.token = ""

    def get(self, path: str) -> TestResponse:
        """Open a page, and the one it leads to."""
        return self._seen(self.client.get(path, follow_redirects=True))

    def post(self, path: str, **fields: object) -> TestResponse:
        """Send a form; its token is that of the last page, or of the sign-in page if none was opened."""
        if not self.token:
            self.get("/sign-in")
        data = {"csrf_token": self.token, **fields}
        return self._seen(self.client.post(path, data=data, follow_redirects=True))

    def _seen(self, answer: TestResponse) -> TestResponse:
        found = TOKEN.search(answer.text)
        self.token = found.group(1) if found else self.token
        return answer


def words(answer: TestResponse) -> str:
    """What a page says, as one line of text."""
    return " ".join(html.unescape(TAGS.sub(" ", answer.text)).split())
