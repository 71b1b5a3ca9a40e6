"""What is wrong with the product itself: changes that lag, sessions that hold, rules that fail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from visibility.formatting import many, span

# Whatever was touched is folded within this, or pages show the past.
BEHIND = timedelta(minutes=1)
# Our own sessions end by then: an older one is somebody else's.
OPEN_LONG = timedelta(minutes=5)
SHOWN = 20
OLDEST = "SELECT min(touched_at) FROM visibility_refold WHERE touched_at <= %s"
# Of other roles' sessions only a role with pg_read_all_stats sees more than that they are there.
LONGEST = """
SELECT pid, name, since FROM (
    SELECT pid, coalesce(nullif(application_name, ''), usename) AS name, xact_start AS since
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'
        AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
    UNION ALL
    SELECT NULL, gid, prepared FROM pg_prepared_xacts WHERE database = current_database()
) AS found WHERE since <= %s ORDER BY since LIMIT 1
"""
HOLDERS = """
SELECT DISTINCT holder.pid, coalesce(nullif(holder.application_name, ''), holder.usename)
FROM pg_stat_activity AS waiter
CROSS JOIN LATERAL unnest(pg_blocking_pids(waiter.pid)) AS by (pid)
LEFT JOIN pg_stat_activity AS holder ON holder.pid = by.pid
WHERE waiter.datname = current_database() AND waiter.wait_event_type = 'Lock'
ORDER BY 1 LIMIT 3
"""
FAILED = """
SELECT rule.title, failed.error, count(DISTINCT failed.order_id), min(failed.order_id)
FROM visibility_failedclock AS failed JOIN visibility_slarule AS rule ON rule.id = failed.rule_id
GROUP BY rule.id, rule.title, failed.error ORDER BY 3 DESC, 1, 2 LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, what it means and what to do, and where to look."""

    title: str
    words: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One that is open in the database, and since when."""

    name: str
    since: datetime


def troubles(now: datetime) -> Sequence[Trouble]:
    """Everything that is wrong now, the gravest first; three statements, four if changes lag."""
    return [*_behind(now), *_open_long(now), *_failing()]


def oldest_change(now: datetime) -> datetime | None:
    """Since when something waits that no page shows yet."""
    with connection.cursor() as cursor:
        cursor.execute(OLDEST, [now])
        found: datetime | None = cursor.fetchone()[0]
    return found


def longest_transaction(now: datetime) -> Transaction | None:
    """The oldest open transaction but our own."""
    with connection.cursor() as cursor:
        cursor.execute(LONGEST, [now])
        row = cursor.fetchone()
    return Transaction(_session(row[0], row[1]), row[2]) if row else None


def _behind(now: datetime) -> list[Trouble]:
    since = oldest_change(now)
    if since is None or now - since < BEHIND:
        return []
    with connection.cursor() as cursor:
        cursor.execute(HOLDERS)
        holders = [_session(pid, name) for pid, name in cursor.fetchall()]
    if holders:
        why = f"They wait for {' and '.join(holders)}: what it holds is free once it ends."
    else:
        why = "Either very much has come at once, or the worker does not work: see that it runs."
    title = f"Changes have been falling behind for {span(now - since)}"
    return [Trouble(title, f"What came since then is kept, but not on the pages yet. {why}")]


def _open_long(now: datetime) -> list[Trouble]:
    found = longest_transaction(now)
    if found is None or now - found.since < OPEN_LONG:
        return []
    return [
        Trouble(
            f"A transaction has been open in the database for {span(now - found.since)}",
            f"It is of {found.name}. No change is lost, but nothing is tidied up behind it and "
            "everything becomes slower: end it there, or with pg_terminate_backend.",
        )
    ]


def _failing() -> list[Trouble]:
    with connection.cursor() as cursor:
        cursor.execute(FAILED, [SHOWN])
        rows = cursor.fetchall()
    return [
        Trouble(
            f"“{title}” is not watched for {many(orders)} order{'s' if orders > 1 else ''}",
            f"{error} Once that is corrected, the clocks are set anew by themselves.",
            f"/orders/{order_id}",
        )
        for title, error, orders, order_id in rows
    ]


def _session(pid: int | None, name: str | None) -> str:
    said = f" ({name})" if name else ""
    return f"session {pid}{said}" if pid else f"a prepared transaction{said}"
