"""Prometheus metrics, counted from the database at each scrape."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.db import connection
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from visibility.alerts.load_source_evidence import load_evidence_of_enabled_sources
from visibility.db.change_feed import latest_change_number
from visibility.disk_space import free_bytes
from visibility.models import Source
from visibility.operations.message_counts import count_messages_by_source
from visibility.operations.operational_problems import (
    find_oldest_open_transaction,
    oldest_due_refold_at,
)
from visibility.operations.processes_and_disks import (
    heartbeat_ages,
    process_statuses,
    watched_folders,
)
from visibility.sla.source_evidence import EvidenceGap

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class _DatabaseCollector(Collector):
    """Collects the metric families from the database."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def collect(self) -> Iterator[Metric]:
        yield from _message_metrics()
        yield _oldest_waiting_metric(self._now)
        yield _silent_sources_metric(self._now)
        yield _rejected_requests_by_status_metric()
        yield _metric_by_state_from_sql(
            "throughline_clocks",
            "SLA clocks: running on time, overdue, breached, or failed because their rule fails",
            "SELECT CASE WHEN state = 'running' AND due_at < %s THEN 'overdue' ELSE state END, "
            "count(*) FROM visibility_slaclock WHERE state IN ('running', 'breached') GROUP BY 1 "
            "UNION ALL SELECT 'failed', count(*) FROM visibility_failedclock",
            [self._now],
            ("running", "overdue", "breached", "failed"),
        )
        yield _metric_by_state_from_sql(
            "throughline_notifications",
            "Notifications not sent",
            "SELECT state, count(*) FROM visibility_notification "
            "WHERE state IN ('pending', 'failed') GROUP BY 1",
            [],
            ("pending", "failed"),
        )
        since = oldest_due_refold_at(self._now)
        yield GaugeMetricFamily(
            "throughline_change_lag_seconds",
            "Age of the oldest change that is not visible on pages yet, 0 if there is none",
            (self._now - since).total_seconds() if since else 0.0,
        )
        longest = find_oldest_open_transaction(self._now)
        yield GaugeMetricFamily(
            "throughline_longest_transaction_seconds",
            "Age of the oldest open database transaction",
            (self._now - longest.since).total_seconds() if longest else 0.0,
        )
        yield GaugeMetricFamily(
            "throughline_change_number",
            "Number of the latest published change",
            latest_change_number(),
        )
        yield from _process_metrics()
        yield _heartbeat_metric(self._now)
        yield _free_disk_metric()


def render_metrics(now: datetime) -> bytes:
    """All metrics in the Prometheus text format."""
    registry = CollectorRegistry()
    registry.register(_DatabaseCollector(now))
    return generate_latest(registry)


def _process_metrics() -> Iterator[Metric]:
    """Only for processes that `manage.py up` supervises."""
    clock = time.monotonic()
    descriptions = {
        "running": "Whether the process runs (1) or rests after failures (0)",
        "exits_in_a_row": "Exits of the process since it last ran for a minute",
        "failing_seconds": "Time since the first of these exits, 0 without exits",
        "next_start_seconds": "Time until the process is started again, 0 if it runs",
    }
    families = {
        name: GaugeMetricFamily(f"throughline_process_{name}", text, labels=["process"])
        for name, text in descriptions.items()
    }
    for status in process_statuses():
        since, next_start = status.failing_since, status.next_start_at
        values = {
            "running": float(next_start is None),
            "exits_in_a_row": status.exits,
            "failing_seconds": clock - since if since is not None else 0.0,
            "next_start_seconds": max(next_start - clock, 0.0) if next_start is not None else 0.0,
        }
        for name, value in values.items():
            families[name].add_metric([status.name], value)
    yield from families.values()


def _heartbeat_metric(now: datetime) -> Metric:
    family = GaugeMetricFamily(
        "throughline_heartbeat_age_seconds",
        "Time since the worker or the scheduler last did work",
        labels=["process"],
    )
    for name, age in heartbeat_ages(now).items():
        family.add_metric([name], age.total_seconds())
    return family


def _free_disk_metric() -> Metric:
    family = GaugeMetricFamily(
        "throughline_disk_free_bytes", "Free space on the disk of a folder", labels=["folder"]
    )
    for folder in watched_folders():
        family.add_metric([folder.name], free_bytes(folder.path))
    return family


def _message_metrics() -> Iterator[Metric]:
    sources = {source.id: source.slug for source in Source.objects.only("id", "slug")}
    counts = count_messages_by_source(sources)
    descriptions = {
        "accepted": "Messages answered with 2xx, including duplicates",
        "applied": "Messages applied",
        "duplicate": "Duplicates of stored messages",
        "parked": "Messages parked",
        "discarded": "Parked messages that a person discarded",
        "waiting": "Messages waiting to be processed",
    }
    for outcome, description in descriptions.items():
        family = GaugeMetricFamily(
            f"throughline_messages_{outcome}", description, labels=["source"]
        )
        for source_id, slug in sorted(sources.items(), key=lambda item: item[1]):
            family.add_metric([slug], getattr(counts[source_id], outcome))
        yield family


def _oldest_waiting_metric(now: datetime) -> Metric:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM %s - min(received_at))::float8 "
            "FROM visibility_inbound_message WHERE state = 'waiting'",
            [now],
        )
        age = cursor.fetchone()[0]
    return GaugeMetricFamily(
        "throughline_oldest_waiting_seconds",
        "Age of the oldest message waiting to be processed, 0 if there is none",
        max(age or 0.0, 0.0),
    )


def _silent_sources_metric(now: datetime) -> Metric:
    family = GaugeMetricFamily(
        "throughline_source_silent",
        "1 if nothing was learned from the source for longer than its silence limit, or all its "
        "messages are parked; 0 during planned maintenance",
        labels=["source"],
    )
    for slug, evidence in sorted(load_evidence_of_enabled_sources(now).items()):
        is_silent = evidence.silence not in {
            None,
            EvidenceGap.MAINTENANCE,
            EvidenceGap.UNPOLLED_HOURS,
        }
        family.add_metric([slug], 1.0 if is_silent else 0.0)
    return family


def _rejected_requests_by_status_metric() -> Metric:
    family = CounterMetricFamily(
        "throughline_requests_rejected",
        "Rejected intake requests, by HTTP status",
        labels=["status"],
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT status, sum(count)::bigint FROM visibility_rejectedrequestcount "
            "GROUP BY 1 ORDER BY 1"
        )
        for status, count in cursor.fetchall():
            family.add_metric([str(status)], count)
    return family


def _metric_by_state_from_sql(
    name: str, description: str, sql: str, values: list[datetime], states: tuple[str, ...]
) -> Metric:
    family = GaugeMetricFamily(name, description, labels=["state"])
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        counts = dict(cursor.fetchall())
    for state in states:
        family.add_metric([state], counts.get(state, 0))
    return family
