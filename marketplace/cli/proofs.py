"""`marketplace proofs` and `marketplace audit verify`: whether everything still ties out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from sqlalchemy.orm import Session

from marketplace import audit, embedded, proofs, settings
from marketplace.db import new_session
from marketplace.matching import rules


def main(arguments: argparse.Namespace) -> int:
    """Run every proof, and say of each whether it holds."""
    with session_for_command() as session:
        found = list(proofs.run(session))
    if arguments.json:
        rows = [
            {"code": proof.code, "title": proof.title, "drifts": [asdict(drift) for drift in drifts]}
            for proof, drifts in found
        ]
        print(json.dumps(rows, indent=2))
        return int(any(drifts for _proof, drifts in found))
    for proof, drifts in found:
        print(f"{'drift' if drifts else 'holds':>5}  {proof.code:<4}  {proof.title}")
        for drift in drifts:
            print(f"             {drift.subject}: expected {drift.expected}, found {drift.found}")
    return int(any(drifts for _proof, drifts in found))


def verify_trail(arguments: argparse.Namespace) -> int:
    """Follow the seals of the trail from the first to the last."""
    with session_for_command() as session:
        drifts = list(audit.verify(session))
    for drift in drifts:
        print(f"{drift.subject}: expected {drift.expected}, found {drift.found}")
    if not drifts:
        print("Every seal of the trail holds.")
    return int(bool(drifts))


@contextmanager
def session_for_command() -> Iterator[Session]:
    server = embedded.ensure(settings.current())
    try:
        with new_session(server.app_url) as session:
            rules.use(session)
            yield session
    finally:
        server.stop()
