"""What is known of the installation: versions, processes, work that waits, disks, backups."""

import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import django
import redis
from django.conf import settings
from django.db import connection

import visibility
from visibility.models import SecuritySettings
from visibility.models.audit import AuditEntry
from visibility.models.heartbeats import SCHEDULER, WORKER
from visibility.notify.publish_change_number import broadcaster
from visibility.operations.key_replacement.replace import KeyStatus, load_key_status
from visibility.operations.operational_problems import current_problems
from visibility.operations.problem import Problem
from visibility.operations.processes_and_disks import (
    MAX_HEARTBEAT_AGE,
    heartbeat_ages,
    process_statuses,
    watched_folders,
)
from visibility.screens.sources.pipeline_stages import load_pipeline

PROCESSES = ("web", WORKER, SCHEDULER)
# The embedded ones: nothing but their supervisor says that they run.
SERVERS = ("postgres", "valkey")
MAX_TABLES = 8
# Stored values of each kind whose secret key the page looks at.
MAX_EXAMINED = 2_000
# Without a backup of the last week, a restore would lose more than most accept.
MAX_BACKUP_AGE = timedelta(days=7)
SELECT_DATABASE = """
SELECT current_setting('server_version'), pg_database_size(current_database()),
    (SELECT name FROM django_migrations WHERE app = 'visibility' ORDER BY name DESC LIMIT 1)
"""
# The rows are the estimate of the planner. Partitions count as their table.
SELECT_TABLES = """
SELECT coalesce(parent.relname, own.relname), sum(pg_total_relation_size(own.oid))::bigint AS size,
    sum(greatest(own.reltuples, 0))::bigint
FROM pg_class AS own
LEFT JOIN pg_inherits ON pg_inherits.inhrelid = own.oid
LEFT JOIN pg_class AS parent ON parent.oid = pg_inherits.inhparent
WHERE own.relkind = 'r' AND own.relnamespace = 'public'::regnamespace
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s
"""
SELECT_NOTIFICATIONS = """
SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'failed')
FROM visibility_notification WHERE state IN ('pending', 'failed')
"""


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """A process. `last_work`: None if not recorded. `exits`: in a row; None if not supervised."""

    name: str
    last_work: datetime | None
    exits: int | None
    is_working: bool


@dataclass(frozen=True, slots=True)
class WaitingWork:
    """What is not done yet. Times are those of the oldest; None if nothing waits."""

    messages: int
    oldest_message_at: datetime | None
    orders: int
    oldest_order_at: datetime | None
    pending_notifications: int
    failed_notifications: int


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """The disk of a folder, in bytes."""

    name: str
    path: str
    free: int
    total: int
    is_full: bool


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table with its indexes and partitions; `rows` is an estimate."""

    name: str
    byte_count: int
    rows: int


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """The latest backup that was written and checked."""

    at: datetime
    file: str
    byte_count: int
    rows: int


@dataclass(frozen=True, slots=True)
class PasswordCheckFacts:
    """The comparison of new passwords with those of breaches.

    `failed_at`: the latest password that was accepted without it, and `error` why. `is_reached`: a
    later one was compared.
    """

    is_on: bool
    checked_at: datetime | None = None
    failed_at: datetime | None = None
    error: str = ""

    @property
    def is_reached(self) -> bool:
        """Whether the latest check got an answer."""
        return self.failed_at is None or (self.checked_at or self.failed_at) > self.failed_at


@dataclass(frozen=True, slots=True)
class SystemFacts:
    """Everything on the page. `versions`: title and text; an empty text: it does not answer."""

    problems: Sequence[Problem]
    versions: Sequence[tuple[str, str]]
    processes: Sequence[ProcessFacts]
    work: WaitingWork
    disks: Sequence[DiskFacts]
    database_bytes: int
    tables: Sequence[TableFacts]
    backup: BackupFacts | None
    is_backup_recent: bool
    secret_key: KeyStatus
    password_check: PasswordCheckFacts


def load_system_facts(now: datetime) -> SystemFacts:
    """Load the facts, with a constant number of statements."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_DATABASE)
        server_version, database_bytes, migration = cursor.fetchone()
        cursor.execute(SELECT_TABLES, [MAX_TABLES])
        tables = [TableFacts(*row) for row in cursor.fetchall()]
        cursor.execute(SELECT_NOTIFICATIONS)
        pending, failed = cursor.fetchone()
    backup = latest_backup()
    return SystemFacts(
        problems=current_problems(now),
        versions=[
            ("Throughline", visibility.__version__),
            ("Latest migration", migration),
            ("Python", platform.python_version()),
            ("Django", django.get_version()),
            ("PostgreSQL", server_version),
            ("Redis or Valkey", _redis_version()),
        ],
        processes=_processes(now),
        work=_waiting_work(now, pending_notifications=pending, failed_notifications=failed),
        disks=_disks(),
        database_bytes=database_bytes,
        tables=tables,
        backup=backup,
        is_backup_recent=backup is not None and now - backup.at <= MAX_BACKUP_AGE,
        secret_key=load_key_status(now, limit=MAX_EXAMINED)
        if settings.SECRET_KEY_FALLBACKS
        else KeyStatus(0),
        password_check=_password_check(),
    )


def _password_check() -> PasswordCheckFacts:
    row = SecuritySettings.objects.first()
    if row is None:
        return PasswordCheckFacts(is_on=False)
    return PasswordCheckFacts(
        row.checks_breached_passwords,
        row.breach_checked_at,
        row.breach_check_failed_at,
        row.breach_check_error,
    )


def latest_backup() -> BackupFacts | None:
    """The latest backup in the audit log; None if there is none."""
    entry = AuditEntry.objects.filter(action="backup.written").order_by("-pk").first()
    if entry is None:
        return None
    return BackupFacts(entry.at, entry.object, entry.detail["bytes"], entry.detail["rows"])


def _waiting_work(now: datetime, **notifications: int) -> WaitingWork:
    """The messages and orders are those of the pipeline on the page of the sources."""
    stages = {stage.code: stage for stage in load_pipeline(now).stages}
    reading, timelines = stages["read"], stages["timeline"]
    return WaitingWork(
        messages=reading.waiting or 0,
        oldest_message_at=reading.oldest_at,
        orders=timelines.waiting or 0,
        oldest_order_at=timelines.oldest_at,
        **notifications,
    )


def _processes(now: datetime) -> list[ProcessFacts]:
    ages = heartbeat_ages(now)
    statuses = {status.name: status for status in process_statuses()}
    names = [*PROCESSES, *(name for name in SERVERS if name in statuses)]
    return [
        ProcessFacts(
            name,
            last_work=now - ages[name] if name in ages else None,
            exits=statuses[name].exits if name in statuses else None,
            # This page is the work of the web process.
            is_working=(name == "web" or name in ages or name in statuses)
            and ages.get(name, timedelta(0)) <= MAX_HEARTBEAT_AGE
            and (name not in statuses or statuses[name].next_start_at is None),
        )
        for name in names
    ]


def _disks() -> list[DiskFacts]:
    return [
        DiskFacts(
            folder.name,
            str(folder.path),
            (usage := shutil.disk_usage(folder.path)).free,
            usage.total,
            folder.is_full,
        )
        for folder in watched_folders()
    ]


def _redis_version() -> str:
    """The version with the name of the server; empty if it does not answer."""
    try:
        info = broadcaster().client.info("server")
    except (redis.RedisError, OSError):
        return ""
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}"
