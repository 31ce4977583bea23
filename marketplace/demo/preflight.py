"""What would keep the demo from running, found before anything is started, each as a sentence."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LEAST_FREE = 500 * 1024 * 1024
LOCK_FILE = "demo.lock"


class DemoError(Exception):
    """The demo cannot run. The message is a sentence that says what to do."""


@contextmanager
def alone(data: Path, address: str) -> Iterator[None]:
    """Hold the data folder; only one demo at a time may. Raises DemoError naming the other's address."""
    descriptor = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.read(descriptor, 1000).decode(errors="replace").strip()
            raise DemoError(
                f"The demo is already running on {data}: {other}\n"
                "Open that address, or stop it with Ctrl-C in its window. For a second demo beside it:\n"
                f"  {way_out('MARKETPLACE_DATA=another-folder ')}"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, address.encode())
        yield
    finally:
        os.close(descriptor)


def check_disk(data: Path) -> None:
    free = shutil.disk_usage(data).free
    if free < LEAST_FREE:
        raise DemoError(
            f"Only {free // 2**20} MB are free where {data} is, and the demo needs {LEAST_FREE // 2**20} MB. "
            "Free some space, or set MARKETPLACE_DATA to a folder on another disk."
        )


def check_ports(site: int, stripe: int) -> None:
    """Raises DemoError when either port is taken."""
    if not 1 <= site < stripe <= 65535:
        raise DemoError(f"{site} is not a port that the demo can use. Choose one from 1024 to 65534.")
    for port, use in ((site, "the site"), (stripe, "the local Stripe, one above the site's")):
        if not is_free(port):
            raise DemoError(
                f"Port {port}, for {use}, is in use by another program. Choose another:\n  {way_out()}"
            )


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def way_out(before: str = "") -> str:
    """The command to type instead, with a pair of ports that are free right now."""
    port = next((port for port in range(8010, 9000, 10) if is_free(port) and is_free(port + 1)), 8010)
    return f"{before}PORT={port} make demo"


def secrets_of(data: Path, names: dict[str, str]) -> dict[str, str]:
    """The demo's own Stripe key and signing secrets: prefix by name, made once for each data folder."""
    path = data / "demo.json"
    try:
        kept: dict[str, str] = json.loads(path.read_text(encoding="ascii")) if path.exists() else {}
    except (OSError, ValueError):
        raise DemoError(
            f"{path} cannot be read. Remove {data} to start anew, or set another MARKETPLACE_DATA."
        ) from None
    missing = {name: prefix + os.urandom(24).hex() for name, prefix in names.items() if name not in kept}
    if missing:
        kept |= missing
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(kept, file)
    return kept
