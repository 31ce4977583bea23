"""Handing in a W-9 or a W-8BEN, in our own pages and with only what the form needs.

A form counts as soon as it is signed in the right format, and takes the place of the one before. Whether the
number is the person's own finance finds out by TIN matching, and may refuse the form with a reason. Only a
W-8BEN of somebody who signed a W-9 before, or about whom something else says US, waits for finance: until it
is decided nothing is paid, so nobody ends their own backup withholding by another form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Person
from marketplace.accounts.people import country_name
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.i18n import gettext as _
from marketplace.payments.models import ConnectedAccount
from marketplace.payments.tax import certifications, numbers
from marketplace.payments.tax.models import TaxForm
from marketplace.payments.tax.states import Classification, FormKind, FormState, NumberKind, move_form
from marketplace.settings import current
from marketplace.text import line

US = "US"
MOST = 200
OLDEST = 120
# A W-8BEN counts to the end of the third year after that of its signature (its instructions, October 2021).
YEARS = 3
RATE = re.compile(r"[0-9]{1,2}(\.[0-9]{1,4})?")


@dataclass(frozen=True)
class W9:
    """The lines of a W-9, as they were typed. `told_by_irs`: item 2 of the certification is crossed out."""

    name: str
    business_name: str
    classification: Classification
    street: str
    city: str
    country: str
    number_kind: NumberKind
    number: str
    told_by_irs: bool
    signature: str


@dataclass(frozen=True)
class W8Ben:
    """The lines of a W-8BEN. Without a foreign `number` there is a reason in `no_number`; the treaty part is
    empty unless `claims` says that a benefit is claimed."""

    name: str
    citizenship: str
    street: str
    city: str
    country: str
    mailing: str
    born_on: date
    number: str
    no_number: str
    us_kind: NumberKind | None
    us_number: str
    claims: bool
    treaty_article: str
    treaty_rate: str
    treaty_income: str
    treaty_why: str
    outside_us: bool
    signature: str


@use_case
def hand_in_w9(session: Session, actor: Actor, typed: W9) -> TaxForm:
    """Sign a W-9 under penalties of perjury. Raises Invalid, or Refused in mode `external`."""
    _begin(actor)
    name = _filled(typed.name, "name")
    _require_signature(typed.signature, name, own=typed.classification is Classification.INDIVIDUAL)
    kind = typed.number_kind
    if typed.classification is not Classification.INDIVIDUAL and kind not in (
        NumberKind.EIN,
        NumberKind.APPLIED_FOR,
    ):
        raise Invalid(_("A company, partnership or trust has an EIN. Choose that."), field="number_kind")
    number = None
    if kind in numbers.US_KINDS:
        number = numbers.us_number(kind, typed.number)
    elif kind is not NumberKind.APPLIED_FOR:
        raise Invalid(_("A W-9 takes a US number. Choose which one it is."), field="number_kind")
    form = TaxForm(
        kind=FormKind.W9,
        name=name,
        business_name=line(typed.business_name) or None,
        classification=typed.classification,
        country=typed.country,
        number_kind=kind,
        number=number,
        told_by_irs=typed.told_by_irs,
        details=json.dumps({"street": _filled(typed.street, "street"), "city": _filled(typed.city, "city")}),
        valid_until=None,
    )
    return _sign(session, actor, form, typed.signature)


@use_case
def hand_in_w8ben(session: Session, actor: Actor, typed: W8Ben) -> TaxForm:
    """Sign a W-8BEN, for work outside the US; it waits for finance where something says that the person is a
    US person. Raises Invalid for what cannot be, Refused in mode `external`."""
    _begin(actor)
    _require_foreign(typed)
    name = _filled(typed.name, "name")
    _require_signature(typed.signature, name, own=True)
    details = asdict(typed) | {
        "street": _filled(typed.street, "street"),
        "city": _filled(typed.city, "city"),
        "born_on": _born_on(typed.born_on).isoformat(),
        "us_number": numbers.us_number(typed.us_kind, typed.us_number) if typed.us_kind else "",
        **_treaty(typed),
    }
    number = numbers.foreign_number(typed.number) if line(typed.number) else None
    if number is None and not line(typed.no_number):
        raise Invalid(_("Give the number, or say below why you have none."), field="number")
    for beside in ("name", "number", "signature", "country", "outside_us"):
        del details[beside]
    form = TaxForm(
        kind=FormKind.W8BEN,
        name=name,
        country=typed.country,
        number_kind=NumberKind.FOREIGN if number else NumberKind.NONE,
        number=number,
        told_by_irs=False,
        details=json.dumps(details),
        valid_until=last_day(clock.today(str(current().books_zone))),
    )
    return _sign(session, actor, form, typed.signature)


def last_day(signed_on: date) -> date:
    """Until when a W-8BEN counts: one signed on 4 September 2026 runs to 31 December 2029."""
    return date(signed_on.year + YEARS, 12, 31)


def _begin(actor: Actor) -> None:
    actor.require(Role.EXPERT)
    if current().tax_mode != "forms":
        raise Refused(_("Tax forms are kept elsewhere, so there is nothing to hand in here."))


def _sign(session: Session, actor: Actor, form: TaxForm, signature: str) -> TaxForm:
    person = session.get_one(Person, actor.id, with_for_update=True)
    now = clock.now()
    waits = form.kind is FormKind.W8BEN and _says_us(session, person)
    # What waits leaves in force what counts, until finance has decided.
    replace(session, person.id, (FormState.WAITING,) if waits else (FormState.WAITING, FormState.ACCEPTED))
    form.person_id, form.state = person.id, FormState.WAITING if waits else FormState.ACCEPTED
    form.number_end = form.number[-4:] if form.number else None
    form.signed_name, form.signed_at = line(signature), now
    form.text_version = certifications.CURRENT[form.kind]
    session.add(form)
    session.flush()
    audit.record(
        session, actor, "sign", "tax_form", form.public_id,
        form=form.kind, text_version=form.text_version, valid_until=form.valid_until, waits=waits,
    )  # fmt: skip
    return form


def replace(session: Session, person_id: int, states: Sequence[FormState]) -> None:
    """Let the person's forms of these states count no more. Needs the person's lock."""
    query = sa.select(TaxForm).where(TaxForm.person_id == person_id, TaxForm.state.in_(states))
    for form in session.scalars(query).all():
        move_form(form, FormState.REPLACED)
        form.ended_at = clock.now()
    session.flush()


def _says_us(session: Session, person: Person) -> bool:
    """Did they ever sign a W-9, or does their profile or their account at Stripe name the US?"""
    w9 = sa.exists().where(TaxForm.person_id == person.id, TaxForm.kind == FormKind.W9)
    account = sa.exists().where(ConnectedAccount.person_id == person.id, ConnectedAccount.country == US)
    return person.country == US or bool(session.scalar(sa.select(sa.or_(w9, account))))


def _require_foreign(typed: W8Ben) -> None:
    """A US person signs a W-9, and work in the US needs another form."""
    if typed.citizenship == US:
        raise Invalid(
            _("Citizens of the US are US persons, wherever they live. Hand in a W-9."), field="citizenship"
        )
    if typed.country == US:
        raise Invalid(
            _("Whoever lives in the US is usually a US person for tax. Hand in a W-9, or ask your adviser."),
            field="country",
        )
    if not typed.outside_us:
        raise Invalid(
            _(
                "A W-8BEN is for work outside the US only. For work that you do in the US the form is 8233: "
                "ask your adviser, send it to us, and declare the days on the page of your tax form."
            ),
            field="outside_us",
        )


def _treaty(typed: W8Ben) -> dict[str, str]:
    if not typed.claims:
        return dict.fromkeys(("treaty_article", "treaty_rate", "treaty_income", "treaty_why"), "")
    rate = line(typed.treaty_rate).rstrip("% ")
    if not RATE.fullmatch(rate) or Decimal(rate) > 30:
        raise Invalid(_("Give the rate of the treaty, from 0 to 30 per cent."), field="treaty_rate")
    return {
        "treaty_article": _filled(typed.treaty_article, "treaty_article"),
        "treaty_rate": rate,
        "treaty_income": _filled(typed.treaty_income, "treaty_income"),
        "treaty_why": _filled(typed.treaty_why, "treaty_why"),
    }


def _born_on(day: date) -> date:
    today = clock.today("UTC")
    if not today.year - OLDEST < day.year <= today.year - 13:
        raise Invalid(_("Look at the year again."), field="born_on")
    return day


def _filled(text: str, field: str) -> str:
    kept = line(text)
    if not kept:
        raise Invalid(_("Fill this in."), field=field)
    if len(kept) > MOST:
        raise Invalid(_("This is too long."), field=field)
    return kept


def _require_signature(typed: str, name: str, *, own: bool) -> None:
    """Whoever signs for themselves signs with the name on the form."""
    signature = _filled(typed, "signature")
    if own and signature.casefold() != name.casefold():
        raise Invalid(
            _("Sign with the name on the first line, %(name)s, as you typed it there.", name=name),
            field="signature",
        )


def residence(form: TaxForm) -> str:
    """The country of the address, in words."""
    return country_name(form.country)
