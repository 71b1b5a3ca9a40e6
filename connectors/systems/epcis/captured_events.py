"""EPCIS events: what each says of orders, shipments and packages."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from connectors.sdk import event_builder
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.systems.epcis.gs1_keys import Gtin, gln_text, gtin_of, sscc_of
from connectors.systems.epcis.vocabulary import (
    MEASURES,
    RETURNED,
    RETURNED_TYPES,
    STEP_TYPES,
    TRANSACTION_KINDS,
    bare_term,
    transaction_number,
)

EVENT_KINDS = frozenset(
    {"ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent"}
    | {"AssociationEvent"}
)


@dataclass(frozen=True, slots=True)
class EpcisSettings:
    """Number ranges of business transactions, and customers by the GLN that issues their orders."""

    source: str
    numbers: Mapping[ObjectKind, tuple[IdentifierScheme, str]]
    customers: Mapping[str, str]


@dataclass(slots=True)
class _Contents:
    """The packages and the items of an event, in the order in which they are named."""

    packages: dict[str, None] = field(default_factory=dict)
    quantities: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    serials: dict[str, list[str]] = field(default_factory=dict)

    def add_epc(self, uri: str) -> None:
        """Add a package (SSCC) or one piece (GTIN with a serial). Other keys are skipped."""
        if sscc := sscc_of(uri):
            self.packages[sscc] = None
        elif (gtin := gtin_of(uri)) is not None:
            self.add_quantity(gtin, Decimal(1), "EA")
            if gtin.serial:
                self.serials.setdefault(gtin.number, []).append(gtin.serial)

    def add_quantity(self, gtin: Gtin, quantity: Decimal, unit: str) -> None:
        """Add a quantity of an item."""
        key = (gtin.number, unit)
        self.quantities[key] = self.quantities.get(key, Decimal(0)) + quantity


def read_event(node: Node, settings: EpcisSettings) -> CanonicalEvent | None:
    """Convert an EPCIS event; None if it names no order, shipment, package, invoice or return.

    Its key is the eventID, else a digest of its content. An errorDeclaration withdraws the event
    with the same eventID. Raises PayloadError.
    """
    kind = node.required_text("type").rpartition(":")[2].rpartition("#")[2]
    if kind not in EVENT_KINDS:
        raise PayloadError(ParkReason.SCHEMA, node.get("type").path, f"{kind[:40]!r} is no event")
    key = node.text_at("eventID") or _content_key(node.value)
    at = _event_time(node)
    step, disposition = bare_term(node.text_at("bizStep")), bare_term(node.text_at("disposition"))
    action = node.text_at("action")
    event_type = _event_type(step, disposition, action)
    contents = _read_contents(node, kind)
    transactions = list(_transaction_references(node, settings))
    packages = [
        ObjectReference(ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.SSCC, sscc),))
        for sscc in contents.packages
    ]
    objects = [*transactions, *packages]
    if not objects:
        return None
    if node.has_value("errorDeclaration"):
        return _withdrawal(node.required_object("errorDeclaration"), key, objects)
    package = len(transactions) if kind == "AggregationEvent" and sscc_of(_parent(node)) else -1
    location = node.get("bizLocation") if node.has_value("bizLocation") else node.get("readPoint")
    location_uri = (
        location.text_at("id") if isinstance(location.value, dict) else location.as_text()
    )
    terms = " ".join(filter(None, ("epcis", step or kind, action if action == "DELETE" else "")))
    return event_builder.build_event(
        event_type,
        key,
        at,
        *objects,
        lines=_lines(contents, event_type, package),
        scope=f"epcis {key}",
        attributes={
            Attribute.LOCATION: gln_text(location_uri),
            Attribute.STATUS: " ".join(filter(None, (step, disposition))),
        },
        raw_type=terms if event_type is EventType.UNMAPPED else "",
    )


def _content_key(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _event_time(node: Node) -> ParsedTime | None:
    """Return eventTime. It has an offset of its own; without, eventTimeZoneOffset is used."""
    text = node.required_text("eventTime")
    path = node.get("eventTime").path
    offset = node.text_at("eventTimeZoneOffset")
    has_offset = text.endswith("Z") or "+" in text[10:] or "-" in text[10:]
    return parse_timestamp(text if has_offset or not offset else f"{text}{offset}", path)


def _event_type(step: str, disposition: str, action: str) -> EventType:
    if action == "DELETE" and step != "void_shipping":
        return EventType.UNMAPPED
    if disposition == RETURNED and step in RETURNED_TYPES:
        return RETURNED_TYPES[step]
    if step == "picking" and disposition == "in_progress":
        return EventType.PICK_STARTED
    return STEP_TYPES.get(step, EventType.UNMAPPED)


def _parent(node: Node) -> str:
    return node.text_at("parentID")


def _read_contents(node: Node, kind: str) -> _Contents:
    contents = _Contents()
    if parent := _parent(node):
        contents.add_epc(parent)
    names = ["epcList", "childEPCs"]
    names += ["outputEPCList"] if kind == "TransformationEvent" else []
    for name in names:
        for epc in node.list_at(name):
            contents.add_epc(epc.as_text())
    for name in ("quantityList", "childQuantityList", "outputQuantityList"):
        for entry in node.list_at(name):
            gtin = gtin_of(entry.required_text("epcClass"))
            quantity = entry.decimal_at("quantity")
            if gtin is not None and quantity is not None:
                contents.add_quantity(gtin, quantity, entry.text_at("uom") or "EA")
    return contents


def _lines(contents: _Contents, event_type: EventType, package: int) -> Iterator[EventLine]:
    """Yield a line per item. Serial numbers are those of pieces that the event names one by one."""
    measure = MEASURES.get(event_type)
    for (gtin, unit), quantity in contents.quantities.items():
        quantities: dict[Measure, Decimal] = {} if measure is None else {measure: quantity}
        line = EventLine(gtin, gtin, unit=unit, quantities=quantities, package_index=package)
        yield replace(line, serials=tuple(contents.serials.get(gtin, ())) if unit == "EA" else ())


def _transaction_references(node: Node, settings: EpcisSettings) -> Iterator[ObjectReference]:
    """Yield the orders (po), shipments (desadv, bol), invoices (inv) and returns (rma)."""
    for entry in node.list_at("bizTransactionList"):
        term = bare_term(entry.text_at("type"))
        gln, number = transaction_number(entry.required_text("bizTransaction"))
        number = blank_if_placeholder(number)
        if not number:
            continue
        kind = TRANSACTION_KINDS.get(term)
        if term == "bol":
            bol = EventIdentifier(IdentifierScheme.BOL, number, strong=False)
            yield ObjectReference(ObjectKind.SHIPMENT, (bol,))
        elif kind is ObjectKind.ORDER and gln in settings.customers:
            customer = settings.customers[gln]
            po = EventIdentifier(IdentifierScheme.CUSTOMER_PO, number, customer)
            yield ObjectReference(ObjectKind.ORDER, (po,))
        elif kind is not None:
            scheme, issuer = settings.numbers[kind]
            yield ObjectReference(kind, (EventIdentifier(scheme, number, issuer),))


def _withdrawal(declaration: Node, key: str, objects: list[ObjectReference]) -> CanonicalEvent:
    """Return the event that withdraws `key`: it did not occur, or its data were incorrect."""
    path = declaration.get("declarationTime").path
    return event_builder.build_event(
        EventType.UNMAPPED,
        f"{key} error",
        parse_timestamp(declaration.text_at("declarationTime"), path),
        *objects,
        attributes={Attribute.REASON: bare_term(declaration.text_at("reason"))},
        raw_type="epcis error declaration",
        corrects=(key,),
    )
