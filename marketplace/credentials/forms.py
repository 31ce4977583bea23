"""What experts and reviewers fill in about a credential. Shape only: the use cases know the rules."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask_wtf.file import FileField
from wtforms import Field, RadioField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]
from wtforms.validators import InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from marketplace.credentials import jurisdictions, types
from marketplace.credentials.lapses import REASONS
from marketplace.credentials.models import Credential
from marketplace.credentials.states import Standing, standing_word
from marketplace.credentials.types import Ask, CredentialType
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy
from marketplace.reasons import codes
from marketplace.storage import Upload
from marketplace.web import Form, day_field

FILL_IN = lazy("Fill this in.")
LINE, PARAGRAPH = Length(max=200), Length(max=4_000)


class ClaimForm(Form):
    """A new credential; `claim_form` adds what its type needs."""

    def upload(self) -> Upload | None:
        """The file that was sent, if one was."""
        return upload_of(self._fields.get("document"))

    def value(self, name: str) -> Any:
        """What was filled in for `name`, None when the type does not ask for it."""
        field = self._fields.get(name)
        return field.data if field else None


def claim_form(kind: CredentialType, name: str) -> ClaimForm:
    """The form for one type, asking nothing that the type does not need; `name` is the expert's own."""
    fields: dict[str, Any] = {}
    if len(kind.places) > 1:
        fields["jurisdiction"] = SelectField(
            _("Issued in"), choices=_places(kind), validators=[InputRequired(FILL_IN)]
        )
    if kind.number is not None:
        fields["identifier"] = StringField(
            kind.number, description=kind.hint, validators=[InputRequired(FILL_IN), LINE]
        )
    fields["name_on_register"] = StringField(
        _("Your name as the register shows it"), default=name, validators=[InputRequired(FILL_IN), LINE]
    )
    if kind.expires:
        fields["expires_on"] = day_field(_("Last day on which it is valid"))
    if kind.document is not Ask.NO:
        fields["document"] = document_field(required=kind.document is Ask.MUST)
    form: ClaimForm = type("ClaimFormOfType", (ClaimForm,), fields)()
    return form


def document_field(*, required: bool = False) -> FileField:
    """An input for a copy of the document."""
    validators = [InputRequired(_("Choose a file."))] if required else []
    return FileField(_("A copy of the document"), validators=validators, description=_("PDF, PNG or JPEG."))


def upload_of(field: Field | None) -> Upload | None:
    """The file in a field, None when none was chosen."""
    if field is None or not field.data or not field.data.filename:
        return None
    return Upload(field.data.filename, field.data.read())


class AgainForm(Form):
    """A credential sent again, with the answer to a question if one was asked."""

    answer = TextAreaField(lazy("Your answer"), validators=[PARAGRAPH])
    expires_on = day_field(lazy("Last day on which it is valid"), required=False)
    document = FileField(lazy("A copy of the document"), description=lazy("PDF, PNG or JPEG."))

    @classmethod
    def for_credential(cls, credential: Credential) -> AgainForm:
        """Only with the inputs that this one needs."""
        kind, form = types.TYPES[credential.type], cls(expires_on=credential.expires_on)
        if credential.question is None:
            del form.answer
        if not kind.expires:
            del form.expires_on
        if kind.document is Ask.NO:
            del form.document
        return form

    def value(self, name: str) -> Any:
        """What was filled in for `name`, None when it was not asked."""
        field = self._fields.get(name)
        return field.data if field else None


class AttestForm(Form):
    """What a reviewer saw agree at the source."""

    source_url = StringField(lazy("Address of the page where you saw it"), validators=[LINE])
    source_as_of = day_field(lazy("The source is as of"), required=False)
    agreed = SelectMultipleField(
        lazy("What agrees"),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    valid_to = day_field(lazy("Last day on which it is valid"), required=False)
    note = TextAreaField(lazy("Note for colleagues"), validators=[PARAGRAPH])

    @classmethod
    def for_credential(cls, credential: Credential) -> AttestForm:
        """With the checklist of its type, nothing ticked."""
        kind = types.TYPES[credential.type]
        form = cls(prefix="attest-", valid_to=credential.expires_on)
        form.agreed.choices = [SelectChoice(name, types.agreement(name)) for name in kind.agree]
        if not kind.expires:
            del form.valid_to
        return form

    def last_day(self) -> date | None:
        """The last day of validity, None when the type does not expire."""
        field = self._fields.get("valid_to")
        return field.data if field else None


class RejectForm(Form):
    """Why a claim is not accepted."""

    reason_code = SelectField(lazy("Reason"), validators=[InputRequired(FILL_IN)])
    explanation = TextAreaField(
        lazy("Explanation to the expert"), validators=[InputRequired(FILL_IN), PARAGRAPH]
    )
    source_url = StringField(lazy("Address of the page where you saw it"), validators=[LINE])

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(prefix="reject-", **kwargs)
        self.reason_code.choices = codes.choices("credential")


class QuestionForm(Form):
    """What a reviewer needs to know before deciding."""

    question = TextAreaField(lazy("Your question"), validators=[InputRequired(FILL_IN), PARAGRAPH])

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(prefix="ask-", **kwargs)


class LapseForm(Form):
    """What a source says now of a credential that was verified before."""

    standing = RadioField(lazy("What the source says"), validators=[InputRequired(FILL_IN)])
    source_url = StringField(
        lazy("Address of the page where you saw it"), validators=[InputRequired(FILL_IN), LINE]
    )
    explanation = TextAreaField(
        lazy("Explanation to the expert"), validators=[InputRequired(FILL_IN), PARAGRAPH]
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.standing.choices = [SelectChoice(each.value, standing_word(each)) for each in REASONS]

    def found(self) -> Standing:
        """The choice made."""
        return Standing(self.standing.data)


def _places(kind: CredentialType) -> list[SelectChoice]:
    named = sorted(((code, jurisdictions.name(code)) for code in kind.places), key=lambda pair: pair[1])
    return [SelectChoice("", _("Choose")), *(SelectChoice(code, name) for code, name in named)]
