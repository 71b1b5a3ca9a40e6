"""Order responses (ORDRSP): the seller's answer to an order and to each of its lines."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from connectors.sdk.events import Attribute, CanonicalEvent, EventLine, EventType, Measure
from connectors.systems.edifact.document import EdifactDocument, Group, reference_numbers
from connectors.systems.edifact.lines import (
    base_line,
    positions_by_group,
    quantity_of,
    read_groups,
)
from connectors.systems.edifact.orders import order_attributes
from connectors.systems.edifact.references import required_order_reference

# BGM 1225: 4 accepted with changes, 9 original (the lines say more), 27 not accepted, 29 accepted
# without amendment, 30 accepted with amendment in the heading.
RESPONSE_TYPES = {
    "4": EventType.ORDER_ACCEPTED,
    "9": EventType.ORDER_ACCEPTED,
    "27": EventType.ORDER_REJECTED,
    "29": EventType.ORDER_ACCEPTED,
    "30": EventType.ORDER_ACCEPTED,
}
# LIN 1229: 2 deleted, 7 not accepted.
REJECTED_ACTIONS = {"2": "deleted by the seller", "7": "not accepted by the seller"}
# Cancelled quantities of the seller's answers are totals of this part of the order.
RESPONSE_SCOPE = "order response"
LineChange = tuple[EventType, EventLine, str]


def read_order_response(doc: EdifactDocument) -> list[CanonicalEvent]:
    """Convert ORDRSP: the answer to the order RFF+ON, and to its lines.

    Quantities: QTY 21 ordered, 113 to be delivered (else 12), 83 back-ordered. A response is
    another fact than an earlier one, so a promise that it changes stays known.
    """
    head = doc.head("LIN", "UNS")
    number = next(iter(reference_numbers(head, "ON")), "")
    order = required_order_reference(doc, number, "RFF+ON", head)
    event_type = RESPONSE_TYPES.get(doc.function, EventType.UNMAPPED)
    kind = doc.first("BGM").text(1)
    groups = doc.groups("LIN")
    positions = positions_by_group(groups)
    at = doc.time_of(head, "137")

    def read(group: Group) -> tuple[EventLine, list[LineChange]]:
        line = base_line(doc, group, positions[id(group)])
        return line, list(_line_changes(doc, line, group))

    answers = read_groups(doc, groups, read)
    promises = [line.promised_at for line, _ in answers if line.promised_at]
    attributes = order_attributes(doc, head)
    attributes.setdefault(Attribute.PROMISED_AT, max(promises, default=""))
    events = [
        doc.build_event(
            event_type,
            f"{number} {event_type.value} {doc.content_digest}",
            time=at,
            objects=(order,),
            lines=[line for line, _ in answers],
            attributes=attributes | {Attribute.STATUS: doc.function},
            raw_type=f"ORDRSP {kind} {doc.function}".strip()
            if event_type is EventType.UNMAPPED
            else "",
        )
    ]
    changes = [change for _, line_changes in answers for change in line_changes]
    for kind_of_change in dict.fromkeys(change[0] for change in changes):
        of_kind = [change for change in changes if change[0] is kind_of_change]
        is_cancelled = kind_of_change is EventType.LINE_SHORTED
        events.append(
            doc.build_event(
                kind_of_change,
                f"{number} lines {kind_of_change.value} {doc.content_digest}",
                time=at,
                objects=(order,),
                lines=[line for _, line, _ in of_kind],
                scope=RESPONSE_SCOPE if is_cancelled else "",
                attributes={
                    Attribute.REASON: "; ".join(dict.fromkeys(r for _, _, r in of_kind if r))
                },
            )
        )
    return events


def _line_changes(doc: EdifactDocument, line: EventLine, group: Group) -> Iterator[LineChange]:
    ordered = quantity_of(doc, group, "21", "1")
    delivered = quantity_of(doc, group, "113", "12")
    backordered = quantity_of(doc, group, "83")
    action = group[0].text(2)
    if action in REJECTED_ACTIONS:
        quantities = {} if ordered is None else {Measure.CANCELLED: ordered}
        yield (
            EventType.LINE_SHORTED,
            replace(line, quantities=quantities),
            REJECTED_ACTIONS[action],
        )
        return
    if backordered:
        quantities = {Measure.BACKORDERED: backordered}
        yield EventType.LINE_BACKORDERED, replace(line, quantities=quantities), ""
    if ordered is not None and delivered is not None:
        missing = ordered - delivered - (backordered or Decimal(0))
        if missing > 0:
            yield (
                EventType.LINE_SHORTED,
                replace(line, quantities={Measure.CANCELLED: missing}),
                "quantity reduced by the seller",
            )
    elif action == "3" and (agreed := ordered if delivered is None else delivered) is not None:
        quantities = {Measure.ORDERED: agreed}
        yield (
            EventType.ORDER_CHANGED,
            replace(line, quantities=quantities),
            "changed by the seller's response",
        )
