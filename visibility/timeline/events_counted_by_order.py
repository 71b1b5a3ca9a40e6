"""The events of an order, each assigned to one of the orders that it concerns."""

from collections.abc import Iterator, Sequence

from connectors.sdk.events import ObjectKind
from visibility.timeline.kpi_inputs import current_events
from visibility.timeline.model import RecordedEvent, Timeline
from visibility.timeline.shipments import SHIPMENT_EVENTS


def current_events_counted_for_order(timeline: Timeline) -> Iterator[RecordedEvent]:
    """The current events that count for this order, so that a shared one counts for one order.

    An event that names orders counts for the first of them. Another one counts for the order that
    was first reported with its shipment or package; without such a report, for the folded order.
    All orders of a shipment have all of its events, so that they agree.
    """
    events = current_events(timeline)
    shared = _first_report_position_by_shipment_key(events)
    for recorded in events:
        named = _index_of_first_named_order(recorded)
        if named is not None:
            if named == recorded.order_index:
                yield recorded
            continue
        reported = [shared[key] for key in recorded.owned_object_keys() if key in shared]
        if not reported or min(reported)[1]:
            yield recorded


def _index_of_first_named_order(recorded: RecordedEvent) -> int | None:
    """The index of the first order that an event names, None if it names none."""
    pairs = zip(recorded.event.objects, recorded.object_keys, strict=True)
    return next((n for n, (r, key) in enumerate(pairs) if key and r.kind is ObjectKind.ORDER), None)


def _first_report_position_by_shipment_key(
    events: Sequence[RecordedEvent],
) -> dict[str, tuple[int, bool]]:
    """By the key of a shipment or package: (position of its first report with an order, whether
    that is the folded order).

    A package may be reported with its shipment only; it then has the report of the shipment.
    """
    first: dict[str, tuple[int, bool]] = {}
    unnamed: list[set[str]] = []
    for position, recorded in enumerate(events):
        if recorded.event.type not in SHIPMENT_EVENTS:
            continue
        named, keys = _index_of_first_named_order(recorded), recorded.owned_object_keys()
        if named is None:
            unnamed.append(keys)
            continue
        for key in keys:
            first.setdefault(key, (position, named == recorded.order_index))
    has_changed = True
    while has_changed:
        has_changed = False
        for keys in unnamed:
            known = [first[key] for key in keys if key in first]
            if known and len(known) < len(keys):
                first.update({key: min(known) for key in keys if key not in first})
                has_changed = True
    return first
