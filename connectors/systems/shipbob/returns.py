"""Converts returns of ShipBob to canonical events."""

from collections.abc import Iterator

from connectors.sdk.event_builder import build_event
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventType,
    Flag,
    IdentifierScheme,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.timestamps import parse_timestamp
from connectors.systems.shipbob.product_lines import return_lines

# The status of a return, with the field of its time and what it means.
STATES = {
    "AwaitingArrival": ("insert_date", EventType.RETURN_AUTHORIZED),
    "Arrived": ("arrived_date", EventType.RETURN_RECEIVED),
    "Processing": ("arrived_date", EventType.RETURN_RECEIVED),
    "Completed": ("arrived_date", EventType.RETURN_RECEIVED),
}


def return_events(document: Node, source: str) -> Iterator[CanonicalEvent]:
    """Yield the state of a return. Cancelled and unknown ones are left unmapped.

    Units count as returned once they arrived; a completed return has what was processed.
    """
    number, status = document.required_text("id"), document.text_at("status")
    field, kind = STATES.get(status.replace(" ", ""), ("insert_date", EventType.UNMAPPED))
    keys = (field, "completed_date", "insert_date")
    times = [parse_timestamp(document.text_at(k), document.get(k).path, "UTC") for k in keys]
    time = next((known for known in times if known), None)
    identifiers = [EventIdentifier(IdentifierScheme.SOURCE_ID, number, source)]
    reference = blank_if_placeholder(document.text_at("reference_id"))
    if reference:
        identifiers.append(EventIdentifier(IdentifierScheme.RMA, reference, source))
    objects = [ObjectReference(ObjectKind.RETURN, tuple(identifiers))]
    shipment = blank_if_placeholder(document.text_at("original_shipment_id"))
    if shipment:
        identifier = EventIdentifier(IdentifierScheme.SOURCE_ID, shipment, source)
        objects.insert(0, ObjectReference(ObjectKind.SHIPMENT, (identifier,)))
    is_received = kind is EventType.RETURN_RECEIVED
    yield build_event(
        kind,
        f"return {number} {'received' if is_received else status}".strip(),
        time,
        *objects,
        lines=return_lines(document) if is_received else (),
        scope=f"return {number}",
        attributes={Attribute.STATUS: status},
        revision=document.text_at("completed_date") or document.text_at("arrived_date"),
        raw_type=f"return {status}",
        flags=(Flag.TIME_RECEIVED,) * (time is None),
    )
