"""Setting a rate of tax: one person of finance proposes it with its source, another accepts it.

A rate begins with a day on which nobody has worked and that no reserved week reaches, so what was approved,
worked or reserved keeps its tax, and a reserved week always covers it.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Organization
from marketplace.actor import FINANCE, Actor, Role
from marketplace.contracts.fees import queries as fees
from marketplace.contracts.fees import setting as fee_setting
from marketplace.contracts.states import OFFER_MOVES, OfferState, move
from marketplace.contracts.taxes import queries, writing
from marketplace.contracts.taxes.models import TaxRate
from marketplace.contracts.taxes.numbers import checked
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.gigs.members import tell_client
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.text import line, paragraph

SHORTEST_SOURCE = 10
MOST = 5_000
LONGEST_NAME = 40
AT_MOST_AHEAD = timedelta(days=400)
REGION = re.compile(r"[A-Z0-9]{0,6}", re.ASCII)


@dataclass(frozen=True)
class TaxRateDraft:
    """`rate_bps` in hundredths of a per cent of our fee, None to end the place's rate; `region` is empty for
    the whole country; `source` is where the rate is written down."""

    country: str
    region: str
    name: str
    rate_bps: int | None
    from_on: date
    source: str


@use_case
def propose_tax_rate(session: Session, actor: Actor, draft: TaxRateDraft) -> TaxRate:
    """Write down a rate that counts once somebody else has accepted it.

    Raises Invalid for a place, day, rate or source that cannot be; Refused while we are not registered in
    that country, or when the place has one that waits, or one that begins on the same day.
    """
    actor.require(*FINANCE)
    lock(session)
    rate = TaxRate(
        country=draft.country.upper(),
        region=draft.region.strip().upper(),
        name=line(draft.name),
        rate_bps=draft.rate_bps,
        from_on=draft.from_on,
        source=paragraph(draft.source),
        state=OfferState.MADE,
        made_by=actor.id,
        made_at=clock.now(),
    )
    _check(session, rate)
    if _same_place(session, rate, TaxRate.state == OfferState.MADE):
        raise Refused(_("A rate of this place waits for a second person. Decide about that one first."))
    session.add(rate)
    session.flush()
    audit.record(
        session, actor, "tax_rate.proposed", "tax_rate", rate.public_id,
        place=rate.place, from_on=rate.from_on, rate_bps=rate.rate_bps,
    )  # fmt: skip
    return rate


@use_case
def accept_tax_rate(session: Session, actor: Actor, public_id: uuid.UUID) -> TaxRate:
    """Let it count, as a second person with a fresh second factor: what applies to each client from its day
    on is worked out and written down, and clients to whom it makes a difference are told.

    Raises NotAllowed for one's own; Invalid when its day has come too near meanwhile.
    """
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    lock(session)
    rate = queries.rate(session, public_id)
    if rate.made_by == actor.id:
        raise NotAllowed(_("You proposed this rate, so somebody else has to accept it. Ask a colleague."))
    _check(session, rate)
    _decide(session, actor, rate, OfferState.ACCEPTED)
    before = _in_force(session, rate.from_on)
    writing.write_for_all(session, rate.from_on)
    _tell(session, rate, before)
    return rate


@use_case
def decline_tax_rate(session: Session, actor: Actor, public_id: uuid.UUID) -> TaxRate:
    """Say no to what a colleague proposed, or take back one's own. Nothing changes."""
    actor.require(*FINANCE)
    rate = queries.rate(session, public_id)
    own = rate.made_by == actor.id
    _decide(session, actor, rate, OfferState.WITHDRAWN if own else OfferState.DECLINED)
    return rate


def lock(session: Session) -> None:
    """Whoever reserves or prices work at this moment is waited for, and waits."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(fees.LOCK)))


def _check(session: Session, rate: TaxRate) -> None:
    _require_registered(rate.country)
    if not REGION.fullmatch(rate.region):
        raise Invalid(_("Write the region as its letters, such as CA, or leave it empty."), field="region")
    if not 1 <= len(rate.name) <= LONGEST_NAME:
        raise Invalid(_("Say what the tax is called on an invoice, such as VAT."), field="name")
    if rate.rate_bps is not None and not 0 <= rate.rate_bps <= MOST:
        raise Invalid(_("A rate is between 0 and 50 per cent."), field="rate")
    if len(rate.source) < SHORTEST_SOURCE:
        raise Invalid(_("Say where the rate is written down, so that it can be looked up."), field="source")
    first = fee_setting.first_day(session)
    if rate.from_on < first:
        raise Invalid(
            _("%(day)s at the earliest: what is worked or reserved already keeps its tax.", day=day(first)),
            field="from_on",
        )
    if rate.from_on > first + AT_MOST_AHEAD:
        raise Invalid(_("Choose a day within the next year."), field="from_on")
    if _same_place(session, rate, TaxRate.state == OfferState.ACCEPTED, TaxRate.from_on == rate.from_on):
        raise Refused(_("A rate of this place begins on this day already. Choose another day."))


def _require_registered(country: str) -> None:
    ours = writing.seller()
    if not ours.country:
        raise Refused(
            _("We are registered for tax nowhere. Set TAX_COUNTRY and VAT_ID first, then give the rate.")
        )
    if country != ours.country:
        raise Invalid(
            _("We are registered in %(place)s: give its rates.", place=ours.country), field="country"
        )
    checked(ours.country, ours.vat_id)


def _same_place(session: Session, rate: TaxRate, *where: sa.ColumnElement[bool]) -> bool:
    query = sa.select(TaxRate.id).filter_by(country=rate.country, region=rate.region).where(*where)
    with session.no_autoflush:
        return session.scalars(query.limit(1)).first() is not None


def _decide(session: Session, actor: Actor, rate: TaxRate, to: OfferState) -> None:
    move(rate, to, OFFER_MOVES)
    rate.decided_by, rate.decided_at = actor.id, clock.now()
    session.flush()
    audit.record(session, actor, f"tax_rate.{to}", "tax_rate", rate.public_id)


def _in_force(session: Session, on: date) -> dict[int, int]:
    """What each client's fee bears on a day, by internal id."""
    return {each.id: queries.rate_of(session, each.id, on) for each in queries.clients(session)}


def _tell(session: Session, rate: TaxRate, before: dict[int, int]) -> None:
    """The administrators of each client that has work or may come to have some, and pays another tax."""
    after = _in_force(session, rate.from_on)
    for client in fees.clients_of(session, None, None):
        if before.get(client) != after.get(client):
            _tell_one(session, client, rate, after.get(client, 0))


def _tell_one(session: Session, client: int, rate: TaxRate, bps: int) -> None:
    organization = session.get_one(Organization, client)

    def say() -> tuple[str, str]:
        return (
            _("%(name)s on our fee becomes %(percent)s %%", name=rate.name, percent=fees.percent(bps)),
            _(
                "For work from %(day)s on; experts’ pay bears none of it. Your company’s billing details say "
                "why, and decide it: look at them before that day.",
                day=day(rate.from_on),
            ),
        )

    tell_client(session, client, "tax.changed", f"/billing/{organization.public_id}", say)
