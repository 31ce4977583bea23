"""What we say to the bank: its row, the call, its outcome. What nobody knows is looked up, not sent again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs
from marketplace.actor import FINANCE, SITE, Actor
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs.find import there
from marketplace.i18n import gettext as _
from marketplace.payments import claiming, facts
from marketplace.payments.chargebacks import recording
from marketplace.payments.chargebacks.models import Chargeback, Evidence
from marketplace.payments.gateway import Gateway
from marketplace.payments.keys import KEY_LIVES
from marketplace.payments.outcomes import GatewayError, GatewayRefused
from marketplace.payments.states import ChargebackState, EvidenceState, move

# What Stripe takes at most as free text.
MOST_CHARACTERS = 20_000
UNRESOLVED = (EvidenceState.SENDING, EvidenceState.UNKNOWN)


@use_case
def answer(session: Session, actor: Actor, public_id: uuid.UUID, text: str) -> Evidence:
    """Write down what the bank is told, and have it sent. Once it was submitted the bank takes nothing more.

    Raises NotFound, Invalid without a text, Refused when there is nothing to answer or it was answered.
    """
    actor.require(*FINANCE)
    chargeback = locked(session, public_id)
    if not chargeback.waits_for_answer:
        raise Refused(_("The bank takes no answer to this any more."))
    if chargeback.answered:
        raise Refused(_("This was answered already, and the bank takes one answer."))
    said = text.strip()
    if not said or len(said) > MOST_CHARACTERS:
        raise Invalid(_("Say what happened, in at most 20,000 characters."), field="text")
    evidence = Evidence(
        chargeback=chargeback,
        inquiry=chargeback.state is ChargebackState.INQUIRY,
        text=said,
        written_by=actor.id,
        written_at=clock.now(),
    )
    session.add(evidence)
    session.flush()
    audit.record(session, actor, "answer", "chargeback", public_id, evidence=evidence.public_id)
    jobs.defer(session, "payments.send_evidence", once="payments.send_evidence")
    return evidence


def locked(session: Session, public_id: uuid.UUID) -> Chargeback:
    """A chargeback, held and read anew. Raises NotFound."""
    query = sa.select(Chargeback).filter_by(public_id=public_id).with_for_update(of=Chargeback)
    return there(session.scalars(query.execution_options(populate_existing=True)).one_or_none())


def send_evidence(session: Session, gateway: Gateway) -> int:
    """Send what was written, and find out about what nobody knows; how many were taken up."""
    return claiming.send_each(session, gateway, _claim, _send)


@dataclass(frozen=True)
class _Order(claiming.Order):
    """Committed evidence as the call needs it."""

    dispute: str
    text: str


@use_case
def _claim(session: Session) -> _Order | None:
    """Commit that the next is being sent, or looked into, for the time of a lease."""
    taken = claiming.take(session, Evidence, "evidence")
    if taken is None:
        return None
    evidence, known = taken
    return _Order(*known, evidence.chargeback.stripe_id, evidence.text)


def _send(session: Session, gateway: Gateway, order: _Order) -> None:
    """See whether the bank has it, else send it; the key is used again only while Stripe keeps it."""
    found = _ours(_look(session, gateway, order), order) if order.tried_before else None
    if found is None and clock.now() - order.first_tried_at > KEY_LIVES:
        _send_anew(session, order)
    elif found is None:
        found = _submit(session, gateway, order)
    if found is not None:
        _sent(session, order)
        recording.record(session, found)


def _look(session: Session, gateway: Gateway, order: _Order) -> facts.Dispute:
    """The chargeback as Stripe has it. A look that fails says nothing about the evidence."""
    try:
        return gateway.dispute(order.dispute)
    except GatewayError as error:
        claiming.record_unknown(session, Evidence, order, error.code)
        raise


def _ours(found: facts.Dispute, order: _Order) -> facts.Dispute | None:
    mine = found.metadata.get("evidence") == str(order.public_id) and found.submissions > 0
    return found if mine else None


def _submit(session: Session, gateway: Gateway, order: _Order) -> facts.Dispute | None:
    """The chargeback with our evidence; None when Stripe said no and does not have it, which is recorded."""
    metadata = {"evidence": str(order.public_id)}
    try:
        return gateway.send_evidence(order.key, order.dispute, text=order.text, metadata=metadata)
    except GatewayRefused as error:
        found = _look(session, gateway, order)
        if _ours(found, order) is None:
            _refused(session, order, error.code)
            recording.record(session, found)
            return None
        return found
    except GatewayError as error:
        claiming.record_unknown(session, Evidence, order, error.code)
        raise


@use_case
def _sent(session: Session, order: _Order) -> None:
    evidence = _evidence(session, order)
    if evidence.state in UNRESOLVED:
        move(evidence, EvidenceState.SENT)
        evidence.sent_at, evidence.retry_at, evidence.failure = clock.now(), None, None
        _record(session, evidence, "sent")


@use_case
def _refused(session: Session, order: _Order, code: str) -> None:
    evidence = _evidence(session, order)
    if evidence.state in UNRESOLVED:
        move(evidence, EvidenceState.REFUSED)
        evidence.retry_at, evidence.failure = None, code
        _record(session, evidence, "refused")


@use_case
def _send_anew(session: Session, order: _Order) -> None:
    """Stripe does not have it, and has forgotten the key: a new one."""
    evidence = _evidence(session, order)
    if evidence.state in UNRESOLVED:
        claiming.send_anew(evidence, evidence.failure, clock.now())


def _evidence(session: Session, order: _Order) -> Evidence:
    return there(claiming.held(session, Evidence, order.public_id))


def _record(session: Session, evidence: Evidence, event: str) -> None:
    audit.record(session, SITE, event, "evidence", evidence.public_id, code=evidence.failure)
