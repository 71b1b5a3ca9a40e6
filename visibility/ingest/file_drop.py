"""Files dropped into a folder: each is kept as a message, then moved to the archive beside it."""

import hashlib
import logging
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from visibility.ingest.inbox import Arrival, keep
from visibility.models.intake import Source

log = logging.getLogger(__name__)
# The setting of a source whose files come by drop.
SETTING = "drop"
# A file that was written to just now may not be whole yet; senders that rename are safe anyway.
STABLE = timedelta(seconds=2)
UNFINISHED = (".part", ".tmp", ".filepart", ".done")
AT_ONCE = 200
MISSING = " is no folder"


def collect(*, now: datetime) -> int:
    """Take every whole file of every drop folder; how many were new.

    A file is moved only after its message was committed: a kill in between takes it again, and its
    content is then known.
    """
    kept = 0
    for source in Source.objects.filter(enabled=True, config__has_key=SETTING).order_by("pk"):
        folder = Path(source.config[SETTING])
        if not folder.is_dir():
            _say(source, f"{folder}{MISSING}")
            continue
        if source.poll_error.endswith(MISSING):
            Source.objects.filter(pk=source.pk).update(poll_error="")
        for path in whole(folder, now=now):
            kept += _take(source, path)
    return kept


def whole(folder: Path, *, now: datetime) -> list[Path]:
    """The files of a folder that nobody is writing any more, the oldest first."""
    found = []
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_file() or path.name.startswith("."):
            continue
        if path.suffix.lower() not in UNFINISHED:
            found.append((path.stat().st_mtime, path.name, path))
    still = now.timestamp() - STABLE.total_seconds()
    return [path for at, _, path in sorted(found)[:AT_ONCE] if at <= still]


def _take(source: Source, path: Path) -> int:
    if path.stat().st_size > settings.MAX_FILE_BODY:
        _say(source, f"{path.name} is larger than {settings.MAX_FILE_BODY} bytes")
        _move(path, "rejected")
        return 0
    body = path.read_bytes()
    key = f"file {hashlib.sha256(body).hexdigest()}"
    result = keep([Arrival(source.pk, key, {"x-file-name": path.name[:200]}, body)])
    _move(path, "archive")
    return sum(k.new for k in result)


def _move(path: Path, where: str) -> None:
    """Beside the drop folder's files, under a name that no other file has."""
    target = path.parent / where
    target.mkdir(exist_ok=True)
    place = target / path.name
    count = 1
    while place.exists():
        place = target / f"{path.name}.{count}"
        count += 1
    path.rename(place)


def _say(source: Source, error: str) -> None:
    log.warning("drop source=%s error=%s", source.slug, error)
    Source.objects.filter(pk=source.pk).update(poll_error=error[:500])
