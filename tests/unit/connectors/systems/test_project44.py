"""project44: who may send, what stops mean, and which objects a shipment names."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import RawMessage
from connectors.sdk.events import CanonicalEvent, EventType, ObjectKind
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.project44.connector import Project44

NOW = datetime(2026, 3, 6, 18, tzinfo=UTC)
SECRET = b"p44:a-long-password-of-project44"
STOPS = [
    {"id": "s1", "type": "ORIGIN"},
    {"id": "s2", "type": "TERMINAL"},
    {"id": "s3", "type": "DESTINATION"},
]


def connector(**settings: str) -> Project44:
    return Project44({"source": "p44", **settings})


def events_of(*events: dict[str, Any], stops: Any = STOPS, **settings: str) -> list[CanonicalEvent]:
    shipment = {"id": "S-1", "identifiers": [], "routeInfo": {"stops": stops}}
    body = json.dumps({"shipment": shipment, "events": list(events)}).encode()
    return list(connector(**settings).parse(RawMessage(body, {}, NOW)).events)


def happened(kind: str, stop: str, hour: int = 9) -> dict[str, Any]:
    return {"type": kind, "stopId": stop, "dateTime": f"2026-03-05T{hour:02}:00:00-0500"}


def request(**headers: str) -> WebhookRequest:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return WebhookRequest("POST", "/hooks/p44", {}, names, b"{}")


@pytest.mark.parametrize(
    ("config", "headers"),
    [
        (
            {"authentication": "basic"},
            {"authorization": f"Basic {base64.b64encode(SECRET).decode()}"},
        ),
        ({"authentication": "bearer"}, {"authorization": f"Bearer {SECRET.decode()}"}),
        ({"header": "X-Own-Key"}, {"x_own_key": SECRET.decode()}),
    ],
)
def test_each_authentication_accepts_the_secret_only_in_its_own_header(
    config: dict[str, str], headers: dict[str, str]
) -> None:
    source = connector(**config)
    source.verify(request(**headers), [b"an older secret", SECRET], NOW)
    signed = source.build_signed_headers(b"{}", SECRET, NOW)
    assert signed == {name.replace("_", "-"): value for name, value in headers.items()}
    wrong = {name: value[:-4] + "AAA=" for name, value in headers.items()}
    for refused in ({}, wrong, {"x_api_key": SECRET.decode()}, {"authorization": "Basic %%%"}):
        with pytest.raises(InvalidSignature):
            source.verify(request(**refused), [SECRET], NOW)


def test_what_a_departure_means_depends_on_the_stop() -> None:
    departures = [happened("DEPARTURE_FROM_STOP", f"s{n}", 8 + n) for n in (1, 2, 3)]
    assert [event.type for event in events_of(*departures)] == [
        EventType.PICKED_UP,
        EventType.IN_TRANSIT,
        EventType.DELIVERED,
    ]
    # Without a stop, nothing says that the goods arrived.
    assert [e.type for e in events_of(happened("DEPARTURE_FROM_STOP", "s9"))] == [
        EventType.IN_TRANSIT
    ]


def test_an_arrival_at_the_first_stop_moves_no_goods() -> None:
    assert events_of(happened("ARRIVAL_AT_STOP", "s1"), happened("LOAD", "s1")) == []


def test_a_vehicle_that_leaves_after_a_missed_delivery_has_not_delivered() -> None:
    events = events_of(
        happened("DELIVERY_MISSED", "s3", 9), happened("DEPARTURE_FROM_STOP", "s3", 10)
    )
    assert [event.type for event in events] == [
        EventType.SHIPMENT_EXCEPTION,
        EventType.IN_TRANSIT,
    ]


def test_a_corrected_time_of_a_stop_replaces_the_earlier_one() -> None:
    first = {**happened("PICKED_UP", "s1", 9), "receivedDateTime": "2026-03-05T15:00:00Z"}
    later = {**happened("PICKED_UP", "s1", 8), "receivedDateTime": "2026-03-05T16:00:00Z"}
    (reported,) = events_of(first)
    (corrected,) = events_of(later)
    assert reported.key == corrected.key
    assert corrected.revision > reported.revision


def test_only_the_estimate_of_the_last_stop_is_the_expected_delivery() -> None:
    def estimate(stop: str, hour: int) -> dict[str, Any]:
        return {
            "type": "ARRIVAL_AT_STOP",
            "stopId": stop,
            "estimateDateTime": f"2026-03-07T{hour:02}:00:00-0500",
            "estimateLastCalculatedDateTime": "2026-03-05T12:00:00Z",
        }

    (event,) = events_of(estimate("s2", 9), estimate("s3", 15))
    assert event.type is EventType.ETA_UPDATED
    assert event.attributes["eta"] == "2026-03-07T20:00:00.000000Z"  # type: ignore[index]
    assert event.occurred_at == datetime(2026, 3, 5, 12, tzinfo=UTC)


def test_an_unknown_type_is_unmapped() -> None:
    (event,) = events_of(happened("ENTERED_GEOFENCE", "s2"))
    assert (event.type, event.raw_type) == (EventType.UNMAPPED, "ENTERED_GEOFENCE")


@pytest.mark.parametrize(
    ("config", "is_strong"), [({}, False), ({"bill_of_lading": "shipment@wms"}, True)]
)
def test_a_bill_of_lading_identifies_a_shipment_only_within_its_number_range(
    config: dict[str, str], is_strong: bool
) -> None:
    identifiers = [
        {"type": "BILL_OF_LADING", "value": "SH-77"},
        {"type": "PRO", "value": "448120937"},
        {"type": "PURCHASE_ORDER", "value": "PO-1"},
    ]
    body = {
        "shipment": {"id": "S-1", "identifiers": identifiers},
        "events": [{"type": "PICKED_UP", "dateTime": "2026-03-05T09:00:00Z"}],
    }
    message = RawMessage(json.dumps(body).encode(), {}, NOW)
    (event,) = connector(**config).parse(message).events
    kinds = {reference.kind: reference.identifiers for reference in event.objects}
    strong = {number.value: number.strong for number in kinds[ObjectKind.SHIPMENT]}
    assert strong == {"S-1": True, "SH-77": is_strong, "448120937": False}
    assert [(n.value, n.strong) for n in kinds[ObjectKind.ORDER]] == [("PO-1", False)]


def test_basic_credentials_need_the_scheme_basic() -> None:
    text = base64.b64encode(SECRET).decode()
    with pytest.raises(InvalidSignature):
        connector(authentication="basic").verify(
            request(authorization=f"Token {text}"), [SECRET], NOW
        )


def test_a_truckload_is_delivered_at_its_last_stop_only() -> None:
    def status(number: int, code: str, *hours: int) -> dict[str, Any]:
        names = ("arrivalDateTime", "departureDateTime")
        times = (f"2026-03-04T{hour:02}:00:00-0600" for hour in hours)
        return {"stopNumber": number, "statusCode": code, **dict(zip(names, times, strict=False))}

    body = {
        "shipment": {"id": 7, "shipmentStops": [{"stopNumber": n} for n in (1, 2, 3, 4)]},
        "latestStopStatuses": [
            status(1, "DEPARTED", 8, 9),
            status(2, "DEPARTED", 11, 12),
            status(3, "ARRIVED", 14),
            status(4, "TELEPORTED"),
        ],
    }
    events = connector().parse(RawMessage(json.dumps(body).encode(), {}, NOW)).events
    assert [(event.type, event.key) for event in events] == [
        (EventType.PICKED_UP, "7 DEPARTURE_FROM_STOP 1"),
        (EventType.IN_TRANSIT, "7 ARRIVAL_AT_STOP 2"),
        (EventType.IN_TRANSIT, "7 DEPARTURE_FROM_STOP 2"),
        (EventType.IN_TRANSIT, "7 ARRIVAL_AT_STOP 3"),
        (EventType.UNMAPPED, "7 TELEPORTED 4"),
    ]
