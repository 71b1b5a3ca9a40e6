"""Events of `stock.picking`: allocated, back-ordered and shipped goods, and customer returns.

Of deliveries in two or three steps, only the outgoing step leaves the warehouse. The steps before
it are internal transfers, which have no events.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from connectors.sdk.event_builder import build_event
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    Flag,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.timestamps import ParsedTime
from connectors.systems.odoo.field_values import (
    order_index_of,
    order_references,
    related_id,
    related_name,
    revision_of,
    rfc3339_at,
    source_id_reference,
    text_or_blank,
    time_at,
    unit_of,
)

WAITING_STATES = frozenset({"waiting", "confirmed"})
KNOWN_STATES = WAITING_STATES | {"draft", "assigned", "done", "cancel"}
# Odoo 17 renamed quantity_done, and shows in it what is reserved until the transfer is done.
DONE_FIELDS = ("quantity", "quantity_done")
RESERVED_FIELDS = ("quantity", "reserved_availability")


class TransferReader:
    """Reader of deliveries to customers and of their returns."""

    def __init__(self, source: str) -> None:
        self.source = source

    def read(self, transfer: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the events of a transfer, or none and the reason."""
        kind = text_or_blank(transfer, "picking_type_code")
        if kind not in {"outgoing", "incoming"}:
            return [], "a transfer inside the warehouse"
        moves = transfer.list_at("lines")
        origin = "" if moves or kind == "incoming" else text_or_blank(transfer, "origin")
        orders = order_references(moves, origin, transfer.get("sale_id"), self.source)
        if not orders:
            return [], "a transfer without a sales order"
        state = text_or_blank(transfer, "state")
        if state not in KNOWN_STATES:
            return [
                self._event(transfer, EventType.UNMAPPED, f"state {state}", orders, raw=state)
            ], ""
        read = self._delivery_events if kind == "outgoing" else self._return_events
        events = list(read(transfer, state, orders, moves))
        return events, "" if events else f"a transfer in the state {state}"

    def _delivery_events(
        self,
        transfer: Node,
        state: str,
        orders: tuple[ObjectReference, ...],
        moves: Sequence[Node],
    ) -> Iterator[CanonicalEvent]:
        if state == "assigned":
            lines = _lines(moves, orders, Measure.ALLOCATED, RESERVED_FIELDS)
            yield self._event(transfer, EventType.LINE_ALLOCATED, "allocated", orders, lines)
        elif state in WAITING_STATES and related_id(transfer.get("backorder_id")):
            lines = _lines(moves, orders, Measure.BACKORDERED, ("product_uom_qty",))
            yield self._event(transfer, EventType.LINE_BACKORDERED, "back-ordered", orders, lines)
        elif state == "cancel":
            yield self._event(transfer, EventType.LINE_DEALLOCATED, "cancelled", orders)
        elif state == "done":
            lines = _lines(moves, orders, Measure.SHIPPED, DONE_FIELDS)
            at = time_at(transfer, "date_done")
            yield self._event(
                transfer, EventType.SHIPMENT_CONFIRMED, "shipped", orders, lines, at=at
            )

    def _return_events(
        self,
        transfer: Node,
        state: str,
        orders: tuple[ObjectReference, ...],
        moves: Sequence[Node],
    ) -> Iterator[CanonicalEvent]:
        if state == "done":
            lines = _lines(moves, orders, Measure.RETURNED, DONE_FIELDS)
            at = time_at(transfer, "date_done")
            yield self._event(transfer, EventType.RETURN_RECEIVED, "returned", orders, lines, at=at)
        elif state not in {"draft", "cancel"}:
            at = time_at(transfer, "create_date")
            yield self._event(
                transfer, EventType.RETURN_AUTHORIZED, "return announced", orders, at=at
            )

    def _event(
        self,
        transfer: Node,
        kind: EventType,
        fact: str,
        orders: tuple[ObjectReference, ...],
        lines: Sequence[EventLine] = (),
        *,
        at: ParsedTime | None = None,
        raw: str = "",
    ) -> CanonicalEvent:
        number, moment = transfer.required_text("id"), at or time_at(transfer, "write_date")
        is_return = kind in {EventType.RETURN_RECEIVED, EventType.RETURN_AUTHORIZED}
        complete = {
            EventType.LINE_ALLOCATED: [Measure.ALLOCATED, Measure.BACKORDERED],
            EventType.LINE_BACKORDERED: [Measure.ALLOCATED, Measure.BACKORDERED],
            EventType.LINE_DEALLOCATED: [Measure.ALLOCATED, Measure.BACKORDERED],
            EventType.SHIPMENT_CONFIRMED: [Measure.SHIPPED, Measure.BACKORDERED],
            EventType.RETURN_RECEIVED: [Measure.RETURNED],
        }.get(kind, [])
        return build_event(
            kind,
            f"transfer {number} {fact}",
            moment,
            *orders,
            self._return_reference(transfer) if is_return else self._shipment_reference(transfer),
            *([] if is_return else _package_references(transfer)),
            *self._returned_shipment(transfer, is_return=is_return),
            lines=lines,
            scope=f"transfer {number}",
            attributes={
                Attribute.CARRIER: related_name(transfer.get("carrier_id")),
                Attribute.SHIP_BY: "" if is_return else rfc3339_at(transfer, "scheduled_date"),
                Attribute.STATUS: text_or_blank(transfer, "state"),
            },
            revision=revision_of(transfer),
            raw_type=raw,
            flags=() if at else (Flag.TIME_OF_REPORT if moment else Flag.TIME_RECEIVED,),
            complete_measures=complete if lines or kind is EventType.LINE_DEALLOCATED else [],
        )

    def _shipment_reference(self, transfer: Node) -> ObjectReference:
        return ObjectReference(
            ObjectKind.SHIPMENT,
            (
                EventIdentifier(
                    IdentifierScheme.SHIPMENT, transfer.required_text("name"), self.source
                ),
                EventIdentifier(
                    IdentifierScheme.SOURCE_ID, transfer.required_text("id"), self.source
                ),
            ),
        )

    def _return_reference(self, transfer: Node) -> ObjectReference:
        number = transfer.required_text("name")
        return ObjectReference(
            ObjectKind.RETURN, (EventIdentifier(IdentifierScheme.RMA, number, self.source),)
        )

    def _returned_shipment(self, transfer: Node, *, is_return: bool) -> list[ObjectReference]:
        shipment = related_id(transfer.get("return_id")) if is_return else ""
        if not shipment:
            return []
        return [source_id_reference(ObjectKind.SHIPMENT, shipment, self.source)]


def _package_references(transfer: Node) -> list[ObjectReference]:
    """The packages of a delivery. A carrier's module joins several numbers by commas."""
    text = text_or_blank(transfer, "carrier_tracking_ref").replace("+", ",").replace(";", ",")
    numbers = dict.fromkeys(blank_if_placeholder(number) for number in text.split(","))
    return [
        ObjectReference(ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.TRACKING, number),))
        for number in numbers
        if number
    ]


def _lines(
    moves: Sequence[Node],
    orders: tuple[ObjectReference, ...],
    measure: Measure,
    fields: Sequence[str],
) -> list[EventLine]:
    """Add up the moves of each line of an order; a line can have several."""
    lines: dict[str, EventLine] = {}
    for move in moves:
        number = related_id(move.get("sale_line_id"))
        if not number or text_or_blank(move, "state") == "cancel" or _is_component(move):
            continue
        quantity = next((q for f in fields if (q := move.decimal_at(f)) is not None), Decimal())
        if number in lines:
            quantity += lines[number].quantities[measure]
        lines[number] = EventLine(
            line_id=number,
            sku=text_or_blank(move, "default_code"),
            unit=unit_of(move),
            quantities={measure: quantity},
            order_index=order_index_of(move, orders),
        )
    return list(lines.values())


def _is_component(move: Node) -> bool:
    """Whether a move is about a component of a kit: its product is not that of the line."""
    product = related_id(move.get("product_id"))
    return any(
        related_id(line.get("product_id")) not in {"", product}
        for line in move.list_at("sale_lines")
    )
