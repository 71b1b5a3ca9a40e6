"""The workload: orders that four systems report in signed webhooks of about 1 KB.

Each order has six messages: received, released, allocated, shipped, delivered, invoiced. The
delivery carries only the tracking number, so that the product must look up the order.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from connectors.sdk import standard_webhooks
from connectors.sdk.event_codec import format_rfc3339
from tests.builders.cloudevents import cloudevent

SECRET = "the-bench-signs-with-this-secret"
# Source slug -> role.
SOURCES: Mapping[str, str] = {
    "erp": "erp",
    "wms": "wms",
    "carrier": "carrier",
    "finance": "finance",
}
NUMBER_SETTINGS = {"order_number": "sales_order@erp"}
# The source that receives batches of CloudEvents.
BATCH_SOURCE = "batched"
CHANNELS = ("web", "edi", "inside", "marketplace")
WAREHOUSES = ("Dallas", "Reno", "Columbus")
GROUPS = ("contractor", "oem", "municipal")
STEPS = ("erp", "erp", "wms", "wms", "carrier", "finance")
STEP_DELAYS = tuple(timedelta(hours=h) for h in (0, 1, 3, 26, 50, 52))
PROMISED_AFTER = timedelta(days=3, hours=5)
DESCRIPTION = (
    "Circuit breaker, thermal magnetic, 3 poles, with auxiliary contacts, DIN rail mounted, grey"
)


@dataclass(frozen=True, slots=True)
class WorkloadMessage:
    """One message: its source, its delivery ID and its document."""

    source: str
    key: str
    document: Mapping[str, Any]

    @property
    def body(self) -> bytes:
        """The body of the webhook."""
        return orjson.dumps(self.document)

    def cloud_event(self) -> bytes:
        """The message as a CloudEvent."""
        event = cloudevent(
            self.document["type"],
            self.document["data"],
            event_id=self.key,
            at=self.document["timestamp"],
            source=f"/{self.source}",
        )
        return orjson.dumps(event)


def order_messages(
    token: str, index: int, at: datetime, *, steps: int = len(STEPS)
) -> list[WorkloadMessage]:
    """The first `steps` messages of one order; `index` selects channel, customer and lines."""
    return [
        WorkloadMessage(
            STEPS[step],
            f"m-{token}-{step}",
            {
                "type": kind,
                "timestamp": format_rfc3339(at + STEP_DELAYS[step]),
                "data": data,
            },
        )
        for step, (kind, data) in enumerate(_event_data(token, index, at)[:steps])
    ]


def _event_data(token: str, index: int, at: datetime) -> list[tuple[str, dict[str, Any]]]:
    reference = {"order": {"number": f"SO-{token}"}}
    shipped = {**reference, "shipment": {"number": f"SH-{token}"}, "tracking": f"1Z{token}"}
    invoice = {"invoice": {"number": f"IN-{token}"}}
    lines = _lines(index)
    attributes = {
        "warehouse": WAREHOUSES[index % len(WAREHOUSES)],
        "customer_group": GROUPS[index // 7 % len(GROUPS)],
        "currency": "USD",
        "total": str(sum(q for _, q in lines) * 40),
        "promised_at": format_rfc3339(at + PROMISED_AFTER),
    }
    customer = f"C{10_000 + index % 500}"
    order_data = {
        "number": f"SO-{token}",
        "po": f"PO-{token}",
        "customer": customer,
        "customer_name": f"Electrical Supply {customer}",
        "channel": CHANNELS[index % len(CHANNELS)],
    }
    return [
        (
            "order.received",
            {"order": order_data, **_line_data(lines, "ordered"), "attributes": attributes},
        ),
        ("order.released", {**reference, **_line_data(lines, "ordered")}),
        ("line.allocated", {**reference, **_line_data(lines, "allocated")}),
        ("shipment.confirmed", {**shipped, **_line_data(lines, "shipped"), "part": f"SH-{token}"}),
        (
            "shipment.delivered",
            {"tracking": f"1Z{token}", "attributes": {"detail": DESCRIPTION * 4}},
        ),
        ("invoice.issued", {**reference, **invoice, **_line_data(lines, "invoiced")}),
    ]


def _lines(index: int) -> list[tuple[str, int]]:
    return [(f"SKU-{(index * 5 + n) % 900:04}", 1 + (index + n) % 9) for n in range(4)]


def _line_data(lines: Iterable[tuple[str, int]], measure: str) -> dict[str, Any]:
    item = {"description": DESCRIPTION, "price": "40.00"}
    return {
        "lines": [
            {"line_id": str(n), "sku": sku, **item, measure: quantity}
            for n, (sku, quantity) in enumerate(lines, 1)
        ]
    }


def messages(prefix: str, first: int, orders: int, at: datetime) -> Iterator[WorkloadMessage]:
    """All messages of `orders` orders as a stream: step by step, 200 orders at a time."""
    for start in range(first, first + orders, 200):
        numbers = range(start, min(start + 200, first + orders))
        batch = [order_messages(f"{prefix}{number:07}", number, at) for number in numbers]
        for step in range(len(STEPS)):
            yield from (messages[step] for messages in batch)


def signed_headers(message: WorkloadMessage, now: datetime) -> Mapping[str, str]:
    """The headers of a delivery at `now`."""
    return standard_webhooks.build_signature_headers(
        message.body, SECRET.encode(), now, message.key
    )


def truncate_to_second(now: datetime) -> datetime:
    """The time in UTC without the fraction of a second."""
    return now.astimezone(UTC).replace(microsecond=0)
