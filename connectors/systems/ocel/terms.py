"""What logs call the things we know: object types and activities, by their usual names."""

import re
from collections.abc import Mapping

from connectors.sdk.events import EventType, Measure, ObjectKind

WORDS = re.compile(r"[a-z0-9]+")
KINDS: Mapping[str, ObjectKind] = {
    "article": ObjectKind.ITEM,
    "bill": ObjectKind.INVOICE,
    "carton": ObjectKind.PACKAGE,
    "container": ObjectKind.SHIPMENT,
    "customer": ObjectKind.CUSTOMER,
    "customer order": ObjectKind.ORDER,
    "delivery": ObjectKind.SHIPMENT,
    "handling unit": ObjectKind.PACKAGE,
    "invoice": ObjectKind.INVOICE,
    "item": ObjectKind.ITEM,
    "order": ObjectKind.ORDER,
    "order item": ObjectKind.ITEM,
    "order line": ObjectKind.ITEM,
    "package": ObjectKind.PACKAGE,
    "parcel": ObjectKind.PACKAGE,
    "product": ObjectKind.ITEM,
    "purchase order": ObjectKind.ORDER,
    "return": ObjectKind.RETURN,
    "rma": ObjectKind.RETURN,
    "sale order": ObjectKind.ORDER,
    "shipment": ObjectKind.SHIPMENT,
    "sku": ObjectKind.ITEM,
}
ACTIVITIES: Mapping[str, EventType] = {
    "accept order": EventType.ORDER_ACCEPTED,
    "allocate item": EventType.LINE_ALLOCATED,
    "cancel order": EventType.ORDER_CANCELLED,
    "change order": EventType.ORDER_CHANGED,
    "clear invoice": EventType.INVOICE_PAID,
    "confirm order": EventType.ORDER_ACCEPTED,
    "create invoice": EventType.INVOICE_ISSUED,
    "create order": EventType.ORDER_RECEIVED,
    "create package": EventType.PACK_COMPLETED,
    "create return": EventType.RETURN_AUTHORISED,
    "deliver package": EventType.DELIVERED,
    "delivery failed": EventType.ATTEMPTED,
    "failed delivery": EventType.ATTEMPTED,
    "good issue": EventType.SHIPMENT_CONFIRMED,
    "issue credit": EventType.CREDIT_ISSUED,
    "issue invoice": EventType.INVOICE_ISSUED,
    "item out of stock": EventType.LINE_BACKORDERED,
    "order created": EventType.ORDER_RECEIVED,
    "order placed": EventType.ORDER_RECEIVED,
    "pack item": EventType.PACK_COMPLETED,
    "pack order": EventType.PACK_COMPLETED,
    "package delivered": EventType.DELIVERED,
    "pay invoice": EventType.INVOICE_PAID,
    "pay order": EventType.INVOICE_PAID,
    "pick item": EventType.PICK_COMPLETED,
    "pick order": EventType.PICK_COMPLETED,
    "place order": EventType.ORDER_RECEIVED,
    "receive order": EventType.ORDER_RECEIVED,
    "receive payment": EventType.INVOICE_PAID,
    "receive return": EventType.RETURN_RECEIVED,
    "reject order": EventType.ORDER_REJECTED,
    "release order": EventType.ORDER_RELEASED,
    "send delivery": EventType.SHIPMENT_CONFIRMED,
    "send invoice": EventType.INVOICE_ISSUED,
    "send package": EventType.SHIPMENT_CONFIRMED,
    "ship order": EventType.SHIPMENT_CONFIRMED,
    "ship package": EventType.SHIPMENT_CONFIRMED,
}
# What an event of a type says of each item it names.
COUNTS: Mapping[EventType, Measure] = {
    EventType.ORDER_RECEIVED: Measure.ORDERED,
    EventType.LINE_ALLOCATED: Measure.ALLOCATED,
    EventType.LINE_BACKORDERED: Measure.BACKORDERED,
    EventType.PICK_COMPLETED: Measure.PICKED,
    EventType.PACK_COMPLETED: Measure.PACKED,
    EventType.SHIPMENT_CONFIRMED: Measure.SHIPPED,
    EventType.DELIVERED: Measure.DELIVERED,
    EventType.INVOICE_ISSUED: Measure.INVOICED,
    EventType.RETURN_RECEIVED: Measure.RETURNED,
    EventType.CREDIT_ISSUED: Measure.CREDITED,
}


def plain(name: str) -> str:
    """A name in lower case, each word in the singular: `Sales_Orders` is `sale order`."""
    return " ".join(_singular(word) for word in WORDS.findall(name.lower()))


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def kind_of(name: str, own: Mapping[str, str]) -> ObjectKind | None:
    """The kind that a log's object type is; `own` words of the source come first."""
    word = own.get(plain(name), "")
    return ObjectKind(word) if word in set(ObjectKind) else KINDS.get(plain(name))


def type_of(name: str, own: Mapping[str, str]) -> EventType | None:
    """The type that a log's activity is: one of our own words, or a usual name for it."""
    for word in (own.get(plain(name), ""), name.strip()):
        if word in set(EventType) and word != EventType.UNMAPPED:
            return EventType(word)
    return ACTIVITIES.get(plain(name))


def own_words(setting: str) -> dict[str, str]:
    """A setting like `Box=package, Book order=order.received`."""
    pairs = (part.partition("=") for part in setting.split(",") if "=" in part)
    return {plain(name): word.strip() for name, _, word in pairs}
