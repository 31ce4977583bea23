"""What Lumen Labs and its experts write to each other: an exchange, a question, an announcement."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import sqlalchemy as sa

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts.models import Contract
from marketplace.contracts.threads import at_work
from marketplace.demo.history.people import scan
from marketplace.demo.history.stage import WEEKS, Stage
from marketplace.demo.world import BEN, CARLA, LUMEN_PROJECT
from marketplace.gigs.models import Application, Gig, Project
from marketplace.gigs.states import ApplicationState
from marketplace.messages import reading, threads
from marketplace.messages.sending import send
from marketplace.storage import Upload

LAST = WEEKS - 1
About = tuple[str, uuid.UUID]


def exchange(stage: Stage) -> None:
    """Ben and Carla about his licence; what she tells everybody; what somebody asks who has applied."""
    contract = stage.session.scalars(
        sa.select(Contract).filter_by(person_id=stage.by_email(BEN).id).order_by(Contract.id)
    ).first()
    if contract is not None:
        _about_the_licence(stage, ("contract", contract.public_id))
    _announced(stage)
    _asked(stage)


def _about_the_licence(stage: Stage, about: About) -> None:
    _write(stage, BEN, about, 0, 15,
        "My licence ran out, and the bar takes two weeks to renew it. The hours until then are submitted. "
        "I photographed the bar's receipt for you.",
        replace(scan("206112"), name="receipt.png"),
    )  # fmt: skip
    _write(stage, CARLA, about, 0, 17,
        "Thank you for saying so at once. What you worked is paid as always, and your place stays yours "
        "until the renewal is checked.",
    )  # fmt: skip
    _write(stage, BEN, about, 1, 14, "Good to know. I write again as soon as it is there.")
    _read(stage, CARLA, about, 1, 16)


def _announced(stage: Stage) -> None:
    project = stage.session.scalars(sa.select(Project.public_id).filter_by(name=LUMEN_PROJECT)).one()
    about = ("project", project)
    _write(stage, CARLA, about, 1, 15,
        "From Monday on, name the clause in each critique: “7.2, subletting”. Nothing else changes, and what "
        "you have handed in already is fine as it is.",
    )  # fmt: skip
    # Only those to whom it went can read it: whoever took a test there, or has left, does not.
    for person_id in sorted(at_work(stage.session, project))[:2]:
        with _on(stage, 1, 19):
            _reads(stage, stage.actor(person_id), about)


def _asked(stage: Stage) -> None:
    asking = (
        sa.select(Application.public_id, Application.person_id)
        .join(Application.gig)
        .join(Gig.project)
        .where(Project.name == LUMEN_PROJECT, Application.state == ApplicationState.APPLIED)
    )
    found = stage.session.execute(asking.order_by(Application.id)).first()
    if found is not None:
        application, person_id = found
        with _on(stage, 2, 15):
            _send(stage, stage.actor(person_id), ("application", application),
                "May I work in the evenings, Eastern time? During the day I am in court.",
            )  # fmt: skip


def _write(stage: Stage, email: str, about: About, day: int, hour: int, text: str, *files: Upload) -> None:
    with _on(stage, day, hour):
        actor = stage.by_email(email)
        _reads(stage, actor, about)
        _send(stage, actor, about, text, *files)


def _read(stage: Stage, email: str, about: About, day: int, hour: int) -> None:
    with _on(stage, day, hour):
        _reads(stage, stage.by_email(email), about)


def _reads(stage: Stage, actor: Actor, about: About) -> None:
    reading.read(stage.session, actor, threads.stand(stage.session, actor, *about))


def _send(stage: Stage, actor: Actor, about: About, text: str, *files: Upload) -> None:
    """Played again it is the same message."""
    send(stage.session, actor, *about, uuid.uuid5(about[1], text), text, files)


@contextmanager
def _on(stage: Stage, day: int, hour: int) -> Iterator[None]:
    """A day of the last week, never later than now."""
    with clock.at(stage.when(LAST, day, hour)):
        yield
