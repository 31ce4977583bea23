"""Stating why something was decided against a person."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Person
from marketplace.actor import Actor
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid, Refused
from marketplace.i18n import day, reading
from marketplace.i18n import gettext as _
from marketplace.notifications import notify
from marketplace.reasons import codes
from marketplace.reasons.hooks import elsewhere
from marketplace.reasons.models import Decision, Statement
from marketplace.text import paragraph

LEAST_EXPLANATION = 10


@use_case
def state(
    session: Session,
    actor: Actor,
    *,
    person_id: int,
    subject_kind: str,
    subject_id: uuid.UUID,
    decision: Decision | str,
    reason_code: str,
    explanation: str,
    evidence: Mapping[str, str],
    by_mail: bool = True,
) -> Statement:
    """Say to `person_id` why `decision` was taken about the subject, and by when they may appeal.

    Called in the transaction that makes the adverse change, so that there is none without the other.
    `evidence` maps what was looked at to where it can be seen: a page of this site, an address, or words.
    Without `by_mail` the caller writes to them, because they cannot open the page.
    Raises NotAllowed for the site itself: a named person decides (Directive (EU) 2024/2831, article 10);
    Refused when they would decide about themselves; Invalid for a code, explanation or evidence that is
    missing.
    """
    if actor.id == person_id:
        raise Refused(_("Somebody else has to decide this, because it is about you."))
    codes.sentence(subject_kind, reason_code)
    now = clock.now()
    statement = Statement(
        public_id=new_id(),
        person_id=person_id,
        subject_kind=subject_kind,
        subject_id=subject_id,
        decision=Decision(decision),
        reason_code=reason_code,
        rule_version=codes.RULE_VERSION,
        explanation=_explanation(explanation),
        evidence=_evidence(evidence),
        decided_by=actor.id,
        decided_at=now,
        appeal_until=now + codes.appeal_within(subject_kind),
    )
    session.add(statement)
    session.flush()
    audit.record(
        session, actor, "state", "statement", statement.public_id,
        about=subject_kind, subject=subject_id, decision=statement.decision, code=reason_code,
    )  # fmt: skip
    _tell(session, statement, by_mail)
    return statement


def about(session: Session, subject_kind: str, subject_id: uuid.UUID) -> Statement | None:
    """The latest statement about a subject, for the page that shows it. The caller knows who may see it."""
    return session.scalars(
        sa.select(Statement)
        .filter_by(subject_kind=subject_kind, subject_id=subject_id)
        .order_by(Statement.id.desc())
        .limit(1)
    ).first()


def _explanation(text: str) -> str:
    kept = paragraph(text)
    if len(kept) < LEAST_EXPLANATION:
        raise Invalid(
            _("Explain in a sentence or two what you saw, so that the person can answer it."),
            field="explanation",
        )
    return kept


def _evidence(evidence: Mapping[str, str]) -> dict[str, str]:
    kept = {what: str(where) for what, where in evidence.items() if what and where}
    if not kept:
        raise Invalid(_("Name at least one thing that this decision rests on."), field="evidence")
    return kept


def _tell(session: Session, statement: Statement, by_mail: bool) -> None:
    person = session.get_one(Person, statement.person_id)
    with reading(person.locale, person.time_zone):
        notify(
            session,
            person.id,
            "statement",
            _("A decision was made that concerns you"),
            _(
                "%(why)s The page says what was decided, on what evidence, and how to answer until %(day)s.",
                why=codes.sentence(statement.subject_kind, statement.reason_code),
                day=day(statement.appeal_until.date()),
            )
            if statement.subject_kind in elsewhere
            else _(
                "%(why)s The page says what was decided, on what evidence, and how to appeal until %(day)s.",
                why=codes.sentence(statement.subject_kind, statement.reason_code),
                day=day(statement.appeal_until.date()),
            ),
            f"/decisions/{statement.public_id}",
            by_mail,
        )
