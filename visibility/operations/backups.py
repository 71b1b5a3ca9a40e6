"""Write a backup of this installation, check one, and restore one into an empty database."""

import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from django.conf import settings
from django.core.management import call_command

from connectors.sdk.event_codec import format_rfc3339
from visibility.db.database_time import database_now
from visibility.operations.backup_container import (
    BackupError,
    add_member,
    new_backup,
    open_backup,
    read_members,
)
from visibility.operations.database_copy import (
    DatabaseContent,
    DatabaseRestore,
    analyze,
    create_schema,
    dump_database,
)

FORMAT = 1
HEADER, DATABASE, END = "backup.json", "database.json", "end.json"
TABLES, FILES, SECRET_KEY = "tables", "files", "files/secret.key"
FALLBACK_KEYS = "files/secret.key.fallbacks"
Report = Callable[[str, int], None]


@dataclass(frozen=True)
class BackupSummary:
    """What a backup says about itself."""

    created_at: datetime
    demo: bool
    secret_key: str
    rows: dict[str, int]
    fallback_keys: tuple[str, ...] = ()


def write_backup(path: Path, passphrase: str, *, report: Report) -> dict[str, int]:
    """Write a backup while the product works; return the rows of each table.

    Raises:
        BackupError: the file exists or cannot be written, or the passphrase is too short.
    """
    with new_backup(path, passphrase) as members:

        def write(name: str, content: bytes) -> None:
            add_member(members, name, content)

        header = {
            "format": FORMAT,
            "created_at": format_rfc3339(database_now()),
            "demo": settings.DEMO,
        }
        write(HEADER, json.dumps(header).encode())
        rows = dump_database(write, report)
        write(SECRET_KEY, settings.SECRET_KEY.encode())
        write(FALLBACK_KEYS, "\n".join(settings.SECRET_KEY_FALLBACKS).encode())
        for file in sorted(settings.CONNECTOR_FOLDER.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                name = file.relative_to(settings.CONNECTOR_FOLDER).as_posix()
                write(f"{FILES}/connectors/{name}", file.read_bytes())
        write(END, json.dumps({"rows": rows}).encode())
    return rows


def check_backup(path: Path, passphrase: str) -> BackupSummary:
    """Read a whole backup and return what it contains.

    Raises:
        BackupError: it is damaged, incomplete or not readable by this version.
    """
    header: dict[str, Any] = {}
    fallback_keys: tuple[str, ...] = ()
    secret_key, rows = "", None
    with open_backup(path, passphrase) as members:
        for name, content in read_members(members):
            if name == HEADER:
                header = _load_json(content)
            elif name == SECRET_KEY:
                secret_key = content.read().decode()
            elif name == FALLBACK_KEYS:
                fallback_keys = tuple(content.read().decode().splitlines())
            elif name == END:
                rows = _load_json(content)["rows"]
    if header.get("format") != FORMAT:
        raise BackupError(f"{path} has a format that this version does not know.")
    if rows is None or not secret_key:
        raise BackupError(f"{path} is incomplete.")
    return BackupSummary(
        datetime.fromisoformat(header["created_at"]),
        bool(header["demo"]),
        secret_key,
        rows,
        fallback_keys,
    )


def restore_backup(
    path: Path, passphrase: str, summary: BackupSummary, *, files: Path, report: Report
) -> None:
    """Fill an empty database from a checked backup, and write its connectors to `files`.

    Raises:
        BackupError: the backup does not fit this version.
    """
    with open_backup(path, passphrase) as members:
        following = iter(read_members(members))
        name, content = next(following)
        while name != DATABASE:
            name, content = next(following)
        database = DatabaseContent.from_json(_load_json(content))
        create_schema(database)
        with DatabaseRestore(database) as restore:
            table = ""
            for name, content in following:
                names = PurePosixPath(name).parts
                if names[0] == TABLES:
                    if table != names[1]:
                        table = names[1]
                        report(table, summary.rows.get(table, 0))
                    restore.load(table, content)
                elif names[:2] == (FILES, "connectors"):
                    _write_file(files, names[1:], content)
            restore.check(summary.rows)
    call_command("migrate", verbosity=0, skip_checks=True)
    analyze()


def _load_json(content: IO[bytes]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(content.read())
    return loaded


def _write_file(folder: Path, names: tuple[str, ...], content: IO[bytes]) -> None:
    member = tarfile.TarInfo("/".join(names))
    # Refuses names that lead out of the folder.
    target = folder / tarfile.data_filter(member, str(folder)).name
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.write_bytes(content.read())
