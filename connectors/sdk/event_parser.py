"""Converts Throughline event data (see `event_schema`) to canonical events."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from connectors.sdk.event_codec import format_decimal
from connectors.sdk.events import (
    DATES,
    Attribute,
    CanonicalEvent,
    EventType,
    Flag,
)
from connectors.sdk.parse_event_lines import (
    MEASURES,
    date_unchanged_or_time_as_utc_text,
    parse_lines,
)
from connectors.sdk.parse_event_references import (
    ParsedReferences,
    member_text_or_plain_number,
    order_nodes,
    parse_references,
)
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.required_and_ignored_event_members import REQUIRED_MEMBERS
from connectors.sdk.settings import ParsedSettings, Setting, SettingType
from connectors.sdk.timestamps import ParsedTime

Term = TypeVar("Term", bound=StrEnum)
ATTRIBUTES: Mapping[str, Attribute] = {name.value: name for name in Attribute}
EVENT_TYPES = {kind.value: kind for kind in EventType if kind is not EventType.UNMAPPED}
ORDER_MEMBERS = {
    Attribute.CHANNEL: "channel",
    Attribute.CUSTOMER_NO: "customer",
    Attribute.CUSTOMER_NAME: "customer_name",
}
# Settings of every connector that reads this data.
SETTINGS = (
    Setting(
        "order_number",
        "The number range of order.number, such as sales_order@erp (default: its own).",
        SettingType.SCHEME_AT_ISSUER,
        label="Number range of orders",
    ),
    Setting(
        "prefix",
        "The prefix of event types, such as com.acme. in com.acme.order.received.",
        label="Prefix of event types",
    ),
    Setting(
        "zone",
        "The IANA time zone of times without an offset. Without it they are rejected.",
        SettingType.ZONE,
        label="Time zone",
    ),
)


def event_type_of_name_or_none(type_name: str, settings: ParsedSettings) -> EventType | None:
    """Return the event type of a sender's type name, or None if it is unknown."""
    return EVENT_TYPES.get(type_name.removeprefix(settings.text("prefix")))


def unknown_type_without_object_error(type_name: str, path: str) -> PayloadError:
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
    known_type = event_type_of_name_or_none(type_name, settings)
    if not isinstance(data.value, dict):
        if known_type is None:
            raise unknown_type_without_object_error(type_name, path)
        raise PayloadError(ParkReason.SCHEMA, data.path or "data", "expected an object")
    is_credit = known_type is EventType.CREDIT_ISSUED
    references = parse_references(data, settings, source, credit=is_credit)
    if not references.objects:
        if known_type is None:
            raise unknown_type_without_object_error(type_name, path)
        raise PayloadError(
            ParkReason.REFERENCE,
            data.path or "data",
            f"{type_name} refers to no order, shipment or invoice",
        )
    check_required_members(data, known_type, references)
    corrects = tuple(f"{key_prefix}{n.as_text()}" for n in data.list_at("corrects"))
    return CanonicalEvent(
        type=known_type or EventType.UNMAPPED,
        key=f"{key_prefix}{data.text_at('key') or key}",
        occurred_at=at.time if at else None,
        objects=references.objects,
        lines=parse_lines(
            data, references, settings, known_type=known_type, is_correction=bool(corrects)
        ),
        scope=data.text_at("part"),
        attributes=_parse_attributes(data, settings),
        revision=data.text_at("revision"),
        raw_type="" if known_type else type_name,
        flags=(*(at.flags if at else ()), *((Flag.SANITIZED,) * data.was_sanitized)),
        corrects=corrects,
        complete_measures=_parse_vocabulary_terms(data, "complete_measures", MEASURES),
        takes_back=_parse_vocabulary_terms(data, "takes_back", EVENT_TYPES),
    )


def _parse_vocabulary_terms(data: Node, member: str, terms: Mapping[str, Term]) -> tuple[Term, ...]:
    """The terms that a list of texts names. Raises PayloadError for an unknown name."""
    names = []
    for node in data.list_at(member):
        if node.as_text() not in terms:
            detail = f"{node.as_text()[:40]!r} is not in the vocabulary"
            raise PayloadError(ParkReason.MAPPING, node.path, detail)
        names.append(terms[node.as_text()])
    return tuple(dict.fromkeys(names))


def check_required_members(
    data: Node, known_type: EventType | None, references: ParsedReferences
) -> None:
    """Check that the object is given without which the type means nothing. Raises PayloadError."""
    required = REQUIRED_MEMBERS.get(known_type) if known_type else None
    if required and not any(ref.kind is required.kind for ref in references.objects):
        names = " or ".join(required.members)
        raise PayloadError(
            ParkReason.REFERENCE,
            data.get(required.members[0]).path,
            f"{known_type} needs {names} with a number",
        )


def _parse_attributes(data: Node, settings: ParsedSettings) -> dict[Attribute, str]:
    attributes = {}
    for own_name, member in ORDER_MEMBERS.items():
        texts = {member_text_or_plain_number(order, member) for order in order_nodes(data)}
        # An attribute holds for all orders of the event.
        attributes[own_name] = texts.pop() if len(texts) == 1 else ""
    node = data.get("attributes")
    keys = () if node.value is None else node.keys()
    for name in map(ATTRIBUTES.get, keys):
        if name is None:
            continue
        if name in DATES:
            attributes[name] = date_unchanged_or_time_as_utc_text(node.get(name), settings)
        elif name is Attribute.TOTAL:
            total = node.decimal_at(name)
            attributes[name] = "" if total is None else format_decimal(total)
        elif node.has_value(name):
            attributes[name] = node.text_at(name)
    return {name: text for name, text in attributes.items() if text}
