"""Builders of timelines: fold recorded events, or the event types of an order."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from connectors.sdk.connector import SourceRole
from connectors.sdk.event_codec import sha256_hex, to_canonical_json
from connectors.sdk.events import CanonicalEvent, EventType
from tests.builders.recorded_events import at, reported
from visibility.timeline import RecordedEvent, Timeline, TimelineLine, fold
from visibility.timeline.master_data_dictionary import EMPTY_DICTIONARY, MasterDataDictionary

LATER = at(30)
TRACKING = "1Z1"
WITH_PACKAGE = {EventType.SHIPMENT_CONFIRMED, EventType.SHIPMENT_VOID}


def folded(
    *events: RecordedEvent,
    as_of: datetime = LATER,
    key: str = "sales_order:erp:SO-1",
    dictionary: MasterDataDictionary = EMPTY_DICTIONARY,
    known_at: datetime | None = None,
) -> Timeline:
    """The timeline of the events."""
    return fold(events, key=key, as_of=as_of, dictionary=dictionary, known_at=known_at)


def timeline_of(*events: tuple[EventType, datetime]) -> Timeline:
    """Fold an order from (event type, time) pairs; its shipments have one package."""
    recorded = [event_of_type(event_type, when) for event_type, when in events]
    last = max(when for _, when in events)
    return folded(*recorded, as_of=last + timedelta(days=365))


def timeline_of_parsed_events(events: Iterable[CanonicalEvent], as_of: datetime) -> Timeline:
    """Fold the events that a connector of an ERP parsed, all about one order."""
    recorded = [
        RecordedEvent(
            event=event,
            source="erp",
            role=SourceRole.ERP,
            occurred_at=event.occurred_at or as_of,
            received_at=as_of,
            content_hash=sha256_hex(to_canonical_json(event)),
            object_keys=tuple("order" for _ in event.objects),
            order_index=0,
        )
        for event in events
    ]
    return fold(recorded, key="order", as_of=as_of)


def event_of_type(event_type: EventType, when: datetime) -> RecordedEvent:
    """An event of the warehouse about the order, or a scan of the package by the carrier."""
    if event_type in WITH_PACKAGE:
        return reported("wms", event_type, when, tracking=TRACKING)
    if event_type.value.startswith("shipment."):
        return reported("carrier", event_type, when, orders=(), tracking=TRACKING)
    return reported("wms", event_type, when)


def line_of(timeline: Timeline, key: str) -> TimelineLine:
    """The line with this key."""
    return next(line for line in timeline.lines if line.key == key)
