"""Converts the tracking history of a shipment, as the unified API and its webhooks report it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from connectors.sdk.event_builder import build_event
from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import Attribute, CanonicalEvent, EventType
from connectors.sdk.payload import Node
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.systems.project44.references import ReferencedShipment


class StopPosition(StrEnum):
    """Where on its route a shipment is."""

    FIRST = "first"
    BETWEEN = "between"
    LAST = "last"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RouteStop:
    """A stop: its position on the route, its number from 1, and its city."""

    position: StopPosition
    number: int
    location: str


NO_STOP = RouteStop(StopPosition.UNKNOWN, 0, "")
# Types with one meaning at every stop; those of truckload and LTL have two names.
TYPES: Mapping[str, EventType] = {
    "PICKED_UP": EventType.PICKED_UP,
    "OUT_FOR_DELIVERY": EventType.OUT_FOR_DELIVERY,
    "DELAYED": EventType.DELAYED,
    "EXCEPTION_DELAYED": EventType.DELAYED,
    "EXCEPTION_LATE_DEPARTURE": EventType.DELAYED,
    "EXCEPTION_MISSED_CONNECTION": EventType.DELAYED,
    "EXCEPTION": EventType.SHIPMENT_EXCEPTION,
    "HELD": EventType.SHIPMENT_EXCEPTION,
    "EXCEPTION_HELD": EventType.SHIPMENT_EXCEPTION,
    "DELIVERY_MISSED": EventType.SHIPMENT_EXCEPTION,
    "EXCEPTION_DELIVERY_MISSED": EventType.SHIPMENT_EXCEPTION,
    "PICKUP_MISSED": EventType.SHIPMENT_EXCEPTION,
    "EXCEPTION_PICKUP_MISSED": EventType.SHIPMENT_EXCEPTION,
    "RETURN_TO_SENDER": EventType.SHIPMENT_RETURNED,
}
# Types that depend on the stop; `first` of arrivals and loading moves no goods.
STOP_TYPES: Mapping[str, Mapping[StopPosition, EventType]] = {
    "ARRIVAL_AT_STOP": {
        StopPosition.BETWEEN: EventType.IN_TRANSIT,
        StopPosition.LAST: EventType.IN_TRANSIT,
        StopPosition.UNKNOWN: EventType.IN_TRANSIT,
    },
    "DEPARTURE_FROM_STOP": {
        StopPosition.FIRST: EventType.PICKED_UP,
        StopPosition.BETWEEN: EventType.IN_TRANSIT,
        StopPosition.LAST: EventType.DELIVERED,
        StopPosition.UNKNOWN: EventType.IN_TRANSIT,
    },
    "UNLOAD_FROM_VEHICLE": {
        StopPosition.BETWEEN: EventType.IN_TRANSIT,
        StopPosition.LAST: EventType.IN_TRANSIT,
        StopPosition.UNKNOWN: EventType.IN_TRANSIT,
    },
    "DELIVERY": {
        StopPosition.BETWEEN: EventType.IN_TRANSIT,
        StopPosition.LAST: EventType.DELIVERED,
        StopPosition.UNKNOWN: EventType.DELIVERED,
    },
    "LOAD": {},
    "LOAD_ONTO_VEHICLE": {},
}
# Types about the tracking itself, or about the vehicle, which change nothing for the goods.
NOT_ABOUT_GOODS = frozenset(
    {
        *("TRACKING_INITIATE", "TRACKING_START", "TRACKING_STOP", "TRACKING_COMPLETE"),
        *("TRACKING_FAILED", "TRACKING_END_BY_USER", "TRACKING_END_DUE_TO_TIMEOUT", "WARNING"),
        *("DRIVER_DENY_TRACKING", "MISSING_EQUIPMENT_IDENTIFIER", "MISSING_CARRIER"),
        *("UNKNOWN_EQUIPMENT_IDENTIFIER", "SHARING_STOPPED", "IDLE", "LOCATION_CHANGED"),
    }
)
MISSED_DELIVERIES = frozenset({"DELIVERY_MISSED", "EXCEPTION_DELIVERY_MISSED"})
ESTIMATED_TYPES = ("DELIVERY", "ARRIVAL_AT_STOP")


def history_events(body: Node, shipment: ReferencedShipment, zone: str) -> Iterator[CanonicalEvent]:
    """Yield the events that happened, and the estimated delivery."""
    stops = _stops(body)
    planned: dict[str, Node] = {}
    nodes = [(_type_of(node), node) for node in body.list_at("events")]
    is_missed = any(kind in MISSED_DELIVERIES for kind, _ in nodes)
    for kind, node in nodes:
        stop = stops.get(node.text_at("stopId"), NO_STOP)
        if is_missed and kind == "DEPARTURE_FROM_STOP" and stop.position is StopPosition.LAST:
            # The vehicle left with the goods; DELIVERY reports the delivery.
            stop = replace(stop, position=StopPosition.BETWEEN)
        if node.text_at("dateTime"):
            if event := _event(kind, node, shipment, stop, zone):
                yield event
        elif (
            kind in ESTIMATED_TYPES
            and stop.position in {StopPosition.LAST, StopPosition.UNKNOWN}
            and node.text_at("estimateDateTime")
        ):
            planned.setdefault(kind, node)
    for kind in ESTIMATED_TYPES:
        if kind in planned:
            yield _estimate(planned[kind], shipment, zone)
            return


def _type_of(node: Node) -> str:
    return node.text_at("type").strip().upper()


def _event(
    kind: str, node: Node, shipment: ReferencedShipment, stop: RouteStop, zone: str
) -> CanonicalEvent | None:
    """The event, or None if it is not about the goods. Unknown types are left unmapped."""
    if kind in NOT_ABOUT_GOODS:
        return None
    event_type: EventType | None = TYPES.get(kind, EventType.UNMAPPED)
    if kind in STOP_TYPES:
        event_type = STOP_TYPES[kind].get(stop.position)
    if event_type is None:
        return None
    at = parse_timestamp(node.text_at("dateTime"), f"{node.path}.dateTime", zone)
    # A stop is visited once: a corrected time replaces the earlier one.
    moment = node.text_at("stopId") or (format_rfc3339(at.time) if at else "")
    received = parse_timestamp(
        node.text_at("receivedDateTime"), f"{node.path}.receivedDateTime", zone
    )
    return build_event(
        event_type,
        f"{shipment.key} {kind} {moment}",
        at,
        *shipment.objects,
        attributes=stop_attributes(kind, stop, shipment)
        | reason_attributes(event_type, node.text_at("description")),
        revision=format_rfc3339(received.time) if received else "",
        raw_type=kind or "no type",
    )


def _estimate(node: Node, shipment: ReferencedShipment, zone: str) -> CanonicalEvent:
    path = f"{node.path}.estimateDateTime"
    eta = parse_timestamp(node.text_at("estimateDateTime"), path, zone)
    calculated = parse_timestamp(
        node.text_at("estimateLastCalculatedDateTime"),
        f"{node.path}.estimateLastCalculatedDateTime",
        zone,
    )
    return build_eta(shipment, format_rfc3339(eta.time) if eta else "", calculated)


def build_eta(shipment: ReferencedShipment, eta: str, at: ParsedTime | None) -> CanonicalEvent:
    """An estimated delivery, as of when it was calculated."""
    return build_event(
        EventType.ETA_UPDATED,
        f"{shipment.key} expected {eta} {format_rfc3339(at.time) if at else ''}".strip(),
        at,
        *shipment.objects,
        attributes={Attribute.ETA: eta, Attribute.CARRIER: shipment.carrier},
    )


def stop_attributes(
    status: str, stop: RouteStop, shipment: ReferencedShipment
) -> dict[Attribute, str]:
    """The attributes of what happened at a stop."""
    return {
        Attribute.CARRIER: shipment.carrier,
        Attribute.STATUS: status,
        Attribute.LOCATION: stop.location,
        Attribute.DETAIL: f"stop {stop.number}" if stop.number else "",
    }


def reason_attributes(event_type: EventType, description: str) -> dict[Attribute, str]:
    """The description: the reason of a delay or an exception, otherwise nothing."""
    has_reason = event_type in {EventType.DELAYED, EventType.SHIPMENT_EXCEPTION}
    return {Attribute.REASON: description} if has_reason else {}


def _stops(body: Node) -> Mapping[str, RouteStop]:
    """The stops of the route by id. Each ORIGIN is a first stop, the last DESTINATION the last."""
    shipment = body.required_object("shipment")
    holder = shipment if shipment.has_value("routeInfo") else body
    if not holder.has_value("routeInfo"):
        return {}
    nodes = holder.required_object("routeInfo").list_at("stops")
    kinds = [node.text_at("type").strip().upper() for node in nodes]
    destinations = [index for index, kind in enumerate(kinds) if kind == "DESTINATION"]
    last = destinations[-1] if destinations else len(nodes) - 1
    return {
        node.text_at("id"): RouteStop(
            StopPosition.FIRST
            if kinds[index] == "ORIGIN" or (index == 0 and "ORIGIN" not in kinds)
            else StopPosition.LAST
            if index == last
            else StopPosition.BETWEEN,
            index + 1,
            city_of(node),
        )
        for index, node in enumerate(nodes)
    }


def city_of(stop: Node) -> str:
    """The city, state and country of the address of a stop."""
    if not stop.has_value("location"):
        return ""
    location = stop.required_object("location")
    if not location.has_value("address"):
        return ""
    address = location.required_object("address")
    names = (address.text_at(name) for name in ("city", "state", "country"))
    return ", ".join(name for name in names if name)
