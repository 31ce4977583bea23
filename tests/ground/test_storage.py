"""The folder of documents: what nobody names is removed from it, and nothing else."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from marketplace import storage
from marketplace.db import new_id, use_case
from tests.factories.accounts import a_person


@use_case
def a_document(session: Session, owner: int) -> Path:
    return storage.path_of(storage.keep(session, owner, "licence.pdf", b"%PDF-1.7").public_id)


def a_nameless_file(days: float, suffix: str = "") -> Path:
    path = storage.path_of(new_id()).with_suffix(suffix)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(b"sealed")
    return aged(path, days)


def aged(path: Path, days: float) -> Path:
    moment = time.time() - timedelta(days=days).total_seconds()
    os.utime(path, (moment, moment))
    return path


@pytest.mark.parametrize("suffix", ["", ".part"])
def test_a_file_that_no_document_names_is_removed_after_a_day(session: Session, suffix: str) -> None:
    named = aged(a_document(session, a_person(session).id), days=2)
    nameless, new = a_nameless_file(2, suffix), a_nameless_file(0.5, suffix)
    storage.remove_nameless(session)
    assert (named.exists(), nameless.exists(), new.exists()) == (True, False, True)


def test_the_documents_of_years_are_out_of_reach_of_a_wrong_database(session: Session) -> None:
    old = a_nameless_file(30)
    storage.remove_nameless(session)
    assert old.exists()
