"""Load what the rules about sources need to know, in a fixed number of statements.

Each source with a schedule of batches needs three more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection
from django.db.models import Count, Min, Q

from connectors.sdk.connector import SourceRole
from connectors.sdk.sender_versions import VersionStatus
from visibility.alerts.load_source_evidence import load_source_evidence
from visibility.alerts.telemetry_of_sources import (
    TelemetryOfSource,
    load_telemetry_of_sources,
)
from visibility.db import bulk
from visibility.models.alerts import ACTIVE_ALERT_STATES, Alert, AlertKind
from visibility.models.master import IgnoredTerm, TermKind, TermMapping, normalize_term
from visibility.models.source_records import SourceFieldChange
from visibility.models.sources_and_messages import Source
from visibility.sla.batch_findings import BatchHistory
from visibility.sla.load_batches import load_batch_histories
from visibility.sla.secret_ends import secret_ends_of_source
from visibility.sla.source_evidence import SourceEvidence
from visibility.sla.source_snapshot import (
    IGNORED,
    MAPPED,
    MAX_COUNTED,
    ChangedFields,
    OutdatedVersion,
    SourceSnapshot,
    UnmappedStatusWithSettlement,
)
from visibility.storage.count_parked_messages import count_parked_messages
from visibility.storage.load_needed_master_data import EVENT_TYPE_VALUES
from visibility.storage.sent_versions import VersionInUse, load_versions_in_use

MAX_STATUSES = 500
MAX_STATUS_LENGTH = 250
# Waiting messages are counted by source among so many of the oldest.
MAX_PENDING_READ = 10_000
PENDING = """
SELECT source_id, count(*) FROM (
    SELECT source_id FROM visibility_inbound_message
    WHERE state = 'waiting' ORDER BY id LIMIT %s
) AS waiting GROUP BY source_id
"""
# A loose index scan: from each status straight to the next, however many events have it.
DISTINCT_STATUSES = """
SELECT source.id, distinct_status.status FROM visibility_source source CROSS JOIN LATERAL (
    WITH RECURSIVE statuses (status) AS (
        (SELECT data->>'raw_type' FROM visibility_event
            WHERE type = 'unmapped' AND source_id = source.id
            ORDER BY source_id, data->>'raw_type' LIMIT 1)
        UNION ALL
        SELECT next.status FROM statuses CROSS JOIN LATERAL (
            SELECT data->>'raw_type' AS status FROM visibility_event
            WHERE type = 'unmapped' AND source_id = source.id
                AND data->>'raw_type' > statuses.status
            ORDER BY source_id, data->>'raw_type' LIMIT 1
        ) next
    )
    SELECT status FROM statuses WHERE status <> '' LIMIT %s
) distinct_status
WHERE source.enabled ORDER BY source.id, distinct_status.status
"""
# Orders read the status as it is, or are still queued to be processed with its mapping.
STATUS_WITHOUT_EFFECT = """
SELECT EXISTS (
    SELECT FROM visibility_termusage
    WHERE kind = 'status' AND canonical = %(term)s AND term = %(term)s AND source = %(slug)s
) OR EXISTS (
    SELECT FROM visibility_termusage
    WHERE unmapped AND kind = 'status' AND source = %(slug)s AND term = %(term)s
) OR EXISTS (
    SELECT FROM visibility_watchedvocabulary
    WHERE kind = 'status' AND source IN (%(slug)s, '') AND NOT backfilled
) OR EXISTS (
    SELECT FROM visibility_backfillrequest
) OR EXISTS (
    SELECT FROM visibility_refoldrequest request
    JOIN visibility_eventobjectlink link ON link.object_id = request.object_id
    JOIN visibility_event event
        ON event.id = link.event_id AND event.occurred_at = link.occurred_at
    WHERE event.type = 'unmapped' AND event.source_id = %(source)s
        AND event.data->>'raw_type' = %(raw)s
)
"""


@dataclass(frozen=True, slots=True)
class WatchedSource:
    """An enabled source and its snapshot."""

    source: Source
    snapshot: SourceSnapshot


def load_watched_sources(now: datetime) -> list[WatchedSource]:
    """Load the snapshots of all enabled sources."""
    sources = list(Source.objects.filter(enabled=True).order_by("pk"))
    if not sources:
        return []
    parked = count_parked_messages([source.pk for source in sources], limit=MAX_COUNTED)
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(PENDING, [MAX_PENDING_READ])
        pending: dict[int, int] = dict(cursor.fetchall())
    statuses = _load_unmapped_status_texts_by_source(
        {source.pk: source.slug for source in sources}, now
    )
    evidence = load_source_evidence(sources, now)
    changed_fields = _load_changed_fields_by_source()
    telemetry = load_telemetry_of_sources(now)
    versions = load_versions_in_use(sources, now)
    batches = load_batch_histories([source.pk for source in sources], now)
    watched = []
    for source in sources:
        known = evidence[source.pk]
        observed = telemetry.get(source.pk, TelemetryOfSource())
        snapshot = SourceSnapshot(
            slug=source.slug,
            title=source.title,
            role=SourceRole.from_stored(source.role),
            as_of=now,
            watched_since=source.created_at,
            last_message_at=known.last_message_at,
            last_data_at=known.last_data_at,
            expected_interval=source.expect_every,
            event_types=tuple(known.event_types),
            is_in_maintenance=known.maintenance_until is not None
            or known.unpolled_until is not None,
            maintenance_ended_at=known.maintenance_ended_at,
            pending_count=min(pending.get(source.pk, 0), MAX_COUNTED),
            parked_count=parked.get(source.pk, 0),
            statuses=statuses.get(source.pk, ()),
            secret_ends=secret_ends_of_source(source),
            changed_fields=tuple(changed_fields.get(source.pk, ())),
            calls=tuple(observed.calls),
            queues=tuple(observed.queues),
            last_runs=tuple(observed.last_runs),
            outdated_versions=_outdated_versions(versions.get(source.pk, ())),
            batches=_in_maintenance(batches.get(source.pk), known),
        )
        watched.append(WatchedSource(source, snapshot))
    return watched


def _outdated_versions(versions: Iterable[VersionInUse]) -> tuple[OutdatedVersion, ...]:
    outdated = (VersionStatus.DEPRECATED, VersionStatus.UNSUPPORTED)
    return tuple(
        OutdatedVersion(
            each.sent.name,
            each.sent.version,
            each.status is VersionStatus.DEPRECATED,
            each.ends_on,
            each.sent.first_seen_at,
            each.sent.last_seen_at,
        )
        for each in versions
        if each.status in outdated
    )


def _in_maintenance(history: BatchHistory | None, known: SourceEvidence) -> BatchHistory | None:
    """Add the planned maintenance of the source, during which no batch is late."""
    return history and replace(
        history,
        is_in_maintenance=known.maintenance_until is not None,
        maintenance_ended_at=known.maintenance_ended_at,
    )


def _load_changed_fields_by_source() -> dict[int, list[ChangedFields]]:
    rows = (
        SourceFieldChange.objects.filter(accepted_at=None)
        .order_by("source_id", "event_type")
        .values_list("source_id", "event_type")
        .annotate(since=Min("seen_at"), read=Count("pk", filter=Q(is_read=True)))
    )
    changed: dict[int, list[ChangedFields]] = {}
    for source_id, event_type, since, read in rows:
        changed.setdefault(source_id, []).append(ChangedFields(event_type, since, bool(read)))
    return changed


def _load_unmapped_status_texts_by_source(
    slugs: Mapping[int, str], now: datetime
) -> dict[int, tuple[UnmappedStatusWithSettlement, ...]]:
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(DISTINCT_STATUSES, [MAX_STATUSES])
        rows: list[tuple[int, str]] = [row for row in cursor.fetchall() if row[0] in slugs]
    if not rows:
        return {}
    terms = {normalize_term(raw)[:MAX_STATUS_LENGTH] for _, raw in rows}
    mapped = {
        (m.source, m.term)
        for m in TermMapping.objects.filter(
            kind=TermKind.STATUS, term__in=terms, canonical__in=EVENT_TYPE_VALUES
        )
        if (m.valid_from or now) <= now and (m.valid_to is None or now < m.valid_to)
    }
    ignored = set(
        IgnoredTerm.objects.filter(kind=TermKind.STATUS, term__in=terms).values_list(
            "source", "term"
        )
    )
    alerting = set(
        Alert.objects.filter(
            kind=AlertKind.UNMAPPED_STATUS, state__in=ACTIVE_ALERT_STATES
        ).values_list("source_id", "subject_key")
    )
    statuses: dict[int, dict[str, UnmappedStatusWithSettlement]] = {}
    for source_id, raw in rows:
        text = raw[:MAX_STATUS_LENGTH]
        settled = _mapped_or_ignored_label_of_status_text(slugs[source_id], raw, mapped, ignored)
        # Only the end of an alert waits for the effect of the mapping, so only then it is checked.
        is_pending = (
            settled == MAPPED
            and (source_id, text) in alerting
            and _is_mapping_of_status_without_effect_yet(source_id, slugs[source_id], raw)
        )
        statuses.setdefault(source_id, {})[text] = UnmappedStatusWithSettlement(
            text, "" if is_pending else settled, is_pending
        )
    return {source_id: tuple(by_text.values()) for source_id, by_text in statuses.items()}


def _is_mapping_of_status_without_effect_yet(source_id: int, slug: str, raw: str) -> bool:
    """Whether an order with this status is still to be processed with the mapping."""
    term = normalize_term(raw)[:MAX_STATUS_LENGTH]
    with connection.cursor() as cursor:
        cursor.execute(
            STATUS_WITHOUT_EFFECT, {"source": source_id, "slug": slug, "raw": raw, "term": term}
        )
        return bool(cursor.fetchone()[0])


def _mapped_or_ignored_label_of_status_text(
    slug: str, raw: str, mapped: set[tuple[str, str]], ignored: set[tuple[str, str]]
) -> str:
    term = normalize_term(raw)[:MAX_STATUS_LENGTH]
    if {(slug, term), ("", term)} & mapped:
        return MAPPED
    return IGNORED if (slug, term) in ignored else ""
