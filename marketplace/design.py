"""The design system, shown whole at `/design`, from the same macros that every page uses."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response
from wtforms import (
    BooleanField,
    DateField,
    FileField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    widgets,
)
from wtforms.validators import InputRequired, Length, Optional, Regexp

from marketplace.i18n import gettext as _
from marketplace.web import Form, page, public

bp = Blueprint("design", __name__)

NAMES = {
    "expert": "Ana Okafor",
    "lawyer": "Ben Whitfield",
    "engineer": "Ines Duarte",
    "approver": "Carla Reyes",
    "preparer": "Fin Larsen",
    "releaser": "Gil Santos",
    "client": "Northlight Labs",
    "firm": "Harrow & Pike",
}
MISTAKEN = {"faulty-rate": "12,3,4", "faulty-domain": "law", "faulty-method": "hourly", "faulty-brief": "?"}


@bp.get("/design")
@public
def index() -> Response:
    """The type, the colours and every part, in all of their states."""
    faulty = demo_form("faulty-", MultiDict(MISTAKEN))
    faulty.validate()
    return page("design/index.html", form=demo_form("demo-", None), faulty=faulty, names=NAMES)


def demo_form(prefix: str, sent: MultiDict[str, str] | None) -> Form:
    """One field of each kind in the reader's language; it is shown and never stored."""

    class DemoForm(Form):
        title = StringField(_("Title of the gig"), [InputRequired(_("Give the gig a title."))])
        rate = StringField(
            _("Rate for an hour"),
            [InputRequired(), Regexp(r"^\d+(\.\d\d)?$", message=_("Write it as 120 or 120.00."))],
        )
        domain = SelectField(_("Domain"), choices=_domains())
        method = RadioField(_("How the work is paid"), choices=_methods(), default="hourly")
        skills = SelectMultipleField(
            _("What the work asks for"),
            choices=_skills(),
            default=["critique"],
            widget=widgets.ListWidget(prefix_label=False),
            option_widget=widgets.CheckboxInput(),
        )
        starts_on = DateField(_("First day"), [Optional()])
        brief = TextAreaField(
            _("Brief"), [Length(min=20, message=_("Say a little more: 20 letters at least."))]
        )
        evidence = FileField(_("Evidence"))
        agreed = BooleanField(
            _("I may share these documents with the expert"),
            [InputRequired(_("Tick this once you have checked that you may share them."))],
        )

    return DemoForm(formdata=sent, prefix=prefix, meta={"csrf": False})


def _domains() -> dict[str, str]:
    return {"medicine": _("Medicine"), "law": _("Law"), "engineering": _("Engineering")}


def _methods() -> dict[str, str]:
    return {"hourly": _("By the hour"), "fixed": _("One amount for the whole")}


def _skills() -> dict[str, str]:
    return {
        "critique": _("Critique"),
        "rewrite": _("Rewriting"),
        "reasoning": _("Step-by-step reasoning"),
    }
