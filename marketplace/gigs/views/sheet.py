"""The sheet on which a gig is written: its form, what was typed there before, and who fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import request, url_for
from flask.typing import ResponseReturnValue

from marketplace.gigs import autosaves, eligible, words
from marketplace.gigs.drafts import GigDraft
from marketplace.gigs.forms import GigForm
from marketplace.gigs.models import Autosave, Gig, Project
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.qualification.queries import to_choose
from marketplace.web import actor, db_session, page


@dataclass(frozen=True)
class Sheet:
    """For a gig, or for a new one in a project."""

    project: Project
    gig: Gig | None = None

    def form(self) -> GigForm:
        """As it was sent; else as it was left, unsaved; else as the gig is kept."""
        kept = self.kept()
        if kept and request.method == "GET":
            return GigForm.typed(kept.fields, self.project.currency, tests=self.tests())
        if self.gig:
            return GigForm.of(self.gig, self.tests())
        return GigForm(currency=self.project.currency, languages=["en"], tests=self.tests())

    def page(self, form: GigForm) -> ResponseReturnValue:
        """The page with the form."""
        kept = self.kept()
        return page(
            "gigs/edit.html",
            form=form,
            project=self.project,
            gig=self.gig,
            countries=words.country_groups(),
            reach=self.reach(),
            kept=kept if request.method == "GET" else None,
            others=autosaves.by_others(db_session(), actor(), self.gig) if self.gig else (),
            autosave={"url": self._autosave_url(), "version": kept.version if kept else 0},
        )

    def reach(self) -> eligible.Reach:
        """Who fits what stands in the form."""
        form = self.form()
        said = form.readable() if form.is_submitted() or self.kept() else form.draft()
        return eligible.reach(db_session(), self.project, said)

    def waiting(self) -> GigDraft | None:
        """What waits to be published, None when nothing does or when it makes no sense any more."""
        kept = self.kept()
        if kept is None:
            return None
        form = GigForm.typed(kept.fields, self.project.currency, tests=self.tests(), csrf=False)
        return form.draft() if form.validate() else None

    def tests(self) -> Sequence[QualificationTest]:
        """The paid tests that the gig may ask for."""
        return to_choose(db_session(), self.project, self.gig)

    def kept(self) -> Autosave | None:
        """What the reader typed here and did not save."""
        return autosaves.find_kept(db_session(), actor(), self.project, self.gig)

    def _autosave_url(self) -> str:
        if self.gig:
            return url_for("gigs.gig_autosave", gig_id=self.gig.public_id)
        return url_for("gigs.autosave", project_id=self.project.public_id)
