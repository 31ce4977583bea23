"""Where the private server keeps its files, and as whom it runs."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict

from marketplace.embedded.errors import ServerError

CLUSTER = "postgres"
STATE_FILE = "postgres.json"
SOCKET_FILE = ".s.PGSQL.5432"
LONGEST_SOCKET = 107
PASSWORDS = ("admin_password", "owner_password", "app_password")
ACCOUNTS = ("marketplace", "nobody")
HOMES = ("/var/lib", "/var/tmp")  # noqa: S108 (a folder of a random name, closed to others)


@dataclass(frozen=True)
class Account:
    """The unprivileged user that PostgreSQL runs as when we are root; it refuses to run as root."""

    name: str
    uid: int
    gid: int


class Rights(TypedDict, total=False):
    """The arguments of subprocess that say who a child is."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Place:
    """The private server of one data folder: folders, account and passwords. Kept in `postgres.json`."""

    data: Path
    home: Path
    socket: Path
    admin_password: str
    owner_password: str
    app_password: str
    account: Account | None

    @property
    def cluster(self) -> Path:
        return self.home / CLUSTER

    def give(self, path: Path | int) -> None:
        """Let the server's account own a folder, or an open file by its descriptor; never what a link names.

        In a folder of the account a name may mean another file from one moment to the next, so that what lies
        there is given by the descriptor it was made with.
        """
        if self.account and isinstance(path, int):
            os.fchown(path, self.account.uid, self.account.gid)
        elif self.account:
            os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)

    def rights(self) -> Rights:
        """Arguments for subprocess that start a child without root's rights."""
        return rights_of(self.account)


def choose(data: Path) -> Place:
    """The place remembered in the data folder, else a new one. Raises ServerError when it is broken."""
    account = _account()
    remembered = _remembered(data)
    if remembered is None:
        home = _home(data, account)
        socket = _socket_folder(home, account)
        passwords = {name: new_password() for name in PASSWORDS}
    else:
        home = data / remembered["home"]
        socket = Path(remembered["socket"])
        # A copy of the data folder must never reach the server of the original.
        if remembered["data"] != str(data) or not _usable_socket_folder(socket, account):
            socket = _socket_folder(home, account)
        passwords = {name: remembered[name] for name in PASSWORDS}
    place = Place(data, home, socket, account=account, **passwords)
    remember(place)
    return place


def notes(place: Place) -> tuple[str, ...]:
    """What a person running the machine should know about the choice, one sentence each."""
    if place.account is None:
        return ()
    said = [f"Running as root, so PostgreSQL gives up root's rights and runs as {place.account.name}."]
    if place.home != place.data:
        said.append(f"{place.account.name} may not enter {place.data}, so its files are in {place.home}.")
    return tuple(said)


def reaches(account: Account | None, *command: str) -> bool:
    """Whether `command` succeeds with the account's rights: the one honest test of what it may read."""
    rights = rights_of(account)
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, cwd="/", check=False, **rights)
    except OSError:
        return False
    return done.returncode == 0


def rights_of(account: Account | None) -> Rights:
    """What subprocess needs to start a child as `account`; nothing when it is ourselves."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def new_password() -> str:
    return secrets.token_urlsafe(24)


def _account() -> Account | None:
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise ServerError(
        "PostgreSQL does not run as root, and there is no user 'nobody'. Start as another user."
    )


def _remembered(data: Path) -> dict[str, str] | None:
    path = data / STATE_FILE
    try:
        remembered: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        cluster = data / remembered["home"] / CLUSTER
    except FileNotFoundError:
        if (data / CLUSTER).exists():
            raise ServerError(
                f"{data} holds a database but not its passwords ({STATE_FILE}). Put that file back, "
                "or start anew in another folder (MARKETPLACE_DATA)."
            ) from None
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise ServerError(
            f"{path} cannot be read. Put it back from a backup, or start anew in another folder "
            "(MARKETPLACE_DATA)."
        ) from None
    if remembered.get("made") and not cluster.exists():
        raise ServerError(
            f"The database of this data folder should be in {cluster}, and is gone. Put it back, "
            f"or remove {data} to start anew."
        )
    return remembered


def remember(place: Place) -> None:
    """Write down where the server is; readable by this user only."""
    kept = asdict(place)
    kept["home"] = "." if place.home == place.data else str(place.home)
    kept["made"] = place.cluster.exists()
    del kept["account"]
    draft = place.data / f".{STATE_FILE}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(kept, file, default=str)
    draft.replace(place.data / STATE_FILE)


def _home(data: Path, account: Account | None) -> Path:
    """The data folder itself, unless the account cannot walk there: modes of folders are never widened."""
    if account is None or reaches(account, "test", "-x", str(data)):
        return data
    for parent in HOMES:
        try:
            home = Path(tempfile.mkdtemp(prefix="marketplace-", dir=parent))
        except OSError:
            continue
        home.chmod(0o711)
        return home
    raise ServerError(
        f"{account.name} may not enter {data}, nor is there room elsewhere. Set MARKETPLACE_DATA."
    )


def _socket_folder(home: Path, account: Account | None) -> Path:
    """A folder that only the server's user may enter, short enough for a socket's address."""
    folder = home / "socket"
    if len(os.fsencode(folder / SOCKET_FILE)) > LONGEST_SOCKET:
        folder = Path(tempfile.mkdtemp(prefix="marketplace-"))
    folder.mkdir(mode=0o700, exist_ok=True)
    if account:
        os.chown(folder, account.uid, account.gid)
    return folder


def _usable_socket_folder(folder: Path, account: Account | None) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    uid = account.uid if account else os.geteuid()
    fits = len(os.fsencode(folder / SOCKET_FILE)) <= LONGEST_SOCKET
    return fits and found.st_uid == uid and (found.st_mode & 0o7777777) == 0o040700
