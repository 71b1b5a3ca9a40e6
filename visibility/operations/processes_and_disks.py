"""Problems of processes that fail or do no work, and of full disks."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from visibility.disk_space import format_bytes, free_bytes
from visibility.formatting import format_duration
from visibility.models import Heartbeat
from visibility.models.heartbeats import SCHEDULER, WORKER
from visibility.operations.problem import Problem
from visibility.process_status import ProcessStatus, read_process_statuses

# Fewer exits in a row are soon over.
MIN_EXITS = 3
# Heartbeats are at most 15 s apart.
MAX_HEARTBEAT_AGE = timedelta(seconds=100)
EFFECTS: Mapping[str, str] = {
    "web": "Senders and people get no answer meanwhile.",
    "worker": "Messages are accepted and stored, and processed once it runs.",
    "scheduler": "The worker looks for work by itself, every few seconds.",
    "valkey": "The worker looks for work by itself, and open pages are updated more slowly.",
}
WORKER_TEXT = (
    "Messages are accepted and stored, but not processed. Restart the worker process, and see its "
    "log."
)
SCHEDULER_TEXT = (
    "The worker looks for work by itself, every few seconds. Restart the scheduler process, and "
    "check the connection to Redis."
)


@dataclass(frozen=True, slots=True)
class WatchedFolder:
    """A folder whose disk must not be full. `is_needed`: the product accepts nothing without it."""

    name: str
    path: Path
    is_needed: bool

    @property
    def is_full(self) -> bool:
        """Whether less than `DISK_FLOOR` is free."""
        return free_bytes(self.path) < settings.DISK_FLOOR

    @property
    def sentence(self) -> str:
        """How much is free."""
        free = format_bytes(free_bytes(self.path))
        return f"The disk of the {self.name} folder is full: {free} are free"


def watched_folders() -> list[WatchedFolder]:
    """The folders of data and of uploads, and that of the database if it is on this machine."""
    folders = [WatchedFolder("data", Path(settings.DATA_DIR), is_needed=True)]
    if settings.DATABASE_FOLDER:
        folders.append(WatchedFolder("database", Path(settings.DATABASE_FOLDER), is_needed=True))
    folders.append(WatchedFolder("temporary", Path(tempfile.gettempdir()), is_needed=False))
    return [folder for folder in folders if folder.path.is_dir()]


def process_and_disk_problems(now: datetime) -> list[Problem]:
    """All problems of processes and disks. Runs one statement."""
    return [
        *full_disk_problems(),
        *_resting_process_problems(),
        *_heartbeat_problems(now),
    ]


def full_disk_problems() -> list[Problem]:
    """One problem for each full disk, and not for each folder on it."""
    floor = format_bytes(settings.DISK_FLOOR)
    full = {f.path.stat().st_dev: f for f in reversed(watched_folders()) if f.is_full}
    refused = "New messages are refused with 503, and their senders retry. "
    return [
        Problem(
            folder.sentence,
            f"{refused if _is_disk_of_database(device) else 'Files cannot be written to it. '}"
            f"At least {floor} must be free. Delete files, or enlarge the disk.",
        )
        for device, folder in reversed(full.items())
    ]


def _is_disk_of_database(device: int) -> bool:
    """Whether the intake refuses messages while this disk is full."""
    return bool(settings.DATABASE_FOLDER) and (
        Path(settings.DATABASE_FOLDER).stat().st_dev == device
    )


def process_statuses() -> Sequence[ProcessStatus]:
    """The processes that `manage.py up` supervises; empty if something else runs them."""
    return read_process_statuses(Path(settings.DATA_DIR))


def heartbeat_ages(now: datetime) -> dict[str, timedelta]:
    """The time since the last work of the worker and the scheduler."""
    return {
        heartbeat.name: max(now - heartbeat.at, timedelta(0))
        for heartbeat in Heartbeat.objects.order_by("name")
    }


def _resting_process_problems() -> list[Problem]:
    clock = time.monotonic()
    problems = []
    for status in process_statuses():
        if status.exits < MIN_EXITS or status.failing_since is None:
            continue
        since = format_duration(timedelta(seconds=clock - status.failing_since))
        attempt = "It was just started again."
        if status.next_start_at is not None:
            pause = format_duration(timedelta(seconds=max(status.next_start_at - clock, 1)))
            attempt = f"The next attempt is in {pause}."
        problems.append(
            Problem(
                f"The process “{status.name}” has been failing for {since}",
                f"It exited {status.exits} times in a row (exit code {status.exit_code}). "
                f"{attempt} {EFFECTS.get(status.name, '')} The reason is in "
                f"log/{status.name}.log of the data folder.",
            )
        )
    return problems


def _heartbeat_problems(now: datetime) -> list[Problem]:
    """The worker, or the scheduler. Without a worker, nobody records that the scheduler works."""
    ages = heartbeat_ages(now)
    for name, text in ((WORKER, WORKER_TEXT), (SCHEDULER, SCHEDULER_TEXT)):
        age = ages.get(name)
        if age is not None and age > MAX_HEARTBEAT_AGE:
            return [Problem(f"The {name} has done no work for {format_duration(age)}", text)]
    return []
