"""The attributes of OCEL objects and events: which they have, their types and their values."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from connectors.sdk.events import Attribute, Measure, ObjectKind
from visibility.export.redaction import Redaction

Scalar = str | float
FLOAT_ATTRIBUTES = frozenset({Attribute.TOTAL.value, *(m.value for m in Measure)})
TIME_ATTRIBUTES = frozenset({"received_at", "recorded_at"})
ITEM_KIND = ObjectKind.ITEM.value
# Per object kind: prefixes of the event types that set its attributes, and these attributes.
SHIPPING_EVENTS = ("shipment.", "eta.", "pack.")
ATTRIBUTE_SOURCES: Mapping[ObjectKind, tuple[tuple[str, ...], tuple[Attribute, ...]]] = {
    ObjectKind.ORDER: (
        ("order.",),
        (
            Attribute.CHANNEL,
            Attribute.CUSTOMER_NO,
            Attribute.CUSTOMER_NAME,
            Attribute.CURRENCY,
            Attribute.TOTAL,
            Attribute.WAREHOUSE,
            Attribute.REQUESTED_AT,
            Attribute.PROMISED_AT,
            Attribute.SHIP_BY,
        ),
    ),
    ObjectKind.SHIPMENT: (
        SHIPPING_EVENTS,
        (Attribute.CARRIER, Attribute.SERVICE, Attribute.WAREHOUSE, Attribute.ETA),
    ),
    ObjectKind.PACKAGE: (
        SHIPPING_EVENTS,
        (Attribute.CARRIER, Attribute.SERVICE, Attribute.LOCATION, Attribute.ETA),
    ),
    ObjectKind.INVOICE: (("invoice.", "credit."), (Attribute.TOTAL, Attribute.CURRENCY)),
    ObjectKind.RETURN: (("return.",), (Attribute.REASON,)),
    **dict.fromkeys(
        (ObjectKind.LOAD, ObjectKind.VEHICLE, ObjectKind.CONTAINER, ObjectKind.TRANSPORT_DOCUMENT),
        (SHIPPING_EVENTS, (Attribute.CARRIER,)),
    ),
    ObjectKind.RETURN_DELIVERY: (("return.",), (Attribute.REASON,)),
    ObjectKind.CREDIT_MEMO_REQUEST: (
        ("credit.",),
        (Attribute.TOTAL, Attribute.CURRENCY, Attribute.REASON),
    ),
    ObjectKind.DEBIT_MEMO_REQUEST: (
        ("debit.",),
        (Attribute.TOTAL, Attribute.CURRENCY, Attribute.REASON),
    ),
    ObjectKind.QUOTATION: (("quotation.",), (Attribute.TOTAL, Attribute.CURRENCY)),
    ObjectKind.CONTRACT: (("contract.",), (Attribute.TOTAL, Attribute.CURRENCY)),
    ObjectKind.GOODS_MOVEMENT: (("goods_movement.",), (Attribute.WAREHOUSE,)),
    # Events that name these kinds say nothing about the object itself.
    ObjectKind.CUSTOMER: ((), ()),
    ObjectKind.ITEM: ((), ()),
    ObjectKind.ORDER_LINE: ((), ()),
    ObjectKind.SERIALIZED_ITEM: ((), ()),
}
# Attributes that never change. `step` is the latest milestone that the order has reached.
FIXED_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    ObjectKind.ORDER: ("number", "customer_po"),
    ITEM_KIND: ("sku", "description"),
}
COMMON_EVENT_ATTRIBUTES = (
    "source",
    "role",
    "key",
    "raw_type",
    "scope",
    "message_id",
    "received_at",
    "recorded_at",
)
# Names of columns, which differ in more than case. `id`, `type` and `time` are those of OCEL.
RESERVED_EVENT_ATTRIBUTES = frozenset(
    {*COMMON_EVENT_ATTRIBUTES, *(a.value for a in Attribute), *(m.value for m in Measure)}
    | {"ocel_id", "ocel_type", "ocel_time"}
)
VARYING_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {ObjectKind.ORDER: ("step",)}


def ocel_types_by_attribute_of_object_kind(kind: str, redaction: Redaction) -> dict[str, str]:
    """The attributes of an object kind with their OCEL types."""
    attributes: Sequence[Attribute] = (
        ATTRIBUTE_SOURCES[ObjectKind(kind)][1] if kind in ATTRIBUTE_SOURCES else ()
    )
    names = [*FIXED_ATTRIBUTES.get(kind, ()), *VARYING_ATTRIBUTES.get(kind, ())]
    names += [name.value for name in attributes if name in redaction.allowed_attributes]
    return {name: _ocel_type_of_attribute_name(name) for name in names}


def ocel_types_by_event_attribute(
    redaction: Redaction, other_names: Sequence[str] = ()
) -> dict[str, str]:
    """The attributes of an event type with their OCEL types.

    `other_names`: the names of the source's attributes without a meaning here.
    """
    attributes = sorted(name.value for name in redaction.allowed_attributes)
    types = {
        name: _ocel_type_of_attribute_name(name)
        for name in (*COMMON_EVENT_ATTRIBUTES, *attributes, *(m.value for m in Measure))
    }
    if redaction.allows_other_attributes:
        types |= {exported_attribute_name(name): "string" for name in other_names}
    return types


def exported_attribute_name(name: str) -> str:
    """The name of a source's attribute in the log: its own, unless that has a meaning here."""
    return f"original_{name}" if name.lower() in RESERVED_EVENT_ATTRIBUTES else name


def _ocel_type_of_attribute_name(name: str) -> str:
    return "float" if name in FLOAT_ATTRIBUTES else "time" if name in TIME_ATTRIBUTES else "string"


def ocel_attribute_value(name: str, text: str) -> Scalar:
    """The value of an attribute: a number for totals and quantities, else the text."""
    return float(Decimal(text)) if name in FLOAT_ATTRIBUTES else text
