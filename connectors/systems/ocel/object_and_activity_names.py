"""Usual names of object types and activities in OCEL logs."""

import re
from collections.abc import Collection, Mapping

from connectors.sdk.events import EventType, IdentifierScheme, Measure, ObjectKind

TOKENS = re.compile(r"[a-z0-9]+")
KINDS: Mapping[str, ObjectKind] = {
    "article": ObjectKind.ITEM,
    "bill": ObjectKind.INVOICE,
    "carton": ObjectKind.PACKAGE,
    "container": ObjectKind.CONTAINER,
    "contract": ObjectKind.CONTRACT,
    "credit memo request": ObjectKind.CREDIT_MEMO_REQUEST,
    "customer": ObjectKind.CUSTOMER,
    "customer order": ObjectKind.ORDER,
    "debit memo request": ObjectKind.DEBIT_MEMO_REQUEST,
    "delivery": ObjectKind.SHIPMENT,
    "good movement": ObjectKind.GOODS_MOVEMENT,
    "handling unit": ObjectKind.PACKAGE,
    "invoice": ObjectKind.INVOICE,
    "item": ObjectKind.ORDER_LINE,
    "load": ObjectKind.LOAD,
    "material document": ObjectKind.GOODS_MOVEMENT,
    "order": ObjectKind.ORDER,
    "order item": ObjectKind.ORDER_LINE,
    "order line": ObjectKind.ORDER_LINE,
    "package": ObjectKind.PACKAGE,
    "parcel": ObjectKind.PACKAGE,
    "product": ObjectKind.ITEM,
    "purchase order": ObjectKind.ORDER,
    "quotation": ObjectKind.QUOTATION,
    "return": ObjectKind.RETURN,
    "return delivery": ObjectKind.RETURN_DELIVERY,
    "rma": ObjectKind.RETURN,
    "sale order": ObjectKind.ORDER,
    "serialized item": ObjectKind.SERIALIZED_ITEM,
    "shipment": ObjectKind.SHIPMENT,
    "sku": ObjectKind.ITEM,
    "transport document": ObjectKind.TRANSPORT_DOCUMENT,
    "truck": ObjectKind.VEHICLE,
    "vehicle": ObjectKind.VEHICLE,
}
# A product that many orders have, and a line or piece of one order.
ITEM_KINDS = frozenset({ObjectKind.ITEM, ObjectKind.ORDER_LINE})
ACTIVITIES: Mapping[str, EventType] = {
    "accept order": EventType.ORDER_ACCEPTED,
    "allocate item": EventType.LINE_ALLOCATED,
    "approve payment": EventType.PAYMENT_APPROVED,
    "cancel order": EventType.ORDER_CANCELLED,
    "change order": EventType.ORDER_CHANGED,
    "clear invoice": EventType.INVOICE_PAID,
    "confirm order": EventType.ORDER_ACCEPTED,
    "create contract": EventType.CONTRACT_SIGNED,
    "create credit memo request": EventType.CREDIT_REQUESTED,
    "create debit memo request": EventType.DEBIT_REQUESTED,
    "create invoice": EventType.INVOICE_ISSUED,
    "create order": EventType.ORDER_RECEIVED,
    "create package": EventType.PACK_COMPLETED,
    "create quotation": EventType.QUOTATION_ISSUED,
    "create return": EventType.RETURN_AUTHORIZED,
    "create return delivery": EventType.RETURN_DELIVERY_CREATED,
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
    "payment reminder": EventType.PAYMENT_REMINDER_SENT,
    "pick item": EventType.PICK_COMPLETED,
    "pick order": EventType.PICK_COMPLETED,
    "place order": EventType.ORDER_RECEIVED,
    "receive order": EventType.ORDER_RECEIVED,
    "receive payment": EventType.INVOICE_PAID,
    "receive return": EventType.RETURN_RECEIVED,
    "reject order": EventType.ORDER_REJECTED,
    "release order": EventType.ORDER_RELEASED,
    "reorder item": EventType.LINE_REORDERED,
    "send delivery": EventType.SHIPMENT_CONFIRMED,
    "send invoice": EventType.INVOICE_ISSUED,
    "send package": EventType.SHIPMENT_CONFIRMED,
    "ship order": EventType.SHIPMENT_CONFIRMED,
    "ship package": EventType.SHIPMENT_CONFIRMED,
}
# What an event of this type counts for each of its items.
MEASURES: Mapping[EventType, Measure] = {
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


def lower_case_singular_name(name: str) -> str:
    """Normalize a name to lower-case singular words: `Sales_Orders` is `sale order`."""
    return " ".join(_singular(token) for token in TOKENS.findall(name.lower()))


def _singular(noun: str) -> str:
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") and len(noun) > 3 else noun


def object_kind_of_type_name(name: str, custom_names: Mapping[str, str]) -> ObjectKind | None:
    """Return the kind of an object type. Names from the settings take precedence."""
    custom = custom_names.get(lower_case_singular_name(name), "")
    return (
        ObjectKind(custom)
        if custom in set(ObjectKind)
        else KINDS.get(lower_case_singular_name(name))
    )


def kind_of_exported_id(object_id: str) -> ObjectKind | None:
    """Return the kind of an object of our own export (kind:scheme:issuer:value), else None."""
    fields = object_id.split(":", 3)
    is_own = (
        len(fields) == 4
        and fields[0] in set(ObjectKind)
        and fields[1] in set(IdentifierScheme)
        and fields[3]
    )
    return ObjectKind(fields[0]) if is_own else None


def event_type_of_activity(name: str, custom_names: Mapping[str, str]) -> EventType | None:
    """Return the event type of an activity: by settings, by event type name, or by usual name."""
    for candidate in (custom_names.get(lower_case_singular_name(name), ""), name.strip()):
        if candidate in set(EventType) and candidate != EventType.UNMAPPED:
            return EventType(candidate)
    return ACTIVITIES.get(lower_case_singular_name(name))


def parse_custom_names(setting: str) -> dict[str, str]:
    """Parse a setting such as `Box=package, Book order=order.received`."""
    pairs = (entry.partition("=") for entry in setting.split(",") if "=" in entry)
    return {lower_case_singular_name(name): value.strip() for name, _, value in pairs}


def check_object_names_setting(setting: str) -> None:
    """Check that the value of every custom name is a kind of object. Raises ValueError."""
    _check_custom_names(setting, set(ObjectKind), "Box=package")


def check_activity_names_setting(setting: str) -> None:
    """Check that the value of every custom name is an event type. Raises ValueError."""
    _check_custom_names(setting, set(EventType) - {EventType.UNMAPPED}, "Book order=order.received")


def _check_custom_names(setting: str, known: Collection[str], example: str) -> None:
    for entry in filter(None, (entry.strip() for entry in setting.split(","))):
        name, separator, value = (text.strip() for text in entry.partition("="))
        if not (name and separator):
            raise ValueError(f"{entry[:40]!r} is not of the form name=value, such as {example}.")
        if value not in known:
            raise ValueError(f"{value[:40]!r} is not one of {', '.join(sorted(known))}.")
