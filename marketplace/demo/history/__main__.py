"""Play the history, or what is left of it, and prove at the end that everything ties out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import embedded, jobs, logs, settings, tasks
from marketplace.contracts import approvals, records, rolling, timesheets
from marketplace.contracts.disputes import turns
from marketplace.credentials.tasks import expire as expire_credentials
from marketplace.db import engine, new_session
from marketplace.demo import world
from marketplace.demo.history import changes, letters, money, people, projects, questions, testing, weeks
from marketplace.demo.history.stage import SEED, WEEKS, Stage, first_monday
from marketplace.payments.gateway import connect
from marketplace.proofs import failing

Step = tuple[str, Callable[[], object]]


def steps(stage: Stage) -> Iterator[Step]:
    """Everything that happens, in order of time. What is done is known by its number."""
    for part in range(people.PARTS):
        yield "experts join", partial(people.join, stage, part)
    yield "companies join", partial(projects.found_companies, stage)
    yield "a company says who it is by law", partial(changes.named_by_law, stage)
    for week in range(WEEKS):
        yield "projects are funded", partial(projects.start_projects, stage, week)
        yield "a week begins", partial(weeks.roll, stage, week)
        if week:
            yield "hours are approved", partial(weeks.approve, stage, week - 1)
            yield "questions are answered", partial(questions.go_on, stage, week)
        yield "gigs find their experts", partial(projects.publish_gigs, stage, week)
        if week == changes.RAISED_IN:
            yield "a rate is raised", partial(changes.rise, stage)
            yield "a bonus is given", partial(changes.praise, stage)
        if week == world.TESTED_IN:
            # Before pay day, so that what the test pays is in a batch too.
            yield "a test is taken", partial(testing.play, stage)
        if week:
            yield "payouts arrive", partial(money.follow, stage, week)
            yield "experts are paid", partial(money.pay, stage, week)
        yield "hours are worked", partial(weeks.work, stage, week)
        if week % 4 == 3:
            yield "fees are swept", partial(money.sweep, stage, week)
            yield "statements come in", partial(money.reconcile, stage, week)
    yield "the last weeks come in", partial(weeks.come_late, stage)
    yield "a line is questioned", partial(questions.leave_one, stage)
    yield "terms change", partial(changes.play, stage)
    yield "people write to each other", partial(letters.exchange, stage)
    yield "the present begins", partial(catch_up, stage)
    yield "invoices are issued", partial(changes.invoice, stage)
    yield "everything is proven", partial(prove, stage)


def catch_up(stage: Stage) -> None:
    """What was asked for on the way and not done yet; then everything that time alone does."""
    with stage.at(WEEKS, 0, 0):
        jobs.run_due(stage.session)
    for act in (
        expire_credentials,
        rolling.roll_weeks,
        approvals.approve_overdue,
        timesheets.submit_forgotten,
        turns.settle_overdue,
        records.refresh_records,
    ):
        act(stage.session)
    money.catch_up(stage)


def prove(stage: Stage) -> None:
    """Run every proof. Raises RuntimeError naming those that fail."""
    found = failing(stage.session)
    if found:
        raise RuntimeError("drift after the history: " + "; ".join(found))


def main() -> int:
    """Go on from the step that the progress file names."""
    config = settings.current()
    logs.start(config.log_level)
    tasks.register()
    progress = config.data / "progress.json"
    url = embedded.ensure(config).app_url
    sa.event.listen(engine(url), "connect", _think_longer)
    with jobs.writing_the_past(url), new_session(url) as session:
        _play(_stage(session, url, config, progress), progress)
    return 0


def _think_longer(connection: Any, _record: object) -> None:
    """On the site a transaction that idles for a minute is ended; on a busy machine a step takes longer."""
    connection.execute("SET idle_in_transaction_session_timeout = '15min'")
    connection.commit()


def _play(stage: Stage, progress: Path) -> None:
    """Every step that is not done yet."""
    play = list(steps(stage))
    for number, (name, act) in enumerate(play):
        if number >= told(progress).get("done", 0):
            tell(progress, number, len(play), name, stage)
            act()
            stage.session.rollback()
    tell(progress, len(play), len(play), "done", stage)


def _stage(session: Session, url: str, config: settings.Settings, progress: Path) -> Stage:
    """The same Mondays after a restart, even on another day."""
    begun = told(progress).get("monday")
    monday = first_monday() if begun is None else datetime.fromisoformat(begun)
    return Stage(
        session=session,
        database_url=url,
        gateway=connect(config),
        world=world.draw(SEED),
        monday=monday,
        base_url=config.base_url,
        stripe_url=config.stripe_api_base or "",
        fee_bps=config.fee_bps,
    )


def told(progress: Path) -> dict[str, Any]:
    """What the progress file says; nothing when there is none."""
    try:
        found: dict[str, Any] = json.loads(progress.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def tell(progress: Path, done: int, total: int, name: str, stage: Stage) -> None:
    """Write how far it is, in one step, so that nobody reads half of it."""
    said = {"done": done, "total": total, "stage": name, "finished": done == total,
            "monday": stage.monday.isoformat()}  # fmt: skip
    draft = progress.with_suffix(".new")
    draft.write_text(json.dumps(said))
    draft.replace(progress)


if __name__ == "__main__":
    sys.exit(main())
