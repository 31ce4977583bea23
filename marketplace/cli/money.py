"""`marketplace payouts status`, `reconcile status`, `reconcile run` and `stripe-check`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

from marketplace import settings
from marketplace.cli.proofs import session_for_command
from marketplace.payments import gateway, queries, real_check
from marketplace.reconciliation import fetching, overview, passes


def payouts(arguments: argparse.Namespace) -> int:
    """Every batch that is not settled, by the state of its items. Amounts are minor units."""
    with session_for_command() as session:
        found = queries.payouts_status(session)
    if arguments.json:
        print(json.dumps(found, indent=2))
        return 0
    for row in found:
        print("  ".join(str(value) for value in row.values()))
    if not found:
        print("Every batch is settled.")
    return 0


def status(arguments: argparse.Namespace) -> int:
    """Whether ledger, Stripe and bank tie out; exits 1 when they do not."""
    with session_for_command() as session:
        found = overview.status(session)
    print(json.dumps(found, indent=2) if arguments.json else f"{found['sentence']} {found['advice']}")
    return int(not found["ties_out"])


def run(arguments: argparse.Namespace) -> int:
    """Fetch from Stripe and match everything; a line for what each pass found."""
    with session_for_command() as session:
        fetching.fetch_stripe(session, gateway.connect(settings.current()))
        result = passes.run(session)
    for number in sorted({*result.confirmed, *result.proposed}):
        print(f"pass {number}: {result.confirmed[number]} confirmed, {result.proposed[number]} proposed")
    print(f"open items: {result.opened} opened, {result.resolved} resolved")
    return 0


def check_stripe(arguments: argparse.Namespace) -> int:
    """Run the steps of docs/stripe-test-mode.md that need only a key; exits 1 when one differs."""
    config = settings.current()
    return _tell(real_check.check(gateway.connect(config), config.stripe_key or ""))


def _tell(findings: Iterable[real_check.Finding]) -> int:
    wrong = 0
    for each in findings:
        mark = {True: "as expected", False: "DIFFERS", None: "by hand"}[each.ok]
        print(f"{each.step:>3}  {mark:<11}  {each.asked}: {each.came_back}")
        wrong += each.ok is False
    return int(wrong > 0)
