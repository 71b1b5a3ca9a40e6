"""How the messages of a source changed: their fields in the last weeks, and their versions."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.sdk.message_shape import parent_paths
from visibility.models import (
    FieldChangeKind,
    Source,
    SourceField,
    SourceFieldChange,
    SourceFieldSample,
)

SHOWN_FOR = timedelta(days=28)
MAX_OPEN_CHANGES = 200
MAX_CHANGES = 500
MAX_ABSENT = 200


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that appeared, changed its type (`before` is the other one), or is missing."""

    path: str
    kind: str
    at: datetime
    before: str = ""
    is_read: bool | None = None


@dataclass(frozen=True, slots=True)
class FieldDrift:
    """The recorded changes in the messages with one type of events; "" if none could be read.

    `read_count`: how many paths the connector reads of them. `read_and_absent`: those that no
    message has had.
    """

    event_type: str
    sampled_since: datetime
    last_sampled_at: datetime
    messages: int
    fields: int
    appeared: Sequence[FieldChange]
    retyped: Sequence[FieldChange]
    missing: Sequence[FieldChange]
    read_count: int = 0
    read_and_absent: Sequence[str] = ()

    @property
    def has_changes(self) -> bool:
        """Whether anything changed."""
        return bool(self.appeared or self.retyped or self.missing)


def load_field_drift(source: Source, now: datetime) -> list[FieldDrift]:
    """The drift by type of events, with changes first. Three statements."""
    known = defaultdict[str, set[str]](set)
    fields = SourceField.objects.filter(source=source).values_list("event_type", "path")
    for event_type, path in fields:
        known[event_type].add(path)
    changes = defaultdict[tuple[str, str], list[FieldChange]](list)
    recorded = SourceFieldChange.objects.filter(source=source, seen_at__gt=now - SHOWN_FOR)
    for row in recorded.order_by("-pk")[:MAX_CHANGES]:
        change = FieldChange(row.path, row.kind, row.seen_at, row.kind_before, row.is_read)
        changes[row.event_type, row.change].append(change)
    drift = [
        FieldDrift(
            event_type=sample.event_type,
            sampled_since=sample.first_sampled_at,
            last_sampled_at=sample.last_sampled_at,
            messages=sample.message_count,
            fields=len(known[sample.event_type]),
            appeared=changes[sample.event_type, FieldChangeKind.APPEARED],
            retyped=changes[sample.event_type, FieldChangeKind.RETYPED],
            missing=changes[sample.event_type, FieldChangeKind.MISSING],
            read_count=len(sample.read_paths),
            read_and_absent=_read_and_absent(sample.read_paths, known[sample.event_type]),
        )
        for sample in SourceFieldSample.objects.filter(source=source).order_by("event_type")
    ]
    return sorted(drift, key=lambda each: not each.has_changes)


def _read_and_absent(read_paths: Sequence[str], known: set[str]) -> list[str]:
    """The outermost paths that are read and that no message has had."""
    present = {path for field in known for path in (field, *parent_paths(field))}
    absent = [path for path in read_paths if path not in present]
    return [path for path in absent if not set(parent_paths(path)) & set(absent)][:MAX_ABSENT]


def load_open_field_changes(source: Source) -> list[SourceFieldChange]:
    """The changes that no person accepted yet, the newest first. One statement."""
    return list(
        SourceFieldChange.objects.filter(source=source, accepted_at=None).order_by("-pk")[
            :MAX_OPEN_CHANGES
        ]
    )
