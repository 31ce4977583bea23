"""How matching works, for everybody: what decides, what counts how much, and what never enters."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from marketplace.gigs.views import bp
from marketplace.matching import about
from marketplace.matching.criteria import WEIGHTS_VERSION
from marketplace.web import page, public


@bp.get("/how-matching-works")
@public
def how() -> ResponseReturnValue:
    """The criteria and the weights in use."""
    return page("gigs/how.html", musts=about.musts(), merits=about.merits(), version=WEIGHTS_VERSION)
