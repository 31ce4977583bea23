"""Style sheets and scripts: asked for once, and never an old one with a new page."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from marketplace.web import files

YEAR = "max-age=31536000"


def test_a_page_names_files_that_are_kept_for_good(client: FlaskClient) -> None:
    sheets = re.findall(r'href="(/static/[0-9a-f]{12}/css/[a-z]+\.css)"', client.get("/sign-in").text)
    assert len(sheets) > 10
    for sheet in sheets:
        with client.get(sheet) as answer:
            assert answer.status_code == 200
            assert YEAR in answer.headers["Cache-Control"]
            assert "immutable" in answer.headers["Cache-Control"]


def test_an_old_address_still_answers_and_is_not_kept(client: FlaskClient) -> None:
    with client.get("/static/000000000000/css/base.css") as answer:
        assert answer.status_code == 200
        assert YEAR not in answer.headers["Cache-Control"]
    assert client.get("/static/000000000000/../../wsgi.py").status_code == 404


def test_another_file_is_another_address(tmp_path: Path) -> None:
    def address() -> str:
        app = Flask(__name__, static_folder=None)
        files.install(app, tmp_path)
        with app.test_request_context():
            return app.url_for("static", filename="one.css")

    (tmp_path / "one.css").write_text("p { margin: 0 }")
    before = address()
    assert before == address()
    (tmp_path / "one.css").write_text("p { margin: 1px }")
    assert address() != before
