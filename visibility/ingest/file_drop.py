"""Collect files from drop folders: store each as a message, then move it to `archive/`."""

import hashlib
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from django.conf import settings
from structlog.stdlib import get_logger

from connectors.catalog import connectors_by_slug
from visibility.ingest.inbox import IncomingMessage, store_messages
from visibility.models.intake import Source

log = get_logger(__name__)
# The source setting that names its drop folder.
DROP_SETTING = "drop"
# A file that changed more recently may be incomplete, unless its sender renames complete files.
MIN_AGE = timedelta(seconds=2)
UNFINISHED_SUFFIXES = (".part", ".tmp", ".filepart", ".done")
MAX_FILES = 200
NOT_A_FOLDER = " is not a folder"


def collect_files(*, now: datetime) -> int:
    """Store every complete file of every drop folder. Return the number of new messages.

    A file is moved after its message is committed. If the process is killed in between, the file is
    read again and recognized as a duplicate.
    """
    new_count = 0
    for source in Source.objects.filter(enabled=True, config__has_key=DROP_SETTING).order_by("pk"):
        folder = Path(source.config[DROP_SETTING])
        if not folder.is_dir():
            _record_source_error(source, f"{folder}{NOT_A_FOLDER}")
            continue
        if source.poll_error.endswith(NOT_A_FOLDER):
            Source.objects.filter(pk=source.pk).update(poll_error="")
        for path in list_complete_files(folder, now=now, pattern=_file_pattern(source)):
            new_count += _store_and_move_file(source, path)
    return new_count


def _file_pattern(source: Source) -> str:
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
            files.append((path.stat().st_mtime, path.name, path))
    newest = now.timestamp() - MIN_AGE.total_seconds()
    return [path for at, _, path in sorted(files)[:MAX_FILES] if at <= newest]


def _store_and_move_file(source: Source, path: Path) -> int:
    if path.stat().st_size > settings.MAX_FILE_BODY:
        _record_source_error(source, f"{path.name} is larger than {settings.MAX_FILE_BODY} bytes")
        _move_to_subfolder(path, "rejected")
        return 0
    body = path.read_bytes()
    key = f"file {hashlib.sha256(body).hexdigest()}"
    result = store_messages(
        [IncomingMessage(source.pk, key, {"x-file-name": path.name[:200]}, body)]
    )
    _move_to_subfolder(path, "archive")
    return sum(k.is_new for k in result)


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


def _record_source_error(source: Source, error: str) -> None:
    log.warning("file_drop_failed", source=source.slug, error=error)
    Source.objects.filter(pk=source.pk).update(poll_error=error[:500])
