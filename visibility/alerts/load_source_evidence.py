"""Load how far the reports of each source go: the same for alerts, pages and boards."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from visibility.db import bulk
from visibility.db.data_scope import limited_to
from visibility.models.sources_and_messages import Source
from visibility.sla import poll_limits, silence_limits
from visibility.sla.source_evidence import EventTypeActivity, SourceEvidence

# The newest applied message is searched among so many of the newest messages of a source; behind
# more parked or waiting ones, the activity of the source has its time.
MAX_MESSAGES_READ = 1_000
# Unprocessed messages are searched among so many of the oldest.
MAX_PENDING_READ = 10_000
# More maintenance than can be planned at a time.
MAX_MAINTENANCE_READ = 20
ACTIVITY = """
SELECT source.id, coalesce(newest.received_at, (
        -- Only of a source without a new message: it reads the index of every partition.
        SELECT m.received_at FROM visibility_inbound_message m
        WHERE m.source_id = source.id ORDER BY m.received_at DESC LIMIT 1
    )), coalesce(applied.received_at,
    activity.last_received_at), activity.newest_event_at, activity.resumed_at,
    activity.backlog_applied_at, pending.oldest_at, maintenance.running_until,
    maintenance.reason, maintenance.ended_at
FROM visibility_source source
LEFT JOIN LATERAL (
    SELECT m.received_at FROM visibility_inbound_message m
    WHERE m.source_id = source.id AND m.received_at > now() - interval '62 days'
    ORDER BY m.received_at DESC LIMIT 1
) newest ON true
LEFT JOIN LATERAL (
    SELECT read.received_at FROM (
        SELECT m.received_at, m.state FROM visibility_inbound_message m
        WHERE m.source_id = source.id AND m.received_at > now() - interval '62 days'
        ORDER BY m.received_at DESC LIMIT %s
    ) read WHERE read.state = 'applied' ORDER BY read.received_at DESC LIMIT 1
) applied ON true
LEFT JOIN visibility_sourceactivity activity
    ON activity.source_id = source.id AND activity.event_type = ''
LEFT JOIN (
    SELECT source_id, min(received_at) AS oldest_at FROM (
        SELECT source_id, received_at FROM visibility_inbound_message
        WHERE state = 'waiting' ORDER BY id LIMIT %s
    ) AS waiting GROUP BY source_id
) pending ON pending.source_id = source.id
LEFT JOIN LATERAL (
    SELECT max(until) FILTER (WHERE is_running) AS running_until,
        (array_agg(why ORDER BY until DESC) FILTER (WHERE is_running))[1] AS reason,
        max(until) FILTER (WHERE until <= %s::timestamptz AND until > starts_at) AS ended_at
    FROM (
        SELECT planned.starts_at, planned.why, least(ends_at, ended_at) AS until,
            planned.starts_at <= %s::timestamptz
                AND least(ends_at, ended_at) > %s::timestamptz AS is_running
        FROM visibility_sourcemaintenance planned WHERE planned.source_id = source.id
        ORDER BY planned.ends_at DESC LIMIT %s
    ) AS recent
) maintenance ON true
WHERE source.id = ANY(%s)
"""
EVENT_TYPES = """
SELECT source_id, event_type, coalesce(last_received_at, watched_since)
FROM visibility_sourceactivity WHERE event_type <> '' AND source_id = ANY(%s)
"""


def load_evidence_of_enabled_sources(now: datetime) -> dict[str, SourceEvidence]:
    """Return the evidence of each enabled source by slug. Three statements at most."""
    sources = list(Source.objects.filter(enabled=True).order_by("pk"))
    evidence = load_source_evidence(sources, now)
    return {source.slug: evidence[source.pk] for source in sources}


@limited_to(None)  # when a source reported is no secret of any order
def load_source_evidence(sources: Iterable[Source], now: datetime) -> dict[int, SourceEvidence]:
    """Return the evidence of these sources by id. Two statements at most."""
    wanted = {source.pk: source for source in sources}
    if not wanted:
        return {}
    limits = {
        pk: silence_limits.silence_limits_by_event_type(source.config_or_empty_if_invalid)
        for pk, source in wanted.items()
    }
    since_by_type: dict[int, dict[str, datetime]] = defaultdict(dict)
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            ACTIVITY,
            [
                *(MAX_MESSAGES_READ, MAX_PENDING_READ),
                *(now, now, now, MAX_MAINTENANCE_READ),
                list(wanted),
            ],
        )
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
        if limited := [pk for pk, by_type in limits.items() if by_type]:
            cursor.execute(EVENT_TYPES, [limited])
            for source_id, event_type, since in cursor.fetchall():
                since_by_type[source_id][event_type] = since
    return {
        pk: _build_evidence(
            source,
            rows[pk],
            event_types=[
                EventTypeActivity(t, since_by_type[pk].get(t, source.created_at), limit)
                for t, limit in sorted(limits[pk].items())
            ],
            now=now,
        )
        for pk, source in wanted.items()
        if pk in rows
    }


def _build_evidence(
    source: Source,
    row: tuple[Any, ...],
    *,
    event_types: list[EventTypeActivity],
    now: datetime,
) -> SourceEvidence:
    newest_at, applied_at, newest_event_at, resumed_at, backlog_applied_at, waiting_since = row[:6]
    maintenance_until, maintenance_reason, maintenance_ended_at = row[6:]
    contacts = [at for at in (applied_at, source.polled_until) if at is not None]
    config = source.config_or_empty_if_invalid if source.next_poll_at else {}
    unpolled_hours_ended_at = poll_limits.end_of_latest_quiet_hours(config, now)
    pauses_ended = [at for at in (maintenance_ended_at, unpolled_hours_ended_at) if at is not None]
    return SourceEvidence(
        title=source.title,
        as_of=now,
        silence_limit=source.expect_every,
        last_data_at=max(contacts, default=source.created_at),
        newest_event_at=newest_event_at,
        polled_until=source.polled_until,
        waiting_since=waiting_since,
        resumed_at=resumed_at,
        backlog_applied_at=backlog_applied_at,
        # Telemetry is removed once it is counted, so the newest message may be an older one.
        last_message_at=max((at for at in (newest_at, applied_at) if at), default=None),
        has_data=bool(contacts),
        cannot_be_read=bool(
            source.poll_error or source.file_error or source.queue_error or source.catching_up_since
        ),
        reports_in_batches=silence_limits.does_report_in_batches(source.config_or_empty_if_invalid),
        event_types=event_types,
        maintenance_until=maintenance_until,
        maintenance_reason=maintenance_reason or "",
        maintenance_ended_at=max(pauses_ended, default=None),
        unpolled_until=poll_limits.quiet_until(config, now),
    )
