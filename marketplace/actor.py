"""Who acts: a person with their roles, or the site itself. A plain value that every use case is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from marketplace import clock
from marketplace.errors import FreshFactorNeeded, NotAllowed
from marketplace.i18n import gettext as _

FRESH = timedelta(minutes=10)


class Role(StrEnum):
    """What a person may do. Client roles are held within one organization; the others on the whole site."""

    EXPERT = "expert"
    CLIENT_ADMIN = "client_admin"
    CLIENT_APPROVER = "client_approver"
    FINANCE_PREPARER = "finance_preparer"
    FINANCE_RELEASER = "finance_releaser"
    REVIEWER = "reviewer"
    OPERATOR = "operator"


CLIENT = frozenset({Role.CLIENT_ADMIN, Role.CLIENT_APPROVER})
FINANCE = frozenset({Role.FINANCE_PREPARER, Role.FINANCE_RELEASER})
# Those who see other people's money or papers sign in with a second factor.
SECOND_FACTOR = FINANCE | {Role.REVIEWER, Role.OPERATOR}


@dataclass(frozen=True)
class Grant:
    """A role, within an organization (internal id) where the role is a client's."""

    role: Role
    organization_id: int | None = None


@dataclass(frozen=True)
class Actor:
    """A signed-in person, or the site itself when `person_id` is None.

    `second_factor_at` (UTC) is when a code or passkey was last given in this session.
    """

    person_id: int | None
    name: str
    grants: frozenset[Grant] = field(default_factory=frozenset)
    request_id: str = ""
    second_factor_at: datetime | None = None

    def has(self, *roles: Role, organization_id: int | None = None) -> bool:
        """Does this person hold any of `roles` (within the organization, if one is named)?"""
        return any(g.role in roles and organization_id in (None, g.organization_id) for g in self.grants)

    def organizations(self, *roles: Role) -> frozenset[int]:
        """Internal ids of the organizations in which this person holds any of `roles`."""
        return frozenset(g.organization_id for g in self.grants if g.role in roles and g.organization_id)

    def require(self, *roles: Role, organization_id: int | None = None) -> None:
        """Raise NotAllowed unless the person holds one of `roles`."""
        if not self.has(*roles, organization_id=organization_id):
            raise NotAllowed(_("Your role does not include this. Ask an operator if you need it."))

    def require_fresh_factor(self) -> None:
        """Raise FreshFactorNeeded unless a second factor was given within the last ten minutes."""
        if self.second_factor_at is None or clock.now() - self.second_factor_at > FRESH:
            raise FreshFactorNeeded(_("Confirm with your second factor, then try again."))

    @property
    def id(self) -> int:
        """The person's internal id. Raises NotAllowed for the site itself."""
        if self.person_id is None:
            raise NotAllowed(_("Only a person can do this."))
        return self.person_id


SITE = Actor(person_id=None, name="site")
