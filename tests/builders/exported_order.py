"""Test data for exports: three orders, one split, two sharing a shipment, corrected events."""

from tests.builders.sources import StoryEvent, create_sources, store_story
from visibility.models import Source
from visibility.pipeline import job_functions

ROLES = {"erp": "erp", "wms": "wms", "carrier": "carrier", "finance": "finance"}
SSCC = "340123450000000017"
STORY: list[StoryEvent] = [
    (
        "erp",
        "order.received",
        "2026-03-02T15:00:00Z",
        {
            "key": "SO-1 received",
            "order": {"number": "SO-1", "po": "PO 77", "customer": "C1", "customer_name": "Quist"},
            "lines": [
                {"line_id": "1", "sku": "A-1", "description": "Cable gland", "ordered": 8},
                {"line_id": "2", "sku": "B 2/5", "ordered": "3.5", "unit": "MT"},
            ],
            "attributes": {
                "total": "201.5",
                "currency": "USD",
                "promised_at": "2026-03-05",
                "detail": "Ask for Nora",
            },
        },
    ),
    (
        "erp",
        "order.changed",
        "2026-03-02T18:00:00Z",
        {
            "key": "SO-1 promise 2",
            "order": "SO-1",
            "attributes": {"promised_at": "2026-03-09", "total": "190"},
        },
    ),
    ("erp", "order.received", "2026-03-02T16:00:00Z", {"order": "SO-2", "key": "SO-2 received"}),
    ("erp", "order.received", "2026-03-02T17:00:00Z", {"order": "SO-3", "key": "SO-3 received"}),
    (
        "wms",
        "shipment.confirmed",
        "2026-03-03T15:00:00Z",
        {
            "key": "S1",
            "order": "SO-1",
            "shipment": {"number": "S1", "bol": "BOL 9"},
            "packages": [{"tracking": "1ZA1", "sscc": SSCC}, "1ZA2"],
            "part": "shipment S1",
            "lines": [{"line_id": "1", "sku": "A-1", "shipped": 5}],
            "attributes": {"warehouse": "Dallas 1"},
        },
    ),
    (
        "wms",
        "shipment.confirmed",
        "2026-03-04T15:00:00Z",
        {
            "key": "S2",
            "order": "SO-1",
            "shipment": "S2",
            "packages": ["1ZA3"],
            "part": "shipment S2",
            "lines": [{"line_id": "1", "sku": "A-1", "shipped": 3}],
        },
    ),
    *(
        (
            "wms",
            "shipment.confirmed",
            "2026-03-05T15:00:00Z",
            {
                "key": f"S3 of {order}",
                "order": order,
                "shipment": "S3",
                "packages": ["1ZA4"],
                "lines": [{"line_id": "1", "sku": "A-1", "shipped": 1}] * n,
            },
        )
        for order, n in (("SO-2", 0), ("SO-3", 1))
    ),
    (
        "wms",
        "shipment.confirmed",
        "2026-03-05T16:00:00Z",
        {"key": "S9", "order": "SO-2", "shipment": "S9", "packages": ["1ZA9"]},
    ),
    (
        "wms",
        "shipment.void",
        "2026-03-05T17:00:00Z",
        {
            "key": "S9 void",
            "order": "SO-2",
            "shipment": "S9",
            "packages": ["1ZA9"],
            "corrects": ["S9"],
        },
    ),
    (
        "carrier",
        "shipment.in_transit",
        "2026-03-06T08:00:00Z",
        {"key": "t1", "tracking": "1ZA4", "attributes": {"location": "Waco, TX"}},
    ),
    (
        "carrier",
        "shipment.delivered",
        "2026-03-07T08:00:00Z",
        {"key": "t2", "tracking": "1ZA4", "attributes": {"location": "Austin, TX"}},
    ),
    (
        "finance",
        "invoice.issued",
        "2026-03-08T08:00:00Z",
        {"key": "I1", "revision": "1", "order": "SO-1", "invoice": "INV-1"},
    ),
    (
        "finance",
        "invoice.issued",
        "2026-03-08T09:00:00Z",
        {"key": "I1", "revision": "2", "order": "SO-1", "invoice": "INV-1"},
    ),
    (
        "finance",
        "return.authorized",
        "2026-03-09T09:00:00Z",
        {"key": "R1", "order": "SO-1", "return": "RMA 5"},
    ),
]
# Expected log, counted by hand: two events are superseded (S9 and the first I1).
EVENTS = len(STORY) - 2
OBJECTS = {"order": 3, "shipment": 4, "package": 5, "invoice": 1, "return": 1, "item": 2}


def receive_story() -> dict[str, Source]:
    """Receive and process STORY; return the sources."""
    sources = create_sources(ROLES)
    store_story(sources, STORY)
    job_functions.process_messages_and_refold()
    return sources
