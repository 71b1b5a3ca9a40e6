"""Planned maintenance of a source: during it, silence is expected and opens no alert."""

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction

from connectors.sdk.event_codec import format_rfc3339
from visibility.db.change_feed import append_changes
from visibility.models.audit import append_audit_entry
from visibility.models.source_records import SourceMaintenance
from visibility.models.sources_and_messages import Source

MAX_LENGTH = timedelta(days=31)
MAX_AHEAD = timedelta(days=366)
# So many can be planned at a time.
MAX_PLANNED = 10
MAX_WHY = 500


class InvalidMaintenance(ValueError):
    """A value that cannot be planned: the field, and a sentence."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def plan_maintenance(
    source: Source,
    *,
    starts_at: datetime,
    ends_at: datetime,
    why: str,
    by: User,
    now: datetime,
) -> SourceMaintenance:
    """Plan maintenance of a source. It ends by itself. Raises InvalidMaintenance."""
    if not why.strip():
        raise InvalidMaintenance("why", "Enter a reason.")
    if ends_at <= starts_at:
        raise InvalidMaintenance("ends_at", "The end must be after the start.")
    if ends_at <= now:
        raise InvalidMaintenance("ends_at", "The end must be in the future.")
    if ends_at - starts_at > MAX_LENGTH:
        raise InvalidMaintenance("ends_at", f"At most {MAX_LENGTH.days} days.")
    if starts_at > now + MAX_AHEAD:
        raise InvalidMaintenance("starts_at", "At most a year ahead.")
    with transaction.atomic():
        row = Source.objects.select_for_update(no_key=True).get(pk=source.pk)
        planned = SourceMaintenance.objects.filter(source=row, ends_at__gt=now, ended_at=None)
        if planned.count() >= MAX_PLANNED:
            raise InvalidMaintenance("starts_at", f"At most {MAX_PLANNED} can be planned.")
        window = SourceMaintenance.objects.create(
            source=row,
            starts_at=starts_at,
            ends_at=ends_at,
            why=why.strip()[:MAX_WHY],
            planned_by=by,
            planned_at=now,
        )
        _record("source.maintenance_planned", window, by=by, now=now)
    return window


def end_maintenance(window_id: int, *, source: Source, by: User, now: datetime) -> bool:
    """End maintenance now, or cancel it before it starts. False if it has ended."""
    with transaction.atomic():
        window = (
            SourceMaintenance.objects.select_for_update(of=("self",), no_key=True)
            .select_related("source")
            .filter(pk=window_id, source=source, ended_at=None, ends_at__gt=now)
            .first()
        )
        if window is None:
            return False
        window.ended_at, window.ended_by = now, by
        window.save(update_fields=["ended_at", "ended_by"])
        action = "ended" if window.starts_at <= now else "canceled"
        _record(f"source.maintenance_{action}", window, by=by, now=now)
    return True


def list_current_maintenance(source: Source, now: datetime) -> list[SourceMaintenance]:
    """What is planned or runs, the earliest first."""
    windows = SourceMaintenance.objects.select_related("planned_by")
    return list(windows.filter(source=source, ends_at__gt=now, ended_at=None).order_by("starts_at"))


def _record(action: str, window: SourceMaintenance, *, by: User, now: datetime) -> None:
    append_audit_entry(
        action,
        user=by,
        object=window.source.slug,
        detail={
            "from": format_rfc3339(window.starts_at),
            "until": format_rfc3339(window.ends_at),
            "why": window.why,
        },
        now=now,
    )
    append_changes({"source": [window.source_id]})
