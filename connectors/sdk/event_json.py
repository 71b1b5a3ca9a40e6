"""Our own event data as JSON: what a system sends that has no connector of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Flag,
    Identifier,
    Line,
    Measure,
    ObjectKind,
    Ref,
    Scheme,
    identifying,
    iso,
    issued,
    plain,
)
from connectors.sdk.payload import Node, PayloadError, Reason
from connectors.sdk.timestamps import Moment, instant

MEASURES: Mapping[str, Measure] = {measure.value: measure for measure in Measure}
ATTRIBUTES: Mapping[str, Attribute] = {name.value: name for name in Attribute}
KNOWN = {kind.value: kind for kind in EventType if kind is not EventType.UNMAPPED}
DATES = frozenset({Attribute.REQUESTED_AT, Attribute.PROMISED_AT, Attribute.SHIP_BY, Attribute.ETA})
# Settings of every source that sends this data.
SETTINGS: Mapping[str, str] = {
    "order_number": "Whose number order.number is, such as sales_order@erp (default: its own).",
    "prefix": "What stands before the event types, such as com.acme. before order.received.",
    "zone": "The IANA time zone of times without an offset; without it they are refused.",
}
_NUMBER = {"type": ["string", "number"], "description": "exact; as text or as a number"}
_TEXT = {"type": ["string", "number"], "maxLength": 200}


def _object(description: str, **properties: Any) -> dict[str, Any]:
    """Text alone is the number; an object says more."""
    return {
        "description": description,
        "anyOf": [_TEXT, {"type": "object", "properties": properties}],
    }


SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Throughline event data",
    "type": "object",
    "anyOf": [
        {"required": [name]}
        for name in ("order", "shipment", "packages", "tracking", "invoice", "return")
    ],
    "properties": {
        "key": {**_TEXT, "description": "names the fact; told again, it has the same key"},
        "order": _object(
            "the order; text alone is its number",
            number={**_TEXT, "description": "the sender's number, see the setting order_number"},
            po={**_TEXT, "description": "the customer's purchase order number"},
            customer={**_TEXT, "description": "the customer's number; it makes the PO unique"},
            customer_name=_TEXT,
            id={**_TEXT, "description": "the sender's own technical id"},
            channel=_TEXT,
        ),
        "shipment": _object(
            "the shipment; text alone is its number", number=_TEXT, id=_TEXT, bol=_TEXT, pro=_TEXT
        ),
        "packages": {
            "type": "array",
            "items": _object(
                "a package; text alone is its tracking number", tracking=_TEXT, sscc=_TEXT
            ),
        },
        "tracking": {
            "anyOf": [_TEXT, {"type": "array", "items": _TEXT}],
            "description": "tracking numbers, one package each",
        },
        "invoice": _object("the invoice, of credit.issued the credit memo", number=_TEXT, id=_TEXT),
        "return": _object("the return; text alone is the RMA", number=_TEXT, id=_TEXT),
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "anyOf": [{"required": ["line_id"]}, {"required": ["sku"]}],
                "properties": {
                    "line_id": _TEXT,
                    "sku": _TEXT,
                    "description": {"type": "string"},
                    "unit": {"type": "string", "default": "EA"},
                    "price": _NUMBER,
                    **{measure.value: _NUMBER for measure in Measure},
                },
            },
        },
        "part": {
            **_TEXT,
            "description": "what the quantities are totals of: absent for the whole order, "
            "else for example `shipment 4711`; parts add up",
        },
        "revision": {**_TEXT, "description": "sortable; of two tellings the higher one counts"},
        "corrects": {
            "type": "array",
            "items": _TEXT,
            "description": "keys of earlier events that this one withdraws",
        },
        "attributes": {
            "type": "object",
            "properties": {
                name.value: {"type": ["string", "number"]}
                | ({"description": "an ISO 8601 date or time"} if name in DATES else {})
                for name in Attribute
            },
        },
    },
}


def event_type(word: str, config: Mapping[str, str]) -> EventType | None:
    """Our event type of a sender's word, None where it is none of ours."""
    return KNOWN.get(word.removeprefix(config.get("prefix", "")))


def unknown(word: str, path: str) -> PayloadError:
    """What to say of a word that is none of ours and whose data names nothing we track."""
    return PayloadError(
        Reason.MAPPING,
        path,
        f"{word[:80]!r} is none of our event types and names no order, shipment or invoice",
    )


def read(
    data: Node,
    *,
    word: str,
    path: str,
    key: str,
    at: Moment | None,
    config: Mapping[str, str],
    source: str,
    scope: str = "",
) -> CanonicalEvent:
    """The event that `data` (see SCHEMA) tells.

    `word` is the sender's type, found at `path`; `scope` stands before the keys.
    """
    known = event_type(word, config)
    if not isinstance(data.value, dict):
        if known is None:
            raise unknown(word, path)
        raise PayloadError(Reason.SCHEMA, data.path or "data", "expected an object")
    credit = known is EventType.CREDIT_ISSUED
    objects = _objects(data, config, source, credit=credit)
    if not objects:
        if known is None:
            raise unknown(word, path)
        raise PayloadError(
            Reason.REFERENCE, data.path or "data", f"{word} names no order, shipment or invoice"
        )
    corrects = tuple(f"{scope}{n.as_text()}" for n in data.items("corrects"))
    return CanonicalEvent(
        type=known or EventType.UNMAPPED,
        key=f"{scope}{data.text('key') or key}",
        occurred_at=at.at if at else None,
        objects=objects,
        lines=_lines(data, known, corrects),
        part=data.text("part"),
        attributes=_attributes(data, config),
        revision=data.text("revision"),
        raw_type="" if known else word,
        flags=(*(at.flags if at else ()), *((Flag.SANITISED,) * data.sanitised)),
        corrects=corrects,
    )


def _text(named: Node, member: str) -> str:
    """Text alone is a thing's number; as an object it has members."""
    if named.value is None:
        return ""
    if isinstance(named.value, dict):
        return identifying(named.text(member))
    return identifying(named.as_text()) if member == "number" else ""


def _objects(
    data: Node, config: Mapping[str, str], source: str, *, credit: bool
) -> tuple[Ref, ...]:
    shipped = data.at("shipment")
    shipment = [
        *_named(shipped, Scheme.SHIPMENT, source),
        *(
            Identifier(scheme, text, strong=False)
            for scheme in (Scheme.BOL, Scheme.PRO)
            if (text := _text(shipped, scheme.value))
        ),
    ]
    bill = Scheme.CREDIT_MEMO if credit else Scheme.INVOICE
    found = [
        Ref(kind, tuple(ids))
        for kind, ids in (
            (ObjectKind.ORDER, _order(data.at("order"), config, source)),
            (ObjectKind.SHIPMENT, shipment),
            (ObjectKind.INVOICE, _named(data.at("invoice"), bill, source)),
            (ObjectKind.RETURN, _named(data.at("return"), Scheme.RMA, source)),
        )
        if ids
    ]
    return (*found, *_packages(data))


def _named(named: Node, scheme: Scheme, source: str) -> list[Identifier]:
    ids = ((scheme, _text(named, "number")), (Scheme.SOURCE_ID, _text(named, "id")))
    return [Identifier(kind, text, source) for kind, text in ids if text]


def _order(order: Node, config: Mapping[str, str], source: str) -> list[Identifier]:
    try:
        setting = config.get("order_number", "")
        scheme, issuer = issued(setting, (Scheme.ORDER_NUMBER, source))
    except ValueError as error:
        raise PayloadError(Reason.MAPPING, "settings", str(error)) from None
    found = []
    if number := _text(order, "number"):
        found.append(Identifier(scheme, number, issuer))
    if po := _text(order, "po"):
        customer = _text(order, "customer")
        found.append(Identifier(Scheme.CUSTOMER_PO, po, customer, strong=bool(customer)))
    if own := _text(order, "id"):
        found.append(Identifier(Scheme.SOURCE_ID, own, source))
    return found


def _packages(data: Node) -> list[Ref]:
    found: list[tuple[Identifier, ...]] = []
    for node in data.items("packages"):
        if isinstance(node.value, dict):
            schemes = (Scheme.TRACKING, Scheme.SSCC)
            ids = [(s, identifying(node.text(s.value))) for s in schemes]
        else:
            ids = [(Scheme.TRACKING, identifying(node.as_text()))]
        found.append(tuple(Identifier(scheme, text) for scheme, text in ids if text))
    tracking = data.at("tracking")
    several = tracking.elements() if isinstance(tracking.value, list) else [tracking]
    for number in map(identifying, (node.as_text() for node in several)):
        if number and not any(i.value == number for ids in found for i in ids):
            found.append((Identifier(Scheme.TRACKING, number),))
    return [Ref(ObjectKind.PACKAGE, ids) for ids in dict.fromkeys(found) if ids]


def _lines(data: Node, known: EventType | None, corrects: Sequence[str]) -> tuple[Line, ...]:
    found: dict[str, Line] = {}
    back = corrects or (known and known.value.startswith(("return.", "credit.")))
    for node in data.items("lines"):
        sku = node.text("sku")
        line_id = node.text("line_id") or sku or node.need("line_id")
        if line_id in found:
            raise PayloadError(Reason.MAPPING, node.path, f"line {line_id[:40]!r} stands twice")
        told = {
            measure: quantity
            for measure in map(MEASURES.get, node.keys())
            if measure is not None and (quantity := node.decimal(measure)) is not None
        }
        if not back and any(quantity < 0 for quantity in told.values()):
            raise PayloadError(Reason.QUANTITY, node.path, "a quantity is negative")
        found[line_id] = Line(
            line_id=line_id,
            sku=sku,
            description=node.text("description"),
            unit=node.text("unit") or "EA",
            price=node.decimal("price"),
            quantities=told,
        )
    return tuple(found.values())


def _attributes(data: Node, config: Mapping[str, str]) -> dict[Attribute, str]:
    order = data.at("order")
    found = {
        Attribute.CHANNEL: _text(order, "channel"),
        Attribute.CUSTOMER_NO: _text(order, "customer"),
        Attribute.CUSTOMER_NAME: _text(order, "customer_name"),
    }
    told = data.at("attributes")
    given = () if told.value is None else told.keys()
    for name in map(ATTRIBUTES.get, given):
        if name is None:
            continue
        if name in DATES:
            found[name] = _date(told.at(name), config)
        elif name is Attribute.TOTAL:
            total = told.decimal(name)
            found[name] = "" if total is None else plain(total)
        elif told.has(name):
            found[name] = told.text(name)
    return {name: text for name, text in found.items() if text}


def _date(node: Node, config: Mapping[str, str]) -> str:
    """A date as it is, a time in UTC."""
    text = node.as_text()
    moment = instant(text, node.path, config.get("zone") or None)
    if moment is None:
        return ""
    return text if Flag.DATE_ONLY in moment.flags else iso(moment.at)
