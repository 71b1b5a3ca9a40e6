"""Events of `A_SalesOrder`: received, changed, put on hold, rejected."""

from collections.abc import Iterator
from dataclasses import dataclass
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
    ObjectReference,
)
from connectors.sdk.payload import Node
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.timestamps import ParsedTime, parse_date_as_midnight
from connectors.systems.sap_s4hana.field_values import (
    COMPLETELY,
    CREDIT_STATUS,
    NOT_YET,
    PARTLY,
    amount_at,
    blocks_of,
    changed_at,
    day_at,
    items_of,
    order_reference,
    revision_of,
    unit_price,
    without_leading_zeros,
)

REJECTION = "OverallSDDocumentRejectionSts"
RELEASED_BY_A_PERSON = "D"
NumberRange = tuple[IdentifierScheme, str]


@dataclass(frozen=True, slots=True)
class SalesOrderReader:
    """Reader of sales orders.

    `system_zone`: the zone of dates that the system sets. `purchase_order` and `external_id`: the
    number ranges of PurchaseOrderByCustomer and ExternalDocumentID, if they are not the customer's.
    """

    source: str
    system_zone: str
    purchase_order: NumberRange | None = None
    external_id: NumberRange | None = None

    def read(self, order: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the events of an order. It has at least one."""
        return list(self._events(order)), ""

    def _events(self, order: Node) -> Iterator[CanonicalEvent]:
        number = without_leading_zeros(order.required_text("SalesOrder"))
        rejection, blocks = order.text_at(REJECTION), blocks_of(order)
        created, changed = self._created_at(order), changed_at(order)
        yield self._event(order, EventType.ORDER_RECEIVED, f"order {number}", created)
        seen = f"seen {revision_of(changed)}" if changed else "seen"
        takes_back = [
            *([] if blocks else [EventType.ORDER_HELD]),
            *([] if rejection in {PARTLY, COMPLETELY} else [EventType.ORDER_CANCELLED]),
        ]
        # LastChangeDate is blank until the first change.
        if order.has_value("LastChangeDate"):
            yield self._event(
                order, EventType.ORDER_CHANGED, f"order {number} {seen}", changed,
                takes_back=takes_back,
            )  # fmt: skip
        if blocks:
            yield self._event(
                order, EventType.ORDER_HELD, f"order {number} held {seen}", changed,
                lines=(), reason="; ".join(blocks),
            )  # fmt: skip
        elif order.text_at(CREDIT_STATUS) == RELEASED_BY_A_PERSON:
            yield self._event(
                order, EventType.ORDER_HOLD_RELEASED, f"order {number} credit released {seen}",
                changed, lines=(), reason="credit check D",
            )  # fmt: skip
        if rejection in {PARTLY, COMPLETELY}:
            rejected = [] if rejection == COMPLETELY else rejected_lines(order)
            if rejection == COMPLETELY or rejected:
                yield self._event(
                    order, EventType.ORDER_CANCELLED, f"order {number} rejected {seen}",
                    changed, lines=rejected,
                    takes_back=[] if rejection == COMPLETELY else [EventType.ORDER_CANCELLED],
                )  # fmt: skip
        elif rejection not in {"", NOT_YET}:
            raw = f"{REJECTION} {rejection}"
            yield self._event(
                order, EventType.UNMAPPED, f"order {number} {raw}", changed, lines=(), raw=raw
            )

    def _created_at(self, order: Node) -> ParsedTime | None:
        """Orders have the date of their creation, and no time."""
        day = day_at(order, "CreationDate")
        path = order.get("CreationDate").path
        return parse_date_as_midnight(day, path, self.system_zone) if day else None

    def _reference(self, order: Node) -> ObjectReference:
        ref = order_reference(order.required_text("SalesOrder"), self.source)
        customer = without_leading_zeros(order.text_at("SoldToParty"))
        more = []
        if text := blank_if_placeholder(order.text_at("PurchaseOrderByCustomer")):
            scheme, issuer = self.purchase_order or (IdentifierScheme.CUSTOMER_PO, customer)
            more.append(EventIdentifier(scheme, text, issuer, strong=bool(issuer)))
        if text := blank_if_placeholder(order.text_at("ExternalDocumentID")):
            if self.external_id:
                more.append(EventIdentifier(self.external_id[0], text, self.external_id[1]))
            else:
                scheme = IdentifierScheme.REFERENCE
                more.append(EventIdentifier(scheme, text, self.source, strong=False))
        return ObjectReference(ref.kind, (*ref.identifiers, *more))

    def _event(
        self,
        order: Node,
        kind: EventType,
        key: str,
        at: ParsedTime | None,
        *,
        lines: list[EventLine] | tuple[EventLine, ...] | None = None,
        takes_back: list[EventType] | None = None,
        reason: str = "",
        raw: str = "",
    ) -> CanonicalEvent:
        ordered = ordered_lines(order) if lines is None else list(lines)
        reported = {measure for line in ordered for measure in line.quantities}
        return build_event(
            kind,
            key,
            at,
            self._reference(order),
            lines=ordered,
            complete_measures=sorted(reported),
            attributes={
                Attribute.STATUS: order.text_at("OverallSDProcessStatus"),
                Attribute.CUSTOMER_NO: without_leading_zeros(order.text_at("SoldToParty")),
                Attribute.CURRENCY: order.text_at("TransactionCurrency"),
                Attribute.TOTAL: amount_at(order, "TotalNetAmount"),
                Attribute.REQUESTED_AT: day_at(order, "RequestedDeliveryDate"),
                Attribute.WAREHOUSE: only_plant(order),
                Attribute.REASON: reason,
            },
            revision=revision_of(changed_at(order)),
            raw_type=raw,
            flags=() if at else (Flag.TIME_RECEIVED,),
            takes_back=takes_back or (),
        )


def ordered_lines(order: Node) -> list[EventLine]:
    """Return the items with the requested quantities.

    DeliveryStatus is blank for what is never delivered, such as services.
    """
    lines = []
    for item in items_of(order, "to_Item") or []:
        quantity = item.decimal_at("RequestedQuantity")
        lines.append(
            EventLine(
                line_id=without_leading_zeros(item.required_text("SalesOrderItem")),
                sku=without_leading_zeros(item.text_at("Material")),
                description=item.text_at("SalesOrderItemText"),
                unit=item.text_at("RequestedQuantityUnit") or "EA",
                price=unit_price(item, quantity),
                quantities={} if quantity is None else {Measure.ORDERED: quantity},
                is_goods=not item.has_value("DeliveryStatus")
                or bool(item.text_at("DeliveryStatus")),
            )
        )
    return lines


def rejected_lines(order: Node) -> list[EventLine]:
    """Return the rejected items of which nothing was delivered, with their quantities."""
    lines = []
    for item in items_of(order, "to_Item") or []:
        quantity: Decimal | None = item.decimal_at("RequestedQuantity")
        if not item.text_at("SalesDocumentRjcnReason") or quantity is None:
            continue
        if item.text_at("DeliveryStatus") != PARTLY:
            lines.append(
                EventLine(
                    line_id=without_leading_zeros(item.required_text("SalesOrderItem")),
                    sku=without_leading_zeros(item.text_at("Material")),
                    unit=item.text_at("RequestedQuantityUnit") or "EA",
                    quantities={Measure.CANCELLED: quantity},
                )
            )
    return lines


def only_plant(order: Node) -> str:
    """Return the plant of an order's items; "" if they have several."""
    plants = {item.text_at("ProductionPlant") for item in items_of(order, "to_Item") or []}
    return plants.pop() if len(plants) == 1 else ""
