"""Source health: state, message counts, delay, queued, parked and rejected messages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from connectors.catalog import connectors_by_slug
from connectors.sdk.connector import SourceRole
from visibility.alerts.load_source_evidence import load_source_evidence
from visibility.formatting import format_duration
from visibility.models.sources_and_messages import Source
from visibility.operations.message_counts import MessageCounts, count_messages_by_source
from visibility.screens.sources.role_and_state_labels import ROLE_LABELS, STATE_TONES, SourceState
from visibility.screens.sources.state import (
    NORMAL,
    LatestReceiptAndRejection,
    source_state_and_reason,
)
from visibility.sla.secret_ends import describe_next_end
from visibility.sla.silence_limits import SilenceLimitOrigin, silence_limit_origin
from visibility.sla.source_evidence import EventTypeActivity, SourceEvidence

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# The delay is measured on the newest messages only, so its cost does not grow with the volume.
DELAY_SAMPLE = 300
MESSAGE_COUNTS = """
SELECT source.id, newest.received_at, counted.hour, counted.day, delay.p50
FROM visibility_source source
LEFT JOIN LATERAL (
    SELECT received_at FROM visibility_inbound_message m
    WHERE m.source_id = source.id ORDER BY received_at DESC LIMIT 1
) newest ON true
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE m.received_at > %(hour)s) AS hour, count(*) AS day
    FROM visibility_inbound_message m WHERE m.source_id = source.id AND m.received_at > %(day)s
) counted ON true
LEFT JOIN LATERAL (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY event.received_at - event.occurred_at) AS p50
    FROM (
        SELECT m.id FROM visibility_inbound_message m
        WHERE m.source_id = source.id AND m.received_at > %(day)s
        ORDER BY m.received_at DESC LIMIT %(sample)s
    ) sampled JOIN visibility_event event ON event.message_id = sampled.id
        AND event.occurred_at >= source.created_at  -- older events are imported history
) delay ON true
WHERE source.id = ANY(%(sources)s)
"""
HOURLY_COUNTS = """
SELECT m.source_id, floor(extract(epoch FROM %(now)s - m.received_at) / 3600)::int AS back, count(*)
FROM visibility_inbound_message m
WHERE m.source_id = ANY(%(sources)s) AND m.received_at > %(day)s AND m.received_at <= %(now)s
GROUP BY 1, 2
"""
QUEUED_AND_PARKED = """
SELECT source_id, state, count(*), min(received_at) FROM visibility_inbound_message
WHERE state IN ('waiting', 'parked') AND source_id = ANY(%s) GROUP BY 1, 2
"""
DUPLICATES = """
SELECT source_id, sum(duplicate_count) FROM visibility_messagekey
WHERE duplicate_count > 0 AND source_id = ANY(%s) GROUP BY 1
"""
REJECTED = """
SELECT slug, sum(count), max(last_at), mode() WITHIN GROUP (ORDER BY status)
FROM visibility_rejectedrequestcount WHERE hour > %s AND slug = ANY(%s) GROUP BY slug
"""


@dataclass(frozen=True, slots=True)
class SilenceLimitInForce:
    """After how long without data a source is silent (None: never), and who says so."""

    limit: timedelta | None
    origin: SilenceLimitOrigin

    @property
    def origin_code(self) -> str:
        """The stable code of the origin; the label on the pages may change."""
        return self.origin.name.lower()

    @property
    def text(self) -> str:
        """`26 h, set for this source`."""
        limit = format_duration(self.limit) if self.limit is not None else "never silent"
        return f"{limit}, {self.origin}"


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The health of one source. `explanation`: why it has this state."""

    source: Source
    system: str
    state: SourceState
    explanation: str
    last_at: datetime | None
    expected_at: datetime | None
    last_hour: int
    last_day: int
    hours: Sequence[int]
    delay: timedelta | None
    parked: int
    parked_since: datetime | None
    waiting: int
    duplicates: int
    rejected: int
    silence_limit: SilenceLimitInForce
    event_type_limits: Sequence[EventTypeActivity]
    # Whether it is polled: polls read recent records again, which are not counted twice.
    is_polled: bool
    # When its planned maintenance ends, if one runs.
    maintenance_until: datetime | None = None

    @property
    def tone(self) -> str:
        """The status tone of its state."""
        return STATE_TONES[self.state]

    @property
    def is_normal(self) -> bool:
        """Whether the explanation says nothing that the state does not say."""
        return self.explanation == NORMAL

    @property
    def hourly_bars(self) -> str:
        """SVG path of a bar for each of 24 hours, 96 by 24 units, oldest hour on the left."""
        top = max(self.hours, default=0) or 1
        heights = [max(round(count / top * 22, 1), 2) if count else 0 for count in self.hours]
        return "".join(f"M{index * 4 + 2} 24v-{h}" for index, h in enumerate(heights) if h)


@dataclass(slots=True)
class _SourceCounts:
    last_at: datetime | None = None
    hour: int = 0
    day: int = 0
    delay: timedelta | None = None
    hours: list[int] = field(default_factory=lambda: [0] * 24)
    parked: int = 0
    parked_since: datetime | None = None
    waiting: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejected_at: datetime | None = None
    rejected_status: int = 0


def load_source_health_reports(
    now: datetime, sources: Iterable[Source] | None = None, *, archived: bool = False
) -> list[HealthReport]:
    """The health of all (or these) sources, the worst first. Eight queries at most.

    `archived`: of the archived ones instead.
    """
    listed = Source.objects.filter(archived_at__isnull=not archived).select_related("owner_user")
    wanted = list(listed.order_by("title", "slug")[:500] if sources is None else sources)
    counts = _fetch_counts_by_source(wanted, now)
    evidence = load_source_evidence(wanted, now)
    rows = [_build_report(s, counts[s.id], evidence.get(s.id), now) for s in wanted]
    order = list(SourceState)
    return sorted(
        rows, key=lambda h: (order.index(h.state), -h.parked, h.source.title.lower(), h.source.id)
    )


def count_message_outcomes(source: Source) -> MessageCounts:
    """The outcomes of all accepted messages of a source."""
    return count_messages_by_source([source.id])[source.id]


def _fetch_counts_by_source(sources: Sequence[Source], now: datetime) -> dict[int, _SourceCounts]:
    ids = [source.id for source in sources]
    by_source = {source_id: _SourceCounts() for source_id in ids}
    by_slug = {source.slug: by_source[source.id] for source in sources}
    params: dict[str, Any] = {
        "sources": ids,
        "now": now,
        "hour": now - HOUR,
        "day": now - DAY,
        "sample": DELAY_SAMPLE,
    }
    with connection.cursor() as cursor:
        cursor.execute(MESSAGE_COUNTS, params)
        for source_id, last_at, hour, day, delay in cursor.fetchall():
            source_counts = by_source[source_id]
            source_counts.last_at, source_counts.hour, source_counts.day, source_counts.delay = (
                last_at,
                hour or 0,
                day or 0,
                delay,
            )
        cursor.execute(HOURLY_COUNTS, params)
        for source_id, back, count in cursor.fetchall():
            by_source[source_id].hours[23 - min(back, 23)] += count
        cursor.execute(QUEUED_AND_PARKED, [ids])
        for source_id, state, count, oldest in cursor.fetchall():
            if state == "waiting":
                by_source[source_id].waiting = count
            else:
                by_source[source_id].parked, by_source[source_id].parked_since = count, oldest
        cursor.execute(DUPLICATES, [ids])
        for source_id, duplicates in cursor.fetchall():
            by_source[source_id].duplicates = int(duplicates)
        cursor.execute(REJECTED, [now - DAY - HOUR, list(by_slug)])
        for slug, count, last_at, status in cursor.fetchall():
            source_counts = by_slug[slug]
            source_counts.rejected, source_counts.rejected_at, source_counts.rejected_status = (
                int(count),
                last_at,
                status,
            )
    return by_source


def _build_report(
    source: Source, counts: _SourceCounts, evidence: SourceEvidence | None, now: datetime
) -> HealthReport:
    connector = connectors_by_slug().get(source.connector)
    title = connector.title if connector else source.connector
    last_at = evidence.last_message_at if evidence else counts.last_at
    latest = LatestReceiptAndRejection(last_at, counts.rejected_at, counts.rejected_status)
    state, why = source_state_and_reason(source, latest, evidence, now)
    if source.enabled and (ends := describe_next_end(source, now)):
        why = f"{why}. {ends}"
    expected = None
    if source.expect_every is not None and source.enabled:
        expected = _add_interval_or_none_on_overflow(
            evidence.last_data_at if evidence else source.created_at, source.expect_every
        )
    return HealthReport(
        source=source,
        system=f"{title}, {ROLE_LABELS[SourceRole.from_stored(source.role)]}",
        state=state,
        explanation=why,
        last_at=last_at,
        expected_at=expected,
        last_hour=counts.hour,
        last_day=counts.day,
        hours=counts.hours,
        delay=max(counts.delay, timedelta(0)) if counts.delay is not None else None,
        parked=counts.parked,
        parked_since=counts.parked_since,
        waiting=counts.waiting,
        duplicates=counts.duplicates,
        rejected=counts.rejected,
        silence_limit=SilenceLimitInForce(source.expect_every, silence_limit_origin(source)),
        event_type_limits=list(evidence.event_types) if evidence else [],
        is_polled=source.is_polled,
        maintenance_until=evidence.maintenance_until if evidence else None,
    )


def _add_interval_or_none_on_overflow(moment: datetime, interval: timedelta) -> datetime | None:
    """Return the sum, or None if it is beyond the calendar: the stored interval is absurd."""
    try:
        return moment + interval
    except OverflowError:
        return None
