"""Make `.venv` and install what a lock names; instant when that is done already.

    python scripts/bootstrap.py runtime|dev

Needs Python 3.11 or later and nothing else. Packages come from wherever this machine's pip is told to look.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = {"runtime": ROOT / "requirements/runtime.lock", "dev": ROOT / "requirements/dev.lock"}
INSTALLER = ROOT / "requirements/installer.lock"
# The names under which uv reads what pip calls otherwise.
FOR_UV = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in LOCKS:
        print("usage: bootstrap.py runtime|dev", file=sys.stderr)
        return 2
    with _alone():
        try:
            _install(arguments[0])
        except subprocess.CalledProcessError as error:
            print(_sentence(error), file=sys.stderr)
            return 1
        except OSError as error:
            print(f"The packages could not be installed: {error}.", file=sys.stderr)
            return 1
    return 0


def _install(kind: str) -> None:
    wanted = _fingerprint(kind)
    if _runs() and wanted in _stamps():
        return
    if not _runs():
        with _saying(f"Making .venv with Python {sys.version.split()[0]}"):
            shutil.rmtree(VENV, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(VENV))
    uv = _uv()
    with _saying(f"Installing the {kind} packages with {'uv' if uv else 'pip'}"):
        if not (uv and _tried(*uv, "--compile-bytecode", "--require-hashes", "-r", str(LOCKS[kind]))):
            _run(*_pip(), "--require-hashes", "-r", str(LOCKS[kind]))
    with _saying("Installing the marketplace itself"):
        _run(*(uv or _pip()), "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    with (VENV / "stamps").open("a", encoding="ascii") as stamps:
        stamps.write(wanted + "\n")
        if kind == "dev":
            stamps.write(_fingerprint("runtime") + "\n")


def _uv() -> list[str]:
    """How to install with uv, itself pinned and checked; empty where there is no uv for this machine."""
    program = VENV / "bin" / "uv"
    pinned = INSTALLER.read_text(encoding="ascii").split()[0].partition("==")[2]
    if not (program.exists() and pinned in _output(str(program), "--version")):
        with _saying("Installing uv, which installs the rest"):
            done = _tried(*_pip(), "--no-deps", "--require-hashes", "-r", str(INSTALLER))
        if not done:
            return []
    return [str(program), "pip", "install", "--quiet", "--python", str(PYTHON)]


def _pip() -> list[str]:
    return [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _environment() -> dict[str, str]:
    """The environment, with pip's own configuration also told to uv, which does not read it."""
    environment = dict(os.environ)
    for line in _output(str(PYTHON), "-m", "pip", "config", "list").splitlines():
        name, _, value = line.partition("=")
        variable = FOR_UV.get(name.rpartition(".")[2])
        if variable and (variable == "SSL_CERT_FILE" or "http" in value):
            environment.setdefault(variable, ast.literal_eval(value))
    # A locked hash says which file is meant, so it may come from any of the places.
    environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return environment


def _fingerprint(kind: str) -> str:
    """Changes when what must be installed does, and not when only a tool's settings change."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    parts = [project["project"], project["build-system"], project["tool"]["setuptools"], str(ROOT)]
    return hashlib.sha256(LOCKS[kind].read_bytes() + repr(parts).encode()).hexdigest()


def _stamps() -> set[str]:
    path = VENV / "stamps"
    return set(path.read_text(encoding="ascii").split()) if path.exists() else set()


def _runs() -> bool:
    """Whether the environment's Python works; not so once its folder was moved, or that Python removed."""
    return PYTHON.exists() and "True" in _output(
        str(PYTHON), "-c", "import sys; print(sys.version_info >= (3, 11))"
    )


def _run(*command: str) -> None:
    environment = _environment()
    subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True)  # noqa: S603


def _tried(*command: str) -> bool:
    try:
        _run(*command)
    except (subprocess.CalledProcessError, OSError):
        return False
    return True


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    except OSError:
        return ""


def _sentence(error: subprocess.CalledProcessError) -> str:
    said = (error.stderr or error.stdout or "").strip().splitlines()[-6:]
    return "\n".join(
        ["The packages could not be installed. Is the network, or the package mirror, within reach?", *said]
    )


@contextmanager
def _saying(what: str) -> Iterator[None]:
    print(f"  {what} … ", end="", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed")
        raise
    print(f"{time.monotonic() - started:.1f} s")


@contextmanager
def _alone() -> Iterator[None]:
    """Two makes at once must not build the same environment."""
    with (ROOT / "pyproject.toml").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
