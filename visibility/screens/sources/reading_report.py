"""The reading report of a source: what its newest messages lack, with examples and remedies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection

from connectors.catalog import connectors_by_slug
from visibility.ingest.reading_findings import (
    Finding,
    FindingKind,
    ReadMessage,
    find_in_messages,
    settings_of_source,
)
from visibility.models.master import TermUsage
from visibility.models.orders import OrderLine
from visibility.models.sources_and_messages import InboundMessage, Source
from visibility.timeline.state_and_flag_enums import LineFlag

# So many of the newest messages and of their events are read.
MAX_MESSAGES, MAX_EVENTS = 1_000, 5_000
MAX_COUNTED = 1_000
EVENTS = """
SELECT message_id, data FROM visibility_event
WHERE message_id = ANY(%s) AND NOT superseded ORDER BY message_id DESC LIMIT %s
"""
UNMATCHED = """
SELECT link.object_id, max(event.message_id), min(object.kind) FROM visibility_event event
JOIN visibility_eventobjectlink link ON link.event_id = event.id
JOIN visibility_unmatchedobject unmatched ON unmatched.object_id = link.object_id
JOIN visibility_businessobject object ON object.id = link.object_id
WHERE event.message_id = ANY(%s) AND NOT event.superseded
GROUP BY link.object_id ORDER BY 2 DESC LIMIT %s
"""
ORDERS = """
WITH RECURSIVE up (id) AS (
    SELECT link.object_id FROM visibility_event event
    JOIN visibility_eventobjectlink link ON link.event_id = event.id
    WHERE event.message_id = ANY(%s)
    UNION
    SELECT next.id FROM up, LATERAL (
        SELECT parent_id FROM visibility_objectrelation WHERE child_id = up.id
        UNION ALL
        SELECT merged_into_id FROM visibility_businessobject
        WHERE id = up.id AND merged_into_id IS NOT NULL
    ) AS next (id)
)
SELECT object_id FROM visibility_order WHERE object_id IN (SELECT id FROM up) LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class LinkedFinding:
    """A finding, and the page of its example. A count of 1,000 means at least so many."""

    finding: Finding
    url: str

    @property
    def is_at_least(self) -> bool:
        """Whether there may be more than were counted."""
        return self.finding.count >= MAX_COUNTED


@dataclass(frozen=True, slots=True)
class ReadingReport:
    """What the newest `messages` messages and their `events` lack.

    Kinds without a case are left out. `is_complete`: these are all messages of the source.
    """

    messages: int
    events: int
    is_complete: bool
    findings: Sequence[LinkedFinding]


def load_reading_report(source: Source) -> ReadingReport:
    """Read the newest messages of a source. Runs seven bounded statements."""
    rows = list(
        InboundMessage.objects.filter(source=source)
        .order_by("-received_at", "-id")
        .values_list("id", "detail")[: MAX_MESSAGES + 1]
    )
    is_complete, rows = len(rows) <= MAX_MESSAGES, rows[:MAX_MESSAGES]
    ids = [message_id for message_id, _ in rows]
    events = _load_events(ids)
    issuers = set(Source.objects.values_list("slug", flat=True)[:10_000])
    connector = connectors_by_slug().get(source.connector)
    config = source.config_or_empty_if_invalid
    findings = find_in_messages(
        (
            ReadMessage(str(message_id), events.get(message_id, ()), detail)
            for message_id, detail in rows
        ),
        issuers=issuers,
        settings=settings_of_source(connector, config) if connector else None,
    )
    # Whether an object has an order, and a term a meaning, is known only after the matching.
    findings.pop(FindingKind.OBJECTS_WITHOUT_ORDER, None)
    unmapped = findings.pop(FindingKind.UNMAPPED_TERMS, None)
    linked = [LinkedFinding(f, f"/messages/{f.reference}") for f in findings.values()]
    linked += _objects_without_order(ids)
    linked += _lines_without_counterpart(ids)
    linked += _unmapped_terms(source, unmapped)
    order = list(FindingKind)
    linked.sort(key=lambda row: order.index(row.finding.kind))
    count = sum(len(of_message) for of_message in events.values())
    return ReadingReport(len(ids), count, is_complete and count < MAX_EVENTS, linked)


def _load_events(ids: Sequence[int]) -> dict[int, list[Any]]:
    events: dict[int, list[Any]] = {}
    with connection.cursor() as cursor:
        cursor.execute(EVENTS, [list(ids), MAX_EVENTS])
        for message_id, data in cursor.fetchall():
            event = orjson.loads(data) if isinstance(data, str) else data
            events.setdefault(message_id, []).append(event)
    return events


def _objects_without_order(ids: Sequence[int]) -> list[LinkedFinding]:
    with connection.cursor() as cursor:
        cursor.execute(UNMATCHED, [list(ids), MAX_COUNTED])
        rows = cursor.fetchall()
    if not rows:
        return []
    _, message_id, kind = rows[0]
    finding = Finding(
        FindingKind.OBJECTS_WITHOUT_ORDER, len(rows), str(kind), f"message {message_id}"
    )
    return [LinkedFinding(finding, f"/messages/{message_id}")]


def _lines_without_counterpart(ids: Sequence[int]) -> list[LinkedFinding]:
    with connection.cursor() as cursor:
        cursor.execute(ORDERS, [list(ids), MAX_COUNTED])
        orders = [row[0] for row in cursor.fetchall()]
    lines = list(
        OrderLine.objects.filter(
            order_id__in=orders, flags__contains=[LineFlag.NO_COUNTERPART.value]
        )
        .order_by("-order_id", "key")
        .values_list("order_id", "order__number", "sku", "key")[:MAX_COUNTED]
    )
    if not lines:
        return []
    order_id, number, sku, key = lines[0]
    finding = Finding(
        FindingKind.LINES_WITHOUT_COUNTERPART, len(lines), sku or key, f"order {number}"
    )
    return [LinkedFinding(finding, f"/orders/{order_id}?tab=lines")]


def _unmapped_terms(source: Source, unmapped: Finding | None) -> list[LinkedFinding]:
    """The terms of watched vocabularies if there are any, else those the connector reports."""
    terms = list(
        TermUsage.objects.filter(source=source.slug, unmapped=True)
        .order_by("kind", "term")
        .values_list("kind", "raw")
        .distinct()[:MAX_COUNTED]
    )
    if terms:
        kind, raw = terms[0]
        finding = Finding(FindingKind.UNMAPPED_TERMS, len(terms), raw, kind)
        return [LinkedFinding(finding, f"/mappings/unmapped?kind={kind}&source={source.slug}")]
    if unmapped is None:
        return []
    return [LinkedFinding(unmapped, f"/messages/{unmapped.reference}")]
