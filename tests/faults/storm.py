"""Runs: each plays a plan on a fresh copy of the world."""

from __future__ import annotations

import time
from typing import Any

from tests.faults.ground import Ground, a_place
from tests.faults.plans import Plan, calm
from tests.faults.play import WORK, Outcome, Run


def run(ground: Ground, plan: Plan) -> Outcome:
    """Play the plan on a fresh copy of the world and look at what is left."""
    outcome, began = Outcome(plan), time.monotonic()
    with a_place(ground) as place:
        Run(place, plan, outcome).play()
    outcome.seconds = time.monotonic() - began
    return outcome


def measured(ground: Ground) -> Outcome:
    """How many messages each act takes in calm; RuntimeError when calm itself ends badly."""
    rehearse(ground)
    outcome = run(ground, calm())
    _require_calm(outcome)
    # A round of the worker finds the sending and what Stripe told still to be done.
    parts = [outcome.sizes[act] for act in WORK]
    outcome.sizes["work"] = sum(each[0] for each in parts), sum(each[1] for each in parts)
    return outcome


def rehearse(ground: Ground) -> None:
    """Everything once in the nursery itself: its children begin with all statements compiled."""
    outcome = Outcome(calm())
    with a_place(ground) as place:
        Rehearsal(place, outcome.plan, outcome).play()
    _require_calm(outcome)


def _require_calm(outcome: Outcome) -> None:
    wrong = outcome.wrong + ([] if outcome.heard else ["no webhook was heard"])
    if wrong:
        raise RuntimeError("\n".join(["Without any fault it already goes wrong:", *wrong]))


class Rehearsal(Run):
    """The same play without faults, in one process."""

    def storm(self) -> None:
        self.place.open_site()
        for (step,) in self.plan.groups:
            if step.act in WORK:
                self._work(WORK[step.act])
            else:
                how = self._click(step.act, *step.arguments)
                if step.act == "open_checkout" and how == "0":
                    self._pay()

    def _process(self, what: str, *arguments: Any) -> str:
        url, stripe = self.place.database.app_url, self.place.stripe_url
        return self.place.nursery.rehearse(what, url, stripe, *arguments)
