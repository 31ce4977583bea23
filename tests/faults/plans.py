"""What happens in a run, drawn from its seed alone: who does what, and what is struck at which message."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.faults.wire import CRASH, DATABASE_WAYS, HANG_AFTER, HANG_BEFORE, STRIPE_WAYS, WAYS

# How many messages an act sends to PostgreSQL and to Stripe when nothing goes wrong.
Sizes = Mapping[str, tuple[int, int]]

ANSWERS = (
    "error_before", "error_after", "drop_before", "drop_after", "garbage", "key_in_use", "lock_timeout",
    "limit_endpoint_rate", "limit_global_rate", "limit_global_concurrency",
)  # fmt: skip
HOOKS = ("hook_twice", "hook_flood", "hook_two_ids", "hook_reordered", "hook_late", "hook_lost")
TRANSFERS, CHECKOUTS, READS = "POST /v1/transfers", "POST /v1/checkout/sessions", "GET *"
# Everything once, in the order in which it happens.
PATH = ("open_checkout", "come_back", "approve", "prepare", "release", "send", "drain", "work")
ABSENCES = (timedelta(minutes=3), timedelta(minutes=3), timedelta(minutes=40), timedelta(hours=26))


@dataclass(frozen=True)
class Step:
    """One process: what it does, and at which of its messages it is struck."""

    act: str
    arguments: tuple[int, ...] = ()
    database: tuple[int, str] | None = None
    stripe: tuple[int, str] | None = None
    away: bool = False

    def __str__(self) -> str:
        both = ((self.database, "PostgreSQL"), (self.stripe, "Stripe"))
        struck = [f"{found[1]} at message {found[0]} to {whom}" for found, whom in both if found]
        struck += ["Stripe away"] if self.away else []
        return f"{self.act}{list(self.arguments) or ''}" + (f" ({', '.join(struck)})" if struck else "")


@dataclass(frozen=True)
class Switch:
    """Armed at Stripe before the group of that number."""

    group: int
    kind: str
    target: str
    times: int


@dataclass(frozen=True)
class Plan:
    """Groups happen one after another, the steps of a group at once."""

    seed: str
    groups: tuple[tuple[Step, ...], ...]
    switches: tuple[Switch, ...] = ()
    pauses: tuple[timedelta, ...] = field(default=())
    site: tuple[int, str] | None = None
    absence: timedelta = timedelta(minutes=3)
    to_the_bank: bool = True

    def lines(self) -> list[str]:
        said = [f"plan of seed {self.seed}:"]
        for number, group in enumerate(self.groups):
            said += [
                f"  before {number}: Stripe {each.kind} for {each.target}, {each.times} times"
                for each in self.switches
                if each.group == number
            ]
            said.append(f"  {number}: " + " at once with ".join(map(str, group)))
        if self.site:
            said.append(f"  the site: {self.site[1]} at message {self.site[0]} to PostgreSQL")
        return [*said, f"  then nobody looks for {self.absence}"]


def calm() -> Plan:
    """Everything once, and nothing goes wrong: it says how many messages each act takes."""
    return Plan("calm", tuple((Step(act, (0,)),) for act in PATH))


def systematic(answered: Mapping[str, tuple[list[int], list[int]]]) -> Iterator[Plan]:
    """One small batch, and the payment before it, struck in each way at each message that is answered.

    `answered` says which messages of an act these are. PostgreSQL keeps nothing of those that lead to one of
    them before it came.
    """
    for struck in PATH:
        to_database, to_stripe = answered[struck]
        for at in to_database:
            for way in WAYS:
                yield _struck_once(f"{struck}-postgresql-{at}-{way}", struck, {"database": (at, way)})
        for at in to_stripe:
            for way in STRIPE_WAYS:
                yield _struck_once(f"{struck}-stripe-{at}-{way}", struck, {"stripe": (at, way)})


def _struck_once(name: str, struck: str, how: dict[str, Any]) -> Plan:
    groups = tuple((Step(act, (0,), **(how if act == struck else {})),) for act in PATH)
    return Plan(name, groups)


def drawn(seed: str, sizes: Sizes) -> Plan:
    """The plan of a seed: the same for the same code."""
    dice = random.Random(seed)
    acts: list[tuple[str, tuple[int, ...]]] = [
        ("open_checkout", (dice.randrange(3),)), ("come_back", ()),
        ("approve", (dice.randrange(2),)), ("approve", (dice.randrange(2),)),
        ("prepare", ()), ("release", ()), ("work", ()), ("work", ()), ("work", ()),
    ]  # fmt: skip
    if dice.random() < 0.3:
        _swap(dice, acts)
    # Half of the plans let everything up to there, or from there on, go well, so that the rest goes far.
    focus = dice.choice((set(PATH), set(PATH), {"work"}, {"open_checkout", "come_back", "work"}))
    groups: list[tuple[Step, ...]] = []
    for act, arguments in acts:
        chance = 1.0 if act in focus else 0.0
        steps = [_struck(dice, act, arguments, sizes, chance)]
        if dice.random() < (0.5 if act == "work" else 0.15):
            # Two workers, two tabs, a double click.
            steps.append(_struck(dice, act, arguments, sizes, chance))
        if groups and dice.random() < 0.15:
            groups[-1] += tuple(steps)
        else:
            groups.append(tuple(steps))
    return Plan(
        seed,
        tuple(groups),
        _switches(dice, len(groups)),
        tuple(timedelta(minutes=dice.choice((0, 0, 0, 3))) for _group in groups),
        (1 + dice.randrange(60), dice.choice(WAYS)) if dice.random() < 0.4 else None,
        dice.choice(ABSENCES),
        dice.random() < 0.25,
    )


def _swap(dice: random.Random, acts: list[tuple[str, tuple[int, ...]]]) -> None:
    """Two neighbours change places: a week is approved while the batch is out, or somebody is late."""
    at = dice.randrange(len(acts) - 1)
    acts[at], acts[at + 1] = acts[at + 1], acts[at]


def _struck(dice: random.Random, act: str, arguments: tuple[int, ...], sizes: Sizes, chance: float) -> Step:
    to_database, to_stripe = sizes[act]
    database = stripe = None
    if dice.random() < 0.6 * chance:
        way = dice.choice(DATABASE_WAYS)
        # A crash of the whole database takes longer than all else, so there are few.
        way = dice.choice(WAYS) if way == CRASH and dice.random() < 0.6 else way
        database = 1 + dice.randrange(to_database), way
    if to_stripe and dice.random() < 0.5 * chance:
        way = dice.choice(STRIPE_WAYS)
        way = dice.choice(WAYS) if way in (HANG_BEFORE, HANG_AFTER) and dice.random() < 0.5 else way
        stripe = 1 + dice.randrange(to_stripe), way
    return Step(act, arguments, database, stripe, dice.random() < 0.04 * chance)


def _switches(dice: random.Random, groups: int) -> tuple[Switch, ...]:
    some = [
        Switch(dice.randrange(groups), dice.choice(ANSWERS), dice.choice((TRANSFERS, CHECKOUTS, READS)),
               dice.randint(1, 3))
        for _each in range(dice.randrange(4))
    ]  # fmt: skip
    some += [
        Switch(dice.randrange(groups), dice.choice(HOOKS), "*", dice.randint(1, 4))
        for _each in range(dice.randrange(3))
    ]
    return tuple(some)
