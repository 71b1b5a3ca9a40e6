"""Orders (ORDERS) and their changes (ORDCHG)."""

from dataclasses import replace
from decimal import Decimal

from connectors.sdk.events import Attribute, CanonicalEvent, EventLine, EventType, Measure
from connectors.systems.edifact.document import EdifactDocument, Group, reference_numbers
from connectors.systems.edifact.lines import (
    ORDER_DATES,
    base_line,
    merged_lines,
    positions_by_group,
    quantity_of,
    read_groups,
    with_quantity,
)
from connectors.systems.edifact.references import required_order_reference

# BGM 1225, message function: 1 cancellation, 3 deletion, 4 change, 5 replacement, 6 confirmation,
# 7 duplicate, 9 original, 31 copy, 46 provisional. Blank is an original.
FUNCTION_TYPES = {
    "": EventType.ORDER_RECEIVED,
    "1": EventType.ORDER_CANCELLED,
    "3": EventType.ORDER_CANCELLED,
    "4": EventType.ORDER_CHANGED,
    "5": EventType.ORDER_CHANGED,
    "6": EventType.ORDER_RECEIVED,
    "7": EventType.ORDER_RECEIVED,
    "9": EventType.ORDER_RECEIVED,
    "31": EventType.ORDER_RECEIVED,
}
# LIN 1229, action: the item is deleted, so its ordered quantity becomes 0.
DELETED = "2"
# BGM 1001 of documents that are no orders to deliver.
OTHER_DOCUMENTS = {"221": "blanket order", "310": "offer", "311": "request for quote"}


def order_attributes(doc: EdifactDocument, head: Group) -> dict[Attribute, str]:
    """Return the attributes of an order from its heading."""
    return {
        Attribute.CHANNEL: "edi",
        Attribute.CUSTOMER_NO: doc.customer_number,
        Attribute.CUSTOMER_NAME: doc.party_name("BY", "IV", "DP"),
        Attribute.CURRENCY: doc.first("CUX", "2").text(1, 2),
        **doc.dates(head, ORDER_DATES),
    }


def read_order(doc: EdifactDocument) -> list[CanonicalEvent]:
    """Convert ORDERS: an order, or its cancellation, change or replacement (BGM 1225).

    BGM C106 is the order number, DTM 137 the date of the document. A change or cancellation occurs
    when it is sent.
    """
    head = doc.head("LIN", "UNS")
    event_type = FUNCTION_TYPES.get(doc.function, EventType.UNMAPPED)
    kind = doc.first("BGM").text(1)
    if kind in OTHER_DOCUMENTS:
        event_type = EventType.UNMAPPED
    is_order = event_type is EventType.ORDER_RECEIVED
    is_cancelled = event_type is EventType.ORDER_CANCELLED
    fact = f"{event_type.value} {doc.content_digest}"
    if is_order or is_cancelled:
        fact = event_type.value.removeprefix("order.")
    raw_type = f"ORDERS {kind} {doc.function}".strip()
    return [
        doc.build_event(
            event_type,
            f"{doc.number} {fact}",
            time=doc.time_of(head, "137", "4") if is_order else doc.time_sent,
            objects=(required_order_reference(doc, doc.number, "BGM"),),
            lines=() if is_cancelled else _ordered_lines(doc),
            attributes=order_attributes(doc, head),
            raw_type="" if is_order or is_cancelled else raw_type,
            # A replacement: what it does not list is no longer ordered.
            complete_measures=(Measure.ORDERED,) if doc.function == "5" else (),
        )
    ]


def read_order_change(doc: EdifactDocument) -> list[CanonicalEvent]:
    """Convert ORDCHG: a change or cancellation of the order RFF+ON. Quantities are new totals.

    BGM C106 is the number of the change; without RFF+ON, it is that of the order.
    """
    head = doc.head("LIN", "UNS")
    number = next(iter(reference_numbers(head, "ON")), doc.number)
    is_cancelled = doc.function in {"1", "3"}
    return [
        doc.build_event(
            EventType.ORDER_CANCELLED if is_cancelled else EventType.ORDER_CHANGED,
            f"{number} change {doc.content_digest}",
            time=doc.time_of(head, "137"),
            objects=(required_order_reference(doc, number, "RFF+ON", head),),
            lines=() if is_cancelled else _ordered_lines(doc),
            attributes=order_attributes(doc, head),
            raw_type=f"ORDCHG {doc.function}".strip(),
            complete_measures=(Measure.ORDERED,) if doc.function == "5" else (),
        )
    ]


def _ordered_lines(doc: EdifactDocument) -> tuple[EventLine, ...]:
    groups = doc.groups("LIN")
    positions = positions_by_group(groups)

    def read(group: Group) -> EventLine:
        line = base_line(doc, group, positions[id(group)])
        if group[0].text(2) == DELETED:
            return replace(line, quantities={Measure.ORDERED: Decimal(0)})
        return with_quantity(line, Measure.ORDERED, quantity_of(doc, group, "21", "1"))

    return merged_lines(read_groups(doc, groups, read))
