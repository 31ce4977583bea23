"""Agreeing to another use of one's work, or stopping. Stopping costs nothing, and what was worked is paid."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from marketplace.actor import Actor
from marketplace.contracts import ending, find, signing
from marketplace.contracts.consents import asking, queries
from marketplace.contracts.consents.models import Consent, ConsentState
from marketplace.db import use_case
from marketplace.errors import Refused
from marketplace.gigs import find as find_gig
from marketplace.gigs.members import tell_client
from marketplace.i18n import gettext as _


@use_case
def agree(session: Session, actor: Actor, consent_public_id: uuid.UUID, signed_name: str) -> Consent:
    """Agree by typing one's own name: work from now on is used by the new version, earlier work by the one
    before. Raises Invalid when the name is another, Refused when the question is closed."""
    asked = _own(session, actor, consent_public_id)
    name = signing.signature(asked.contract.offer, signed_name)
    asking.close(session, actor, asked, ConsentState.GIVEN, name)
    _tell_client(session, asked)
    return asked


@use_case
def stop(session: Session, actor: Actor, consent_public_id: uuid.UUID) -> Consent:
    """Do not agree: the contract ends, and what was worked is submitted and paid as always."""
    # Whoever ends a contract holds its gig before it.
    find_gig.hold(session, queries.consent(session, actor, consent_public_id).contract.gig_id)
    asked = _own(session, actor, consent_public_id)
    asking.close(session, actor, asked, ConsentState.STOPPED)
    ending.end_contract(session, actor, asked.contract.public_id)
    return asked


def _tell_client(session: Session, asked: Consent) -> None:
    contract, version = asked.contract, asked.data_use.version
    tell_client(
        session,
        contract.organization_id,
        "data_use.given",
        f"/contracts/{contract.public_id}",
        lambda: (
            _("%(expert)s agreed to the new use of the work", expert=asked.signed_name),
            _(
                "%(gig)s, version %(n)s. Earlier work stays under the one before.",
                gig=contract.gig.title,
                n=version,
            ),
        ),
    )


def _own(session: Session, actor: Actor, public_id: uuid.UUID) -> Consent:
    asked = queries.consent(session, actor, public_id, lock=True)
    find.require_expert(actor, asked.contract)
    if asked.state is not ConsentState.WAITING:
        raise Refused(_("This question is closed. The contract’s page says by which version you work."))
    return asked
