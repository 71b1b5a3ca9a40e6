"""Converts Throughline event data (see `event_schema`) to canonical events."""

from collections.abc import Iterator, Mapping, Sequence

from connectors.sdk.event_codec import format_decimal, format_rfc3339
from connectors.sdk.event_schema import DATES
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
)
from connectors.sdk.identifier_parsing import (
    SCHEMES,
    blank_if_placeholder,
    can_be_strong,
    usual_issuer,
)
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.settings import ParsedSettings, Setting, SettingType
from connectors.sdk.timestamps import ParsedTime, parse_timestamp

MEASURES: Mapping[str, Measure] = {measure.value: measure for measure in Measure}
ATTRIBUTES: Mapping[str, Attribute] = {name.value: name for name in Attribute}
EVENT_TYPES = {kind.value: kind for kind in EventType if kind is not EventType.UNMAPPED}
# Settings of every connector that reads this data.
SETTINGS = (
    Setting(
        "order_number",
        "The number range of order.number, such as sales_order@erp (default: its own).",
        SettingType.SCHEME_AT_ISSUER,
    ),
    Setting("prefix", "The prefix of event types, such as com.acme. in com.acme.order.received."),
    Setting(
        "zone",
        "The IANA time zone of times without an offset. Without it they are rejected.",
        SettingType.ZONE,
    ),
)


def find_event_type(type_name: str, settings: ParsedSettings) -> EventType | None:
    """Return the event type of a sender's type name, or None if it is unknown."""
    return EVENT_TYPES.get(type_name.removeprefix(settings.text("prefix")))


def unknown_type_error(type_name: str, path: str) -> PayloadError:
    """The error for an unknown type whose data refers to no tracked object."""
    return PayloadError(
        ParkReason.MAPPING,
        path,
        f"unknown event type {type_name[:80]!r}, and no order, shipment or invoice is given",
    )


def parse_event(
    data: Node,
    *,
    type_name: str,
    path: str,
    key: str,
    at: ParsedTime | None,
    settings: ParsedSettings,
    source: str,
    key_prefix: str = "",
) -> CanonicalEvent:
    """Convert `data` (see `event_schema.SCHEMA`) to an event. Raises PayloadError.

    `type_name` is the sender's event type, at `path` of the document. `key_prefix` is prepended to
    all keys.
    """
    known_type = find_event_type(type_name, settings)
    if not isinstance(data.value, dict):
        if known_type is None:
            raise unknown_type_error(type_name, path)
        raise PayloadError(ParkReason.SCHEMA, data.path or "data", "expected an object")
    is_credit = known_type is EventType.CREDIT_ISSUED
    objects = _parse_object_references(data, settings, source, credit=is_credit)
    if not objects:
        if known_type is None:
            raise unknown_type_error(type_name, path)
        raise PayloadError(
            ParkReason.REFERENCE,
            data.path or "data",
            f"{type_name} refers to no order, shipment or invoice",
        )
    corrects = tuple(f"{key_prefix}{n.as_text()}" for n in data.list_at("corrects"))
    return CanonicalEvent(
        type=known_type or EventType.UNMAPPED,
        key=f"{key_prefix}{data.text_at('key') or key}",
        occurred_at=at.time if at else None,
        objects=objects,
        lines=_parse_lines(data, known_type, corrects),
        scope=data.text_at("part"),
        attributes=_parse_attributes(data, settings),
        revision=data.text_at("revision"),
        raw_type="" if known_type else type_name,
        flags=(*(at.flags if at else ()), *((Flag.SANITIZED,) * data.was_sanitized)),
        corrects=corrects,
    )


def _clean_member_text(node: Node, member: str) -> str:
    """Return a member of an object, or plain text as its number."""
    if node.value is None:
        return ""
    if isinstance(node.value, dict):
        return blank_if_placeholder(node.text_at(member))
    return blank_if_placeholder(node.as_text()) if member == "number" else ""


def _parse_object_references(
    data: Node, settings: ParsedSettings, source: str, *, credit: bool
) -> tuple[ObjectReference, ...]:
    shipment_node = data.get("shipment")
    shipment = [
        *_own_identifiers(shipment_node, IdentifierScheme.SHIPMENT, source),
        *(
            EventIdentifier(scheme, text, strong=False)
            for scheme in (IdentifierScheme.BOL, IdentifierScheme.PRO)
            if (text := _clean_member_text(shipment_node, scheme.value))
        ),
    ]
    invoice_scheme = IdentifierScheme.CREDIT_MEMO if credit else IdentifierScheme.INVOICE
    refs = [
        ObjectReference(kind, tuple(dict.fromkeys(ids)))
        for kind, ids in (
            (ObjectKind.ORDER, _order_identifiers(data.get("order"), settings, source)),
            (ObjectKind.SHIPMENT, shipment),
            (ObjectKind.INVOICE, _own_identifiers(data.get("invoice"), invoice_scheme, source)),
            (ObjectKind.RETURN, _own_identifiers(data.get("return"), IdentifierScheme.RMA, source)),
        )
        if ids
    ]
    return (*refs, *_parse_package_references(data, source))


def _own_identifiers(node: Node, scheme: IdentifierScheme, source: str) -> list[EventIdentifier]:
    ids = (
        (scheme, _clean_member_text(node, "number")),
        (IdentifierScheme.SOURCE_ID, _clean_member_text(node, "id")),
    )
    return [
        *(EventIdentifier(kind, text, source) for kind, text in ids if text),
        *_listed_identifiers(node, source),
    ]


def _listed_identifiers(node: Node, source: str) -> Iterator[EventIdentifier]:
    """Yield the members of `numbers`: also numbers that other systems issued."""
    if not isinstance(node.value, dict):
        return
    for number in node.list_at("numbers"):
        scheme = number.required_text("scheme")
        if scheme not in SCHEMES:
            path = number.get("scheme").path
            raise PayloadError(ParkReason.MAPPING, path, f"{scheme[:40]!r} is not a scheme")
        kind = IdentifierScheme(scheme)
        issuer = number.text_at("issuer") or usual_issuer(kind, source)
        if value := blank_if_placeholder(number.required_text("value")):
            strong = can_be_strong(kind, issuer) and not number.boolean_at("weak")
            yield EventIdentifier(kind, value, issuer, strong=strong)


def _order_identifiers(order: Node, settings: ParsedSettings, source: str) -> list[EventIdentifier]:
    scheme, issuer = settings.number_range("order_number", (IdentifierScheme.ORDER_NUMBER, source))
    identifiers = []
    if number := _clean_member_text(order, "number"):
        identifiers.append(EventIdentifier(scheme, number, issuer))
    if po := _clean_member_text(order, "po"):
        customer = _clean_member_text(order, "customer")
        identifiers.append(
            EventIdentifier(IdentifierScheme.CUSTOMER_PO, po, customer, strong=bool(customer))
        )
    if source_id := _clean_member_text(order, "id"):
        identifiers.append(EventIdentifier(IdentifierScheme.SOURCE_ID, source_id, source))
    return [*identifiers, *_listed_identifiers(order, source)]


def _parse_package_references(data: Node, source: str) -> list[ObjectReference]:
    packages: list[tuple[EventIdentifier, ...]] = []
    for node in data.list_at("packages"):
        if isinstance(node.value, dict):
            schemes = (IdentifierScheme.TRACKING, IdentifierScheme.SSCC)
            ids = [(s, blank_if_placeholder(node.text_at(s.value))) for s in schemes]
        else:
            ids = [(IdentifierScheme.TRACKING, blank_if_placeholder(node.as_text()))]
        known = [EventIdentifier(scheme, text) for scheme, text in ids if text]
        packages.append(tuple(dict.fromkeys([*known, *_listed_identifiers(node, source)])))
    tracking = data.get("tracking")
    tracking_nodes = tracking.as_list() if isinstance(tracking.value, list) else [tracking]
    for number in map(blank_if_placeholder, (node.as_text() for node in tracking_nodes)):
        if number and not any(i.value == number for ids in packages for i in ids):
            packages.append((EventIdentifier(IdentifierScheme.TRACKING, number),))
    return [ObjectReference(ObjectKind.PACKAGE, ids) for ids in dict.fromkeys(packages) if ids]


def _parse_lines(
    data: Node, known_type: EventType | None, corrects: Sequence[str]
) -> tuple[EventLine, ...]:
    lines: dict[str, EventLine] = {}
    allows_negative = corrects or (
        known_type and known_type.value.startswith(("return.", "credit."))
    )
    for node in data.list_at("lines"):
        sku = node.text_at("sku")
        line_id = node.text_at("line_id") or sku or node.required_text("line_id")
        if line_id in lines:
            raise PayloadError(ParkReason.MAPPING, node.path, f"duplicate line {line_id[:40]!r}")
        quantities = {
            measure: quantity
            for measure in map(MEASURES.get, node.keys())
            if measure is not None and (quantity := node.decimal_at(measure)) is not None
        }
        if not allows_negative and any(quantity < 0 for quantity in quantities.values()):
            raise PayloadError(ParkReason.QUANTITY, node.path, "a quantity is negative")
        lines[line_id] = EventLine(
            line_id=line_id,
            sku=sku,
            description=node.text_at("description"),
            unit=node.text_at("unit") or "EA",
            price=node.decimal_at("price"),
            quantities=quantities,
        )
    return tuple(lines.values())


def _parse_attributes(data: Node, settings: ParsedSettings) -> dict[Attribute, str]:
    order = data.get("order")
    attributes = {
        Attribute.CHANNEL: _clean_member_text(order, "channel"),
        Attribute.CUSTOMER_NO: _clean_member_text(order, "customer"),
        Attribute.CUSTOMER_NAME: _clean_member_text(order, "customer_name"),
    }
    node = data.get("attributes")
    keys = () if node.value is None else node.keys()
    for name in map(ATTRIBUTES.get, keys):
        if name is None:
            continue
        if name in DATES:
            attributes[name] = _format_date_or_utc_time(node.get(name), settings)
        elif name is Attribute.TOTAL:
            total = node.decimal_at(name)
            attributes[name] = "" if total is None else format_decimal(total)
        elif node.has_value(name):
            attributes[name] = node.text_at(name)
    return {name: text for name, text in attributes.items() if text}


def _format_date_or_utc_time(node: Node, settings: ParsedSettings) -> str:
    """Return a date unchanged and a time in UTC."""
    text = node.as_text()
    parsed = parse_timestamp(text, node.path, settings.text("zone") or None)
    if parsed is None:
        return ""
    return text if Flag.DATE_ONLY in parsed.flags else format_rfc3339(parsed.time)
