"""The play of one plan: the storm, the calm after it, and what was found then."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.demo.stripe_server import hands
from tests.faults import acts, checks
from tests.faults.acts import SUMS, SURPRISES
from tests.faults.nursery import HUNG
from tests.faults.oracle import Oracle
from tests.faults.place import Place
from tests.faults.plans import Plan, Step
from tests.faults.wire import HANG_AFTER, HANG_BEFORE

ROUND = [
    f"payments.{name}"
    for name in ("resolve_unknown", "send_waiting", "drain_webhooks", "poll", "track_payouts", "settle_items")
]
NIGHT = [*ROUND, "payments.keep_schedules", "contracts.roll_weeks", "contracts.approve_overdue",
         "payments.prepare_refunds", "payments.send_refunds", "payments.track_chargebacks",
         "ledger.seal", "audit.seal", "mail.deliver_left"]  # fmt: skip
# A round of the worker; only what was asked for, such as to send a batch; only what Stripe has told.
WORK = {"work": ROUND, "send": [], "drain": ["payments.drain_webhooks"]}
# What a worker finds within two days, whatever was lost.
WAITS = (3, 4, 5, 35, 40, 70, 130, 26 * 60, 60, 26 * 60, 60)
SETTLING = (timedelta(days=4), timedelta(days=10))
SHORT_PATIENCE = 1  # seconds, in a process that waits for an answer that does not come
HOOK_PATIENCE = 0.3


@dataclass
class Outcome:
    """What became of a run. `wrong` is empty when all is well; `heard` counts the events that came in."""

    plan: Plan
    wrong: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    answered: dict[str, tuple[list[int], list[int]]] = field(default_factory=dict)
    struck: list[str] = field(default_factory=list)
    heard: int = 0
    seconds: float = 0.0


@dataclass
class Run:
    """The play of one plan at one place."""

    place: Place
    plan: Plan
    outcome: Outcome

    @property
    def oracle(self) -> Oracle:
        return Oracle(self.place.state)

    def play(self) -> None:
        self.storm()
        self.calm_down()
        self.recover()
        with self.place.session() as session:
            self.outcome.wrong += checks.broken(session, self.oracle)
        self.outcome.wrong += self._surprises()
        self.outcome.heard = len(self._ask("SELECT 1 FROM webhook_events"))

    def storm(self) -> None:
        site = self.place.database_wire(dict([self.plan.site] if self.plan.site else []))
        wires = self.place.open_site([site, self.place.stripe_wire({})])
        for number, group in enumerate(self.plan.groups):
            for each in self.plan.switches:
                if each.group == number:
                    hands.arm(self.place.stripe_url, each.kind, each.target, each.times)
            self._together(group)
            self._hear()
            self.place.open_site()
            if number < len(self.plan.pauses) and self.plan.pauses[number]:
                self.place.pass_time(self.plan.pauses[number])
        self.outcome.struck += [f"site: {each}" for each in wires[0].struck]

    def calm_down(self) -> None:
        """No fault strikes any more, and it takes a while until anybody looks."""
        hands.clear_faults(self.place.stripe_url)
        self.place.open_site()
        self.place.pass_time(self.plan.absence)
        self._hear()

    def recover(self) -> None:
        """People do what they did not get done, the worker does what it always does, and time passes."""
        for minutes in WAITS:
            self._people()
            self._work(ROUND)
            if self._converged():
                break
            self.place.pass_time(timedelta(minutes=minutes))
            self._hear()
        for days in SETTLING if self.plan.to_the_bank else ():
            self.place.pass_time(days)
            self._hear()
            self._work(NIGHT if days is SETTLING[-1] else ROUND)
        # What Stripe said of the last round itself came in while that round was under way.
        self._hear()
        self._work(WORK["drain"])

    def _together(self, group: Iterable[Step]) -> None:
        begun = [(step, *self._start(step)) for step in group]
        for step, pid, wires in begun:
            how = self.place.nursery.wait(pid)
            self.outcome.ends.append(f"{step.act}: {how}")
            self.outcome.sizes[step.act] = (wires[0].count, wires[1].count)
            self.outcome.answered[step.act] = (wires[0].answered, wires[1].answered)
            self.outcome.struck += [f"{step.act}: {each}" for wire in wires for each in wire.struck]
            for wire in wires:
                wire.close()
            if how == HUNG:
                self.outcome.wrong.append(f"{step} hung")
            if step.act == "open_checkout" and how == "0":
                self._pay()

    def _start(self, step: Step) -> tuple[int, list[Any]]:
        first = self.place.database_wire(dict([step.database] if step.database else []))
        second = self.place.stripe_wire(dict([step.stripe] if step.stripe else []), away=step.away)
        url, stripe = self.place.through(first), f"http://127.0.0.1:{second.port}"
        hangs = step.stripe is not None and step.stripe[1] in (HANG_BEFORE, HANG_AFTER)
        patience = SHORT_PATIENCE if hangs else 20
        nursery = self.place.nursery
        if step.act in WORK:
            pid = nursery.start("work", url, stripe, WORK[step.act], patience=patience)
        else:
            pid = nursery.start("click", url, stripe, step.act, *self._arguments(step), patience=patience)
        for wire in (first, second):
            wire.belongs_to(pid)
        return pid, [first, second]

    def _arguments(self, step: Step) -> tuple[Any, ...]:
        here = self.place.here
        return {
            "open_checkout": lambda: (here.carla, here.project, SUMS[(step.arguments or (0,))[0]]),
            "come_back": lambda: (),
            "approve": lambda: (here.dev, *(step.arguments or (0,))),
            "prepare": lambda: (here.fin,),
            "release": lambda: (here.gil,),
            "cancel": lambda: (here.gil,),
        }[step.act]()

    def _click(self, act: str, *arguments: int) -> str:
        """A person's act, undisturbed."""
        step = Step(act, arguments)
        return self._process("click", act, *self._arguments(step))

    def _process(self, what: str, *arguments: Any) -> str:
        """Undisturbed, it needs no process of its own, unless the product is broken there; how it ended."""
        url, stripe = self.place.database.app_url, self.place.stripe_url
        if self.place.healthy:
            return str(acts.PROCESSES[what](url, stripe, *arguments))
        return self.place.nursery.wait(self.place.nursery.start(what, url, stripe, *arguments))

    def _work(self, names: list[str]) -> None:
        if (how := self._process("work", names)) != "0":
            self.outcome.wrong.append(f"the worker ended with {how} although nothing was wrong any more")

    def _pay(self) -> None:
        """Whoever is on Stripe's page pays, each page once."""
        shown = {each[0] for each in self._ask("SELECT session_id FROM fundings WHERE state = 'open'")}
        for page in self.oracle.pages():
            if page.id in shown and page.status == "open" and page.url:
                with suppress(hands.Stuck):
                    hands.pay(f"{self.place.stripe_url}{urlsplit(page.url).path}")

    def _people(self) -> None:
        """What people see undone on their pages, they do."""
        if self._ask("SELECT 1 FROM fundings WHERE state IN ('prepared', 'open')"):
            (amount,) = self._ask("SELECT amount FROM fundings WHERE state IN ('prepared', 'open')")[0]
            if self._click("open_checkout", SUMS.index(amount)) == "0":
                self._pay()
        while self._ask("SELECT 1 FROM timesheets WHERE state = 'submitted'"):
            if self._click("approve", 0) != "0":
                self.outcome.wrong.append("a sheet could not be approved")
                break
        if self._owed() and not self._ask("SELECT 1 FROM payout_batches WHERE state = 'prepared'"):
            self._click("prepare")
        waiting = self._ask("SELECT 1 FROM payout_batches WHERE state = 'prepared'")
        if waiting and self._click("release") != "0":
            self._click("cancel")

    def _owed(self) -> int:
        """Approved hours in no item that lives or paid."""
        return len(self._ask(
            "SELECT 1 FROM approvals a WHERE a.expert_amount > 0 AND NOT EXISTS (SELECT 1 FROM"
            " payout_item_approvals pa WHERE pa.approval_id = a.id AND pa.ended_at IS NULL)"
        ))  # fmt: skip

    def _converged(self) -> bool:
        return not self._owed() and not any(
            self._ask(query)
            for query in (
                "SELECT 1 FROM payout_items WHERE state IN ('prepared', 'released', 'sending', 'unknown')",
                "SELECT 1 FROM fundings WHERE state IN ('prepared', 'open', 'processing')",
                "SELECT 1 FROM webhook_events WHERE applied_at IS NULL AND tries < 12",
                "SELECT 1 FROM timesheets WHERE state = 'submitted'",
                "SELECT 1 FROM payout_batches WHERE state IN ('prepared', 'released', 'sending')",
            )
        )

    def _hear(self) -> None:
        """Give what Stripe tells a moment to arrive; what does not come now is not waited for."""
        deadline = time.monotonic() + HOOK_PATIENCE
        with suppress(sqlite3.OperationalError):
            while self.oracle.deliveries() and time.monotonic() < deadline:
                time.sleep(0.01)

    def _ask(self, query: str) -> list[Any]:
        self.place.await_database()
        with self.place.session() as session:
            return _rows(session, query)

    def _surprises(self) -> list[str]:
        path = Path(os.environ["FAULTS_FOLDER"]) / SURPRISES
        if not path.exists():
            return []
        found = [json.loads(line) for line in path.read_text().splitlines()]
        path.unlink()
        return [f"{each['where']} raised {each['error']} in {each['trace']}" for each in found]


def _rows(session: Session, query: str) -> list[Any]:
    return [tuple(row) for row in session.execute(sa.text(query))]
