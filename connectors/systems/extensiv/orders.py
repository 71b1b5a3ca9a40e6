"""Converts orders of Extensiv 3PL Warehouse Manager to canonical events."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

from connectors.sdk.event_builder import build_event, revision_of_earliest_report
from connectors.sdk.event_codec import format_rfc3339
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
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.systems.extensiv.hal_documents import ITEMS, embedded_list

Events = Iterator[CanonicalEvent]


class WarehouseOrderReader:
    """Reader of orders. Each milestone is a date in `readOnly`, in local time without a zone.

    A closed order with a process date was shipped, in one transaction.
    https://developer.extensiv.com (3PL Warehouse Manager, orders)
    """

    # A date of `readOnly`, its event, and what its quantities measure.
    steps: ClassVar[tuple[tuple[str, EventType, Measure | None], ...]] = (
        ("creationDate", EventType.ORDER_RELEASED, Measure.ORDERED),
        ("pickTicketPrintDate", EventType.PICK_STARTED, None),
        ("pickDoneDate", EventType.PICK_COMPLETED, Measure.PICKED),
        ("packDoneDate", EventType.PACK_COMPLETED, Measure.PACKED),
    )

    def __init__(self, settings: ParsedSettings, source: str) -> None:
        self.settings = settings
        self.source = source

    def read_events(self, order: Node) -> Events:
        """Yield the milestones that the order has reached."""
        facts = order.required_object("readOnly")
        number = facts.required_text("orderId")
        modified = self._time(facts, "lastModifiedDate")
        for field, kind, measure in self.steps:
            time = self._time(facts, field)
            if time:
                yield self._build_event(
                    kind,
                    f"order {number} {field}",
                    order,
                    time,
                    modified,
                    lines=self._lines(order, measure) if measure else (),
                )
        yield from self._allocation_events(number, order, facts, modified)
        yield from self._closing_events(number, order, facts, modified)

    def _allocation_events(
        self, number: str, order: Node, facts: Node, modified: ParsedTime | None
    ) -> Events:
        """Yield the allocation of all lines. It has no date: the earliest report counts."""
        if not facts.boolean_at("fullyAllocated"):
            return
        later = [self._time(facts, field) for field, _, _ in self.steps[1:]]
        known = [time for time in (modified, *later) if time]
        earliest = min(known, key=lambda time: time.time) if known else None
        if earliest:
            flags = (*(f for f in earliest.flags if f is Flag.ZONE_ASSUMED), Flag.TIME_OF_REPORT)
            earliest = ParsedTime(earliest.time, flags)
        event = self._build_event(
            EventType.LINE_ALLOCATED,
            f"order {number} fully allocated",
            order,
            earliest,
            modified,
            lines=self._lines(order, Measure.ALLOCATED),
        )
        yield replace(event, revision=revision_of_earliest_report(earliest))

    def _closing_events(
        self, number: str, order: Node, facts: Node, modified: ParsedTime | None
    ) -> Events:
        """Yield the shipment or the cancellation of a closed order."""
        status = facts.text_at("status")
        reason = facts.text_at("reasonForClose") or facts.text_at("reasonForCancel")
        if reason or status.lower().startswith("cancel"):
            yield self._build_event(
                EventType.ORDER_CANCELLED,
                f"order {number} closed",
                order,
                modified,
                modified,
                attributes={Attribute.REASON: reason},
            )
            return
        if not facts.boolean_at("isClosed"):
            return
        processed = self._time(facts, "processDate")
        if not processed:
            event = self._build_event(
                EventType.UNMAPPED, f"order {number} closed", order, modified, modified
            )
            yield replace(event, raw_type=f"closed without a process date, status {status}")
            return
        shipment = EventIdentifier(IdentifierScheme.SOURCE_ID, number, self.source)
        packages = list(self._packages(order, facts))
        event = self._build_event(
            EventType.SHIPMENT_CONFIRMED,
            f"order {number} closed",
            order,
            processed,
            modified,
            lines=self._lines(order, Measure.SHIPPED),
            scope=f"shipment {number}",
        )
        objects = (*event.objects, ObjectReference(ObjectKind.SHIPMENT, (shipment,)), *packages)
        yield replace(event, objects=objects)

    def _packages(self, order: Node, facts: Node) -> Iterator[ObjectReference]:
        """Yield one package per tracking number of the packages, else of the routing."""
        boxes = [*order.list_at("packages"), *facts.list_at("packages")]
        numbers = [box.text_at("trackingNumber") for box in boxes]
        routing = order.get("routingInfo")
        if not any(map(blank_if_placeholder, numbers)) and isinstance(routing.value, dict):
            numbers = routing.text_at("trackingNumber").replace(";", ",").split(",")
        for number in dict.fromkeys(map(blank_if_placeholder, numbers)):
            if number:
                identifier = EventIdentifier(IdentifierScheme.TRACKING, number)
                yield ObjectReference(ObjectKind.PACKAGE, (identifier,))

    def _lines(self, order: Node, measure: Measure) -> tuple[EventLine, ...]:
        """Return the items. `qty` is ordered; allocations say what of it was allocated."""
        lines = []
        for item in embedded_list(order, ITEMS, "orderItems") or []:
            quantity = item.decimal_at("qty")
            identifier, facts = item.get("itemIdentifier"), item.get("readOnly")
            sku = identifier.text_at("sku") if isinstance(identifier.value, dict) else ""
            is_known = isinstance(facts.value, dict)
            if quantity is None:
                continue
            if quantity < 0:
                path = item.get("qty").path
                raise PayloadError(ParkReason.QUANTITY, path, f"{quantity} is negative")
            if measure is not Measure.ORDERED and is_known:
                quantity = _allocated(facts, quantity)
            unit = facts.get("unitIdentifier") if is_known else facts
            names = (
                item.text_at("externalId"),
                facts.text_at("orderItemId") if is_known else "",
                sku,
            )
            line_id = next((name for name in names if name), "")
            if not line_id:
                raise PayloadError(ParkReason.SCHEMA, item.path, "an item has no id and no SKU")
            lines.append(
                EventLine(
                    line_id=line_id,
                    sku=sku,
                    unit=(unit.text_at("name") if isinstance(unit.value, dict) else "") or "EA",
                    quantities={measure: quantity},
                )
            )
        return tuple(lines)

    def _build_event(
        self,
        kind: EventType,
        key: str,
        order: Node,
        time: ParsedTime | None,
        modified: ParsedTime | None,
        *,
        lines: tuple[EventLine, ...] = (),
        scope: str = "",
        attributes: Mapping[Attribute, str] | None = None,
    ) -> CanonicalEvent:
        facts, routing = order.required_object("readOnly"), order.get("routingInfo")
        text: Callable[[str], str] = (
            routing.text_at if isinstance(routing.value, dict) else lambda _: ""
        )
        return build_event(
            kind,
            key,
            time,
            self._order_reference(order, facts),
            lines=lines,
            scope=scope,
            attributes={
                Attribute.CARRIER: text("carrier"),
                Attribute.SERVICE: text("mode"),
                Attribute.WAREHOUSE: _name_of(order, facts, "facilityIdentifier"),
                **(attributes or {}),
            },
            revision=format_rfc3339(modified.time) if modified else "",
            flags=(Flag.TIME_RECEIVED,) * (time is None) + (Flag.SANITIZED,) * order.was_sanitized,
        )

    def _order_reference(self, order: Node, facts: Node) -> ObjectReference:
        default = (IdentifierScheme.ORDER_NUMBER, self.source)
        scheme, issuer = self.settings.identifier_scheme_and_issuer("order_number", default)
        identifiers = []
        number = blank_if_placeholder(order.text_at("referenceNum"))
        if number:
            identifiers.append(EventIdentifier(scheme, number, issuer))
        order_id = facts.required_text("orderId")
        identifiers.append(EventIdentifier(IdentifierScheme.SOURCE_ID, order_id, self.source))
        purchase_order = blank_if_placeholder(order.text_at("poNum"))
        if purchase_order:
            identifiers.append(
                EventIdentifier(IdentifierScheme.CUSTOMER_PO, purchase_order, strong=False)
            )
        return ObjectReference(ObjectKind.ORDER, tuple(identifiers))

    def _time(self, facts: Node, key: str) -> ParsedTime | None:
        path = facts.get(key).path
        return parse_timestamp(facts.text_at(key), path, self.settings.text("zone"))


def _allocated(facts: Node, quantity: Decimal) -> Decimal:
    """Return what was allocated of a line; all of it if the allocations are not sent."""
    quantities = [a.decimal_at("qty") for a in facts.list_at("allocations")]
    known = [allocated for allocated in quantities if allocated is not None]
    return min(sum(known, Decimal(0)), quantity) if known else quantity


def _name_of(order: Node, facts: Node, key: str) -> str:
    for node in (order.get(key), facts.get(key)):
        if isinstance(node.value, dict):
            return node.text_at("name")
    return ""
