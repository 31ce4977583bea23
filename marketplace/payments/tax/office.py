"""What finance does with forms: refuse one, see its number, note what the tax office says or a lower rate."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Person
from marketplace.actor import FINANCE, Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.gigs.find import there
from marketplace.i18n import gettext as _
from marketplace.notifications import notify
from marketplace.payments.tax import intake, standing
from marketplace.payments.tax.models import BNotice, TaxForm, UsWork, details_of
from marketplace.payments.tax.states import FormKind, FormState, move_form
from marketplace.text import line

FULL_RATE = 3_000
MOST_OF_A_REASON = 500
LONGEST_STAY = timedelta(days=366)


@dataclass(frozen=True)
class Revealed:
    """What is encrypted of a form, in full."""

    number: str
    details: dict[str, str]


@use_case
def refuse_form(session: Session, actor: Actor, public_id: uuid.UUID, reason: str) -> TaxForm:
    """Let a form count no more; the expert is told why, and is not paid before there is another.

    Raises NotFound, NotAllowed, Invalid without a reason, or Refused for a form that does not count.
    """
    actor.require(*FINANCE)
    form = standing.form(session, actor, public_id, lock=True)
    kept = _reason(reason)
    move_form(form, FormState.REFUSED)
    form.decided_by, form.ended_at, form.reason = actor.id, clock.now(), kept
    audit.record(session, actor, "refuse", "tax_form", public_id, reason=kept)
    notify(
        session, form.person_id, "tax_form", _("Your tax form was refused"),
        _refused(session, form.person_id, kept),
        standing.TAX_PATH,
    )  # fmt: skip
    return form


@use_case
def accept_form(session: Session, actor: Actor, public_id: uuid.UUID) -> TaxForm:
    """Let a form count that waited, because something said that the person is a US person; it takes the place
    of the one before. Raises NotFound, NotAllowed for one's own, FreshFactorNeeded, or Refused."""
    actor.require(*FINANCE)
    actor.require_fresh_factor()
    form = standing.form(session, actor, public_id)
    _require_another(form.person_id, actor)
    session.get_one(Person, form.person_id, with_for_update=True)
    form = standing.form(session, actor, public_id, lock=True)
    if form.state is not FormState.WAITING:
        raise Refused(_("This form does not wait any more. Look at it again."))
    intake.replace(session, form.person_id, (FormState.ACCEPTED,))
    move_form(form, FormState.ACCEPTED)
    form.decided_by = actor.id
    audit.record(session, actor, "accept", "tax_form", public_id)
    notify(
        session, form.person_id, "tax_form", _("Your tax form counts"),
        _("Finance has looked at it. What you earned meanwhile is in the next payment."), standing.TAX_PATH,
    )  # fmt: skip
    return form


def _require_another(person_id: int, actor: Actor) -> None:
    if person_id == actor.id:
        raise NotAllowed(_("This is about yourself, so somebody else decides. Ask a colleague."))


@use_case
def reveal(session: Session, actor: Actor, public_id: uuid.UUID) -> Revealed:
    """The number and address in full. Who looked is in the audit trail. Raises NotFound, NotAllowed, or
    FreshFactorNeeded."""
    actor.require(*FINANCE)
    actor.require_fresh_factor()
    form = standing.form(session, actor, public_id)
    audit.record(session, actor, "reveal", "tax_form", public_id)
    return Revealed(form.number or "", details_of(form))


@use_case
def record_notice(session: Session, actor: Actor, person: uuid.UUID, received_on: date, note: str) -> BNotice:
    """The tax office says that name and number do not match: from now on 24 % is withheld.

    Raises NotFound, Invalid, or Refused when one is open, or when the person signed no W-9.
    """
    actor.require(*FINANCE)
    found = _expert(session, person)
    form = standing.last_of(session, found.id)
    if form is None or form.kind is not FormKind.W9:
        raise Refused(_("A B-notice is about a W-9, and this person signed none."))
    if received_on > clock.today("UTC") + timedelta(days=1):
        raise Invalid(_("Choose a day that has passed."), field="received_on")
    kept = _reason(note, "note")
    if session.scalar(sa.select(BNotice.id).filter_by(person_id=found.id, ended_at=None)):
        raise Refused(_("A B-notice about this person is open already."))
    notice = BNotice(
        person_id=found.id, received_on=received_on, note=kept, recorded_by=actor.id, recorded_at=clock.now()
    )
    session.add(notice)
    session.flush()
    audit.record(session, actor, "record", "b_notice", notice.public_id, received_on=received_on)
    notify(
        session, found.id, "b_notice", _("The tax office does not know your name with this number"),
        _("Until that is mended 24 per cent of your pay goes to the tax office, which the law asks of us. "
          "Hand in a new W-9 with the name and number as on your card, or write to us."),
        standing.TAX_PATH,
    )  # fmt: skip
    return notice


@use_case
def end_notice(session: Session, actor: Actor, public_id: uuid.UUID, because: str) -> BNotice:
    """It is mended, says somebody other than whoever recorded it: nothing more is withheld.

    Raises NotFound, Invalid, FreshFactorNeeded, NotAllowed for a notice about oneself or recorded by oneself,
    or Refused once it is ended.
    """
    actor.require(*FINANCE)
    actor.require_fresh_factor()
    notice = there(
        session.scalars(sa.select(BNotice).filter_by(public_id=public_id).with_for_update()).one_or_none()
    )
    if notice.ended_at is not None:
        raise Refused(_("This was ended already. Nothing was changed."))
    _require_another(notice.person_id, actor)
    if notice.recorded_by == actor.id:
        raise NotAllowed(_("You recorded this, so somebody else has to end it. Ask a colleague."))
    notice.ended_because = _reason(because, "because")
    notice.ended_by, notice.ended_at = actor.id, clock.now()
    audit.record(session, actor, "end", "b_notice", public_id, because=notice.ended_because)
    return notice


@use_case
def declare_us_work(session: Session, actor: Actor, from_on: date, until_on: date) -> UsWork:
    """An expert says on which days they work in the US; 30 % of the pay for them is withheld.

    Raises Invalid for days that cannot be, Refused when some are declared already or the W-8BEN is missing.
    """
    actor.require(Role.EXPERT)
    form = standing.form_of(session, actor.id) if standing.asked() else None
    if form is None or form.kind is not FormKind.W8BEN:
        raise Refused(_("Only whoever signed a W-8BEN declares days in the US. Hand in your tax form first."))
    if until_on < from_on:
        raise Invalid(_("The last day is before the first."), field="until_on")
    if until_on - from_on > LONGEST_STAY:
        raise Invalid(_("Declare at most a year at once."), field="until_on")
    if from_on < clock.today("UTC") - LONGEST_STAY:
        raise Invalid(_("For days more than a year ago write to us."), field="from_on")
    session.get_one(Person, actor.id, with_for_update=True)
    same = standing.declared([actor.id]).where(UsWork.from_on <= until_on, UsWork.until_on >= from_on)
    if session.scalars(same.limit(1)).first():
        raise Refused(_("Some of these days are declared already."))
    work = UsWork(
        person_id=actor.id, from_on=from_on, until_on=until_on, rate_bps=FULL_RATE,
        declared_by=actor.id, declared_at=clock.now(),
    )  # fmt: skip
    session.add(work)
    session.flush()
    audit.record(session, actor, "declare", "us_work", work.public_id, from_on=from_on, until_on=until_on)
    return work


@use_case
def set_rate(session: Session, actor: Actor, public_id: uuid.UUID, rate_bps: int, reason: str) -> UsWork:
    """Withhold less of the pay for these days, by a treaty and an accepted Form 8233.

    What was paid before stays as it was. Raises NotFound, NotAllowed, FreshFactorNeeded, or Invalid.
    """
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    work = _days(session, public_id)
    _require_another(work.person_id, actor)
    if work.withdrawn_at is not None:
        raise Refused(_("These days were taken back. Nothing was changed."))
    if not 0 <= rate_bps <= FULL_RATE:
        raise Invalid(_("A rate is between 0 and 30 per cent."), field="rate")
    work.rate_reason = _reason(reason)
    work.rate_bps, work.rate_by = rate_bps, actor.id
    audit.record(session, actor, "rate", "us_work", public_id, rate_bps=rate_bps, reason=work.rate_reason)
    return work


@use_case
def shorten_us_work(
    session: Session, actor: Actor, public_id: uuid.UUID, until_on: date | None, reason: str
) -> UsWork:
    """Let declared days end on an earlier day, or take all of them back (no `until_on`).

    What was paid before stays as it was. Raises NotFound, NotAllowed for one's own, FreshFactorNeeded,
    Invalid, or Refused.
    """
    actor.require(*FINANCE)
    actor.require_fresh_factor()
    work = _days(session, public_id)
    _require_another(work.person_id, actor)
    if work.withdrawn_at is not None:
        raise Refused(_("These days were taken back. Nothing was changed."))
    if until_on is not None and not work.from_on <= until_on < work.until_on:
        raise Invalid(_("Choose a day of them that is before the last one."), field="until_on")
    work.change_reason, work.changed_by = _reason(reason), actor.id
    if until_on is None:
        work.withdrawn_at = clock.now()
    else:
        work.until_on = until_on
    audit.record(
        session, actor, "shorten" if until_on else "withdraw", "us_work", public_id,
        until_on=until_on, reason=work.change_reason,
    )  # fmt: skip
    return work


def _days(session: Session, public_id: uuid.UUID) -> UsWork:
    query = sa.select(UsWork).filter_by(public_id=public_id).with_for_update()
    return there(session.scalars(query).one_or_none())


def _refused(session: Session, person_id: int, reason: str) -> str:
    if standing.form_of(session, person_id) is not None:
        return _("%(reason)s The form that you handed in before counts as it did.", reason=reason)
    return _("%(reason)s Hand in a new one; until then nothing is paid to you, and what you earned stays "
             "yours.", reason=reason)  # fmt: skip


def _expert(session: Session, public_id: uuid.UUID) -> Person:
    return there(session.scalars(sa.select(Person).filter_by(public_id=public_id)).one_or_none())


def _reason(text: str, field: str = "reason") -> str:
    kept = line(text)
    if not kept or len(kept) > MOST_OF_A_REASON:
        raise Invalid(_("Say why, in at most 500 characters."), field=field)
    return kept
