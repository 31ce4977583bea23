"""One private PostgreSQL: made once, sized to the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from marketplace.embedded import binaries as programs
from marketplace.embedded.binaries import Binaries
from marketplace.embedded.errors import ServerError
from marketplace.embedded.place import SOCKET_FILE, Place, reaches

ADMIN = "postgres"
MB = 1024 * 1024
STOP_SECONDS = 15
# Nothing of the caller's may steer the server (PGDATA, PGPORT, a locale that is not installed).
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def prepare(place: Place, durable: bool) -> Binaries:
    """The binaries for this place, with its database made if it is new. Raises ServerError."""
    binaries = programs.find(_major(place.cluster))
    if not reaches(place.account, str(binaries.postgres), "--version"):
        if not binaries.bundle:
            raise ServerError(f"{binaries.postgres} cannot be run by the user that PostgreSQL runs as.")
        binaries = programs.move(binaries, place.home / "postgres-binaries")
    if not place.cluster.exists():
        _make(place, binaries, durable)
    return binaries


def command(place: Place, binaries: Binaries, durable: bool) -> list[str]:
    """How to start the server: no TCP, a socket that one user may reach, memory by the machine's size."""
    memory = memory_bytes()
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(place.socket),
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "shared_buffers": f"{min(4096, max(32, memory // 8 // MB))}MB",
        "effective_cache_size": f"{max(64, memory // 2 // MB)}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": f"{min(128, max(32, memory // 16 // MB))}MB",
        "max_wal_size": "1GB",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %u ",
        "password_encryption": "scram-sha-256",
    }
    if not durable:
        settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        # A vacuum worker belongs to nobody that a test could disconnect when it drops its database.
        settings |= {"autovacuum": "off"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [str(binaries.postgres), "-D", str(place.cluster), *options]


def forget_dead(place: Place) -> None:
    """Remove what a killed server left: its locks name a process that is gone, unreaped or another program.

    A server that is still shutting down, because its keeper was killed, is waited for.
    """
    deadline = time.monotonic() + STOP_SECONDS
    for lock in (place.cluster / "postmaster.pid", place.socket / f"{SOCKET_FILE}.lock"):
        pid = _first_number(lock)
        while pid is not None and lock.exists() and _is_postgres(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        if pid is not None and not _is_postgres(pid):
            lock.unlink(missing_ok=True)


def memory_bytes() -> int:
    """The machine's memory, or what a container may use of it."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return memory
    return min(memory, int(limit)) if limit.isdigit() else memory


def _first_number(lock: Path) -> int | None:
    try:
        return int(lock.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _is_postgres(pid: int) -> bool:
    """Whether a living PostgreSQL has this number; where /proc is missing, PostgreSQL finds out itself."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")
    except OSError:
        return not Path("/proc/self/stat").exists()
    return "(postgres" in name and not rest.startswith("Z")


def _major(cluster: Path) -> int | None:
    if not cluster.exists():
        return None
    try:
        return int((cluster / "PG_VERSION").read_text().strip())
    except (OSError, ValueError):
        raise ServerError(
            f"{cluster} is not a PostgreSQL database, or is broken. Put it back from a backup, "
            "or start anew in another folder (MARKETPLACE_DATA)."
        ) from None


def _make(place: Place, binaries: Binaries, durable: bool) -> None:
    """Made beside and then renamed, so that a database is either whole or not there."""
    draft = place.cluster.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    place.give(draft)
    # Made anew under a name that nobody knew, through no link (O_EXCL, O_NOFOLLOW).
    with tempfile.NamedTemporaryFile("w", dir=place.socket, encoding="ascii") as password:
        place.give(password.fileno())
        password.write(place.admin_password + "\n")
        password.flush()
        arguments = ["--auth=scram-sha-256", f"--username={ADMIN}", f"--pwfile={password.name}"]
        arguments += [
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--encoding=UTF8",
        ]
        arguments += [] if durable else ["--no-sync"]
        made = subprocess.run(
            [str(binaries.initdb), "-D", str(draft), *arguments],
            env=ENVIRONMENT,
            cwd=place.socket,
            capture_output=True,
            text=True,
            check=False,
            **place.rights(),
        )
    if made.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        last = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ServerError(f"The database could not be made in {place.home}: {last}")
    draft.rename(place.cluster)
