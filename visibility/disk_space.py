"""How much space is free on the disk of a folder."""

import os
from pathlib import Path

from visibility.environment import env_integer

# Below so many free bytes, the disk counts as full. PostgreSQL writes its log in files of 16 MiB.
DEFAULT_DISK_FLOOR = 64 * 2**20


def disk_floor() -> int:
    """The setting DISK_FLOOR, in bytes."""
    return env_integer("DISK_FLOOR", default=DEFAULT_DISK_FLOOR)


def free_bytes(folder: Path | str) -> int:
    """The bytes that an ordinary user can still write there."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def format_bytes(count: int) -> str:
    """`12 MB`."""
    return f"{count / 1_000_000:,.0f} MB"
