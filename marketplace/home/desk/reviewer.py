"""What waits for a reviewer of credentials."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.credentials.models import Credential
from marketplace.credentials.states import CredentialState
from marketplace.home.desk.parts import Desk, Figure, Task, count
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext


def desk(session: Session, actor: Actor, currency: str) -> Desk:
    waits = Credential.state == CredentialState.NEEDS_REVIEW
    n = count(session, Credential, waits)
    oldest = session.scalar(sa.select(sa.func.min(Credential.submitted_at)).where(waits))
    age = (clock.now() - oldest) // timedelta(days=1) if oldest else 0
    task = Task(
        ngettext("A credential waits for a look.", "%(n)s credentials wait for a look.", n),
        _("Take the next"),
        "credentials.queue",
    )
    figures = (Figure(_("Waiting"), str(n)), Figure(_("Oldest"), ngettext("%(n)s day", "%(n)s days", age)))
    return Desk(_("Reviews"), (task,) if n else (), figures)
