"""Notifications of Amazon, as they arrive through SQS or EventBridge.

https://developer-docs.amazon.com/sp-api/docs/notification-type-values
"""

from collections.abc import Iterable, Mapping

from connectors.sdk.build_references import build_reference
from connectors.sdk.connector import ParseResult
from connectors.sdk.event_builder import build_event
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    IdentifierScheme,
    ObjectKind,
)
from connectors.sdk.payload import Node
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime
from connectors.systems.amazon_sp_api.fields import (
    AmazonReader,
    amount_attributes,
    format_time,
    object_or_empty,
    plain_status,
)
from connectors.systems.amazon_sp_api.multi_channel import MultiChannelReader
from connectors.systems.amazon_sp_api.orders import AmazonOrderReader

# ShipmentStatus of FBA_OUTBOUND_SHIPMENT_STATUS.
FBA_STATUSES: Mapping[str, EventType] = {
    "created": EventType.ORDER_RELEASED,
    "shipped": EventType.SHIPMENT_CONFIRMED,
    "delivered": EventType.DELIVERED,
    "canceled": EventType.SHIPMENT_VOID,
    "cancelled": EventType.SHIPMENT_VOID,
}


def notification_events(node: Node, settings: ParsedSettings, source: str) -> ParseResult:
    """Return the events of a notification. `node` has names in lower case."""
    kind = node.text_at("notificationtype")
    payload = node.required_object("payload")
    reader = AmazonReader(settings, source)
    at = reader.time(node, "eventtime")
    if kind == "ORDER_CHANGE":
        change = payload.required_object("orderchangenotification")
        return _result(AmazonOrderReader(settings, source).order_change_events(change, at))
    if kind == "FULFILLMENT_ORDER_STATUS":
        notice = payload.required_object("fulfillmentorderstatusnotification")
        channels = MultiChannelReader(settings, source)
        return _result(channels.status_notification_events(notice, at))
    if kind == "FBA_OUTBOUND_SHIPMENT_STATUS":
        notice = payload.required_object("fbaoutboundshipmentstatusnotification")
        return _result([_fba_event(notice, at, reader)])
    if kind == "TRANSACTION_UPDATE":
        return _transaction(payload.required_object("transactionupdatenotification"), reader)
    order = _order_number(payload)
    if not order:
        return ParseResult(ignored=f"{kind}: not related to an order")
    event = build_event(
        EventType.UNMAPPED,
        f"{kind} {order} {format_time(at)}".strip(),
        at,
        reader.order_reference(order),
        raw_type=kind,
    )
    return ParseResult((event,))


def _result(events: Iterable[CanonicalEvent]) -> ParseResult:
    return ParseResult(tuple(events))


def _fba_event(notice: Node, at: ParsedTime | None, reader: AmazonReader) -> CanonicalEvent:
    number, status = notice.required_text("amazonshipmentid"), notice.text_at("shipmentstatus")
    kind = FBA_STATUSES.get(plain_status(status), EventType.UNMAPPED)
    return build_event(
        kind,
        f"FBA shipment {number} {status}",
        at,
        reader.order_reference(notice.required_text("amazonorderid")),
        build_reference(
            ObjectKind.SHIPMENT,
            "amazonshipmentid",
            (IdentifierScheme.SHIPMENT, number, reader.source),
        ),
        attributes={Attribute.STATUS: status},
        raw_type=f"FBA {status}" if kind is EventType.UNMAPPED else "",
    )


def _transaction(notice: Node, reader: AmazonReader) -> ParseResult:
    """Read a refund. Other transactions move money that belongs to orders known already."""
    kind = notice.text_at("transactiontype")
    if kind != "Refund":
        return ParseResult(ignored=f"TRANSACTION_UPDATE {kind}: only refunds are read")
    posted = reader.time(notice, "posteddate")
    numbers = [
        entry.text_at("relatedidentifiervalue")
        for entry in notice.list_at("relatedidentifiers")
        if entry.text_at("relatedidentifiername") == "OrderId"
    ]
    order = numbers[0] if numbers else ""
    key = f"refund {order} {format_time(posted)}"
    event = build_event(
        EventType.CREDIT_ISSUED,
        key,
        posted,
        reader.order_reference(order),
        scope=key,
        attributes=amount_attributes(
            object_or_empty(notice, "totalamount"), "currencyamount", "currencycode"
        ),
    )
    return ParseResult((event,))


def _order_number(payload: Node) -> str:
    """Return the Amazon order id of a notification of another type; "" if it has none."""
    for name in list(payload.keys()):
        child = payload.get(name)
        if name == "amazonorderid":
            return child.as_text()
        if isinstance(child.value, dict) and (number := _order_number(child)):
            return number
    return ""
