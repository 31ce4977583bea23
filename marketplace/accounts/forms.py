"""What people fill in about themselves. Shape only: the use cases know the rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wtforms import EmailField, HiddenField, PasswordField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]
from wtforms.validators import InputRequired, Length

from marketplace import clock
from marketplace.accounts.models import Organization
from marketplace.accounts.people import countries
from marketplace.accounts.registering import CLIENT, EXPERT
from marketplace.actor import FINANCE, Role
from marketplace.i18n import gettext, lazy
from marketplace.web import Form

LONGEST = 254
FILL_IN = lazy("Fill this in.")
NAMES = {
    Role.EXPERT: lazy("Expert"),
    Role.CLIENT_ADMIN: lazy("Admin"),
    Role.CLIENT_APPROVER: lazy("Approver"),
    Role.FINANCE_PREPARER: lazy("Finance, prepares"),
    Role.FINANCE_RELEASER: lazy("Finance, releases"),
    Role.REVIEWER: lazy("Reviewer"),
    Role.OPERATOR: lazy("Operator"),
}

WITHIN = (Role.CLIENT_APPROVER, Role.CLIENT_ADMIN)


def text(label: str, kind: type[Any] = StringField, most: int = LONGEST, **attributes: Any) -> Any:
    """An input that has to be filled in; `attributes` go to the HTML."""
    checks = [InputRequired(FILL_IN), Length(max=most, message=lazy("This is too long."))]
    return kind(label, validators=checks, render_kw=attributes)


def email_field() -> Any:
    """An input for one's own address, which the browser can fill in."""
    return text(lazy("E-mail address"), EmailField, autocomplete="username", spellcheck="false")


def new_password_field() -> Any:
    """An input for a password that is being chosen; any length is let through to the rule that explains."""
    return text(lazy("Password"), PasswordField, most=10_000, autocomplete="new-password")


def password_field(label: str) -> Any:
    """An input for the present password."""
    return text(label, PasswordField, most=10_000, autocomplete="current-password")


def code_field(label: str) -> Any:
    """An input for a one-time code."""
    return text(
        label,
        most=60,
        autocomplete="one-time-code",
        inputmode="text",
        spellcheck="false",
        autocapitalize="off",
    )


class _Places(Form):
    """Country and zone to choose from, in the reader's language."""

    country = SelectField(lazy("Country"), validators=[InputRequired(FILL_IN)])
    time_zone = SelectField(lazy("Time zone"), validators=[InputRequired(FILL_IN)])

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.country.choices = _choose(gettext("Choose a country"), countries().items())
        self.time_zone.choices = _choose(gettext("Choose a time zone"), _zones())


class RegisterForm(_Places):
    """A new expert, or a new client with their company."""

    wants = RadioField(
        lazy("What brings you here?"),
        choices=[
            SelectChoice(EXPERT, lazy("I am an expert")),
            SelectChoice(CLIENT, lazy("I look for experts")),
        ],
        validators=[InputRequired(lazy("Choose one of the two."))],
    )
    full_name = text(lazy("Full name"), most=200, autocomplete="name")
    organization_name = StringField(
        lazy("Company"), validators=[Length(max=200)], render_kw={"autocomplete": "organization"}
    )
    email = email_field()
    password = new_password_field()


class SignInForm(Form):
    """An address and a password."""

    email = email_field()
    password = password_field(lazy("Password"))
    next = HiddenField()


class VerifyForm(Form):
    """The password chosen at registration."""

    password = password_field(lazy("Password"))


class AddressForm(Form):
    """Where to mail a link."""

    email = email_field()


class NewPasswordForm(Form):
    """A password to set."""

    password = new_password_field()


class ChangePasswordForm(Form):
    """The old password and a new one."""

    old_password = password_field(lazy("Present password"))
    password = new_password_field()


class CodeForm(Form):
    """Six digits or a recovery code; or the answer of a passkey, which the browser fills in."""

    code = code_field(lazy("Code"))
    next = HiddenField()


class PasskeyForm(Form):
    """What the browser says about a passkey, put there by `static/js/passkey.js`."""

    answer = HiddenField()
    label = StringField(lazy("Name"), validators=[Length(max=100)])
    next = HiddenField()


class NewAppForm(Form):
    """A first code from the app, and what to call it."""

    code = code_field(lazy("The six digits that it shows"))
    label = StringField(lazy("Name"), validators=[Length(max=100)])
    next = HiddenField()


class TimeZoneForm(Form):
    """The zone in which times are shown."""

    time_zone = SelectField(lazy("Time zone"))

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.time_zone.choices = [SelectChoice(zone, name) for zone, name in _zones()]


class InviteForm(Form):
    """A colleague, and what they may do."""

    email = text(lazy("E-mail address"), EmailField, autocomplete="off", spellcheck="false")
    role = RadioField(
        lazy("Role"),
        choices=[SelectChoice(role.value, NAMES[role]) for role in WITHIN],
        validators=[InputRequired(FILL_IN)],
    )


class FirstAdminForm(Form):
    """Who is to administer a client that nobody administers yet."""

    email = text(lazy("E-mail address"), EmailField, autocomplete="off", spellcheck="false")


class JoinForm(_Places):
    """Who accepts an invitation and is new here."""

    full_name = text(lazy("Full name"), most=200, autocomplete="name")
    password = new_password_field()


class GrantForm(Form):
    """A role of the site itself, to give to a person."""

    role = SelectField(lazy("Role"), validators=[InputRequired(FILL_IN)])

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        offered = (*sorted(FINANCE), Role.REVIEWER, Role.OPERATOR)
        self.role.choices = [SelectChoice(role.value, NAMES[role]) for role in offered]


class MemberRoleForm(Form):
    """A role within an organization, to give to one of its people."""

    role = SelectField(lazy("Role"), choices=[SelectChoice(role.value, NAMES[role]) for role in WITHIN])


def role_name(role: Role | None, organization: Organization | None = None) -> str:
    """What a role is called on a page, with the organization if it is held within one."""
    name = str(NAMES[role]) if role else ""
    return f"{name}, {organization.name}" if organization else name


def _choose(first: str, pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    return [SelectChoice("", first), *(SelectChoice(value, name) for value, name in pairs)]


def _zones() -> list[tuple[str, str]]:
    """Zones named by a city, which is how people know theirs."""
    named = (zone for zone in clock.zones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))
    return [("UTC", "UTC"), *((zone, zone.replace("_", " ")) for zone in sorted(named))]
