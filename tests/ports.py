"""Ports that a test names before somebody else listens on them."""

from __future__ import annotations

import secrets
import socket

# Below those that systems hand out by themselves (from 32768 on Linux): nobody comes by one by chance.
FIRST, LAST = 20_000, 32_000


def free_pair() -> int:
    """A port on loopback that is free, as is the one after it."""
    while True:
        port = FIRST + 2 * secrets.randbelow((LAST - FIRST) // 2)
        try:
            for each in (port, port + 1):
                socket.create_server(("127.0.0.1", each)).close()
        except OSError:
            continue
        return port
