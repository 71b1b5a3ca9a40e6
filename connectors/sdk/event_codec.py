"""Canonical events as JSON: conversion in both directions, canonical bytes and content hash."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

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
    QuantityMode,
)


def format_decimal(number: Decimal) -> str:
    """Format a decimal without exponent and trailing zeros: `50`, `12.5`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_rfc3339(time: datetime) -> str:
    """Format a time as RFC 3339 in UTC with microseconds: `2026-03-04T05:06:07.000000Z`."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def event_to_dict(event: CanonicalEvent) -> dict[str, Any]:
    """Convert an event to JSON values. `event_from_dict` is the inverse.

    Newer members are absent if unset, so that stored hashes stay valid.
    """
    result: dict[str, Any] = {
        "type": event.type.value,
        "key": event.key,
        "occurred_at": format_rfc3339(event.occurred_at) if event.occurred_at else None,
        "objects": [
            {
                "kind": ref.kind.value,
                "identifiers": [
                    {
                        "scheme": i.scheme.value,
                        "issuer": i.issuer,
                        "value": i.value,
                        "strong": i.strong,
                    }
                    for i in ref.identifiers
                ],
            }
            for ref in event.objects
        ],
        "lines": [_line_to_dict(line) for line in event.lines],
        "part": event.scope,
        "attributes": {name.value: text for name, text in sorted(event.attributes.items())},
        "revision": event.revision,
        "raw_type": event.raw_type,
        "flags": sorted(flag.value for flag in event.flags),
        "corrects": list(event.corrects),
    }
    if event.complete_measures:
        result["complete_measures"] = [measure.value for measure in event.complete_measures]
    if event.takes_back:
        result["takes_back"] = [event_type.value for event_type in event.takes_back]
    if event.other_attributes:
        result["other_attributes"] = dict(sorted(event.other_attributes.items()))
    return result


def _line_to_dict(line: EventLine) -> dict[str, Any]:
    """Convert a line. Newer fields are absent if unset, so that stored hashes stay valid."""
    result: dict[str, Any] = {
        "line_id": line.line_id,
        "sku": line.sku,
        "description": line.description,
        "unit": line.unit,
        "price": format_decimal(line.price) if line.price is not None else None,
        "quantities": {m.value: format_decimal(q) for m, q in sorted(line.quantities.items())},
        "order": line.order_index,
    }
    if line.package_index >= 0:
        result["package"] = line.package_index
    if line.quantity_mode is not QuantityMode.TOTAL:
        result["quantity_mode"] = line.quantity_mode.value
    if line.seller:
        result["seller"] = line.seller
    result |= {name.value: date for name, date in line.dates.items()}
    if line.serials:
        result["serials"] = list(line.serials)
    if line.pieces_per_unit is not None:
        result["pieces_per_unit"] = format_decimal(line.pieces_per_unit)
    if line.shipment_index >= 0:
        result["shipment"] = line.shipment_index
    if not line.is_goods:
        result["goods"] = False
    if line.order_line_index >= 0:
        result["order_line"] = line.order_line_index
    return result


def _line_from_dict(line: Mapping[str, Any]) -> EventLine:
    return EventLine(
        line_id=line["line_id"],
        sku=line["sku"],
        description=line["description"],
        unit=line["unit"],
        price=Decimal(line["price"]) if line["price"] is not None else None,
        quantities={Measure(m): Decimal(q) for m, q in line["quantities"].items()},
        order_index=line["order"],
        package_index=line.get("package", -1),
        quantity_mode=QuantityMode(line["quantity_mode"])
        if "quantity_mode" in line
        else QuantityMode.TOTAL,
        seller=line.get("seller", ""),
        ship_by=line.get("ship_by", ""),
        requested_at=line.get("requested_at", ""),
        promised_at=line.get("promised_at", ""),
        serials=tuple(line.get("serials", ())),
        pieces_per_unit=Decimal(line["pieces_per_unit"]) if "pieces_per_unit" in line else None,
        shipment_index=line.get("shipment", -1),
        is_goods=line.get("goods", True),
        order_line_index=line.get("order_line", -1),
    )


def event_from_dict(data: Mapping[str, Any]) -> CanonicalEvent:
    """Create the event from the output of `event_to_dict`. Raises KeyError or ValueError."""
    occurred_at = data["occurred_at"]
    return CanonicalEvent(
        type=EventType(data["type"]),
        key=data["key"],
        occurred_at=datetime.fromisoformat(occurred_at) if occurred_at else None,
        objects=tuple(
            ObjectReference(
                ObjectKind(ref["kind"]),
                tuple(
                    EventIdentifier(
                        IdentifierScheme(i["scheme"]), i["value"], i["issuer"], i["strong"]
                    )
                    for i in ref["identifiers"]
                ),
            )
            for ref in data["objects"]
        ),
        lines=tuple(_line_from_dict(line) for line in data["lines"]),
        scope=data["part"],
        attributes={Attribute(name): text for name, text in data["attributes"].items()},
        revision=data["revision"],
        raw_type=data["raw_type"],
        flags=tuple(Flag(flag) for flag in data["flags"]),
        corrects=tuple(data["corrects"]),
        complete_measures=tuple(Measure(name) for name in data.get("complete_measures", ())),
        takes_back=tuple(EventType(name) for name in data.get("takes_back", ())),
        other_attributes=data.get("other_attributes", {}),
    )


def to_canonical_json(event: CanonicalEvent) -> bytes:
    """Encode an event as canonical JSON: sorted keys, no whitespace, UTF-8."""
    return orjson.dumps(event_to_dict(event), option=orjson.OPT_SORT_KEYS)


def sha256_hex(data: bytes) -> str:
    """Return the content hash of an event that is already encoded as canonical JSON."""
    return hashlib.sha256(data).hexdigest()
