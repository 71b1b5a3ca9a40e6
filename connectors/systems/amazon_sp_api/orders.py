"""Orders of Amazon: the Orders API v0 and 2026-01-01, and the notification ORDER_CHANGE.

Each of them reports how many units of an item were shipped in total, so an order has one scope of
shipped quantities. Packages are events without quantities.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from connectors.sdk.build_references import package_references
from connectors.sdk.event_builder import build_event
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Flag,
    Measure,
    ObjectReference,
)
from connectors.sdk.payload import Node
from connectors.sdk.timestamps import ParsedTime
from connectors.systems.amazon_sp_api.fields import (
    AmazonReader,
    amount_attributes,
    format_time,
    object_or_empty,
    plain_status,
)
from connectors.systems.amazon_sp_api.order_lines import (
    AmazonOrder,
    customer_po,
    is_cancelled,
    line_2026,
    lines_of_items,
)


class AmazonOrderReader(AmazonReader):
    """Reads orders in each of their forms."""

    # https://developer-docs.amazon.com/sp-api/docs/orders-api-v0-reference#orderstatus
    statuses: ClassVar[Mapping[str, EventType | None]] = {
        "": None,
        "pending": None,
        "pendingavailability": None,
        "unshipped": EventType.ORDER_ACCEPTED,
        "partiallyshipped": EventType.ORDER_ACCEPTED,
        "shipped": EventType.ORDER_ACCEPTED,
        "invoiceunconfirmed": EventType.ORDER_ACCEPTED,
        "canceled": EventType.ORDER_CANCELLED,
        "cancelled": EventType.ORDER_CANCELLED,
        "unfulfillable": EventType.SHIPMENT_EXCEPTION,
    }
    package_statuses: ClassVar[Mapping[str, EventType | None]] = {
        "": None,
        "pending": None,
        "intransit": EventType.IN_TRANSIT,
        "outfordelivery": EventType.OUT_FOR_DELIVERY,
        "delivered": EventType.DELIVERED,
        "undeliverable": EventType.SHIPMENT_EXCEPTION,
    }

    def order_v0_events(self, order: Node) -> Iterator[CanonicalEvent]:
        """Yield the events of an order of v0; the poll adds `orderitems`."""
        items = order.list_at("orderitems")
        buyer = object_or_empty(order, "buyerinfo")
        total = object_or_empty(order, "ordertotal")
        requests = [object_or_empty(item, "buyerrequestedcancel") for item in items]
        asked = [r for r in requests if r.boolean_at("isbuyerrequestedcancel")]
        yield from self._events(
            AmazonOrder(
                order.required_text("amazonorderid"),
                order.text_at("orderstatus"),
                self.time(order, "purchasedate"),
                self.time(order, "lastupdatedate"),
                lines_of_items(items, Measure.ORDERED, "quantityordered"),
                lines_of_items(items, Measure.SHIPPED, "quantityshipped"),
                numbers=[
                    *self.seller_number(order.text_at("sellerorderid")),
                    customer_po(buyer.text_at("purchaseordernumber")),
                ],
                attributes={
                    **amount_attributes(total, "amount", "currencycode"),
                    Attribute.CUSTOMER_NAME: buyer.text_at("buyername"),
                    Attribute.SERVICE: order.text_at("shipservicelevel"),
                    Attribute.SHIP_BY: format_time(self.time(order, "latestshipdate")),
                    Attribute.PROMISED_AT: format_time(self.time(order, "latestdeliverydate")),
                },
                cancel_request=asked[0].text_at("buyercancelreason") if asked else None,
            )
        )

    def order_change_events(self, change: Node, at: ParsedTime | None) -> Iterator[CanonicalEvent]:
        """Yield the events of ORDER_CHANGE. `at`: the time of the notification."""
        summary = object_or_empty(change, "summary")
        trigger = object_or_empty(change, "orderchangetrigger")
        items = summary.list_at("orderitems")
        asked = any(item.boolean_at("isbuyerrequestedcancel") for item in items)
        yield from self._events(
            AmazonOrder(
                change.required_text("amazonorderid"),
                summary.text_at("orderstatus"),
                self.time(summary, "purchasedate"),
                self.time(trigger, "timeoforderchange") or at,
                lines_of_items(items, Measure.ORDERED, "quantity"),
                lines_of_items(items, Measure.SHIPPED, "quantityshipped"),
                attributes={
                    Attribute.SHIP_BY: format_time(self.time(summary, "latestshipdate")),
                    Attribute.PROMISED_AT: format_time(self.time(summary, "latestdeliverydate")),
                },
                cancel_request=trigger.text_at("changereason") if asked else None,
            )
        )

    def order_2026_events(self, order: Node) -> Iterator[CanonicalEvent]:
        """Yield the events of an order of 2026-01-01 with its packages."""
        items = order.list_at("orderitems")
        buyer = object_or_empty(order, "buyer")
        fulfillment = object_or_empty(order, "fulfillment")
        total = object_or_empty(object_or_empty(order, "proceeds"), "grandtotal")
        numbers = [customer_po(buyer.text_at("buyerpurchaseordernumber"))]
        for alias in order.list_at("orderaliases"):
            if alias.text_at("aliastype") == "SELLER_ORDER_ID":
                numbers += self.seller_number(alias.text_at("aliasid"))
        asked = [
            object_or_empty(object_or_empty(item, "cancellation"), "cancellationrequest")
            for item in items
        ]
        reasons = [r.text_at("cancelreason") for r in asked if r.text_at("requester") == "BUYER"]
        ship_by = object_or_empty(fulfillment, "shipbywindow")
        promised = object_or_empty(fulfillment, "deliverbywindow")
        yield from self._events(
            AmazonOrder(
                order.required_text("orderid"),
                fulfillment.text_at("fulfillmentstatus"),
                self.time(order, "createdtime"),
                self.time(order, "lastupdatedtime"),
                [line_2026(item, Measure.ORDERED) for item in items],
                [line_2026(item, Measure.SHIPPED) for item in items],
                [line_2026(i, Measure.CANCELLED) for i in items if is_cancelled(i)],
                numbers,
                {
                    **amount_attributes(total, "amount", "currencycode"),
                    Attribute.CUSTOMER_NAME: buyer.text_at("buyercompanyname")
                    or buyer.text_at("buyername"),
                    Attribute.SERVICE: fulfillment.text_at("fulfillmentservicelevel"),
                    Attribute.SHIP_BY: format_time(self.time(ship_by, "latestdatetime")),
                    Attribute.PROMISED_AT: format_time(self.time(promised, "latestdatetime")),
                },
                reasons[0] if reasons else None,
                order.list_at("packages"),
            )
        )

    def _events(self, order: AmazonOrder) -> Iterator[CanonicalEvent]:
        name, revision = f"order {order.number}", format_time(order.updated)
        reference = self.order_reference(order.number, *order.numbers)
        is_complete = order.created is not None
        yield build_event(
            EventType.ORDER_RECEIVED if is_complete else EventType.ORDER_CHANGED,
            name if is_complete else f"{name} items",
            order.created,
            reference,
            lines=order.ordered,
            attributes={
                **order.attributes,
                Attribute.CHANNEL: self.settings.text("channel"),
                Attribute.STATUS: order.status,
            },
            revision=revision,
        )
        kind = self.statuses.get(plain_status(order.status), EventType.UNMAPPED)
        if kind:
            yield build_event(
                kind,
                f"{name} state",
                order.updated,
                reference,
                attributes={Attribute.STATUS: order.status},
                revision=revision,
                raw_type=order.status if kind is EventType.UNMAPPED else "",
                flags=(Flag.TIME_OF_REPORT,),
            )
        if order.cancel_request is not None:
            # A request of the buyer; only the seller or Amazon cancels.
            yield build_event(
                EventType.ORDER_CHANGED,
                f"{name} buyer asks to cancel",
                order.updated,
                reference,
                attributes={
                    Attribute.REASON: order.cancel_request,
                    Attribute.DETAIL: "The buyer asks to cancel.",
                },
                revision=revision,
                flags=(Flag.TIME_OF_REPORT,),
            )
        if order.cancelled and kind is not EventType.ORDER_CANCELLED:
            yield build_event(
                EventType.ORDER_CHANGED,
                f"{name} cancelled units",
                order.updated,
                reference,
                lines=order.cancelled,
                revision=revision,
                flags=(Flag.TIME_OF_REPORT,),
            )
        yield from self._shipment_events(order, revision)

    def _shipment_events(self, order: AmazonOrder, revision: str) -> Iterator[CanonicalEvent]:
        name, objects = f"order {order.number}", self._objects_of_shipped_units(order)
        shipped = [line for line in order.shipped if any(line.quantities.values())]
        times = [at for node in order.packages if (at := self.time(node, "shiptime"))]
        if shipped:
            yield build_event(
                EventType.SHIPMENT_CONFIRMED,
                f"{name} shipped",
                min(times) if times else order.updated,
                *objects,
                lines=shipped,
                scope=f"{name} shipped",
                revision=revision,
                flags=() if times else (Flag.TIME_OF_REPORT,),
            )
        for node in order.packages:
            yield from self._package_events(node, order, revision)

    def _objects_of_shipped_units(self, order: AmazonOrder) -> tuple[ObjectReference, ...]:
        """Return the order, and the packages that all shipped units are in.

        A shipment counts as delivered with its packages. So of several packages none is named
        before all of them have been delivered.
        """
        statuses = {self._package_status(node)[0] for node in order.packages}
        is_clear = len(order.packages) == 1 or statuses == {EventType.DELIVERED}
        numbers = [node.text_at("trackingnumber") for node in order.packages if is_clear]
        return (self.order_reference(order.number), *package_references(numbers))

    def _package_status(self, node: Node) -> tuple[EventType | None, str]:
        """Return what the status of a package means, and its text."""
        states = object_or_empty(node, "packagestatus")
        detailed, status = states.text_at("detailedstatus"), states.text_at("status")
        known = self.package_statuses.get(plain_status(detailed)) if detailed else None
        kind = known or self.package_statuses.get(plain_status(status), EventType.UNMAPPED)
        return kind, detailed or status

    def _package_events(
        self, node: Node, order: AmazonOrder, revision: str
    ) -> Iterator[CanonicalEvent]:
        number = f"{order.number} {node.required_text('packagereferenceid')}"
        objects = (
            self.order_reference(order.number),
            *package_references([node.text_at("trackingnumber")]),
        )
        attributes = {
            Attribute.CARRIER: node.text_at("carrier"),
            Attribute.SERVICE: node.text_at("shippingservice"),
        }
        if at := self.time(node, "shiptime"):
            yield build_event(
                EventType.SHIPMENT_CONFIRMED,
                f"package {number}",
                at,
                *objects,
                attributes=attributes,
                revision=revision,
            )
        kind, status = self._package_status(node)
        if kind:
            yield build_event(
                kind,
                f"package {number} {status}",
                order.updated,
                *objects,
                attributes={**attributes, Attribute.STATUS: status},
                revision=revision,
                raw_type=f"package {status}" if kind is EventType.UNMAPPED else "",
                flags=(Flag.TIME_OF_REPORT,),
            )
