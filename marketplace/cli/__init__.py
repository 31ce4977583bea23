"""The `marketplace` command. Adding one is an entry in COMMANDS and a function `(arguments) -> exit code`.

Exit codes: 0 done, 1 refused with a sentence on standard error, 2 wrong usage. Never a traceback: what is
unexpected goes to a file in the data folder, and the sentence says where.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from sqlalchemy.exc import OperationalError

from marketplace import settings
from marketplace.embedded import ServerError
from marketplace.errors import DomainError
from marketplace.settings import SettingsError

Run = Callable[[argparse.Namespace], int]


@dataclass(frozen=True)
class Argument:
    """What argparse's `add_argument` is given."""

    name: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Command:
    """`name` in one or two words, what it is for, and `module:function`, imported only when asked for."""

    name: str
    help: str
    target: str
    arguments: tuple[Argument, ...] = ()

    def load(self) -> Run:
        module, _, function = self.target.partition(":")
        return cast(Run, getattr(import_module(module), function))


JSON = Argument("--json", {"action": "store_true", "help": "for a program to read"})
LIMIT = Argument(
    "--limit", {"type": int, "default": 50, "metavar": "N", "help": "at most so many (default %(default)s)"}
)
COMMANDS = (
    Command(
        "demo",
        "the whole marketplace on this machine, with people to sign in as",
        "marketplace.demo.supervisor:main",
        (
            Argument("--port", {"type": int, "default": 8000, "help": "of the site; Stripe's is one higher"}),
            Argument("--no-history", {"action": "store_true", "help": "do not fill in twelve weeks of work"}),
        ),
    ),
    Command(
        "serve",
        "the site (gunicorn)",
        "marketplace.cli.serve:main",
        (Argument("--bind", {"default": "127.0.0.1:8000", "help": "HOST:PORT (default %(default)s)"}),),
    ),
    Command(
        "worker",
        "the background jobs",
        "marketplace.cli.worker:main",
        (
            Argument(
                "--concurrency", {"type": int, "default": 2, "help": "jobs at once (default %(default)s)"}
            ),
        ),
    ),
    Command("db upgrade", "bring the database to the newest migration", "marketplace.cli.db:upgrade"),
    Command(
        "db downgrade",
        "take the database back to a migration",
        "marketplace.cli.db:downgrade",
        (Argument("to", {"metavar": "REVISION", "help": "such as 0007; 'base' empties the database"}),),
    ),
    Command(
        "match",
        "the best experts for a gig, each with the whole reason",
        "marketplace.cli.matching:experts",
        (
            Argument("gig", {"metavar": "GIG", "help": "its public id, or its id in an imported file"}),
            LIMIT,
            JSON,
        ),
    ),
    Command(
        "gigs",
        "the best gigs for an expert, each with the whole reason",
        "marketplace.cli.matching:gigs",
        (
            Argument(
                "expert",
                {"metavar": "EXPERT", "help": "the public id of the profile, or in an imported file"},
            ),
            LIMIT,
            JSON,
        ),
    ),
    Command(
        "import experts",
        "experts from a CSV or JSON Lines file; doing it again changes nothing",
        "marketplace.cli.importing:experts",
        (
            Argument("file", {"metavar": "FILE", "help": "bad rows go to FILE.rejected.csv"}),
            Argument("--source", {"default": "import", "help": "whose ids they are (default %(default)s)"}),
            Argument(
                "--attested-by",
                {"metavar": "PERSON", "help": "e-mail of a reviewer who has seen all the credentials"},
            ),
        ),
    ),
    Command(
        "invite experts",
        "mail those who were imported, and never mailed, the link by which they take over",
        "marketplace.cli.importing:invite",
    ),
    Command(
        "import gigs",
        "gigs from a CSV or JSON Lines file, as drafts of their clients; doing it again changes nothing",
        "marketplace.cli.importing:gigs",
        (
            Argument("file", {"metavar": "FILE", "help": "bad rows go to FILE.rejected.csv"}),
            Argument("--source", {"default": "import", "help": "whose ids they are (default %(default)s)"}),
        ),
    ),
    Command(
        "payouts status",
        "batches that are not settled, by the state of their items",
        "marketplace.cli.money:payouts",
        (JSON,),
    ),
    Command(
        "reconcile status",
        "whether ledger, Stripe and bank tie out; exits 1 when they do not",
        "marketplace.cli.money:status",
        (JSON,),
    ),
    Command("reconcile run", "fetch from Stripe and match everything", "marketplace.cli.money:run"),
    Command(
        "stripe-check",
        "docs/stripe-test-mode.md against Stripe's test mode, with only a key",
        "marketplace.cli.money:check_stripe",
    ),
    Command(
        "proofs",
        "every balance proof; exits 1 on any drift",
        "marketplace.cli.proofs:main",
        (JSON,),
    ),
    Command(
        "audit verify", "that the trail was not changed afterwards", "marketplace.cli.proofs:verify_trail"
    ),
    Command(
        "faults",
        "kills, cuts and lost answers at random, and what money makes of them (needs the tests)",
        "marketplace.cli.faults:main",
        (
            Argument("--runs", {"type": int, "default": 100, "help": "how many (default %(default)s)"}),
            Argument("--seed", {"default": "", "help": "what they are drawn from; a new one by default"}),
            Argument("--only", {"action": "store_true", "help": "just this seed, as it was printed"}),
            Argument("--jobs", {"type": int, "default": 1, "help": "at once (default %(default)s)"}),
            Argument(
                "--systematic", {"action": "store_true", "help": "each way to break at each message instead"}
            ),
            Argument("--verbose", {"action": "store_true", "help": "tell of each run"}),
        ),
    ),
    Command("doctor", "what is configured, what is missing, what is unsafe", "marketplace.cli.doctor:main"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    arguments = parser(COMMANDS).parse_args(argv)
    try:
        return cast(Command, arguments.command).load()(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output, `head` for one, has had enough. Nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SettingsError as error:
        complain("The settings cannot be used:", *(f"  {problem}" for problem in error.problems))
    except DomainError as error:
        complain(error.sentence)
    except ServerError as error:
        complain(str(error))
    except OperationalError as error:
        complain(f"The database does not answer: {str(error.orig).strip().splitlines()[0]}")
    except Exception:
        complain(f"Something unexpected went wrong. The details are in {_keep_traceback()}.")
    return 1


def parser(commands: Sequence[Command]) -> argparse.ArgumentParser:
    """The parser of `commands`; two words become a group and a command in it."""
    root = argparse.ArgumentParser(
        prog="marketplace", description="A marketplace for the experts who train AI."
    )
    top = root.add_subparsers(required=True, metavar="COMMAND")
    groups: dict[str, Any] = {}
    for command in commands:
        group, _, name = command.name.rpartition(" ")
        if group and group not in groups:
            title = f"{', '.join(each.name for each in commands if each.name.startswith(group + ' '))}"
            groups[group] = top.add_parser(group, help=title).add_subparsers(required=True, metavar="COMMAND")
        place = groups[group] if group else top
        made = place.add_parser(name, help=command.help, description=f"{command.help.capitalize()}.")
        made.set_defaults(command=command)
        for argument in command.arguments:
            made.add_argument(argument.name, **argument.options)
    return root


def complain(*lines: str) -> None:
    """Say what is wrong, on standard error."""
    print(*lines, sep="\n", file=sys.stderr)


def _keep_traceback() -> Path:
    try:
        folder = settings.current().data / "logs"
        folder.mkdir(mode=0o700, exist_ok=True)
    except (SettingsError, OSError):
        folder = Path.cwd()
    path = folder / "errors.log"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"--- {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {' '.join(sys.argv)}\n")
        traceback.print_exc(file=file)
    return path
