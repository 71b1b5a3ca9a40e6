"""Whether messages can be stored: the free space of the database, and writes that failed."""

import time

import psycopg
from django.conf import settings

from visibility.disk_space import free_bytes

# The retries of senders soon show whether there is space again.
RECENT_SECONDS = 30.0
_failed_writes: dict[str, float] = {}


def is_database_disk_full() -> bool:
    """Whether the database is on this machine and less than `DISK_FLOOR` is free there.

    Messages are refused before PostgreSQL finds no space, because it then stops.
    """
    return (
        bool(settings.DATABASE_FOLDER)
        and free_bytes(settings.DATABASE_FOLDER) < settings.DISK_FLOOR
    )


def record_write(error: BaseException | None) -> None:
    """Record whether the last write of this process failed because the database has no space."""
    if error is None:
        _failed_writes.clear()
    elif isinstance(error, psycopg.errors.DiskFull):
        _failed_writes["at"] = time.monotonic()


def has_recent_failed_write() -> bool:
    """Whether a write of this process failed lately for lack of space, and none succeeded since."""
    failed_at = _failed_writes.get("at")
    return failed_at is not None and time.monotonic() - failed_at < RECENT_SECONDS
