"""Carrier tracking of all carriers as EasyPost webhooks."""

import unicodedata
from collections.abc import Mapping
from typing import Any

import orjson

from visibility.simulator.document_numbers import deterministic_hex_token
from visibility.simulator.master_data import HUBS, ORIGINS
from visibility.simulator.simulated_order import (
    CarrierScan,
    SimulatedOrder,
    SimulatedStep,
    format_rfc3339,
    to_datetime,
)
from visibility.simulator.vendors.message import SimulatedMessage, hmac_sha256

# Scan -> status, status_detail, message, carrier code.
SCAN_DETAILS = {
    "label": ("pre_transit", "label_created", "Shipment information sent to {}", "OC"),
    "picked_up": ("in_transit", "arrived_at_facility", "Picked up", "PU"),
    "in_transit": ("in_transit", "departed_facility", "Departed {} location", "DP"),
    "delayed": ("in_transit", "delayed", "Delay: operational disruption", "DY"),
    "out_for_delivery": ("out_for_delivery", "out_for_delivery", "On vehicle for delivery", "OD"),
    "delivered": ("delivered", "arrived_at_destination", "Delivered", "DL"),
}


def build_message(order: SimulatedOrder, step: SimulatedStep) -> SimulatedMessage:
    """The tracker with all scans so far: EasyPost repeats the whole list in every webhook."""
    package, scan_index = divmod(step.scan_index, 8)
    shipment = order.shipments[step.shipment]
    code = shipment.packages[package].tracking
    scans = shipment.scans[: scan_index + 1]
    identity = f"evt_{deterministic_hex_token('carrier', order.n, step.shipment, step.scan_index)}"
    event: dict[str, Any] = {
        "id": identity,
        "object": "Event",
        "description": "tracker.updated" if scan_index else "tracker.created",
        "mode": "production",
        "previous_attributes": {"status": SCAN_DETAILS[scans[-2].status][0]} if scan_index else {},
        "created_at": format_rfc3339(step.at),
        "updated_at": format_rfc3339(step.at),
        "pending_urls": [],
        "completed_urls": [],
        "status": "pending",
        "user_id": "user_5f2c9b60",
        "result": _tracker(
            order, code, scans, _delivery_estimate_3_days_after_label(shipment.scans)
        ),
    }
    return SimulatedMessage(
        "carrier", orjson.dumps(event), {"content-type": "application/json"}, identity
    )


def build_signature_headers(
    message: SimulatedMessage, secret: str, _now: float
) -> Mapping[str, str]:
    """`X-Hmac-Signature`; EasyPost normalizes the secret with NFKD."""
    key = unicodedata.normalize("NFKD", secret).encode()
    return {"x-hmac-signature": f"hmac-sha256-hex={hmac_sha256(key, message.body).hex()}"}


def _delivery_estimate_3_days_after_label(scans: tuple[CarrierScan, ...]) -> str:
    """The carrier's delivery estimate when the label is created: always three days."""
    return format_rfc3339(scans[0].at - scans[0].at % 86400 + 3 * 86400)


def _tracking_location(city: str | None, state: str | None, code: str | None) -> dict[str, Any]:
    return {
        "object": "TrackingLocation",
        "city": city.upper() if city else None,
        "state": state,
        "country": "US",
        "zip": code,
    }


def _tracking_detail(order: SimulatedOrder, scan: CarrierScan) -> dict[str, Any]:
    status, detail, text, code = SCAN_DETAILS[scan.status]
    customer, carrier = order.customer, order.carrier.name
    location: tuple[str | None, str | None, str | None]
    if scan.status == "label":
        location = (None, None, ORIGINS[order.warehouse][2])
    elif scan.status == "picked_up":
        location = ORIGINS[order.warehouse]
    elif scan.status in {"in_transit", "delayed"}:
        location = HUBS[order.n % len(HUBS)]
    else:
        location = (customer.city, customer.state, customer.postcode)
    return {
        "object": "TrackingDetail",
        "message": text.format(carrier),
        "description": text.format(carrier),
        "status": status,
        "status_detail": detail,
        "datetime": format_rfc3339(scan.at),
        "source": carrier,
        "carrier_code": code,
        "tracking_location": _tracking_location(*location),
    }


def _tracker(
    order: SimulatedOrder, code: str, scans: tuple[CarrierScan, ...], expected: str
) -> dict[str, Any]:
    status, detail, _, _ = SCAN_DETAILS[scans[-1].status]
    origin = ORIGINS[order.warehouse]
    customer = order.customer
    return {
        "id": f"trk_{deterministic_hex_token('tracker', code)}",
        "object": "Tracker",
        "mode": "production",
        "tracking_code": code,
        "status": status,
        "status_detail": detail,
        "created_at": format_rfc3339(scans[0].at),
        "updated_at": format_rfc3339(scans[-1].at),
        "signed_by": "RECEIVING" if status == "delivered" else None,
        "weight": 104.0,
        "est_delivery_date": expected,
        "shipment_id": None,
        "carrier": order.carrier.name,
        "tracking_details": [_tracking_detail(order, scan) for scan in scans],
        "carrier_detail": {
            "object": "CarrierDetail",
            "service": order.carrier.service,
            "container_type": None,
            "est_delivery_date_local": to_datetime(scans[0].at + 3 * 86400).date().isoformat(),
            "est_delivery_time_local": None,
            "origin_location": f"{origin[0]} {origin[1]} US".upper(),
            "origin_tracking_location": _tracking_location(*origin),
            "destination_location": f"{customer.city} {customer.state} US".upper(),
            "destination_tracking_location": None,
            "guaranteed_delivery_date": None,
            "alternate_identifier": None,
            "initial_delivery_attempt": None,
        },
        "finalized": status == "delivered",
        "is_return": False,
        "public_url": f"https://track.easypost.com/{deterministic_hex_token('url', code)}",
    }
