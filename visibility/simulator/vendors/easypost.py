"""All carriers through one tracker: EasyPost webhooks."""

import unicodedata
from collections.abc import Mapping
from typing import Any

import orjson

from visibility.simulator import document_numbers
from visibility.simulator.catalog import HUBS, ORIGINS
from visibility.simulator.model import Order, Scan, Step, rfc3339, when
from visibility.simulator.vendors.message import Message, digest

# Our word: status, status_detail, message, the carrier's code.
WORDS = {
    "label": ("pre_transit", "label_created", "Shipment information sent to {}", "OC"),
    "picked_up": ("in_transit", "arrived_at_facility", "Picked up", "PU"),
    "in_transit": ("in_transit", "departed_facility", "Departed {} location", "DP"),
    "delayed": ("in_transit", "delayed", "Delay: operational disruption", "DY"),
    "out_for_delivery": ("out_for_delivery", "out_for_delivery", "On vehicle for delivery", "OD"),
    "delivered": ("delivered", "arrived_at_destination", "Delivered", "DL"),
}


def write(order: Order, step: Step) -> Message:
    """The tracker with everything scanned so far; the list is repeated in full every time."""
    package, place = divmod(step.item, 8)
    shipment = order.shipments[step.shipment]
    code = shipment.packages[package].tracking
    scans = shipment.scans[: place + 1]
    identity = f"evt_{document_numbers.token('carrier', order.n, step.shipment, step.item)}"
    event: dict[str, Any] = {
        "id": identity,
        "object": "Event",
        "description": "tracker.updated" if place else "tracker.created",
        "mode": "production",
        "previous_attributes": {"status": WORDS[scans[-2].word][0]} if place else {},
        "created_at": rfc3339(step.at),
        "updated_at": rfc3339(step.at),
        "pending_urls": [],
        "completed_urls": [],
        "status": "pending",
        "user_id": "user_5f2c9b60",
        "result": _tracker(order, code, scans, _expected(shipment.scans)),
    }
    return Message("carrier", orjson.dumps(event), {"content-type": "application/json"}, identity)


def sign(message: Message, secret: str, _now: float) -> Mapping[str, str]:
    """`X-Hmac-Signature`; the secret is NFKD normalised."""
    key = unicodedata.normalize("NFKD", secret).encode()
    return {"x-hmac-signature": f"hmac-sha256-hex={digest(key, message.body).hex()}"}


def _expected(scans: tuple[Scan, ...]) -> str:
    """The carrier's estimate at the label: three days, whatever comes of it."""
    return rfc3339(scans[0].at - scans[0].at % 86400 + 3 * 86400)


def _place(city: str | None, state: str | None, code: str | None) -> dict[str, Any]:
    return {
        "object": "TrackingLocation",
        "city": city.upper() if city else None,
        "state": state,
        "country": "US",
        "zip": code,
    }


def _detail(order: Order, scan: Scan) -> dict[str, Any]:
    status, detail, text, code = WORDS[scan.word]
    customer, carrier = order.customer, order.carrier.name
    where: tuple[str | None, str | None, str | None]
    if scan.word == "label":
        where = (None, None, ORIGINS[order.warehouse][2])
    elif scan.word == "picked_up":
        where = ORIGINS[order.warehouse]
    elif scan.word in {"in_transit", "delayed"}:
        where = HUBS[order.n % len(HUBS)]
    else:
        where = (customer.city, customer.state, customer.postcode)
    return {
        "object": "TrackingDetail",
        "message": text.format(carrier),
        "description": text.format(carrier),
        "status": status,
        "status_detail": detail,
        "datetime": rfc3339(scan.at),
        "source": carrier,
        "carrier_code": code,
        "tracking_location": _place(*where),
    }


def _tracker(order: Order, code: str, scans: tuple[Scan, ...], expected: str) -> dict[str, Any]:
    status, detail, _, _ = WORDS[scans[-1].word]
    origin = ORIGINS[order.warehouse]
    customer = order.customer
    return {
        "id": f"trk_{document_numbers.token('tracker', code)}",
        "object": "Tracker",
        "mode": "production",
        "tracking_code": code,
        "status": status,
        "status_detail": detail,
        "created_at": rfc3339(scans[0].at),
        "updated_at": rfc3339(scans[-1].at),
        "signed_by": "RECEIVING" if status == "delivered" else None,
        "weight": 104.0,
        "est_delivery_date": expected,
        "shipment_id": None,
        "carrier": order.carrier.name,
        "tracking_details": [_detail(order, scan) for scan in scans],
        "carrier_detail": {
            "object": "CarrierDetail",
            "service": order.carrier.service,
            "container_type": None,
            "est_delivery_date_local": when(scans[0].at + 3 * 86400).date().isoformat(),
            "est_delivery_time_local": None,
            "origin_location": f"{origin[0]} {origin[1]} US".upper(),
            "origin_tracking_location": _place(*origin),
            "destination_location": f"{customer.city} {customer.state} US".upper(),
            "destination_tracking_location": None,
            "guaranteed_delivery_date": None,
            "alternate_identifier": None,
            "initial_delivery_attempt": None,
        },
        "finalized": status == "delivered",
        "is_return": False,
        "public_url": f"https://track.easypost.com/{document_numbers.token('url', code)}",
    }
