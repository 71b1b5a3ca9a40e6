"""Converts truckload notifications: the latest status of each stop."""

from collections.abc import Iterator

from connectors.sdk.event_builder import build_event
from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import CanonicalEvent, EventType
from connectors.sdk.payload import Node
from connectors.sdk.timestamps import parse_timestamp
from connectors.systems.project44.references import ReferencedShipment
from connectors.systems.project44.shipment_events import (
    STOP_TYPES,
    RouteStop,
    StopPosition,
    build_eta,
    city_of,
    stop_attributes,
)

# Each stop has one of these: EN_ROUTE until it is reached.
STOP_CODES = frozenset({"UNKNOWN", "EN_ROUTE", "ARRIVED", "DEPARTED"})
VISITS = (("arrivalDateTime", "ARRIVAL_AT_STOP"), ("departureDateTime", "DEPARTURE_FROM_STOP"))


def truckload_events(
    body: Node, shipment: ReferencedShipment, zone: str
) -> Iterator[CanonicalEvent]:
    """Yield arrivals and departures, and the estimated arrival at the last stop."""
    cities = {
        stop.text_at("stopNumber"): city_of(stop)
        for stop in body.required_object("shipment").list_at("shipmentStops")
    }
    statuses = body.list_at("latestStopStatuses")
    numbers = {*cities, *(status.text_at("stopNumber") for status in statuses)}
    last = max((int(number) for number in numbers if number.isdecimal()), default=0)
    for status in statuses:
        number = status.text_at("stopNumber")
        stop = RouteStop(_position(number, last), _number(number), cities.get(number, ""))
        code = status.text_at("statusCode").strip().upper()
        for name, kind in VISITS:
            at = parse_timestamp(status.text_at(name), f"{status.path}.{name}", zone)
            event_type = STOP_TYPES[kind].get(stop.position)
            if at and event_type:
                yield build_event(
                    event_type,
                    f"{shipment.key} {kind} {number}",
                    at,
                    *shipment.objects,
                    attributes=stop_attributes(kind, stop, shipment),
                    revision=format_rfc3339(at.time),
                    raw_type=kind,
                )
        if code and code not in STOP_CODES:
            yield build_event(
                EventType.UNMAPPED,
                f"{shipment.key} {code} {number}",
                None,
                *shipment.objects,
                attributes=stop_attributes(code, stop, shipment),
                raw_type=code,
            )
        elif code == "EN_ROUTE" and stop.position is StopPosition.LAST:
            yield from _estimate(status, shipment, zone)


def _estimate(status: Node, shipment: ReferencedShipment, zone: str) -> Iterator[CanonicalEvent]:
    if not status.has_value("arrivalEstimate"):
        return
    estimate = status.required_object("arrivalEstimate")
    if not estimate.has_value("estimatedArrivalWindow"):
        return
    window = estimate.required_object("estimatedArrivalWindow")
    text = window.text_at("endDateTime") or window.text_at("startDateTime")
    eta = parse_timestamp(text, window.path, zone)
    name = "lastCalculatedDateTime"
    calculated = parse_timestamp(estimate.text_at(name), f"{estimate.path}.{name}", zone)
    if eta:
        yield build_eta(shipment, format_rfc3339(eta.time), calculated)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _position(number: str, last: int) -> StopPosition:
    if not number.isdecimal():
        return StopPosition.UNKNOWN
    if int(number) <= 1:
        return StopPosition.FIRST
    return StopPosition.LAST if int(number) == last else StopPosition.BETWEEN
