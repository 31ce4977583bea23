"""What a client's administrator fills in about a project that runs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from wtforms import StringField
from wtforms.validators import Length, Optional

from marketplace.gigs.billing import LONGEST
from marketplace.gigs.models import Gig, Project
from marketplace.i18n import lazy
from marketplace.web import Form

SHORT = Length(max=LONGEST)


class BillingForm(Form):
    """The project's numbers; made by `of` with an input for each gig, called by its public id."""

    purchase_order = StringField(lazy("Purchase order"), [Optional(), SHORT])
    cost_centre = StringField(lazy("Cost centre"), [Optional(), SHORT])

    @classmethod
    def of(cls, project: Project, gigs: Sequence[Gig]) -> BillingForm:
        """The form with what is kept."""
        own = {str(gig.public_id): StringField(gig.title, [Optional(), SHORT]) for gig in gigs}
        kept = {str(gig.public_id): gig.cost_centre for gig in gigs}
        form: BillingForm = type("BillingForm", (cls,), own)(
            data={**kept, "purchase_order": project.purchase_order, "cost_centre": project.cost_centre}
        )
        return form

    def of_gigs(self, gigs: Sequence[Gig]) -> dict[uuid.UUID, str | None]:
        """What was filled in for each gig."""
        return {gig.public_id: self[str(gig.public_id)].data for gig in gigs}
