"""Events of `A_OutbDeliveryHeader`: created, picked, packed, goods issue, proof of delivery."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

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
from connectors.sdk.payload import Node
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.timestamps import ParsedTime
from connectors.systems.sap_s4hana.field_values import (
    COMPLETELY,
    NOT_YET,
    PARTLY,
    blocks_of,
    day_and_time,
    day_at,
    delivery_reference,
    items_of,
    order_reference,
    without_leading_zeros,
)

STATUSES = (
    "OverallPickingStatus",
    "OverallPackingStatus",
    "OverallGoodsMovementStatus",
    "OverallProofOfDeliveryStatus",
)
# Documents that an item may refer to and that are no sales orders: a purchase order is a transfer.
NO_ORDER = frozenset({"V"})
DELIVERY = "J"


@dataclass(frozen=True, slots=True)
class DeliveryReader:
    """Reader of outbound deliveries.

    `zone`: the zone of the shipping points, in which goods movements are dated. `system_zone`: the
    zone of times that the system sets. `read_at`: when the delivery was read, which orders its
    versions, because it has the date of its change only. `has_tracking`: the bill of lading is the
    tracking number of the carrier.
    """

    source: str
    zone: str
    system_zone: str
    read_at: datetime
    has_tracking: bool = False

    def read(self, delivery: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the events of a delivery, or none and the reason."""
        category = delivery.text_at("SDDocumentCategory") or DELIVERY
        if category != DELIVERY:
            return [], f"a delivery of category {category}, not to a customer"
        lines = OrderedItems(delivery, self.source)
        if not lines.orders:
            return [], "a delivery without a sales order"
        return list(self._events(delivery, lines)), ""

    def _events(self, delivery: Node, items: "OrderedItems") -> Iterator[CanonicalEvent]:
        base = f"delivery {without_leading_zeros(delivery.required_text('DeliveryDocument'))}"
        statuses = {name: delivery.text_at(name) for name in STATUSES}
        blocks, movement = blocks_of(delivery), statuses["OverallGoodsMovementStatus"]
        refs = (*items.orders, self._reference(delivery))
        shipped_at = day_and_time(
            delivery, "ActualGoodsMovementDate", "ActualGoodsMovementTime", self.zone
        )
        yield self._event(
            delivery, EventType.ORDER_RELEASED, f"{base} created", refs,
            at=day_and_time(delivery, "CreationDate", "CreationTime", self.system_zone),
            corrects=[
                *([] if blocks else [f"{base} blocked"]),
                *([f"{base} shipped"] if movement == NOT_YET else []),
            ],
        )  # fmt: skip
        if blocks:
            yield self._event(
                delivery, EventType.ORDER_HELD, f"{base} blocked", refs, reason="; ".join(blocks)
            )
        for name, kind, measure in (
            ("OverallPickingStatus", EventType.PICK_COMPLETED, Measure.PICKED),
            ("OverallPackingStatus", EventType.PACK_COMPLETED, Measure.PACKED),
        ):
            if statuses[name] == COMPLETELY:
                yield self._finished(delivery, kind, f"{base} {measure}", refs, items, shipped_at)
        if movement == COMPLETELY:
            packages = self._packages(delivery)
            yield self._event(
                delivery, EventType.SHIPMENT_CONFIRMED, f"{base} shipped", (*refs, *packages),
                at=shipped_at, lines=items.lines(Measure.SHIPPED),
            )  # fmt: skip
        delivered_at = day_and_time(delivery, "ProofOfDeliveryDate", "ConfirmationTime", self.zone)
        if statuses["OverallProofOfDeliveryStatus"] == COMPLETELY and delivered_at:
            yield self._event(
                delivery, EventType.DELIVERED, f"{base} proof of delivery", refs, at=delivered_at
            )
        for name, letter in statuses.items():
            if letter not in {"", NOT_YET, PARTLY, COMPLETELY}:
                raw = f"{name} {letter}"
                yield self._event(delivery, EventType.UNMAPPED, f"{base} {raw}", refs, raw=raw)

    def _finished(
        self,
        delivery: Node,
        kind: EventType,
        key: str,
        refs: Sequence[ObjectReference],
        items: "OrderedItems",
        shipped_at: ParsedTime | None,
    ) -> CanonicalEvent:
        """A status without a time: when it was first read, but not after the goods issue."""
        measure = Measure.PICKED if kind is EventType.PICK_COMPLETED else Measure.PACKED
        times = [self.read_at, *([shipped_at.time] if shipped_at else [])]
        at = ParsedTime(min(times), (Flag.TIME_OF_REPORT,))
        return self._event(
            delivery, kind, key, refs, at=at, lines=items.lines(measure),
            revision=revision_of_earliest_report(at),
        )  # fmt: skip

    def _reference(self, delivery: Node) -> ObjectReference:
        number = delivery.required_text("DeliveryDocument")
        bill = blank_if_placeholder(delivery.text_at("BillOfLading"))
        more: tuple[EventIdentifier, ...] = ()
        if bill and not self.has_tracking:
            more = (EventIdentifier(IdentifierScheme.BOL, bill, "", strong=False),)
        return delivery_reference(number, self.source, *more)

    def _packages(self, delivery: Node) -> list[ObjectReference]:
        bill = blank_if_placeholder(delivery.text_at("BillOfLading"))
        if not bill or not self.has_tracking:
            return []
        number = EventIdentifier(IdentifierScheme.TRACKING, bill)
        return [ObjectReference(ObjectKind.PACKAGE, (number,))]

    def _event(
        self,
        delivery: Node,
        kind: EventType,
        key: str,
        refs: Sequence[ObjectReference],
        *,
        at: ParsedTime | None = None,
        lines: Sequence[EventLine] = (),
        corrects: Sequence[str] = (),
        reason: str = "",
        raw: str = "",
        revision: str = "",
    ) -> CanonicalEvent:
        return build_event(
            kind,
            key,
            at,
            *refs,
            lines=lines,
            scope=" ".join(key.split(" ")[:2]),
            attributes={
                Attribute.STATUS: delivery.text_at("OverallSDProcessStatus"),
                Attribute.WAREHOUSE: delivery.text_at("ShippingPoint"),
                Attribute.SHIP_BY: day_at(delivery, "PlannedGoodsIssueDate"),
                Attribute.REASON: reason,
            },
            revision=revision or format_rfc3339(self.read_at),
            raw_type=raw,
            flags=() if at else (Flag.TIME_RECEIVED,),
            corrects=corrects,
            complete_measures=sorted({m for line in lines for m in line.quantities}),
        )


class OrderedItems:
    """The items of a delivery, and the sales orders that they are about.

    Batches of one order item are items of their own, so quantities of an order item are added up.
    """

    def __init__(self, delivery: Node, source: str) -> None:
        self.orders: list[ObjectReference] = []
        self._items: dict[tuple[int, str], list[Node]] = {}
        for item in items_of(delivery, "to_DeliveryDocumentItem") or []:
            number = without_leading_zeros(item.text_at("ReferenceSDDocument"))
            if not number or item.text_at("ReferenceSDDocumentCategory") in NO_ORDER:
                continue
            order = order_reference(number, source)
            if order not in self.orders:
                self.orders.append(order)
            line_id = without_leading_zeros(item.required_text("ReferenceSDDocumentItem"))
            self._items.setdefault((self.orders.index(order), line_id), []).append(item)

    def lines(self, measure: Measure) -> list[EventLine]:
        """Return the delivered quantity of each order item as this measure."""
        return [
            EventLine(
                line_id=line_id,
                sku=without_leading_zeros(nodes[0].text_at("Material")),
                description=nodes[0].text_at("DeliveryDocumentItemText"),
                unit=nodes[0].text_at("DeliveryQuantityUnit") or "EA",
                quantities={
                    measure: sum(
                        (n.decimal_at("ActualDeliveryQuantity") or Decimal() for n in nodes),
                        Decimal(),
                    )
                },
                order_index=index if len(self.orders) > 1 else -1,
            )
            for (index, line_id), nodes in self._items.items()
        ]
