"""A bank account that was changed: from when we learn of it nothing is sent there for 72 hours (F62).

We are told by an event, or see it when the account is looked at. Only a mark is kept, which tells one set of
bank accounts from another, and no number.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock, crypto, jobs, mail
from marketplace.accounts.models import Person, SignIn
from marketplace.accounts.tokens import new_token, token_hash
from marketplace.actor import FINANCE, SITE, Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.i18n import zoned
from marketplace.notifications import notify
from marketplace.payments import facts
from marketplace.payments.models import ConnectedAccount, Transfer
from marketplace.payments.setup.models import BankHold
from marketplace.text import line

LASTS = timedelta(hours=72)
SETUP_PATH = "/pay/setup"
MOST_OF_A_REASON = 500
KEEP = "payments.keep_schedules"


def note_banks(
    session: Session, account: ConnectedAccount, banks: Sequence[facts.Bank], *, told: bool = False
) -> None:
    """Keep the mark of the account's banks; begin a hold when it is another than before. An expert's first
    one, and none at all, change nothing: there nothing was diverted. `told`: Stripe says that one changed."""
    if not banks:
        return
    mark = crypto.fingerprint("\n".join(sorted(each.mark for each in banks)), "connected_accounts.bank_mark")
    before, account.bank_mark = account.bank_mark, mark
    if before != mark and (before is not None or told or _had_another(session, account)):
        _hold(session, account)


def holding(session: Session) -> dict[int, BankHold]:
    """The hold that lasts longest, by the internal id of each account that is held now: its own, or one of
    another account of the person that was denied."""
    found = {each.connected_account_id: each for each in session.scalars(_lasting())}
    denied = {each.account.person_id: each for each in found.values() if each.denied_at is not None}
    accounts = session.execute(
        sa.select(ConnectedAccount.id, ConnectedAccount.person_id).where(
            ConnectedAccount.person_id.in_(denied)
        )
    )
    return found | {account: denied[person] for account, person in accounts}


def hold_of(session: Session, account_id: int) -> BankHold | None:
    """The same for one account."""
    person = sa.select(ConnectedAccount.person_id).filter_by(id=account_id).scalar_subquery()
    denied = sa.and_(BankHold.denied_at.is_not(None), ConnectedAccount.person_id == person)
    query = _lasting().join(BankHold.account)
    found = session.scalars(query.where(sa.or_(BankHold.connected_account_id == account_id, denied))).all()
    return found[-1] if found else None


def held() -> sa.ColumnElement[bool]:
    """Does the hold last?"""
    lasts = sa.or_(BankHold.denied_at.is_not(None), BankHold.until > clock.now())
    return sa.and_(BankHold.ended_at.is_(None), lasts)


def says(hold: BankHold, zone: str | None = None) -> str:
    """Until when, for whoever lives in that zone (None: the reader's)."""
    if hold.denied_at is not None:
        return _("Pay is held until somebody at this site has spoken with you about the change.")
    return _("Pay is held until %(when)s.", when=zoned(hold.until, zone))


@use_case
def deny(session: Session, token: str) -> BankHold:
    """Whoever got the mail says that the change was not theirs; the hold stays until two people end it.

    Raises NotFound, and Refused once it is over.
    """
    return _deny(session, SITE, by_token(session, token, lock=True))


@use_case
def deny_own(session: Session, actor: Actor, public_id: uuid.UUID) -> BankHold:
    """The same, by the expert on the site."""
    actor.require(Role.EXPERT)
    hold = _locked(session, public_id)
    if hold.account.person_id != actor.id:
        raise NotFound(_("There is no such hold."))
    return _deny(session, actor, hold)


@use_case
def ask_to_end(session: Session, actor: Actor, public_id: uuid.UUID, reason: str) -> BankHold:
    """One of finance knows that the change is right, and says how. Raises Invalid or Refused."""
    actor.require(*FINANCE)
    hold = _open(session, public_id)
    kept = line(reason)
    if not kept or len(kept) > MOST_OF_A_REASON:
        raise Invalid(_("Say how you know, in at most 500 characters."), field="reason")
    hold.ending_by, hold.ending_at, hold.ending_reason = actor.id, clock.now(), kept
    audit.record(session, actor, "ask_to_end", "bank_hold", hold.public_id, reason=kept)
    return hold


@use_case
def end(session: Session, actor: Actor, public_id: uuid.UUID) -> BankHold:
    """A second person ends it. Raises NotAllowed, FreshFactorNeeded, Refused."""
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    hold = _open(session, public_id)
    if hold.ending_by is None:
        raise Refused(_("Nobody has said yet how they know that the change is right."))
    if hold.ending_by == actor.id:
        raise NotAllowed(_("You asked for this, so somebody else has to confirm it. Ask a colleague."))
    if hold.account.person_id in (actor.id, hold.ending_by):
        raise NotAllowed(_("This is about pay of one of you. Ask a colleague."))
    hold.ended_by, hold.ended_at = actor.id, clock.now()
    audit.record(session, actor, "end", "bank_hold", hold.public_id, reason=hold.ending_reason)
    _keep_schedules(session)
    return hold


@use_case
def end_over(session: Session) -> int:
    """End the holds whose time is over; how many."""
    over = sa.select(BankHold).where(
        BankHold.ended_at.is_(None), BankHold.denied_at.is_(None), BankHold.until <= clock.now()
    )
    found = session.scalars(over.with_for_update(skip_locked=True)).all()
    for hold in found:
        hold.ended_at = clock.now()
        audit.record(session, SITE, "end", "bank_hold", hold.public_id)
    return len(found)


def by_token(session: Session, token: str, *, lock: bool = False) -> BankHold:
    """The hold whose mail has this link. Raises NotFound."""
    query = sa.select(BankHold).filter_by(token_hash=token_hash(token)).options(_with_person())
    hold = session.scalars(query.with_for_update(of=BankHold) if lock else query).one_or_none()
    if hold is None:
        raise NotFound(_("This link belongs to nothing here."))
    return hold


def _lasting() -> sa.Select[BankHold]:
    """Holds that last, in the order of their ends; what was denied has none of its own and comes last."""
    query = sa.select(BankHold).where(held()).options(joinedload(BankHold.account))
    return query.order_by(BankHold.denied_at.is_not(None), BankHold.until)


def _had_another(session: Session, account: ConnectedAccount) -> bool:
    """Was the person paid before, or about to be, somewhere else? What was sent to this account before its
    banks were looked at may have had another too."""
    sent = sa.exists().where(Transfer.destination == ConnectedAccount.stripe_id)
    earlier = sa.and_(
        ConnectedAccount.id != account.id, sa.or_(ConnectedAccount.bank_mark.is_not(None), sent)
    )
    this = sa.and_(ConnectedAccount.id == account.id, sent)
    query = sa.select(ConnectedAccount.id).filter_by(person_id=account.person_id)
    return session.scalars(query.where(sa.or_(earlier, this)).limit(1)).first() is not None


def _hold(session: Session, account: ConnectedAccount) -> None:
    token, now = new_token(), clock.now()
    hold = BankHold(account=account, begun_at=now, until=now + LASTS, token_hash=token_hash(token), tries=0)
    session.add(hold)
    session.flush()
    audit.record(session, SITE, "hold", "connected_account", account.public_id, until=hold.until)
    _tell(session, account, hold, token)
    _keep_schedules(session)


def _keep_schedules(session: Session) -> None:
    """Soon, and never beside the periodic run, whose lock this is: a call of one would undo the other's."""
    jobs.defer(session, KEEP, once=KEEP, lock=f"{KEEP}@")


def _tell(session: Session, account: ConnectedAccount, hold: BankHold, token: str) -> None:
    """To every address that is known, because one of them may be in other hands; and on the site."""
    person = session.get_one(Person, account.person_id)
    sign_ins = sa.select(SignIn.email).where(SignIn.person_id == person.id, SignIn.disabled_at.is_(None))
    until = zoned(hold.until, person.time_zone)
    for address in dict.fromkeys([person.email, *session.scalars(sign_ins)]):
        mail.send(
            session, address, "bank_changed", locale=person.locale,
            name=person.full_name, until=until, token=token,
        )  # fmt: skip
    title = _("Your bank account at Stripe was changed")
    body = _("Pay is held until %(when)s. If it was not you, say so on this page.", when=until)
    notify(session, person.id, "account", title, body, SETUP_PATH, by_mail=False)


def _deny(session: Session, actor: Actor, hold: BankHold) -> BankHold:
    if hold.denied_at is not None:
        return hold
    if not hold.holds:
        raise Refused(
            _("The hold is over, so pay may be on its way already. Write to us at once, from this address.")
        )
    # Whoever sends to another account of the person meanwhile holds these.
    session.execute(sa.select(ConnectedAccount.id).filter_by(id=hold.connected_account_id).with_for_update())
    hold.denied_at = clock.now()
    # Whoever asked to end it did not know this.
    hold.ending_by = hold.ending_at = hold.ending_reason = None
    audit.record(session, actor, "deny", "bank_hold", hold.public_id)
    return hold


def _open(session: Session, public_id: uuid.UUID) -> BankHold:
    hold = _locked(session, public_id)
    if not hold.holds:
        raise Refused(_("This hold is over. Nothing was changed."))
    return hold


def _locked(session: Session, public_id: uuid.UUID) -> BankHold:
    query = sa.select(BankHold).filter_by(public_id=public_id).options(_with_person())
    hold = session.scalars(query.with_for_update(of=BankHold)).one_or_none()
    if hold is None:
        raise NotFound(_("There is no such hold."))
    return hold


def _with_person() -> sa.orm.interfaces.ORMOption:
    return joinedload(BankHold.account).joinedload(ConnectedAccount.person)
