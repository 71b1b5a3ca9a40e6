"""Open an alert for each status text of a source that has no mapping."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from visibility.alerts.reconcile import NewAlert, close_alert, create_alerts, reopen_alert
from visibility.db import bulk
from visibility.db.change_feed import append_changes
from visibility.db.lock_keys import LockKey
from visibility.models.alerts import ACTIVE_ALERT_STATES, Alert, AlertKind, AlertState
from visibility.models.intake import Source
from visibility.models.master import IgnoredTerm, TermKind, TermMapping, normalize_term
from visibility.models.sla import Severity

# Most active alerts per source: a source that renamed every status is one problem.
MAX_ACTIVE_ALERTS = 20
MAX_STATUSES = 500
MAX_STATUS_LENGTH = 250
MAPPED = "The status is mapped."
IGNORED = "The status is ignored."
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
# Only one worker at a time; two would open the same alerts.
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"


@dataclass(frozen=True, slots=True)
class UnmappedStatus:
    """A status text of a source. `settled`: why it needs no mapping; empty if it needs one."""

    source: Source
    text: str
    settled: str


def update_unmapped_alerts(*, now: datetime) -> int:
    """Open alerts for new statuses, resolve those of mapped ones; return how many changed."""
    with transaction.atomic():
        statuses = _load_statuses(now)
        if not statuses or not _try_lock():
            return 0
        alerts = {
            (alert.source_id, alert.subject_key): alert
            for alert in Alert.objects.select_for_update().filter(
                source__in={status.source.pk for status in statuses}, kind=AlertKind.UNMAPPED_STATUS
            )
        }
        changed: list[int] = []
        for status in statuses:
            alert = alerts.get((status.source.pk, status.text))
            if status.settled and alert and alert.state in ACTIVE_ALERT_STATES:
                close_alert(alert, AlertState.RESOLVED, now, now, status.settled)
                changed.append(alert.pk)
        active_count = Counter(
            source for (source, _), a in alerts.items() if a.state in ACTIVE_ALERT_STATES
        )
        new: list[NewAlert] = []
        for status in statuses:
            if status.settled or active_count[status.source.pk] >= MAX_ACTIVE_ALERTS:
                continue
            alert = alerts.get((status.source.pk, status.text))
            if alert is None:
                new.append(_new_unmapped_alert(status, now))
            elif alert.resolution == MAPPED:
                changed.append(reopen_alert(alert, now, "The mapping was removed."))
            else:
                continue
            active_count[status.source.pk] += 1
        changed += create_alerts(new, now)
        append_changes({"alert": changed})
        return len(changed)


def _try_lock() -> bool:
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(TRY_LOCK, [LockKey.UNMAPPED_STATUS_ALERTS])
        row = cursor.fetchone()
    return bool(row and row[0])


def _load_statuses(now: datetime) -> list[UnmappedStatus]:
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(DISTINCT_STATUSES, [MAX_STATUSES])
        rows: list[tuple[int, str]] = cursor.fetchall()
    if not rows:
        return []
    sources = Source.objects.in_bulk({source_id for source_id, _ in rows})
    terms = {normalize_term(raw)[:MAX_STATUS_LENGTH] for _, raw in rows}
    mapped = {
        (m.source, m.term)
        for m in TermMapping.objects.filter(kind=TermKind.STATUS, term__in=terms)
        if (m.valid_from or now) <= now and (m.valid_to is None or now < m.valid_to)
    }
    ignored = set(
        IgnoredTerm.objects.filter(kind=TermKind.STATUS, term__in=terms).values_list(
            "source", "term"
        )
    )
    statuses = {
        (source_id, raw[:MAX_STATUS_LENGTH]): UnmappedStatus(
            sources[source_id],
            raw[:MAX_STATUS_LENGTH],
            _reason_settled(sources[source_id].slug, raw, mapped, ignored),
        )
        for source_id, raw in rows
    }
    return list(statuses.values())


def _reason_settled(
    slug: str, raw: str, mapped: set[tuple[str, str]], ignored: set[tuple[str, str]]
) -> str:
    term = normalize_term(raw)[:MAX_STATUS_LENGTH]
    if {(slug, term), ("", term)} & mapped:
        return MAPPED
    return IGNORED if (slug, term) in ignored else ""


def _new_unmapped_alert(status: UnmappedStatus, now: datetime) -> NewAlert:
    alert = Alert(
        kind=AlertKind.UNMAPPED_STATUS,
        source=status.source,
        subject_key=status.text,
        severity=Severity.MEDIUM,
        title=f"Unmapped status “{status.text[:80]}” from {status.source.title}",
        team=status.source.owner or "Integration",
        started_at=now,
        due_at=now,
        opened_at=now,
    )
    return NewAlert(alert, "opened", alert.title)
