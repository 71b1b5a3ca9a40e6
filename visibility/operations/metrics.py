"""What Prometheus reads: the rows themselves, counted at the moment it asks."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.db import connection
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from visibility.db.change_feed import head
from visibility.models import Source
from visibility.operations.message_counts import balances
from visibility.operations.problems import longest_transaction, oldest_change

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class _Rows(Collector):
    """The families, read from the tables when they are collected."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def collect(self) -> Iterator[Metric]:
        yield from _messages()
        yield _oldest(self._now)
        yield _refusals()
        yield _states(
            "throughline_clocks",
            "Promises: running in time, running past due, breached, not watched as the rule fails",
            "SELECT CASE WHEN state = 'running' AND due_at < %s THEN 'overdue' ELSE state END, "
            "count(*) FROM visibility_slaclock WHERE state IN ('running', 'breached') GROUP BY 1 "
            "UNION ALL SELECT 'failed', count(*) FROM visibility_failedclock",
            [self._now],
            ("running", "overdue", "breached", "failed"),
        )
        yield _states(
            "throughline_notifications",
            "Notifications not sent",
            "SELECT state, count(*) FROM visibility_notification "
            "WHERE state IN ('pending', 'failed') GROUP BY 1",
            [],
            ("pending", "failed"),
        )
        since = oldest_change(self._now)
        yield GaugeMetricFamily(
            "throughline_change_lag_seconds",
            "Age of the oldest change that no page shows yet, 0 if there is none",
            (self._now - since).total_seconds() if since else 0.0,
        )
        longest = longest_transaction(self._now)
        yield GaugeMetricFamily(
            "throughline_longest_transaction_seconds",
            "Age of the oldest transaction open in the database",
            (self._now - longest.since).total_seconds() if longest else 0.0,
        )
        yield GaugeMetricFamily(
            "throughline_change_number", "The newest change that open pages are told", head()
        )


def exposition(now: datetime) -> bytes:
    """All families as Prometheus text."""
    registry = CollectorRegistry()
    registry.register(_Rows(now))
    return generate_latest(registry)


def _messages() -> Iterator[Metric]:
    sources = {source.id: source.slug for source in Source.objects.only("id", "slug")}
    found = balances(sources)
    counted = {
        "accepted": "Messages answered with 2xx, repeats included",
        "applied": "Messages applied",
        "duplicate": "Repeats of messages already kept",
        "parked": "Messages parked",
        "waiting": "Messages waiting to be read",
    }
    for fate, words in counted.items():
        family = GaugeMetricFamily(f"throughline_messages_{fate}", words, labels=["source"])
        for source_id, slug in sorted(sources.items(), key=lambda item: item[1]):
            family.add_metric([slug], getattr(found[source_id], fate))
        yield family


def _oldest(now: datetime) -> Metric:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM %s - min(received_at))::float8 "
            "FROM visibility_inbound_message WHERE state = 'waiting'",
            [now],
        )
        age = cursor.fetchone()[0]
    return GaugeMetricFamily(
        "throughline_oldest_waiting_seconds",
        "Age of the oldest message waiting to be read, 0 if none waits",
        max(age or 0.0, 0.0),
    )


def _refusals() -> Metric:
    family = CounterMetricFamily(
        "throughline_requests_refused", "Requests refused, by status", labels=["status"]
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT status, sum(count)::bigint FROM visibility_refusal GROUP BY 1 ORDER BY 1"
        )
        for status, count in cursor.fetchall():
            family.add_metric([str(status)], count)
    return family


def _states(
    name: str, words: str, sql: str, values: list[datetime], states: tuple[str, ...]
) -> Metric:
    family = GaugeMetricFamily(name, words, labels=["state"])
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found = dict(cursor.fetchall())
    for state in states:
        family.add_metric([state], found.get(state, 0))
    return family
