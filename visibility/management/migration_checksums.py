"""Lock the content of released migrations: `LOCK` lists the SHA-256 of each migration file."""

import hashlib
from pathlib import Path

from visibility.launcher.instance_lock_and_environment import CHECKOUT

MIGRATIONS = CHECKOUT / "visibility" / "migrations"


class LockConflict(ValueError):
    """Locked migrations changed; the message lists them."""


def read_locked_digests(folder: Path) -> dict[str, str]:
    """The locked digests by file name; empty without a lock file."""
    path = folder / "LOCK"
    lines = path.read_text().splitlines() if path.is_file() else []
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def migration_file_digests(folder: Path) -> dict[str, str]:
    """The digests of the migration files, in order of their names."""
    files = sorted(folder.glob("[0-9]*.py"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def describe_changed_locked_migrations(folder: Path) -> list[str]:
    """One sentence per locked migration that was edited, renamed or removed."""
    digests = migration_file_digests(folder)
    return [
        f"{name} was edited after it was locked."
        if name in digests
        else f"{name} is locked and was removed or renamed."
        for name, digest in read_locked_digests(folder).items()
        if digests.get(name) != digest
    ]


def describe_changed_and_unlocked(folder: Path) -> list[str]:
    """The conflicts, and one sentence per migration that is not locked yet."""
    locked = read_locked_digests(folder)
    new = [name for name in migration_file_digests(folder) if name not in locked]
    missing = [f"{name} is not in LOCK: run `manage.py lock_migrations`." for name in new]
    return describe_changed_locked_migrations(folder) + missing


def lock_new_migrations(folder: Path) -> list[str]:
    """Add new migrations to LOCK and return their names.

    Raises:
        LockConflict: a locked migration changed. Databases that applied it would differ from new
            ones.
    """
    if conflicts := describe_changed_locked_migrations(folder):
        raise LockConflict(" ".join(conflicts))
    locked, digests = read_locked_digests(folder), migration_file_digests(folder)
    lines = [f"{digest}  {name}\n" for name, digest in digests.items()]
    (folder / "LOCK").write_text("".join(lines))
    return [name for name in digests if name not in locked]
