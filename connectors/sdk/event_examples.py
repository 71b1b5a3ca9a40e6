"""An example of the data of each event type; docs and JSON Schemas show it."""

from collections.abc import Mapping
from typing import Any

from connectors.sdk.events import EventType, IdentifierScheme, Measure

SKU = "GLAND-20"
Data = Mapping[str, Any]
_ORDER: Data = {"order": "SO-1001"}
_PARCEL: Data = {"packages": [{"tracking": "1Z0000000000000001"}]}
_SCAN: Data = {**_PARCEL, "attributes": {"carrier": "UPS", "location": "Dallas"}}


def _example_lines_member(measure: Measure, quantity: int = 10, **more: Any) -> Data:
    return {"lines": [{"line_id": "1", "sku": SKU, measure.value: quantity, **more}]}


def _example_data_with_document_scope(member: str, number: str) -> Data:
    return {**_ORDER, member: number, "part": f"{member} {number}"}


EXAMPLES: Mapping[EventType, Data] = {
    EventType.ORDER_RECEIVED: {
        "order": {
            "number": "SO-1001",
            "po": "PO-77",
            "customer": "C-1",
            "numbers": [
                {"scheme": IdentifierScheme.WEB_ORDER.value, "issuer": "shop", "value": "727"}
            ],
        },
        **_example_lines_member(
            Measure.ORDERED, price="12.30", ship_by="2026-03-04", seller="Acme"
        ),
        "attributes": {"currency": "USD", "total": "123", "promised_at": "2026-03-06"},
    },
    EventType.ORDER_ACCEPTED: _ORDER,
    EventType.ORDER_REJECTED: {**_ORDER, "attributes": {"reason": "credit limit"}},
    EventType.ORDER_CHANGED: {**_ORDER, **_example_lines_member(Measure.ORDERED, 8)},
    EventType.ORDER_CANCELLED: {
        **_ORDER,
        **_example_lines_member(Measure.CANCELLED, 2),
        "attributes": {"reason": "customer changed the order"},
    },
    EventType.ORDER_HELD: {**_ORDER, "attributes": {"reason": "credit"}},
    EventType.ORDER_HOLD_RELEASED: _ORDER,
    EventType.ORDER_RELEASED: {**_ORDER, "attributes": {"warehouse": "Dallas"}},
    EventType.PAYMENT_APPROVED: _ORDER,
    EventType.QUOTATION_ISSUED: {"quotation": "Q-55"},
    EventType.CONTRACT_SIGNED: {"contract": "K-9"},
    EventType.LINE_REORDERED: {**_ORDER, "lines": [{"line_id": "1", "sku": SKU}]},
    EventType.LINE_ALLOCATED: {**_ORDER, **_example_lines_member(Measure.ALLOCATED)},
    EventType.LINE_DEALLOCATED: {
        **_ORDER,
        "quantity_mode": "delta",
        **_example_lines_member(Measure.ALLOCATED, -2),
    },
    EventType.LINE_SHORTED: {**_ORDER, **_example_lines_member(Measure.BACKORDERED, 2)},
    EventType.LINE_BACKORDERED: {**_ORDER, **_example_lines_member(Measure.BACKORDERED, 2)},
    EventType.LINE_SUBSTITUTED: {
        **_ORDER,
        "lines": [
            {"line_id": "1", "sku": SKU, "cancelled": 10},
            {"line_id": "2", "sku": "GLAND-21", "ordered": 10},
        ],
    },
    EventType.PICK_STARTED: _ORDER,
    EventType.PICK_COMPLETED: {**_ORDER, **_example_lines_member(Measure.PICKED)},
    EventType.PACK_COMPLETED: {
        **_example_data_with_document_scope("shipment", "S-1"),
        **_PARCEL,
        **_example_lines_member(Measure.PACKED, 2, package=0, serials=["A100", "A101"]),
    },
    EventType.GOODS_MOVEMENT_POSTED: {"delivery": "80001234", "goods_movement": "4900012345"},
    EventType.LABEL_CREATED: {**_ORDER, "shipment": "S-1", **_PARCEL},
    EventType.SHIPMENT_TENDERED: {
        **_ORDER,
        "load": "L-7",
        "attributes": {"carrier": "SWFT"},
    },
    EventType.SHIPMENT_CONFIRMED: {
        "orders": ["SO-1001", "SO-1002"],
        "shipment": "S-1",
        "part": "shipment S-1",
        **_PARCEL,
        "lines": [
            {"line_id": "1", "sku": SKU, "order": 0, "package": 0, "shipped": 10},
            {"line_id": "1", "sku": SKU, "order": "SO-1002", "package": 0, "shipped": 5},
        ],
        "load": "L-7",
        "vehicle": "TX-1234",
        "attributes": {"carrier": "UPS"},
    },
    EventType.SHIPMENT_VOID: {"shipment": "S-1", "part": "shipment S-1"},
    EventType.PICKED_UP: _SCAN,
    EventType.IN_TRANSIT: _SCAN,
    EventType.OUT_FOR_DELIVERY: _SCAN,
    EventType.ATTEMPTED: {**_PARCEL, "attributes": {"reason": "closed"}},
    EventType.AVAILABLE_FOR_PICKUP: _SCAN,
    EventType.DELIVERED: _PARCEL,
    EventType.DELAYED: {**_PARCEL, "attributes": {"reason": "weather"}},
    EventType.SHIPMENT_EXCEPTION: {**_PARCEL, "attributes": {"reason": "damaged"}},
    EventType.SHIPMENT_RETURNED: _SCAN,
    EventType.ETA_UPDATED: {**_PARCEL, "attributes": {"eta": "2026-03-06T15:00:00Z"}},
    EventType.INVENTORY_SNAPSHOT: {**_ORDER, "attributes": {"warehouse": "Dallas"}},
    EventType.INVENTORY_ADJUSTED: {**_ORDER, "attributes": {"reason": "damaged"}},
    EventType.INVOICE_ISSUED: {
        **_example_data_with_document_scope("invoice", "I-1"),
        **_example_lines_member(Measure.INVOICED),
        "attributes": {"currency": "USD", "total": "123"},
    },
    EventType.PAYMENT_REMINDER_SENT: {"invoice": "I-1"},
    EventType.INVOICE_PARTLY_PAID: {**_ORDER, "invoice": "I-1", "attributes": {"total": "100"}},
    EventType.INVOICE_PAID: {**_ORDER, "invoice": "I-1"},
    EventType.INVOICE_VOID: {"invoice": "I-1", "part": "invoice I-1"},
    EventType.FREIGHT_INVOICED: {**_ORDER, "shipment": "S-1", "attributes": {"total": "75"}},
    EventType.CREDIT_REQUESTED: {**_ORDER, "credit_memo_request": "60000012"},
    EventType.DEBIT_REQUESTED: {**_ORDER, "debit_memo_request": "70000012"},
    EventType.CREDIT_ISSUED: {
        **_example_data_with_document_scope("invoice", "CM-1"),
        **_example_lines_member(Measure.CREDITED, 2),
    },
    EventType.RETURN_AUTHORIZED: {**_ORDER, "return": "RMA-1"},
    EventType.RETURN_DELIVERY_CREATED: {"return": "RMA-1", "return_delivery": "84000001"},
    EventType.RETURN_RECEIVED: {
        **_example_data_with_document_scope("return", "RMA-1"),
        **_example_lines_member(Measure.RETURNED, 2),
    },
    EventType.RETURN_CREDITED: {
        **_example_data_with_document_scope("return", "RMA-1"),
        **_example_lines_member(Measure.CREDITED, 2),
    },
    EventType.DOCUMENT_ACKNOWLEDGED: {**_ORDER, "attributes": {"detail": "855"}},
    EventType.DOCUMENT_REJECTED: {**_ORDER, "attributes": {"reason": "unknown item"}},
}
