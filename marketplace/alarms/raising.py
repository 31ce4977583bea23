"""Raising alarms from what proofs found, ending them when a proof holds again, and asking what they stop."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock
from marketplace import proof as proofs
from marketplace.actor import FINANCE, SITE, Actor
from marketplace.alarms.models import Alarm
from marketplace.alarms.stops import Stops, codes, of
from marketplace.db import new_id, use_case
from marketplace.errors import NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.proof import ITSELF, Drift, Proof, every

# So many places of one proof get an alarm each; more say nothing more, unless each stops its own account.
MOST = 100


def record(session: Session, proof: Proof, drifts: Iterable[Drift]) -> int:
    """Keep what a proof found: new alarms are raised, those that last are seen again, the others end. How
    many stand."""
    return look(session, proof, lambda: drifts)


@use_case
def look(session: Session, proof: Proof, find: Callable[[], Iterable[Drift]]) -> int:
    """Run a proof by `find`, and keep what it found, while nobody else looks: no result ends an alarm that is
    newer than it. What could not be run ends none."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"alarms {proof.code}"))))
    most = None if of(proof.code) is Stops.ACCOUNT else MOST
    found = {_place(drift): drift for drift in islice(find(), most)}
    now = clock.now()
    mine = _lasting().where(Alarm.code == proof.code, Alarm.title == proof.title)
    lasting = {alarm.subject: alarm for alarm in session.scalars(mine)}
    for subject, drift in found.items():
        alarm = lasting.get(subject) or _raise(session, proof, subject)
        alarm.expected, alarm.found, alarm.seen_at = drift.expected, drift.found, now
    for subject, alarm in lasting.items():
        if subject not in found and ITSELF not in found:
            alarm.ended_at = now
            audit.record(session, SITE, "end", "alarm", alarm.public_id, code=alarm.code, about=alarm.subject)
    return len(found)


@use_case
def look_into(session: Session, actor: Actor, public_id: uuid.UUID) -> Alarm:
    """One of finance says that they look into it, so that two do not. Raises NotFound or Refused."""
    actor.require(*FINANCE)
    alarm = session.scalars(_lasting().where(Alarm.public_id == public_id).with_for_update()).one_or_none()
    if alarm is None:
        raise NotFound(_("This alarm has ended, or there never was one."))
    if alarm.looker_id == actor.id:
        raise Refused(_("You look into it already."))
    alarm.looker_id, alarm.looking_since = actor.id, clock.now()
    audit.record(session, actor, "look_into", "alarm", alarm.public_id, code=alarm.code)
    return alarm


def standing(session: Session, limit: int = MOST) -> Sequence[Alarm]:
    """The alarms that stand, those that stop something first, then the oldest."""
    nothing = Alarm.code.not_in([code for each in Stops for code in codes(each)])
    query = _lasting().options(joinedload(Alarm.looker)).order_by(nothing, Alarm.since, Alarm.id)
    return session.scalars(query.limit(limit)).all()


def stops_all(stopped: Stops) -> sa.Exists:
    """Does an alarm stand that stops it? For a query."""
    return sa.exists().where(Alarm.ended_at.is_(None), Alarm.code.in_(codes(stopped)))


def require_none(session: Session, stopped: Stops) -> None:
    """Raise Refused, naming the first alarm that stops it and whose proof, run once more, still fails."""
    _look_again(session, stopped)
    alarm = session.scalars(_stopping(stopped).order_by(Alarm.id).limit(1)).first()
    if alarm is not None:
        raise Refused(
            _(
                "An alarm stops this: %(title)s does not hold (%(code)s, %(subject)s: %(expected)s expected, "
                "%(found)s found). The finance page says who looks into it.",
                title=alarm.title,
                code=alarm.code,
                subject=alarm.subject,
                expected=alarm.expected,
                found=alarm.found,
            )
        )


def accounts(session: Session) -> set[str]:
    """Stripe's ids of the connected accounts to which nothing is sent: the second word of the subject."""
    subjects = session.scalars(
        sa.select(Alarm.subject).where(Alarm.ended_at.is_(None), Alarm.code.in_(codes(Stops.ACCOUNT)))
    )
    return {subject.split()[1] for subject in subjects}


def _look_again(session: Session, stopped: Stops) -> None:
    """An alarm is as old as its last look; what it is about may have been put right since."""
    told = {(alarm.code, alarm.title) for alarm in session.scalars(_stopping(stopped))}
    for proof in every() if told else ():
        if (proof.code, proof.title) in told:
            look(session, proof, partial(proofs.look, session, proof))


def _raise(session: Session, proof: Proof, subject: str) -> Alarm:
    now = clock.now()
    alarm = Alarm(
        public_id=new_id(), code=proof.code, title=proof.title, subject=subject, expected="", found="",
        since=now, seen_at=now,
    )  # fmt: skip
    session.add(alarm)
    audit.record(session, SITE, "raise", "alarm", alarm.public_id, code=proof.code, about=subject)
    return alarm


def _place(drift: Drift) -> str:
    """What the drift is about, without as of when: that moves on while the alarm stands."""
    return drift.subject.partition(", as of ")[0]


def _stopping(stopped: Stops) -> sa.Select[Alarm]:
    return _lasting().where(Alarm.code.in_(codes(stopped)))


def _lasting() -> sa.Select[Alarm]:
    return sa.select(Alarm).where(Alarm.ended_at.is_(None))
