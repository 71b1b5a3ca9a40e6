"""Events of `sale.order`: confirmation, release to the warehouse, cancellation, and lines."""

from collections.abc import Iterator
from typing import ClassVar

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
    amount_at,
    related_id,
    related_name,
    revision_of,
    rfc3339_at,
    text_or_blank,
    time_at,
    unit_of,
)


class SaleOrderReader:
    """Reader of sales orders.

    `shop`: the web shop whose order numbers are customer references. With `prefix`, only references
    that begin with it are; the others are customer POs.
    """

    # `done` was a locked order before Odoo 17.
    confirmed: ClassVar[frozenset[str]] = frozenset({"sale", "done"})
    quotation: ClassVar[frozenset[str]] = frozenset({"draft", "sent"})
    # What the warehouse has to do, of the module sale_stock.
    delivery_statuses: ClassVar[frozenset[str]] = frozenset(
        {"pending", "started", "partial", "full"}
    )

    def __init__(self, source: str, shop: str, prefix: str = "") -> None:
        self.source, self.shop, self.prefix = source, shop, prefix

    def read(self, order: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the events of an order, or none and the reason."""
        if text_or_blank(order, "state") in self.quotation:
            return [], "a quotation is not an order yet"
        return list(self._events(order)), ""

    def _events(self, order: Node) -> Iterator[CanonicalEvent]:
        number, state = order.required_text("id"), text_or_blank(order, "state")
        changed, ref = time_at(order, "write_date"), self._reference(order)
        confirmed_at = time_at(order, "date_order") or changed
        delivery = text_or_blank(order, "delivery_status")

        def event(
            kind: EventType, key: str, at: ParsedTime | None, raw: str = ""
        ) -> CanonicalEvent:
            return build_event(
                kind,
                key,
                at,
                ref,
                attributes={
                    Attribute.STATUS: raw or state,
                    Attribute.CUSTOMER_NO: related_id(order.get("partner_id")),
                },
                revision=revision_of(order),
                raw_type=raw,
                flags=() if at else (Flag.TIME_RECEIVED,),
            )

        if state in self.confirmed:
            # A cancelled order can be set to quotation and confirmed again.
            yield event(EventType.ORDER_ACCEPTED, f"sale {number} state", confirmed_at)
            if delivery in self.delivery_statuses:
                yield event(EventType.ORDER_RELEASED, f"sale {number} released", confirmed_at)
            if order.has_value("lines"):
                yield self._order_with_lines(order, ref, confirmed_at)
        elif state == "cancel":
            yield event(EventType.ORDER_CANCELLED, f"sale {number} state", changed)
        for path, text, known in (
            ("state", state, self.confirmed | {"cancel"}),
            ("delivery_status", delivery, self.delivery_statuses),
        ):
            if text and text not in known:
                name = ref.identifiers[0].value
                yield event(EventType.UNMAPPED, f"order {name} {path} {text}", changed, text)

    def _order_with_lines(
        self, order: Node, ref: ObjectReference, at: ParsedTime | None
    ) -> CanonicalEvent:
        return build_event(
            EventType.ORDER_RECEIVED,
            f"sale {order.required_text('id')} order",
            at,
            ref,
            lines=_ordered_lines(order),
            complete_measures=[Measure.ORDERED],
            attributes={
                Attribute.CUSTOMER_NO: related_id(order.get("partner_id")),
                Attribute.CUSTOMER_NAME: related_name(order.get("partner_id")),
                Attribute.CURRENCY: related_name(order.get("currency_id")),
                Attribute.TOTAL: amount_at(order, "amount_total"),
                Attribute.PROMISED_AT: rfc3339_at(order, "commitment_date"),
                Attribute.WAREHOUSE: related_name(order.get("warehouse_id")),
            },
            revision=revision_of(order),
            flags=() if at else (Flag.TIME_RECEIVED,),
        )

    def _reference(self, order: Node) -> ObjectReference:
        number = order.required_text("name")
        ids = [EventIdentifier(IdentifierScheme.SALES_ORDER, number, self.source)]
        reference = blank_if_placeholder(text_or_blank(order, "client_order_ref"))
        customer = related_id(order.get("partner_id"))
        if reference and self.shop and reference.startswith(self.prefix):
            ids.append(EventIdentifier(IdentifierScheme.WEB_ORDER, reference, self.shop))
        elif reference:
            scheme = IdentifierScheme.CUSTOMER_PO
            ids.append(EventIdentifier(scheme, reference, customer, strong=bool(customer)))
        ids.append(
            EventIdentifier(IdentifierScheme.SOURCE_ID, order.required_text("id"), self.source)
        )
        return ObjectReference(ObjectKind.ORDER, tuple(ids))


def _ordered_lines(order: Node) -> Iterator[EventLine]:
    for line in order.list_at("lines"):
        if text_or_blank(line, "display_type") or not related_id(line.get("product_id")):
            continue  # a section, a note
        quantity = line.decimal_at("product_uom_qty")
        yield EventLine(
            line_id=line.required_text("id"),
            sku=text_or_blank(line, "default_code"),
            description=text_or_blank(line, "name"),
            unit=unit_of(line),
            price=line.decimal_at("price_unit"),
            quantities={} if quantity is None else {Measure.ORDERED: quantity},
            is_goods=text_or_blank(line, "product_type") != "service",
        )
