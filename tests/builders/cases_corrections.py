"""Cases of real use: a warehouse withdraws what it reported by mistake."""

from typing import Any

import orjson

from tests.builders.case_messages import CaseMessage, UseCase
from tests.builders.cloudevents import HEADERS, cloudevent

LINE = {"line_id": "1", "sku": "LMP-1"}
SALES_ORDER = {"numbers": [{"scheme": "sales_order", "issuer": "erp", "value": "S-52020"}]}


def event(event_type: str, at: str, **data: Any) -> CaseMessage:
    """One CloudEvent of the warehouse."""
    document = cloudevent(event_type, data, event_id=f"{event_type} {at}", at=at)
    return CaseMessage("warehouse", orjson.dumps(document), HEADERS)


wrong_sales_order = UseCase(
    "a warehouse names the wrong sales order, and withdraws that",
    (
        event(
            "order.released",
            "2026-02-03T15:00:00Z",
            order=SALES_ORDER,
            lines=[{**LINE, "ordered": 2}],
        ),
        event(
            "order.released",
            "2026-02-03T16:00:00Z",
            order="W-9020",
            lines=[{**LINE, "ordered": 3}],
        ),
        event(
            "order.changed",
            "2026-02-03T16:30:00Z",
            key="link",
            order={**SALES_ORDER, "number": "W-9020"},
        ),
        event("order.changed", "2026-02-03T16:40:00Z", corrects=["link"], order="W-9020"),
        event(
            "shipment.confirmed",
            "2026-02-03T17:00:00Z",
            order="W-9020",
            shipment="L-9020",
            part="L-9020",
            lines=[{**LINE, "shipped": 3}],
        ),
    ),
    {
        "S-52020": {
            "status": "released",
            "lines": {"LMP-1": "ordered: 2 ordered"},
            "shipments": 0,
            "has_stuck_alert": True,
        },
        "W-9020": {
            "status": "shipped",
            "lines": {"LMP-1": "shipped: 3 ordered, 3 shipped"},
            "shipments": 1,
            "has_stuck_alert": False,
        },
    },
)
