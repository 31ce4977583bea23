"""Whose form counts today, and what is missing of the others."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock
from marketplace.accounts.models import Person
from marketplace.actor import FINANCE, Actor
from marketplace.gigs.find import there
from marketplace.i18n import gettext as _
from marketplace.payments.tax.models import BNotice, TaxForm, UsWork
from marketplace.payments.tax.states import FormState
from marketplace.settings import current

TAX_PATH = "/pay/tax"
MOST_AT_ONCE = 50


def asked() -> bool:
    """Does this site keep the forms? Else none is asked for, none is missing, and nothing is withheld."""
    return current().tax_mode == "forms"


def counts() -> sa.ColumnElement[bool]:
    """Forms that count today."""
    today = clock.today(str(current().books_zone))
    return sa.and_(
        TaxForm.state == FormState.ACCEPTED,
        sa.or_(TaxForm.valid_until.is_(None), TaxForm.valid_until >= today),
    )


def form_of(session: Session, person_id: int) -> TaxForm | None:
    """The form of a person (internal id) that counts."""
    return session.scalars(sa.select(TaxForm).where(TaxForm.person_id == person_id, counts())).one_or_none()


def forms_of(session: Session, people: Collection[int]) -> Mapping[int, TaxForm]:
    """Those of many people (internal ids), without what is encrypted."""
    forms = session.scalars(
        sa.select(TaxForm)
        .where(TaxForm.person_id.in_(people), counts())
        .options(sa.orm.defer(TaxForm.number), sa.orm.defer(TaxForm.details))
    )
    return {form.person_id: form for form in forms}


def noticed(session: Session, people: Collection[int]) -> set[int]:
    """Of these people (internal ids) those about whom a B-notice is open."""
    query = sa.select(BNotice.person_id).where(BNotice.person_id.in_(people), BNotice.ended_at.is_(None))
    return set(session.scalars(query))


def missing(session: Session, people: Collection[int]) -> set[int]:
    """Of these people (internal ids) those to whom nothing may be sent before a form of theirs counts; also
    while one waits for finance."""
    if not asked():
        return set()
    having = sa.select(TaxForm.person_id).where(TaxForm.person_id.in_(people), counts())
    return set(people) - set(session.scalars(having)) | _waiting(session, people)


def waiting_of(session: Session, person_id: int) -> TaxForm | None:
    """The form of a person (internal id) that a person of finance has to look at; nothing is paid before."""
    query = sa.select(TaxForm).filter_by(person_id=person_id, state=FormState.WAITING)
    return session.scalars(query).one_or_none()


def _waiting(session: Session, people: Collection[int]) -> set[int]:
    query = sa.select(TaxForm.person_id).where(
        TaxForm.person_id.in_(people), TaxForm.state == FormState.WAITING
    )
    return set(session.scalars(query))


def wanted(person: Person) -> str:
    """The form that a person of this country probably signs."""
    return _("W-9") if person.country == "US" else _("W-8BEN")


def last_of(session: Session, person_id: int) -> TaxForm | None:
    """The newest form, whatever became of it."""
    query = sa.select(TaxForm).filter_by(person_id=person_id).order_by(TaxForm.id.desc()).limit(1)
    return session.scalars(query).one_or_none()


def history(session: Session, person_id: int) -> list[TaxForm]:
    """All forms of a person (internal id), the newest first."""
    query = sa.select(TaxForm).filter_by(person_id=person_id).options(joinedload(TaxForm.decider))
    return list(session.scalars(query.order_by(TaxForm.id.desc())))


def declared(people: Collection[int]) -> sa.Select[UsWork]:
    """The days in the US of these people (internal ids) that stand."""
    return sa.select(UsWork).where(UsWork.person_id.in_(people), UsWork.withdrawn_at.is_(None))


def us_days(session: Session, person_id: int) -> list[UsWork]:
    """The declared days in the US, the newest first."""
    query = (
        sa.select(UsWork)
        .filter_by(person_id=person_id)
        .options(joinedload(UsWork.rater), joinedload(UsWork.changer))
    )
    return list(session.scalars(query.order_by(UsWork.from_on.desc())))


def notices(session: Session, person_id: int) -> list[BNotice]:
    """The B-notices about a person, the newest first."""
    query = sa.select(BNotice).filter_by(person_id=person_id).options(joinedload(BNotice.recorder))
    return list(session.scalars(query.order_by(BNotice.id.desc())))


def inbox(actor: Actor) -> sa.Select[TaxForm]:
    """All forms, for finance."""
    actor.require(*FINANCE)
    return sa.select(TaxForm).options(joinedload(TaxForm.person), joinedload(TaxForm.decider))


def all_waiting(session: Session, actor: Actor) -> list[TaxForm]:
    """Forms that a person of finance has to look at, the oldest first."""
    query = inbox(actor).where(TaxForm.state == FormState.WAITING).order_by(TaxForm.id)
    return list(session.scalars(query.limit(MOST_AT_ONCE)))


def form(session: Session, actor: Actor, public_id: uuid.UUID, *, lock: bool = False) -> TaxForm:
    """One form, for finance. Raises NotFound."""
    query = inbox(actor).where(TaxForm.public_id == public_id)
    if lock:
        query = query.with_for_update(of=TaxForm).execution_options(populate_existing=True)
    return there(session.scalars(query).one_or_none())
