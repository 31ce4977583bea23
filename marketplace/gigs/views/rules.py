"""What operators say of the rules of matching: the tree of domains, and how much each criterion counts."""

from __future__ import annotations

from flask import abort, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.actor import Role
from marketplace.gigs.views import bp
from marketplace.gigs.views.forms_rules import DomainForm, NewDomainForm, WeightsForm, level_title
from marketplace.i18n import gettext as _
from marketplace.matching import domains as tree
from marketplace.matching import history, rule_changes, rules
from marketplace.matching.tree import Level
from marketplace.web import actor, db_session, guard, page

LAST = 20


@bp.route("/domains", methods=["GET", "POST"])
@guard(Role.OPERATOR)
def domains() -> ResponseReturnValue:
    """The whole tree, and a form that adds to it."""
    form = NewDomainForm()
    code = form.once(
        lambda: rule_changes.add_domain(
            db_session(), actor(), form.draft(), Level(form.level.data), form.reason.data or "", form.version
        ),
    )
    if code is not None:
        flash(_("It can be chosen from now on."), "success")
        return redirect(url_for("gigs.domain", code=code), 303)
    return page(
        "gigs/domains.html",
        form=form,
        groups=[[tree.tree().domains[code] for code in tree.sorted_within(group)] for group in tree.groups()],
        level_title=level_title,
    )


@bp.route("/domains/<code>", methods=["GET", "POST"])
@guard(Role.OPERATOR)
def domain(code: str) -> ResponseReturnValue:
    """One domain, and the form that changes it."""
    found = tree.find(code) or abort(404)
    form = DomainForm.of(found)
    made = form.once(
        lambda: rule_changes.change_domain(
            db_session(), actor(), code, form.draft(), form.reason.data or "", form.version
        ),
    )
    if made is not None:
        saved = _("Saved. It counts from now on, and everybody can read that it was changed.")
        flash(saved if made else _("Nothing was changed: it is as it was."), "success" if made else "info")
        return redirect(url_for("gigs.domain", code=code), 303)
    return page(
        "gigs/domain.html",
        form=form,
        domain=found,
        path=tree.tree().path(code)[:-1],
        parts=[tree.tree().domains[each] for each in tree.tree().inside(code)],
        level_title=level_title,
    )


@bp.route("/weights", methods=["GET", "POST"])
@guard(Role.OPERATOR)
def weights() -> ResponseReturnValue:
    """How much each criterion counts, the form that changes it, and what was changed before."""
    form = WeightsForm(**vars(rules.current().weights))
    made = form.once(
        lambda: rule_changes.set_weights(
            db_session(), actor(), form.weights(), form.reason.data or "", form.version
        ),
    )
    if made is not None:
        flash(_("From now on everybody is compared by these weights. The change is public."), "success")
        return redirect(url_for("gigs.weights"), 303)
    return page("gigs/weights.html", form=form, changes=history.changes(db_session(), LAST), last=LAST)
