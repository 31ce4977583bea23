"""From how much on a year's payments are reported: dated data, which two people of finance change.

$600 through 2025, $2,000 from 2026 (P.L. 119-21, section 70433), indexed from 2027 on: whoever reads the
figure of a new year in the tax office's announcement proposes it with its source, and owns it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock
from marketplace.actor import FINANCE, Actor, Role
from marketplace.contracts.states import OFFER_MOVES, OfferState, move
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.gigs.find import there
from marketplace.i18n import gettext as _
from marketplace.payments.tax.models import ReportedYear, TaxThreshold
from marketplace.settings import current
from marketplace.text import line

INDEXED_FROM = 2027
SHORTEST_SOURCE = 10
MOST = 1_000_000
LOCK = 0x7461783939


@dataclass(frozen=True)
class Draft:
    """`amount` in cents; `transactions` only for a 1099-K; where it stands written is the `source`."""

    form: str
    from_year: int
    amount: int
    transactions: int
    source: str


@use_case
def propose(session: Session, actor: Actor, draft: Draft) -> TaxThreshold:
    """Write down a figure that counts once somebody else has accepted it. Raises Invalid, or Refused for a
    year that was reported, or when another figure of the same form waits."""
    actor.require(*FINANCE)
    _lock(session)
    _check(session, draft.form, draft.from_year)
    source = line(draft.source)
    if draft.amount <= 0:
        raise Invalid(_("Give an amount above zero."), field="amount")
    if not 0 <= draft.transactions <= MOST:
        raise Invalid(_("Give a number from 0 to 1,000,000."), field="transactions")
    if len(source) < SHORTEST_SOURCE:
        raise Invalid(_("Say where the figure is published, which stays with it."), field="source")
    if session.scalar(sa.select(TaxThreshold.id).filter_by(form=draft.form, state=OfferState.MADE)):
        raise Refused(_("A figure of the same form waits for a second person. Decide about that one first."))
    made = TaxThreshold(
        form=draft.form, from_year=draft.from_year, amount=draft.amount, transactions=draft.transactions,
        source=source, state=OfferState.MADE, made_by=actor.id, made_at=clock.now(),
    )  # fmt: skip
    session.add(made)
    session.flush()
    audit.record(
        session, actor, "propose", "tax_threshold", made.public_id,
        form=made.form, from_year=made.from_year, amount=made.amount, transactions=made.transactions,
    )  # fmt: skip
    return made


@use_case
def accept(session: Session, actor: Actor, public_id: uuid.UUID) -> TaxThreshold:
    """Let it count, as a second person with a fresh second factor. Raises NotAllowed for one's own."""
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    _lock(session)
    made = _locked(session, public_id)
    if made.made_by == actor.id:
        raise NotAllowed(_("You proposed this, so somebody else has to accept it. Ask a colleague."))
    _check(session, made.form, made.from_year)
    _decide(session, actor, made, OfferState.ACCEPTED)
    return made


@use_case
def decline(session: Session, actor: Actor, public_id: uuid.UUID) -> TaxThreshold:
    """Say no to what a colleague proposed, or take back one's own. Nothing changes."""
    actor.require(*FINANCE)
    made = _locked(session, public_id)
    own = made.made_by == actor.id
    _decide(session, actor, made, OfferState.WITHDRAWN if own else OfferState.DECLINED)
    return made


def every(session: Session) -> Sequence[TaxThreshold]:
    """All figures, the newest year first."""
    query = sa.select(TaxThreshold).options(joinedload(TaxThreshold.maker), joinedload(TaxThreshold.decider))
    order = (TaxThreshold.form.desc(), TaxThreshold.from_year.desc(), TaxThreshold.id.desc())
    return session.scalars(query.order_by(*order)).all()


def of_year(session: Session, form: str, year: int) -> TaxThreshold:
    """The figure in force in a tax year: of the latest year up to it, that which was accepted last."""
    return session.scalars(
        sa.select(TaxThreshold)
        .where(
            TaxThreshold.form == form,
            TaxThreshold.state == OfferState.ACCEPTED,
            TaxThreshold.from_year <= year,
        )
        .order_by(TaxThreshold.from_year.desc(), TaxThreshold.id.desc())
        .limit(1)
    ).one()


def is_confirmed(threshold: TaxThreshold, year: int) -> bool:
    """Is the figure that of the year itself? That of a 1099-NEC changes every year from 2027 on."""
    return threshold.form != "nec" or year < INDEXED_FROM or threshold.from_year == year


def reaches(threshold: TaxThreshold, amount: int, transactions: int) -> bool:
    """Are payments of `amount` cents reported? A 1099-NEC from the figure on; a 1099-K above both figures."""
    if threshold.form == "nec":
        return amount >= threshold.amount
    return amount > threshold.amount and transactions > threshold.transactions


def _check(session: Session, form: str, year: int) -> None:
    this_year = clock.today(str(current().books_zone)).year
    if not this_year - 1 <= year <= this_year + 2:
        raise Invalid(
            _("Choose a year from %(first)s to %(last)s.", first=this_year - 1, last=this_year + 2),
            field="from_year",
        )
    later = sa.select(ReportedYear.year).where(ReportedYear.form == form, ReportedYear.year >= year)
    if session.scalar(later.limit(1)):
        raise Refused(_("Payments of that year, or of a later one, were reported by the figure before."))


def _lock(session: Session) -> None:
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


def _locked(session: Session, public_id: uuid.UUID) -> TaxThreshold:
    query = sa.select(TaxThreshold).filter_by(public_id=public_id).with_for_update()
    return there(session.scalars(query).one_or_none())


def _decide(session: Session, actor: Actor, made: TaxThreshold, to: OfferState) -> None:
    move(made, to, OFFER_MOVES)
    made.decided_by, made.decided_at = actor.id, clock.now()
    session.flush()
    audit.record(session, actor, to.value, "tax_threshold", made.public_id)
