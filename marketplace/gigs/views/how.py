"""How matching works, for everybody: what decides, what counts how much, and what never enters."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from marketplace.gigs.views import bp
from marketplace.matching import about, history, rules
from marketplace.web import db_session, page, public

LAST = 20


@bp.get("/how-matching-works")
@public
def how() -> ResponseReturnValue:
    """The criteria and the weights in use, and what was changed in the rules lately."""
    return page(
        "gigs/how.html",
        musts=about.musts(),
        merits=about.merits(),
        version=rules.current().version,
        changes=history.changes(db_session(), LAST),
    )
