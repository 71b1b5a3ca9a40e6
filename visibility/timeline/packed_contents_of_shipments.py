"""Shipments that name packages and no quantities ship what was packed in these packages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from connectors.sdk.events import EventLine, EventType, Measure, ObjectKind
from visibility.timeline.model import RecordedEvent

# package key -> line id -> (source, packed line)
Contents = Mapping[str, Mapping[str, tuple[str, EventLine]]]


def add_packed_lines(events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """The events; a confirmed shipment without shipped quantities has those of its packages.

    The quantities are those of the last packing of each package. An event without a scope gets one
    of its own, so that the quantities of several shipments add up.
    """
    contents = _contents_by_package(events)
    return (
        [_fill_shipment_from_packed_lines(s, contents) for s in events]
        if contents
        else list(events)
    )


def _contents_by_package(events: Sequence[RecordedEvent]) -> Contents:
    contents: dict[str, dict[str, tuple[str, EventLine]]] = {}
    for recorded in events:
        if recorded.event.type is not EventType.PACK_COMPLETED or recorded.order_index < 0:
            continue
        for line in recorded.event.lines:
            if (
                line.package_index >= 0
                and Measure.PACKED in line.quantities
                and recorded.does_line_name_this_or_no_order(line)
            ):
                package = recorded.object_keys[line.package_index]
                contents.setdefault(package, {})[line.line_id] = (recorded.source, line)
    return contents


def _fill_shipment_from_packed_lines(recorded: RecordedEvent, contents: Contents) -> RecordedEvent:
    event = recorded.event
    orders = sum(ref.kind is ObjectKind.ORDER for ref in event.objects)
    if (
        event.type is not EventType.SHIPMENT_CONFIRMED
        or orders > 1
        or any(Measure.SHIPPED in line.quantities for line in event.lines)
    ):
        return recorded
    lines = tuple(_packed_lines_as_shipped(recorded, contents))
    if not lines:
        return recorded
    scope = event.scope or f"packages of {event.key}"
    return replace(
        recorded, event=replace(event, lines=lines, scope=scope), has_only_lines_of_order=True
    )


def _packed_lines_as_shipped(recorded: RecordedEvent, contents: Contents) -> Iterator[EventLine]:
    for index, key in enumerate(recorded.object_keys):
        for source, line in contents.get(key, {}).values():
            if line.sku or source == recorded.source:
                quantities = {Measure.SHIPPED: line.quantities[Measure.PACKED]}
                yield replace(
                    line,
                    quantities=quantities,
                    package_index=index,
                    order_index=-1,
                    order_line_index=-1,
                )
