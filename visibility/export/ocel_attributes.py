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
}
# Attributes that never change. `step` is the latest milestone that the order has reached.
FIXED_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    ObjectKind.ORDER: ("number", "customer_po"),
    ITEM_KIND: ("sku", "description"),
}
VARYING_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {ObjectKind.ORDER: ("step",)}


def object_attribute_types(kind: str, redaction: Redaction) -> dict[str, str]:
    """The attributes of an object kind with their OCEL types."""
    attributes: Sequence[Attribute] = (
        ATTRIBUTE_SOURCES[ObjectKind(kind)][1] if kind in ATTRIBUTE_SOURCES else ()
    )
    names = [*FIXED_ATTRIBUTES.get(kind, ()), *VARYING_ATTRIBUTES.get(kind, ())]
    names += [name.value for name in attributes if name in redaction.allowed_attributes]
    return {name: _ocel_attribute_type(name) for name in names}


def event_attribute_types(redaction: Redaction) -> dict[str, str]:
    """The attributes of all event types with their OCEL types."""
    common = (
        "source",
        "role",
        "key",
        "raw_type",
        "scope",
        "message_id",
        "received_at",
        "recorded_at",
    )
    attributes = sorted(name.value for name in redaction.allowed_attributes)
    return {
        name: _ocel_attribute_type(name)
        for name in (*common, *attributes, *(m.value for m in Measure))
    }


def _ocel_attribute_type(name: str) -> str:
    return "float" if name in FLOAT_ATTRIBUTES else "time" if name in TIME_ATTRIBUTES else "string"


def ocel_attribute_value(name: str, text: str) -> Scalar:
    """The value of an attribute: a number for totals and quantities, else the text."""
    return float(Decimal(text)) if name in FLOAT_ATTRIBUTES else text
