"""Starts Local Stripe; see the package's docstring for options and environment."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sqlite3
import sys
import threading
from pathlib import Path
from types import FrameType

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from marketplace.demo.stripe_server import bank, listeners, moments, onboarding
from marketplace.demo.stripe_server.app import create_app
from marketplace.demo.stripe_server.catalog import STEPS
from marketplace.demo.stripe_server.delivery import PostOffice
from marketplace.demo.stripe_server.schedule import Scheduler
from marketplace.demo.stripe_server.store import PLATFORM, Store

HOST = "127.0.0.1"


class QuietHandler(WSGIRequestHandler):
    """Answers without waiting for a full packet, and does not log each request."""

    disable_nagle_algorithm = True
    timeout = 120

    def log(self, type: str, message: str, *args: object) -> None:
        """Requests are not logged: the caller has its own log, and the answers carry request ids."""


def main() -> int:
    given = _options()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    if given.clock_file:
        os.environ["MARKETPLACE_CLOCK_FILE"] = str(given.clock_file)
    try:
        shared = listeners.read_shared(os.environ.get("STRIPE_LOCAL_ENDPOINTS", ""))
    except ValueError as error:
        return _complain(f"STRIPE_LOCAL_ENDPOINTS is not a list of listeners: {error}.")
    try:
        door = _listen(given.port)
    except OSError:
        return _complain(
            f"Port {given.port} is in use. Choose another one with --port, or stop what uses it."
        )
    try:
        store = open_store(given.data, shared)
    except (OSError, sqlite3.Error) as error:
        return _complain(f"The folder {given.data} cannot be used: {error}.")
    _serve(store, door)
    return 0


def open_store(folder: Path, shared: list[listeners.Shared]) -> Store:
    """The state in a folder, with what has to be there from the start.

    Raises OSError or sqlite3.Error when the folder cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder / "stripe.sqlite3")
    with store.writing() as transaction:
        bank.open_account(transaction)
        if (
            transaction.row("SELECT 1 FROM object WHERE kind = 'bank_account' AND account = ?", PLATFORM)
            is None
        ):
            own = onboarding.bank_account(PLATFORM, bank.CURRENCY, "US", "110000000", bank.ACCOUNT[-4:])
            transaction.add({**own, "bank_name": bank.NAME}, PLATFORM, "bank_account", moments.now())
        for listener in shared:
            listeners.share(transaction, listener)
    return store


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m marketplace.demo.stripe_server", description="Local Stripe."
    )
    parser.add_argument("--port", type=int, default=8421)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clock-file", type=Path)
    return parser.parse_args()


def _listen(port: int) -> socket.socket:
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((HOST, port))
    door.listen(128)
    return door


def _serve(store: Store, door: socket.socket) -> None:
    keys = frozenset(
        key.strip() for key in os.environ.get("STRIPE_LOCAL_KEY", "sk_test_local").split(",") if key.strip()
    )
    port = door.getsockname()[1]
    server = make_server(
        HOST, port, create_app(store, keys), threaded=True, request_handler=QuietHandler, fd=door.fileno()
    )
    scheduler, office = Scheduler(store, STEPS), PostOffice(store)
    scheduler.start()
    office.start()
    _stop_on_signals(server)
    print(f"Local Stripe listens on http://{HOST}:{port}", flush=True)
    server.serve_forever(poll_interval=0.05)
    scheduler.stop()
    office.stop()
    store.close()


def _stop_on_signals(server: BaseWSGIServer) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        # From a thread of its own: shutdown() waits for the loop that this handler interrupts.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _complain(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
