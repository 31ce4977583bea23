"""The people who can sign in to the demo. Their passwords are published: they open nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.actor import Role
from marketplace.i18n import lazy


@dataclass(frozen=True)
class Player:
    """One of the cast. `totp_secret` (base32) goes into an authenticator app; the demo also shows codes."""

    key: str
    name: str
    email: str
    password: str
    roles: tuple[Role, ...]
    organization: str | None
    country: str
    time_zone: str
    does: str
    totp_secret: str | None = None


LUMEN = "Lumen Labs"
NEW_YORK, CHICAGO, LONDON = "America/New_York", "America/Chicago", "Europe/London"

CAST = (
    Player(
        "ana", "Ana Alvarez", "ana@demo.example", "herons wade at dawn 1", (Role.EXPERT,), None,
        "US", NEW_YORK, lazy("Physician. Finds gigs, logs her time, gets paid."),
    ),
    Player(
        "ben", "Ben Baker", "ben@demo.example", "lanterns over water 2", (Role.EXPERT,), None,
        "US", CHICAGO,
        lazy("Lawyer whose licence has expired. Was paid until then, and sees why he cannot go on."),
    ),
    Player(
        "carla", "Carla Costa", "carla@demo.example", "gravel roads uphill 3", (Role.CLIENT_ADMIN,), LUMEN,
        "US", NEW_YORK, lazy("Funds projects, publishes gigs and makes offers for Lumen Labs."),
    ),
    Player(
        "dev", "Dev Desai", "dev@demo.example", "copper kettles sing 4", (Role.CLIENT_APPROVER,), LUMEN,
        "GB", LONDON, lazy("Approves the timesheets of Lumen Labs."),
    ),
    Player(
        "fin", "Fin Farrell", "fin@demo.example", "paper boats at noon 5", (Role.FINANCE_PREPARER,), None,
        "US", NEW_YORK, lazy("Prepares payouts and reconciles."), "JBSWY3DPEHPK3PXPFINAAAAAAAAAAAA2",
    ),
    Player(
        "gil", "Gil Garnier", "gil@demo.example", "velvet maps unfold 6", (Role.FINANCE_RELEASER,), None,
        "US", NEW_YORK, lazy("Releases payouts that somebody else prepared."),
        "JBSWY3DPEHPK3PXPGILAAAAAAAAAAAA2",
    ),
    Player(
        "mia", "Mia Moreau", "mia@demo.example", "foxgloves by noon 10", (Role.FINANCE_RELEASER,), None,
        "US", CHICAGO, lazy("Releases as the second of two what is too much for one."),
        "JBSWY3DPEHPK3PXPMIAAAAAAAAAAAAA2",
    ),
    Player(
        "rev", "Rev Rao", "rev@demo.example", "quiet orchards hum 7", (Role.REVIEWER,), None,
        "US", CHICAGO, lazy("Checks credentials at their source."), "JBSWY3DPEHPK3PXPREVAAAAAAAAAAAA2",
    ),
    Player(
        "opa", "Opa Okafor", "opa@demo.example", "thimbles and thread 8", (Role.OPERATOR,), None,
        "GB", LONDON, lazy("Runs the site: people, companies, appeals."), "JBSWY3DPEHPK3PXPOPAAAAAAAAAAAAA2",
    ),
    Player(
        "zed", "Zed Zeller", "zed@demo.example", "marbles in the snow 9", (), None,
        "US", NEW_YORK, lazy("Signed in, without any role. Sees nothing of anybody."),
    ),
)  # fmt: skip
