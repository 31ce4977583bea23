"""The process itself: it keeps what it promised, ends cleanly, and says why it cannot start."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from marketplace.demo.stripe_server import hands
from tests.demo.stripe_server.harness import Handle
from tests.demo.stripe_server.people import Platform


def test_it_ends_cleanly_and_continues_where_it_was(rich: Platform, local: Handle) -> None:
    expert = rich.expert()
    transfer = rich.transfer(expert, 100)
    before = rich.card_balance()
    assert local.stop() == 0
    local.start_again()
    assert rich.card_balance() == before
    assert rich.client.v1.transfers.retrieve(transfer.id).amount == 100


def test_a_kill_in_the_middle_leaves_whole_transfers_and_their_keys(rich: Platform, local: Handle) -> None:
    expert = rich.expert()
    before = rich.card_balance()
    for number in range(20):
        if number == 13:
            local.kill()
            local.start_again()
        rich.transfer(expert, 100, f"k{number}")
    for number in range(20):
        rich.transfer(expert, 100, f"k{number}")
    assert rich.card_balance() == before - 2_000
    assert _unbalanced(local) == []


def test_interrupted_like_by_control_c_it_ends_with_0(local: Handle) -> None:
    local.process.send_signal(signal.SIGINT)
    assert local.process.wait(20) == 0


def test_a_port_in_use_is_one_sentence(local: Handle, tmp_path: Path) -> None:
    ended = _start("--port", str(local.port), "--data", str(tmp_path / "other"))
    assert ended.returncode == 1
    assert (
        ended.stderr
        == f"Port {local.port} is in use. Choose another one with --port, or stop what uses it.\n"
    )


def test_a_broken_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "stripe.sqlite3").write_text("this is not a database, and long enough to be sure of it" * 20)
    ended = _start("--port", "0", "--data", str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"The folder {tmp_path} cannot be used: ")
    assert ended.stderr.count("\n") == 1


def test_it_says_how_much_is_waiting(local: Handle) -> None:
    assert json.loads(local.get("/healthz")[1]) == {"ok": True, "due": 0, "undelivered": 0}


def test_the_hosted_pages_run_nothing_and_send_forms_home_and_onwards_only(platform: Platform) -> None:
    session = platform.session(10_000)
    with urllib.request.urlopen(session.url) as page:
        policy = page.headers["Content-Security-Policy"]
        shown = page.read().decode()
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://localhost:9;" in policy
    assert not any(inline in shown for inline in ("<script", "<style", " style=", "onclick"))


def test_addresses_that_lead_nowhere_say_so_kindly(local: Handle) -> None:
    for path in ("/onboard/x", "/onboarding/x", "/c/pay/x", "/express/x"):
        status, page = local.get(path)
        assert (status, b"There is nothing at this address" in page) == (404, True)


def test_hands_say_where_they_got_stuck(local: Handle) -> None:
    with pytest.raises(hands.Stuck, match="404"):
        hands.onboard(f"{local.url}/onboard/x")


def _start(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "marketplace.demo.stripe_server", *options],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def _unbalanced(local: Handle) -> list[sqlite3.Row]:
    """Balances that differ from the sum of their postings."""
    with sqlite3.connect(local.data / "stripe.sqlite3") as database:
        return database.execute(
            "SELECT account, total FROM balance JOIN posting USING (account, currency, source_type)"
            " GROUP BY account, currency, source_type HAVING total <> SUM(net)"
        ).fetchall()
