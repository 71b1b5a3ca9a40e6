"""Load messages, polls, alerts and actions as KPIs measure them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from visibility.kpi.dimensions import Dimension
from visibility.kpi.measured_records import (
    ActionRecord,
    AlertRecord,
    MeasuredRecord,
    MessageRecord,
    PollRecord,
    RecordKind,
)

# The ID of a record, and the receipt of a message.
RecordId = tuple[int, datetime | None]
MESSAGES = """
SELECT source.slug, m.id, m.received_at, m.processed_at,
    CASE WHEN m.state IN ('parked', 'discarded') THEN coalesce(nullif(m.reason, ''), m.state)
        ELSE '' END
FROM unnest(%s::bigint[], %s::timestamptz[]) AS wanted (id, received_at)
JOIN visibility_inbound_message m USING (id, received_at)
JOIN visibility_source source ON source.id = m.source_id
WHERE m.state <> 'waiting'
"""
POLLS = """
SELECT source.slug, poll.id, poll.ended_at, poll.error, poll.is_throttled
FROM visibility_pollround poll JOIN visibility_source source ON source.id = poll.source_id
WHERE poll.id = ANY(%s)
"""
# An alert without such an entry was never open for people. What was copied when an order was split
# counts where it happened.
ALERTS = """
SELECT source.slug, o.channel, o.warehouse, o.customer_group, alert.id, alert.episode,
    opened.at, alert.acknowledged_at, alert.resolved_at, alert.kind, alert.severity
FROM visibility_alert alert
LEFT JOIN visibility_source source ON source.id = alert.source_id
LEFT JOIN visibility_order o ON o.object_id = alert.order_id
CROSS JOIN LATERAL (SELECT max(at) AS at FROM visibility_alertentry entry
    WHERE entry.alert_id = alert.id AND entry.action IN ('opened', 'reopened')) opened
WHERE alert.id = ANY(%s) AND opened.at IS NOT NULL AND NOT EXISTS (
    SELECT FROM visibility_alertentry copied
    WHERE copied.alert_id = alert.id AND copied.action = 'copied' AND copied.at >= opened.at
)
"""
ACTIONS = """
SELECT source.slug, o.channel, o.warehouse, o.customer_group, entry.id, entry.at, entry.action
FROM visibility_alertentry entry JOIN visibility_alert alert ON alert.id = entry.alert_id
LEFT JOIN visibility_source source ON source.id = alert.source_id
LEFT JOIN visibility_order o ON o.object_id = alert.order_id
WHERE entry.id = ANY(%s) AND entry.user_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM visibility_alertentry copied
    WHERE copied.alert_id = entry.alert_id AND copied.action = 'copied' AND copied.id > entry.id
)
"""


def load_measured_records(kind: RecordKind, records: Sequence[RecordId]) -> list[MeasuredRecord]:
    """Load records of one kind, in one query. Those that do not count yet, or are gone, are left
    out."""
    return list(_LOADERS[kind](records))


def _load_messages(records: Sequence[RecordId]) -> Iterator[MeasuredRecord]:
    ids, received = [record_id for record_id, _ in records], [at for _, at in records]
    for slug, message_id, received_at, processed_at, reason in _fetch_rows(MESSAGES, ids, received):
        yield MessageRecord(
            str(message_id), received_at, processed_at, {"source": slug}, parking_reason=reason
        )


def _load_polls(records: Sequence[RecordId]) -> Iterator[MeasuredRecord]:
    for slug, poll_id, ended_at, error, throttled in _fetch_rows(POLLS, [i for i, _ in records]):
        yield PollRecord(
            str(poll_id), ended_at, ended_at, {"source": slug}, error=error, is_throttled=throttled
        )


def _load_alerts(records: Sequence[RecordId]) -> Iterator[MeasuredRecord]:
    for row in _fetch_rows(ALERTS, [i for i, _ in records]):
        alert_id, episode, opened_at, acknowledged_at, ended_at, kind, severity = row[4:]
        yield AlertRecord(
            f"{alert_id}:{episode}",
            opened_at,
            ended_at,
            _dimensions_of_source_and_order(row),
            acknowledged_at=acknowledged_at,
            kind=kind,
            severity=severity,
        )


def _load_actions(records: Sequence[RecordId]) -> Iterator[MeasuredRecord]:
    for row in _fetch_rows(ACTIONS, [i for i, _ in records]):
        entry_id, at, action = row[4:]
        dimensions = _dimensions_of_source_and_order(row)
        yield ActionRecord(str(entry_id), at, at, dimensions, action=action)


_LOADERS: Mapping[RecordKind, Callable[[Sequence[RecordId]], Iterator[MeasuredRecord]]] = {
    RecordKind.MESSAGE: _load_messages,
    RecordKind.POLL: _load_polls,
    RecordKind.ALERT: _load_alerts,
    RecordKind.ACTION: _load_actions,
}


def _dimensions_of_source_and_order(row: Sequence[Any]) -> dict[Dimension, str]:
    source, channel, warehouse, customer_group = (text or "" for text in row[:4])
    return {
        "source": source,
        "channel": channel,
        "warehouse": warehouse,
        "customer_group": customer_group,
    }


def _fetch_rows(statement: str, *parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(values) for values in parameters])
        return list(cursor.fetchall())
