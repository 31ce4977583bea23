"""What people fill in about gigs. Shape only: the use cases know the rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    FieldList,
    FormField,
    HiddenField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from marketplace.accounts.people import countries
from marketplace.credentials import jurisdictions, types
from marketplace.credentials.gate import Requirement
from marketplace.gigs import words
from marketplace.gigs.drafts import MOST_REQUIREMENTS, GigDraft
from marketplace.gigs.models import ExpertProfile, Gig, GigRequirement
from marketplace.gigs.profiles import ProfileDraft, version_of
from marketplace.gigs.projects import ProjectDraft
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.states import Kept, Owner, TaskKind
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.matching import domains
from marketplace.matching.zones import WORKING_HOURS
from marketplace.money import Money
from marketplace.reasons import codes
from marketplace.web import Form, Part, day_field, money_field

LINE, PARAGRAPH, LONG = Length(max=200), Length(max=4_000), Length(max=20_000)
FILL_IN = InputRequired(lazy("Fill this in."))
HOURS = NumberRange(1, 80, lazy("Give between 1 and 80 hours."))
# What a gig's form shows as the gig keeps it.
PLAIN = (
    "title", "domain", "description", "guidelines", "trains", "used_in", "secrecy", "hours_per_week",
    "headcount", "languages", "countries", "time_zone", "shared_hours", "starts_on", "ends_on",
)  # fmt: skip
AGES = (30, 60, 120, 365)
# The answer that the work is for no use that some refuse.
NONE = "none"


class Checkboxes(SelectMultipleField):
    """Several answers, each with a box to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


def none_or_some(form: Any, field: Any) -> None:
    """Refuse an answer that says both."""
    if NONE in (field.data or ()) and len(field.data) > 1:
        raise ValidationError(_("Choose either some of them, or none."))


class ProfileForm(Form):
    """An expert's profile. `version` is the one that was opened."""

    version = HiddenField()
    headline = StringField(lazy("Headline"), [FILL_IN, LINE])
    about = TextAreaField(lazy("About you"), [Optional(), PARAGRAPH])
    domains = Checkboxes(lazy("Domains"))
    skills = StringField(lazy("Skills"), [Optional(), Length(max=500)])
    languages = Checkboxes(lazy("Languages that you write well"))
    refusals = Checkboxes(lazy("Uses of your work that you refuse"))
    min_rate = money_field(lazy("The least you work for, an hour"))
    hours_per_week = IntegerField(lazy("Hours a week that you can give"), [FILL_IN, HOURS])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.domain_groups = domains.choices(self.domains.object_data or ())
        self.domains.choices = [each for _group, inside in self.domain_groups for each in inside]
        self.languages.choices = words.language_choices()
        self.refusals.choices = words.use_choices()

    @classmethod
    def of(cls, profile: ExpertProfile | None, **instead: Any) -> ProfileForm:
        """The form with what is kept; English to begin with."""
        if profile is None:
            return cls(languages=["en"], version=version_of(None))
        return cls(
            version=version_of(profile),
            headline=profile.headline,
            about=profile.about,
            domains=profile.domains,
            skills=", ".join(profile.skills),
            languages=profile.languages,
            refusals=profile.refusals,
            min_rate=Money(profile.min_rate, profile.currency),
            hours_per_week=profile.hours_per_week,
            **instead,
        )

    def outdated(self, fields: Iterable[str], elsewhere: Iterable[str], profile: ExpertProfile) -> None:
        """Say beside `fields` what the profile says by now. Sent again, the form replaces that; what was only
        changed `elsewhere` is taken over."""
        now = ProfileForm.of(profile, formdata=None)
        self.version.data = now.version.data
        for name in elsewhere:
            self[name].process(None, now[name].data)
        for name in fields:
            what = _shown(now[name]) or _("nothing")
            self[name].errors = [*self[name].errors, _("Your profile says now: %(what)s", what=what)]

    def draft(self) -> ProfileDraft:
        """What was filled in."""
        return ProfileDraft(
            headline=self.headline.data or "",
            about=self.about.data or "",
            domains=tuple(self.domains.data or ()),
            skills=tuple((self.skills.data or "").split(",")),
            languages=tuple(self.languages.data or ()),
            min_rate=self.min_rate.data,
            hours_per_week=self.hours_per_week.data or 0,
            refusals=tuple(self.refusals.data or ()),
        )


class ProjectForm(Form):
    """A new project."""

    name = StringField(lazy("Name"), [FILL_IN, LINE])
    summary = TextAreaField(lazy("What it is for"), [Optional(), PARAGRAPH])
    purchase_order = StringField(lazy("Purchase order"), [Optional(), LINE])
    cost_centre = StringField(lazy("Cost centre"), [Optional(), LINE])

    def draft(self, currency: str) -> ProjectDraft:
        """What was filled in, in the currency of the books."""
        return ProjectDraft(
            name=self.name.data or "",
            summary=self.summary.data or "",
            currency=currency,
            purchase_order=self.purchase_order.data,
            cost_centre=self.cost_centre.data,
        )


class RequirementForm(Part):
    """One credential that a gig asks for; none while `type` is empty."""

    type = SelectField(lazy("Credential"))
    jurisdiction = SelectField(lazy("Issued in"))
    level = SelectField(lazy("How it was checked"), coerce=int, default=4)
    max_age_days = SelectField(lazy("Checked within"), coerce=int, default=0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [(each.code, types.title(each.code)) for each in types.ALL if each.offered]
        self.type.choices = [("", _("None")), *offered]
        places = dict.fromkeys(place for each in types.ALL for place in each.places)
        self.jurisdiction.choices = [
            ("", _("Anywhere")),
            *((each, jurisdictions.name(each)) for each in places),
        ]
        self.level.choices = [(each, words.level(each)) for each in reversed(words.LEVELS)]
        self.max_age_days.choices = [(0, _("Any time")), *((n, _("%(n)s days", n=n)) for n in AGES)]

    def requirement(self) -> Requirement | None:
        """What was filled in, if anything was."""
        if not self.type.data:
            return None
        place, age = self.jurisdiction.data or None, self.max_age_days.data or None
        return Requirement(self.type.data, place, self.level.data, age)


class GigForm(Form):
    """A gig. Only its title is needed until it is published. `version` is the gig's that was opened."""

    version = HiddenField()
    title = StringField(lazy("Title"), [FILL_IN, LINE])
    domain = SelectField(lazy("Domain"), [Optional()])
    task_kind = SelectField(lazy("Kind of task"), [Optional()])
    description = TextAreaField(lazy("What is to be done"), [Optional(), PARAGRAPH])
    guidelines = TextAreaField(lazy("Guidelines"), [Optional(), LONG])
    trains = TextAreaField(lazy("What the work trains"), [Optional(), PARAGRAPH])
    used_in = TextAreaField(lazy("What it may be used in"), [Optional(), PARAGRAPH])
    owned_by = SelectField(lazy("Who owns it once it is paid"), [Optional()])
    kept_for = SelectField(lazy("How long it is kept"), [Optional()])
    uses = Checkboxes(lazy("Is the work for any of these?"), [none_or_some])
    secrecy = TextAreaField(lazy("What has to stay secret"), [Optional(), PARAGRAPH])
    questions = TextAreaField(lazy("Questions to applicants"), [Optional(), PARAGRAPH])
    rate_min = money_field(lazy("Lowest rate, an hour"), required=False)
    rate_max = money_field(lazy("Highest rate, an hour"), required=False)
    hours_per_week = IntegerField(lazy("Hours a week from each person"), [Optional(), HOURS])
    headcount = IntegerField(
        lazy("People"), [Optional(), NumberRange(1, 10_000, lazy("Give between 1 and 10,000 people."))]
    )
    languages = Checkboxes(lazy("Languages"))
    countries = Checkboxes(lazy("Countries"))
    time_zone = SelectField(lazy("Time zone"), [Optional()])
    shared_hours = SelectField(lazy("Working hours in common, a day"), coerce=int, default=0)
    skills = StringField(lazy("Skills"), [Optional(), Length(max=500)])
    starts_on = day_field(lazy("First day"), required=False)
    ends_on = day_field(lazy("Last day"), required=False)
    test = SelectField(lazy("Paid test"), [Optional()])
    same_person = BooleanField(
        lazy("The same person each week: submitting asks for the passkey enrolled at the identity check")
    )
    requirements = FieldList(
        FormField(RequirementForm), min_entries=MOST_REQUIREMENTS, max_entries=MOST_REQUIREMENTS
    )

    def __init__(
        self, *args: Any, currency: str, tests: Iterable[QualificationTest] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.tests = {str(each.public_id): each for each in tests}
        asked = ((key, each.title) for key, each in self.tests.items())
        self.test.choices = [("", _("None")), *asked]
        groups = dict(domains.choices([self.domain.object_data or ""]))
        self.domain.choices = {_("Not chosen yet"): [("", _("Choose one"))], **groups}
        self.task_kind.choices = [("", _("Choose one")), *words.task_choices()]
        self.time_zone.choices = {_("Not chosen"): [("", _("Any time zone"))], **words.zone_groups()}
        hours = range(1, WORKING_HOURS + 1)
        self.shared_hours.choices = [(0, _("None")), *((n, str(n)) for n in hours)]
        self.languages.choices = words.language_choices()
        self.countries.choices = list(countries().items())
        self.owned_by.choices = [("", _("Choose one")), *words.owner_choices()]
        self.kept_for.choices = [("", _("Choose one")), *words.kept_choices()]
        self.uses.choices = [*words.use_choices(), (NONE, _("None of these"))]
        self.rate_min.currency = self.rate_max.currency = currency

    @classmethod
    def of(cls, gig: Gig, tests: Iterable[QualificationTest] = ()) -> GigForm:
        """The form with what is kept."""
        currency = gig.project.currency
        plain = {name: getattr(gig, name) for name in PLAIN}
        return cls(
            **plain,
            skills=", ".join(gig.skills),
            owned_by=gig.owned_by or "",
            kept_for=gig.kept_for or "",
            questions="\n".join(gig.questions),
            uses=gig.uses or ([] if gig.uses is None else [NONE]),
            task_kind=gig.task_kind.value if gig.task_kind else "",
            rate_min=_money(gig.rate_min, currency),
            rate_max=_money(gig.rate_max, currency),
            requirements=[_asked(each) for each in gig.requirements],
            test=str(gig.test.public_id) if gig.test else "",
            same_person=gig.same_person,
            tests=tests,
            version=str(gig.version),
            currency=currency,
        )

    @classmethod
    def typed(
        cls,
        fields: Iterable[Iterable[str]],
        currency: str,
        *,
        tests: Iterable[QualificationTest] = (),
        csrf: bool = True,
    ) -> GigForm:
        """The form as somebody left it, whether or not it makes sense; without `csrf` only to be read."""
        sent = MultiDict([(name, value) for name, value in fields])
        return cls(sent, currency=currency, tests=tests, meta={"csrf": csrf})

    @property
    def opened(self) -> int | None:
        """The version of the gig that was changed, None if the form does not say."""
        said = self.version.data or ""
        return int(said) if said.isdecimal() and len(said) < 10 else None

    def draft(self) -> GigDraft:
        """What was filled in."""
        asked = (each.form.requirement() for each in self.requirements if not each.form.errors)
        test = self.tests.get(self.test.data or "")
        return GigDraft(
            title=self.title.data or "",
            domain=self.domain.data or None,
            task_kind=TaskKind(self.task_kind.data) if self.task_kind.data else None,
            description=self.description.data or "",
            guidelines=self.guidelines.data or "",
            trains=self.trains.data or "",
            used_in=self.used_in.data or "",
            owned_by=Owner(self.owned_by.data) if self.owned_by.data else None,
            kept_for=Kept(self.kept_for.data) if self.kept_for.data else None,
            secrecy=self.secrecy.data or "",
            questions=tuple((self.questions.data or "").splitlines()),
            uses=tuple(each for each in self.uses.data if each != NONE) if self.uses.data else None,
            rate_min=_amount(self.rate_min.data),
            rate_max=_amount(self.rate_max.data),
            hours_per_week=self.hours_per_week.data,
            headcount=self.headcount.data,
            languages=tuple(self.languages.data or ()),
            countries=tuple(self.countries.data or ()),
            time_zone=self.time_zone.data or None,
            shared_hours=self.shared_hours.data or 0,
            skills=tuple((self.skills.data or "").split(",")),
            starts_on=self.starts_on.data,
            ends_on=self.ends_on.data,
            requirements=tuple(each for each in asked if each is not None),
            test_id=test.id if test else None,
            same_person=bool(self.same_person.data),
        )

    def readable(self) -> GigDraft:
        """What of it makes sense as it stands, the rest as if it were not said. Uses the form up."""
        self.validate()
        for field in self:
            if field.errors and field is not self.requirements:
                field.data = None
        return self.draft()


class AnswerForm(Part):
    """An answer to one of the gig's questions."""

    question = HiddenField()
    answer = TextAreaField(lazy("Your answer"), [Length(max=2_000)])


class ApplyForm(Form):
    """A note to the client, and the answers to what they ask."""

    note = TextAreaField(lazy("A note to the client"), [Optional(), PARAGRAPH])
    answers = FieldList(FormField(AnswerForm))

    def ask(self, questions: Iterable[str]) -> ApplyForm:
        """The same form with the questions as they are now, and what was typed for each of them."""
        typed, errors = self.typed(), [list(each.form.answer.errors) for each in self.answers]
        while self.answers.entries:
            self.answers.pop_entry()
        for place, question in enumerate(questions):
            entry = self.answers.append_entry({"question": question, "answer": typed.get(question, "")})
            entry.form.answer.errors = errors[place] if place < len(errors) else []
        return self

    def typed(self) -> dict[str, str]:
        """Each question with its answer."""
        return {each.form.question.data or "": each.form.answer.data or "" for each in self.answers}


class DeclineForm(Form):
    """Why an application is declined."""

    reason_code = SelectField(lazy("Reason"), [FILL_IN])
    explanation = TextAreaField(lazy("Explain it to the expert"), [FILL_IN, PARAGRAPH])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reason_code.choices = codes.choices("application")


def _shown(field: Any) -> str:
    """What is filled in, in words."""
    if isinstance(field, Checkboxes):
        return ", ".join(option.label.text.strip() for option in field if option.checked)
    return str(field._value())


def _asked(row: GigRequirement) -> dict[str, Any]:
    return {
        "type": row.type,
        "jurisdiction": row.jurisdiction or "",
        "level": row.level,
        "max_age_days": row.max_age_days or 0,
    }


def _amount(data: Money | None) -> int | None:
    return data.amount if data is not None else None


def _money(amount: int | None, currency: str) -> Money | None:
    return Money(amount, currency) if amount is not None else None
