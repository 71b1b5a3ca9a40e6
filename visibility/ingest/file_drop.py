"""Collect files from drop folders: store each as a message, then move it to `archive/`."""

import hashlib
import os
from contextlib import suppress
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError
from structlog.stdlib import get_logger

from connectors.catalog import connectors_by_slug
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.ingest.source_failures import record_file_error
from visibility.models.sources_and_messages import DROP_FOLDER_SETTING, Source

log = get_logger(__name__)
DROP_SETTING = DROP_FOLDER_SETTING
# A file that changed more recently may be incomplete, unless its sender renames complete files.
MIN_AGE = timedelta(seconds=2)
UNFINISHED_SUFFIXES = (".part", ".tmp", ".filepart", ".done")
# A round stores so many files of a source.
MAX_FILES = 200
NOT_A_FOLDER = " is not a folder"
TOO_LARGE = " is larger than"


class UnreadableFolder(ValueError):
    """The drop folder of a source cannot be read; the message says why."""


def collect_files(*, now: datetime) -> int:
    """Store every complete file of every drop folder. Return the number of new messages.

    A file is moved after its message is committed. If the process is killed in between, the file is
    read again and recognized as a duplicate. What fails is recorded on the source; the others go
    on.
    """
    new_count = 0
    for source in Source.objects.filter(enabled=True, config__has_key=DROP_SETTING).order_by("pk"):
        try:
            new_count += _collect_files_of_source(source, now=now)
        except (OperationalError, InterfaceError):
            raise  # the database failed: the next round tries again
        except UnreadableFolder as error:
            _record_source_error(source, str(error), now=now)
        except OSError as error:
            _record_source_error(source, f"the drop folder: {error.strerror or error}", now=now)
        except Exception as error:  # recorded on the source
            log.exception("file_drop_failed", source=source.slug)
            name = type(error).__name__
            _record_source_error(
                source, f"the drop folder failed with an internal error ({name})", now=now
            )
    return new_count


def _collect_files_of_source(source: Source, *, now: datetime) -> int:
    folder = _drop_folder(source)
    new_count, rejected = 0, ""
    files = list_complete_files(folder, now=now, pattern=_file_pattern_of_connector(source))
    unreadable: list[str] = []
    for position, path in enumerate(files):
        # Files that stay because they cannot be read do not take the place of newer ones.
        if position - len(unreadable) >= MAX_FILES:
            break
        try:
            if path.stat().st_size > settings.MAX_FILE_BODY:
                rejected = f"{_displayed_name(path)}{TOO_LARGE} {settings.MAX_FILE_BODY} bytes"
                _move_to_subfolder(path, "rejected")
            else:
                new_count += _store_and_archive_file(source, path)
        except OSError as error:  # recorded on the source; the other files go on
            unreadable.append(f"{_displayed_name(path)} cannot be read or moved: {error.strerror}")
    if unreadable:
        others = f" ({len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
        _record_source_error(source, unreadable[0] + others, now=now)
    elif rejected:
        _record_source_error(source, rejected, now=now)
    elif source.file_error and (files or TOO_LARGE not in source.file_error):
        # A rejected file is shown until the next file is accepted.
        record_file_error(source, "", now=now)
    return new_count


def _drop_folder(source: Source) -> Path:
    """Return the drop folder. Raises UnreadableFolder."""
    name = source.config.get(DROP_SETTING) if isinstance(source.config, dict) else None
    if not isinstance(name, str) or not name or "\0" in name:
        raise UnreadableFolder(f"the setting {DROP_SETTING} is not the name of a folder")
    if not Path(name).is_dir():
        raise UnreadableFolder(f"{name}{NOT_A_FOLDER}")
    return Path(name)


def _file_pattern_of_connector(source: Source) -> str:
    connector = connectors_by_slug().get(source.connector)
    return connector.file_pattern if connector else ""


def list_complete_files(folder: Path, *, now: datetime, pattern: str = "") -> list[Path]:
    """List the files of a folder that are no longer being written, oldest first.

    With a pattern such as `SHIP_*.csv`, other files stay where they are.
    """
    files = []
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_file() or path.name.startswith("."):
            continue
        if pattern and not fnmatchcase(path.name.lower(), pattern.lower()):
            continue
        if path.suffix.lower() not in UNFINISHED_SUFFIXES:
            with suppress(FileNotFoundError):  # its sender has removed or renamed it
                files.append((path.stat().st_mtime, path.name, path))
    newest = now.timestamp() - MIN_AGE.total_seconds()
    return [path for at, _, path in sorted(files) if at <= newest]


def _store_and_archive_file(source: Source, path: Path) -> int:
    body = path.read_bytes()
    key = f"file {hashlib.sha256(body).hexdigest()}"
    headers = {
        "x-file-name": _displayed_name(path),
        # Changes when a file is placed in the folder, but not if it is read a second time because
        # the process ended before it was moved.
        "x-file-state": f"{path.stat().st_ino} {path.stat().st_ctime_ns}",
    }
    result = store_messages([IncomingMessage(source.pk, key, headers, body)])
    _move_to_subfolder(path, "archive")
    return sum(k.is_new for k in result)


def _displayed_name(path: Path) -> str:
    """The name of a file as text: bytes that are not UTF-8 and NUL are replaced."""
    return os.fsencode(path.name).decode("utf-8", "replace")[:200]


def _move_to_subfolder(path: Path, subfolder: str) -> None:
    """Move a file into a subfolder of the drop folder, under a unique name."""
    target = path.parent / subfolder
    target.mkdir(exist_ok=True)
    target_path = target / path.name
    count = 1
    while target_path.exists():
        target_path = target / f"{path.name}.{count}"
        count += 1
    path.rename(target_path)


def _record_source_error(source: Source, error: str, *, now: datetime) -> None:
    if error != source.file_error:
        log.warning("file_drop_failed", source=source.slug, error=error)
    record_file_error(source, error, now=now)
