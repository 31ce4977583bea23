"""Who a client is by law: what stands on its invoices."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit
from marketplace.accounts.models import Organization
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound
from marketplace.i18n import gettext as _
from marketplace.text import line, paragraph

LONGEST = 1000


@use_case
def change_legal(
    session: Session, actor: Actor, organization_id: uuid.UUID, name: str, address: str, tax_number: str
) -> Organization:
    """Write down name and address, and a tax number if there is one. Invoices already issued stay.

    Raises NotFound, NotAllowed, Invalid.
    """
    organization = session.scalars(
        sa.select(Organization).filter_by(public_id=organization_id).with_for_update()
    ).one_or_none()
    if organization is None:
        raise NotFound(_("There is no such organization."))
    actor.require(Role.CLIENT_ADMIN, organization_id=organization.id)
    wanted = {
        "legal_name": _said(line(name), "legal_name"),
        "legal_address": _said(paragraph(address), "legal_address"),
        "tax_number": _short(line(tax_number), "tax_number") or None,
    }
    before = {key: getattr(organization, key) for key in wanted}
    for key, value in wanted.items():
        setattr(organization, key, value)
    if before != wanted:
        audit.record(
            session, actor, "organization.legal", "organization", organization.public_id,
            before=before, after=wanted,
        )  # fmt: skip
    return organization


def _said(text: str, field: str) -> str:
    if not text:
        raise Invalid(_("Fill this in: it stands on the invoice."), field=field)
    return _short(text, field)


def _short(text: str, field: str) -> str:
    if len(text) > LONGEST:
        raise Invalid(_("Use at most %(n)s characters.", n=LONGEST), field=field)
    return text
