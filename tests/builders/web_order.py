"""A sample order: the messages of all its source systems, each in its vendor's format."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

# slug -> (connector, role, settings)
SOURCES: Mapping[str, tuple[str, str, dict[str, str]]] = {
    "shop": ("shopify", "shop", {}),
    "erp": ("business_central", "erp", {"web_orders": "shop"}),
    "wms": ("shiphero", "wms", {"order_number": "sales_order@erp"}),
    "carrier": ("easypost", "carrier", {}),
    "finance": ("standard_webhooks", "finance", {"order_number": "sales_order@erp"}),
    "edi": ("x12", "edi", {"own": "US"}),
    "generic": ("cloudevents", "other", {"order_number": "sales_order@erp"}),
}


@dataclass(frozen=True)
class SampleMessage:
    """One message of a source."""

    source: str
    body: bytes
    headers: Mapping[str, str]


def json_message(source: str, body: Any, **headers: str) -> SampleMessage:
    """A JSON message; header names are written with underscores instead of dashes."""
    header_names = {name.replace("_", "-"): value for name, value in headers.items()}
    return SampleMessage(
        source, orjson.dumps(body), {"content-type": "application/json", **header_names}
    )


def web_order_messages() -> list[SampleMessage]:
    """Web order #4711: two lines, shipped in two packages, scanned, delivered and invoiced."""
    return [
        json_message("shop", SHOP_ORDER, x_shopify_topic="orders/create"),
        json_message("erp", {**ERP_ORDER, "status": "Draft"}, x_bc_entity="salesOrders"),
        json_message("erp", {**ERP_ORDER, **RELEASED}, x_bc_entity="salesOrders"),
        json_message("wms", ALLOCATED),
        json_message(
            "wms", shipment(9001, "1ZA0000000000000A1", "2026-03-03 15:00:00", [("1", "A-1", 5)])
        ),
        json_message(
            "wms", shipment(9002, "1ZA0000000000000A2", "2026-03-04 10:00:00", [("2", "B-2", 3)])
        ),
        json_message("carrier", tracker("trk_a1", "1ZA0000000000000A1", [SCAN_1, DELIVERED_1])),
        json_message("carrier", tracker("trk_a2", "1ZA0000000000000A2", [SCAN_2, DELIVERED_2])),
        json_message("finance", INVOICE),
    ]


SHOP_ORDER = {
    "id": 820982911946154500,
    "name": "#4711",
    "order_number": 4711,
    "created_at": "2026-03-02T09:00:00-06:00",
    "processed_at": "2026-03-02T09:00:00-06:00",
    "updated_at": "2026-03-02T09:00:05-06:00",
    "financial_status": "paid",
    "currency": "USD",
    "total_price": "181.50",
    "test": False,
    "customer": {"id": 115310627314723950, "first_name": "Nora", "last_name": "Quist"},
    "line_items": [
        {"id": 11, "sku": "A-1", "title": "Cable gland M20", "quantity": 5, "price": "12.30"},
        {"id": 12, "sku": "B-2", "title": "Contactor 24V", "quantity": 3, "price": "40.00"},
    ],
    "fulfillments": [],
    "refunds": [],
}
ERP_ORDER = {
    "id": "7a1e0d5c-1111-4c5e-9a57-000000004711",
    "number": "SO-104711",
    "externalDocumentNumber": "#4711",
    "orderDate": "2026-03-02",
    "customerNumber": "C10042",
    "customerName": "Quist Electric",
    "currencyCode": "USD",
    "totalAmountIncludingTax": 181.5,
    "status": "Draft",
    "lastModifiedDateTime": "2026-03-02T15:01:00Z",
    "salesOrderLines": [
        {
            "id": "7a1e0d5c-0000-4c5e-9a57-00000000aaa1",
            "sequence": 10000,
            "lineType": "Item",
            "lineObjectNumber": "A-1",
            "description": "Cable gland M20",
            "unitOfMeasureCode": "EA",
            "quantity": 5,
            "unitPrice": 12.3,
            "shippedQuantity": 0,
            "invoicedQuantity": 0,
        },
        {
            "id": "7a1e0d5c-0000-4c5e-9a57-00000000bbb2",
            "sequence": 20000,
            "lineType": "Item",
            "lineObjectNumber": "B-2",
            "description": "Contactor 24V",
            "unitOfMeasureCode": "EA",
            "quantity": 3,
            "unitPrice": 40,
            "shippedQuantity": 0,
            "invoicedQuantity": 0,
        },
    ],
}
RELEASED = {"status": "Open", "lastModifiedDateTime": "2026-03-02T15:20:00Z"}
ALLOCATED = {
    "webhook_type": "Order Allocated",
    "allocation_reference": 5501,
    "order_number": "SO-104711",
    "order_id": 33001,
    "order_uuid": "T3JkZXI6MzMwMDE=",
    "partner_order_id": "SO-104711",
    "allocated_at": "2026-03-02T15:40:00",
    "warehouse_id": 1,
    "line_items": [
        {"id": 1, "sku": "A-1", "quantity": 5, "partner_line_item_id": "1"},
        {"id": 2, "sku": "B-2", "quantity": 3, "partner_line_item_id": "2"},
    ],
    "ready_to_ship": 1,
}
SCAN_1 = ("in_transit", "2026-03-03T20:00:00Z", "DP")
DELIVERED_1 = ("delivered", "2026-03-05T17:00:00Z", "DL")
SCAN_2 = ("in_transit", "2026-03-04T21:00:00Z", "DP")
DELIVERED_2 = ("delivered", "2026-03-06T16:00:00Z", "DL")
INVOICE = {
    "type": "invoice.issued",
    "timestamp": "2026-03-06T18:00:00Z",
    "data": {
        "order": {"number": "SO-104711"},
        "invoice": {"number": "INV-9001"},
        "lines": [
            {"line_id": "1", "sku": "A-1", "invoiced": 5, "price": "12.30"},
            {"line_id": "2", "sku": "B-2", "invoiced": 3, "price": "40.00"},
        ],
    },
}


def shipment(
    number: int, tracking: str, at: str, lines: list[tuple[str, str, int]]
) -> dict[str, Any]:
    """A ShipHero shipment of SO-104711."""
    items = [
        {"id": line_id, "sku": sku, "quantity": quantity, "package": "Package #1"}
        for line_id, sku, quantity in lines
    ]
    return {
        "test": "0",
        "webhook_type": "Shipment Update",
        "fulfillment": {
            "shipment_id": number,
            "warehouse": "Dallas",
            "order_number": "SO-104711",
            "partner_order_id": "SO-104711",
            "tracking_number": tracking,
            "line_items": items,
            "shipping_method": "Ground",
            "shipping_carrier": "UPS",
            "completed": True,
            "created_at": at,
        },
    }


def tracker(tracker_id: str, number: str, scans: list[tuple[str, str, str]]) -> dict[str, Any]:
    """An EasyPost event with its scans so far."""
    return {
        "object": "Event",
        "id": f"evt_{tracker_id}_{len(scans)}",
        "description": "tracker.updated",
        "mode": "production",
        "created_at": scans[-1][1],
        "result": {
            "object": "Tracker",
            "id": tracker_id,
            "mode": "production",
            "tracking_code": number,
            "status": scans[-1][0],
            "carrier": "UPS",
            "updated_at": scans[-1][1],
            "tracking_details": [
                {
                    "object": "TrackingDetail",
                    "status": status,
                    "datetime": at,
                    "carrier_code": code,
                    "message": status,
                    "tracking_location": {"city": "Dallas", "state": "TX", "country": "US"},
                }
                for status, at, code in scans
            ],
        },
    }
