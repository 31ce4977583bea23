"""What a page of gigs could at best cost: Flask, one indexed query, the same list; nobody signs in.

Served by gunicorn as the site is, by `python -m tests.bench.bare PORT`.
"""

from __future__ import annotations

import sys

import sqlalchemy as sa
from flask import Flask, render_template
from sqlalchemy.orm import joinedload

from marketplace import embedded, settings
from marketplace.app import create_app
from marketplace.cli.serve import Site, options
from marketplace.db import new_session
from marketplace.gigs.finding.lists import Suited
from marketplace.gigs.models import Gig, Project
from marketplace.gigs.states import GigState

LIST = "{% from 'gigs/_cards.html' import cards with context %}{{ cards(rows) }}"


class Bare(Site):
    """The same server with nothing but the list."""

    def load(self) -> Flask:
        chosen = settings.current()
        site, url = create_app(chosen), embedded.ensure(chosen).app_url
        bare = Flask(__name__)
        bare.jinja_env = site.jinja_env
        bare.add_url_rule("/gigs/<uuid:gig_id>", "gigs.show")
        for words in site.template_context_processors["gigs"]:
            bare.context_processor(words)

        page = bare.jinja_env.from_string(LIST)

        @bare.get("/")
        def gigs() -> str:
            query = (
                sa.select(Gig)
                .where(Gig.state == GigState.PUBLISHED)
                .order_by(Gig.id.desc())
                .limit(20)
                .options(
                    joinedload(Gig.project).joinedload(Project.organization), joinedload(Gig.requirements)
                )
            )
            with new_session(url) as session:
                rows = [Suited(gig, None) for gig in session.scalars(query).unique()]
                return render_template(page, rows=rows)

        return bare


if __name__ == "__main__":
    Bare(options(settings.current(), f"127.0.0.1:{sys.argv[1]}")).run()
