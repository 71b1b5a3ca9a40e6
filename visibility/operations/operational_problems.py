"""Detect operational problems: processes, lag, transactions, failing rules, KPIs, channels."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from visibility.db.data_scope import limited_to
from visibility.formatting import count_with_noun, format_duration, format_relative_time
from visibility.kpi.record_kpi_errors_and_retry import kpi_failures_with_order_counts
from visibility.kpi.registry import kpi_registry
from visibility.notify.outbox import channel_registry
from visibility.operations.problem import Problem
from visibility.operations.processes_and_disks import process_and_disk_problems

# A refold request older than this means that pages show stale data.
MAX_LAG = timedelta(minutes=1)
# What was received first and is not processed, messages and refold requests alike.
SELECT_OLDEST_UNPROCESSED = """
SELECT least(
    (SELECT min(due_at) FROM visibility_refoldrequest WHERE due_at <= %(now)s),
    (SELECT min(received_at) FROM visibility_inbound_message WHERE state = 'waiting')
)
"""
# Our own transactions end by then: an older one belongs to another application.
MAX_TRANSACTION_AGE = timedelta(minutes=5)
MAX_SHOWN = 20
SELECT_OLDEST_CHANGE = "SELECT min(due_at) FROM visibility_refoldrequest WHERE due_at <= %s"
# Details of other roles' sessions are visible only with pg_read_all_stats.
SELECT_LONGEST_TRANSACTION = """
SELECT pid, name, since FROM (
    SELECT pid, coalesce(nullif(application_name, ''), usename) AS name, xact_start AS since
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'
        AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
    UNION ALL
    SELECT NULL, gid, prepared FROM pg_prepared_xacts WHERE database = current_database()
) AS open_transaction WHERE since <= %s ORDER BY since LIMIT 1
"""
SELECT_LOCK_HOLDERS = """
SELECT DISTINCT holder.pid, coalesce(nullif(holder.application_name, ''), holder.usename)
FROM pg_stat_activity AS waiter
CROSS JOIN LATERAL unnest(pg_blocking_pids(waiter.pid)) AS by (pid)
LEFT JOIN pg_stat_activity AS holder ON holder.pid = by.pid
WHERE waiter.datname = current_database() AND waiter.wait_event_type = 'Lock'
ORDER BY 1 LIMIT 3
"""
SELECT_FAILED_RULES = """
SELECT rule.title, failed.error, count(DISTINCT failed.order_id), min(failed.order_id)
FROM visibility_failedclock AS failed JOIN visibility_slarule AS rule ON rule.id = failed.rule_id
GROUP BY rule.id, rule.title, failed.error ORDER BY 3 DESC, 1, 2 LIMIT %s
"""
# Notifications that wait for another attempt. Those that failed for good are in the metrics.
SELECT_FAILING_CHANNELS = """
SELECT subscription.channel, count(*), min(notification.next_attempt_at),
    (array_agg(notification.error ORDER BY notification.next_attempt_at DESC))[1]
FROM visibility_notification AS notification
JOIN visibility_subscription AS subscription ON subscription.id = notification.subscription_id
WHERE notification.state = 'pending' AND notification.error <> ''
GROUP BY subscription.channel ORDER BY 2 DESC, 1 LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """An open transaction: its session and start time."""

    name: str
    since: datetime


def current_problems(now: datetime) -> Sequence[Problem]:
    """All current problems, most severe first. Runs six statements, seven if changes lag."""
    return [
        *process_and_disk_problems(now),
        *_refold_lag_problems(now),
        *_long_transaction_problems(now),
        *_failing_rule_problems(),
        *_failing_kpi_problems(),
        *_failing_channel_problems(now),
    ]


def processing_lag_notices(now: datetime) -> Sequence[Problem]:
    """One notice if pages show stale data, for everyone who reads figures. Runs one statement."""
    # For everyone, whatever orders they see: the delay concerns all messages alike.
    with limited_to(None), connection.cursor() as cursor:
        cursor.execute(SELECT_OLDEST_UNPROCESSED, {"now": now})
        since: datetime | None = cursor.fetchone()[0]
    if since is None or now - since < MAX_LAG:
        return []
    title = f"Processing has been behind for {format_duration(now - since)}"
    return [Problem(title, "Data received since then is stored but not visible yet.")]


def oldest_due_refold_at(now: datetime) -> datetime | None:
    """The time of the oldest due refold request, or None."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_OLDEST_CHANGE, [now])
        due_at: datetime | None = cursor.fetchone()[0]
    return due_at


def find_oldest_open_transaction(now: datetime) -> OpenTransaction | None:
    """The oldest open transaction other than our own, or None."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_LONGEST_TRANSACTION, [now])
        row = cursor.fetchone()
    return OpenTransaction(_describe_session(row[0], row[1]), row[2]) if row else None


def _refold_lag_problems(now: datetime) -> list[Problem]:
    since = oldest_due_refold_at(now)
    if since is None or now - since < MAX_LAG:
        return []
    with connection.cursor() as cursor:
        cursor.execute(SELECT_LOCK_HOLDERS)
        holders = [_describe_session(pid, name) for pid, name in cursor.fetchall()]
    if holders:
        cause = f"Locks are held by {' and '.join(holders)}. They are released when it ends."
    else:
        cause = "A large batch arrived, or the worker is down. Check the worker process."
    title = f"Processing has been behind for {format_duration(now - since)}"
    return [Problem(title, f"Data received since then is stored but not visible yet. {cause}")]


def _long_transaction_problems(now: datetime) -> list[Problem]:
    transaction = find_oldest_open_transaction(now)
    if transaction is None or now - transaction.since < MAX_TRANSACTION_AGE:
        return []
    return [
        Problem(
            f"A database transaction has been open for {format_duration(now - transaction.since)}",
            f"It belongs to {transaction.name}. No data is lost, but PostgreSQL "
            f"cannot clean up old rows "
            "and everything becomes slower. End the transaction, or use pg_terminate_backend.",
        )
    ]


def _failing_rule_problems() -> list[Problem]:
    with connection.cursor() as cursor:
        cursor.execute(SELECT_FAILED_RULES, [MAX_SHOWN])
        rows = cursor.fetchall()
    return [
        Problem(
            f"Rule “{title}” fails for {count_with_noun(orders, 'order')}",
            f"{error} After the rule is corrected, its clocks are recomputed automatically.",
            f"/orders/{order_id}",
        )
        for title, error, orders, order_id in rows
    ]


def _failing_kpi_problems() -> list[Problem]:
    kpis = kpi_registry()
    return [
        Problem(
            f"KPI “{kpis[failure.kpi].title if failure.kpi in kpis else failure.kpi}” fails "
            f"for {count_with_noun(failure.orders, 'order')}",
            f"{failure.error} These orders do not count in it; other KPIs are not affected. It is "
            "tried again every hour.",
            f"/orders/{failure.example_order_id}",
        )
        for failure in kpi_failures_with_order_counts()
    ]


def _failing_channel_problems(now: datetime) -> list[Problem]:
    with connection.cursor() as cursor:
        cursor.execute(SELECT_FAILING_CHANNELS, [MAX_SHOWN])
        rows = cursor.fetchall()
    channels, problems = channel_registry(), []
    for code, waiting, next_at, error in rows:
        title = channels[code].title if code in channels else code
        next_attempt = format_relative_time(max(next_at, now), now)
        problems.append(
            Problem(
                f"Sending through “{title}” fails for {count_with_noun(waiting, 'notification')}",
                f"{error.rstrip('.')}. The next attempt is {next_attempt}; other channels are not "
                "affected.",
            )
        )
    return problems


def _describe_session(pid: int | None, name: str | None) -> str:
    suffix = f" ({name})" if name else ""
    return f"session {pid}{suffix}" if pid else f"a prepared transaction{suffix}"
