"""Converts orders of BigCommerce, with their shipments and refunds, to events."""

from collections.abc import Iterator, Mapping

from connectors.sdk.build_references import (
    build_reference,
    build_reference_or_none,
    package_references,
)
from connectors.sdk.event_builder import build_event
from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
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
from connectors.sdk.timestamps import (
    ParsedTime,
    from_unix_seconds,
    parse_rfc2822,
    parse_timestamp,
)
from connectors.systems.bigcommerce.statuses import INCOMPLETE, SHIPPED, STATES, STEPS, UNPAID


class BigCommerceOrderReader:
    """Reads orders. Dates of the v2 API are those of RFC 2822, dates of v3 are ISO 8601."""

    def __init__(self, settings: ParsedSettings, source: str) -> None:
        self.settings = settings
        self.source = source

    def order_events(self, order: Node) -> Iterator[CanonicalEvent]:
        """Yield the facts of an order. The poll adds lists of products, shipments and refunds."""
        number = order.required_text("id")
        name, revision = f"order {number}", _revision(order)
        status = order.text_at("status_id")
        products = _list_or_empty(order, "products")
        shipments = _list_or_empty(order, "shipments")
        reference = self._order_reference(number, order)
        if status == INCOMPLETE:
            return
        yield build_event(
            EventType.ORDER_RECEIVED,
            name,
            parse_date(order, "date_created"),
            reference,
            lines=[_line(p, p.required_text("id"), "quantity", Measure.ORDERED) for p in products],
            attributes=self._attributes(order),
            revision=revision,
        )
        yield from self.status_events(
            number, status, parse_date(order, "date_modified"), reference, order.text_at("status")
        )
        if status in SHIPPED and not shipments and parse_date(order, "date_shipped"):
            # The merchant only set the status, so there is neither a shipment nor a quantity.
            yield build_event(
                EventType.SHIPMENT_CONFIRMED,
                f"{name} shipped",
                parse_date(order, "date_shipped"),
                reference,
                scope=f"{name} status",
                revision=revision,
            )
        items = {product.required_text("id"): product for product in products}
        for shipment in shipments:
            yield from self.shipment_events(shipment, items, revision)
        for refund in _list_or_empty(order, "refunds"):
            yield from self._refund_events(refund, number, items, order.text_at("currency_code"))

    def status_events(
        self,
        number: str,
        status: str,
        at: ParsedTime | None,
        reference: ObjectReference,
        status_name: str = "",
    ) -> Iterator[CanonicalEvent]:
        """Yield what a status means: the state of the order, and the step that it reports."""
        is_known = status in STATES or status in UNPAID
        state = STATES.get(status, EventType.ORDER_CHANGED if is_known else EventType.UNMAPPED)
        revision = format_rfc3339(at.time) if at else ""
        attributes = {Attribute.STATUS: status_name}
        for kind, key in ((state, "state"), (STEPS.get(status), f"status {status}")):
            if kind:
                yield build_event(
                    kind,
                    f"order {number} {key}",
                    at,
                    reference,
                    attributes=attributes,
                    revision=revision,
                    raw_type=f"status {status}" if kind is EventType.UNMAPPED else "",
                    flags=(Flag.TIME_OF_REPORT,),
                )

    def shipment_events(
        self, shipment: Node, products: Mapping[str, Node], revision: str = ""
    ) -> Iterator[CanonicalEvent]:
        """Yield a shipment with its package. It has no time of change, so the order's is used."""
        number = shipment.required_text("id")
        method = blank_if_placeholder(shipment.text_at("shipping_method"))
        yield build_event(
            EventType.SHIPMENT_CONFIRMED,
            f"shipment {number}",
            parse_date(shipment, "date_created"),
            self._order_reference(shipment.required_text("order_id")),
            self._shipment_reference(number),
            *package_references([shipment.text_at("tracking_number")]),
            lines=[
                _line(
                    products.get(item.text_at("order_product_id"), item),
                    item.required_text("order_product_id"),
                    "quantity",
                    Measure.SHIPPED,
                    item,
                )
                for item in shipment.list_at("items")
            ],
            scope=f"shipment {number}",
            attributes={Attribute.CARRIER: _carrier(shipment), Attribute.SERVICE: method},
            revision=revision,
        )

    def deleted_shipment_event(self, data: Node, at: ParsedTime | None) -> CanonicalEvent:
        """Return the event of the webhook store/shipment/deleted."""
        number = data.required_text("id")
        order = data.text_at("orderId") or data.required_text("order_id")
        return build_event(
            EventType.SHIPMENT_VOID,
            f"shipment {number} deleted",
            at,
            self._order_reference(order),
            self._shipment_reference(number),
            scope=f"shipment {number}",
        )

    def status_webhook_events(self, data: Node, at: ParsedTime | None) -> list[CanonicalEvent]:
        """Return the events of store/order/statusUpdated; none for an incomplete order."""
        status = data.get("status")
        new = status.text_at("new_status_id") if isinstance(status.value, dict) else ""
        if not new or new == INCOMPLETE:
            return []
        number = data.required_text("id")
        return list(self.status_events(number, new, at, self._order_reference(number)))

    def _refund_events(
        self, refund: Node, order: str, products: Mapping[str, Node], currency: str
    ) -> Iterator[CanonicalEvent]:
        number = refund.required_text("id")
        items = [i for i in refund.list_at("items") if i.text_at("item_type") == "PRODUCT"]
        yield build_event(
            EventType.CREDIT_ISSUED,
            f"refund {number}",
            parse_timestamp(refund.text_at("created"), refund.get("created").path, "UTC"),
            self._order_reference(order),
            lines=[
                _line(
                    products.get(item.text_at("item_id"), item),
                    item.required_text("item_id"),
                    "quantity",
                    Measure.CREDITED,
                    item,
                )
                for item in items
            ],
            scope=f"refund {number}",
            attributes={
                Attribute.REASON: refund.text_at("reason"),
                Attribute.CURRENCY: currency,
                Attribute.TOTAL: refund.text_at("total_amount"),
            },
        )

    def _order_reference(self, number: str, order: Node | None = None) -> ObjectReference:
        numbers = [
            (IdentifierScheme.WEB_ORDER, number, self.source),
            (IdentifierScheme.SOURCE_ID, number, self.source),
        ]
        erp = self.settings.text("erp")
        if order is not None and erp:
            numbers.append((IdentifierScheme.SALES_ORDER, order.text_at("external_order_id"), erp))
        return build_reference(ObjectKind.ORDER, "id", *numbers)

    def _shipment_reference(self, number: str) -> ObjectReference:
        reference = build_reference_or_none(
            ObjectKind.SHIPMENT, (IdentifierScheme.SHIPMENT, number, self.source)
        )
        if reference is None:
            raise PayloadError(ParkReason.REFERENCE, "id", "the shipment has no id")
        return reference

    def _attributes(self, order: Node) -> dict[Attribute, str]:
        address = order.get("billing_address")
        name = ""
        if isinstance(address.value, dict):
            person = f"{address.text_at('first_name')} {address.text_at('last_name')}".strip()
            name = address.text_at("company") or person
        channels = self.settings.values_of_family_by_id("channel.")
        return {
            Attribute.CHANNEL: channels.get(order.text_at("channel_id"))
            or self.settings.text("channel"),
            Attribute.CUSTOMER_NO: blank_if_placeholder(order.text_at("customer_id")),
            Attribute.CUSTOMER_NAME: name,
            Attribute.CURRENCY: order.text_at("currency_code"),
            Attribute.TOTAL: order.text_at("total_inc_tax"),
            Attribute.STATUS: order.text_at("status"),
        }


def parse_date(node: Node, field: str) -> ParsedTime | None:
    """Parse a date of the v2 API: RFC 2822 with an offset."""
    return parse_rfc2822(node.text_at(field), node.get(field).path)


def webhook_time(root: Node) -> ParsedTime | None:
    """Return `created_at` of a webhook, in Unix seconds."""
    seconds = root.decimal_at("created_at")
    return from_unix_seconds(int(seconds), "created_at") if seconds is not None else None


def _revision(node: Node) -> str:
    at = parse_date(node, "date_modified")
    return format_rfc3339(at.time) if at else ""


def _list_or_empty(order: Node, name: str) -> list[Node]:
    """The API answers {url, resource} where the poll adds the list."""
    return order.list_at(name) if isinstance(order.get(name).value, list) else []


def _carrier(shipment: Node) -> str:
    for field in ("shipping_provider_display_name", "tracking_carrier", "shipping_provider"):
        if carrier := blank_if_placeholder(shipment.text_at(field)):
            return carrier
    return ""


def _line(
    product: Node, line_id: str, field: str, measure: Measure, item: Node | None = None
) -> EventLine:
    counted = product if item is None else item
    quantity = counted.decimal_at(field)
    if quantity is None or quantity < 0:
        raise PayloadError(ParkReason.QUANTITY, f"{counted.path}.{field}", "expected a quantity")
    return EventLine(
        line_id=line_id,
        sku=product.text_at("sku"),
        description=product.text_at("name"),
        price=product.decimal_at("price_ex_tax"),
        quantities={measure: quantity},
        is_goods=product.text_at("type") not in {"digital", "giftcertificate"},
    )
