"""How the fields of a source's messages have changed in the last weeks."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from visibility.ingest.record_field_changes import SETTLED_AFTER
from visibility.models import Source, SourceField, SourceFieldChange, SourceFieldSample

SHOWN_FOR = timedelta(days=28)
MAX_OPEN_CHANGES = 200


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that appeared, changed its type (`before` is the other one), or is missing."""

    path: str
    kind: str
    at: datetime
    before: str = ""


@dataclass(frozen=True, slots=True)
class FieldDrift:
    """The changes in the messages with one type of events; "" if no event could be read."""

    event_type: str
    sampled_since: datetime
    last_sampled_at: datetime
    messages: int
    fields: int
    appeared: Sequence[FieldChange]
    retyped: Sequence[FieldChange]
    missing: Sequence[FieldChange]

    @property
    def has_changes(self) -> bool:
        """Whether anything changed."""
        return bool(self.appeared or self.retyped or self.missing)


def load_field_drift(source: Source, now: datetime) -> list[FieldDrift]:
    """The drift by type of events, with changes first. Two statements."""
    by_type = defaultdict[str, list[SourceField]](list)
    for field in SourceField.objects.filter(source=source).order_by("path", "first_seen_at"):
        by_type[field.event_type].append(field)
    samples = SourceFieldSample.objects.filter(source=source).order_by("event_type")
    drift = [_drift_of_type(sample, by_type[sample.event_type], now) for sample in samples]
    return sorted(drift, key=lambda each: not each.has_changes)


def _drift_of_type(
    sample: SourceFieldSample, fields: Sequence[SourceField], now: datetime
) -> FieldDrift:
    by_path = defaultdict[str, list[SourceField]](list)
    for field in fields:
        by_path[field.path].append(field)
    appeared, retyped, missing = [], [], []
    since, settled_at = now - SHOWN_FOR, sample.first_sampled_at + SETTLED_AFTER
    for path, kinds in by_path.items():
        newest = max(kinds, key=lambda field: field.first_seen_at)
        last_seen_at = max(field.last_seen_at for field in kinds)
        is_recent = newest.first_seen_at > max(since, settled_at)
        if last_seen_at < sample.last_sampled_at - SETTLED_AFTER and last_seen_at > since:
            missing.append(FieldChange(path, newest.kind, last_seen_at))
        elif is_recent and len(kinds) == 1:
            appeared.append(FieldChange(path, newest.kind, newest.first_seen_at))
        elif is_recent:
            before = ", ".join(field.kind for field in kinds if field is not newest)
            retyped.append(FieldChange(path, newest.kind, newest.first_seen_at, before))
    return FieldDrift(
        event_type=sample.event_type,
        sampled_since=sample.first_sampled_at,
        last_sampled_at=sample.last_sampled_at,
        messages=sample.message_count,
        fields=len(by_path),
        appeared=appeared,
        retyped=retyped,
        missing=missing,
    )


def load_open_field_changes(source: Source) -> list[SourceFieldChange]:
    """The changes that no person accepted yet, the newest first. One statement."""
    return list(
        SourceFieldChange.objects.filter(source=source, accepted_at=None).order_by("-pk")[
            :MAX_OPEN_CHANGES
        ]
    )
