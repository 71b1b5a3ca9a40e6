"""The events of the export snapshot for OCEL 2.0, with their relations to objects.

A relation is qualified by the kind of its target. The relation of an event to an item is qualified
by the measures that the event reports. Superseded events are not part of the log.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import Measure
from visibility.export.ocel_attributes import (
    ITEM_KIND,
    Scalar,
    exported_attribute_name,
    ocel_attribute_value,
)
from visibility.export.ocel_objects import item_id
from visibility.export.read_snapshot_in_chunks import ExportedEvent, exported_events
from visibility.export.redaction import Redaction


@dataclass(frozen=True, slots=True)
class OcelEvent:
    """An event with its attributes and its relations (object id, qualifier)."""

    id: str
    type: str
    at: datetime
    values: Mapping[str, Scalar]
    related: tuple[tuple[str, str], ...]


def ocel_events(redaction: Redaction) -> Iterator[OcelEvent]:
    """All events that are not superseded, in order of time."""
    for event in exported_events(superseded=False):
        related = dict.fromkeys((o.id, o.kind.value) for _, o in event.objects)
        items = [
            (item_id(sku), measures)
            for sku, measures in _joined_measure_names_by_sku(event).items()
        ]
        yield OcelEvent(
            id=build_ocel_event_id(event.source, event.event.key, event.content_hash),
            type=event.event.type.value,
            at=event.occurred_at,
            values=_ocel_event_attributes(event, redaction),
            related=(*related, *items),
        )


def build_ocel_event_id(source: str, key: str, content_hash: str) -> str:
    """The OCEL event id. It is the same in every installation that received the same data."""
    return f"{source}:{key}:{content_hash[:16]}"


def _joined_measure_names_by_sku(event: ExportedEvent) -> dict[str, str]:
    """The items of an event's lines with the reported measures, joined by `+`."""
    measures_by_sku: dict[str, set[str]] = defaultdict(set)
    for line in event.lines_of_exported_orders:
        if line.sku:
            measures_by_sku[line.sku] |= {m.value for m in line.quantities}
    return {
        sku: "+".join(sorted(measures)) or ITEM_KIND for sku, measures in measures_by_sku.items()
    }


def _ocel_event_attributes(recorded: ExportedEvent, redaction: Redaction) -> dict[str, Scalar]:
    event = recorded.event
    totals: dict[Measure, Decimal] = defaultdict(Decimal)
    for line in recorded.lines_of_exported_orders:
        for measure, quantity in line.quantities.items():
            totals[measure] += quantity
    values: dict[str, Scalar] = {
        "source": recorded.source,
        "role": recorded.role,
        "key": event.key,
        "raw_type": event.raw_type,
        "scope": event.scope,
        "message_id": str(recorded.message_id),
        "received_at": format_rfc3339(recorded.received_at),
        "recorded_at": format_rfc3339(recorded.recorded_at),
    }
    values |= {
        name.value: ocel_attribute_value(name.value, text)
        for name, text in redaction.redact_attributes(event.attributes).items()
    }
    values |= {measure.value: float(quantity) for measure, quantity in sorted(totals.items())}
    if redaction.allows_other_attributes:
        values |= {exported_attribute_name(n): text for n, text in event.other_attributes.items()}
    return {name: value for name, value in values.items() if value != ""}
