"""The orders of the bench: what four systems say of each, as signed webhooks of about 1 KB.

One order, six messages: received, released, allocated, shipped, delivered, invoiced. The parcel's
delivery names its tracking number alone, so that its way to the order must be looked up.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from connectors.sdk import standard_webhooks
from connectors.sdk.events import iso

SECRET = "the-bench-signs-with-this-secret"
# slug -> role
SOURCES: Mapping[str, str] = {
    "erp": "erp",
    "wms": "wms",
    "carrier": "carrier",
    "finance": "finance",
}
NUMBERS = {"order_number": "sales_order@erp"}
# The source that takes batches of CloudEvents.
BATCHED = "batched"
CHANNELS = ("web", "edi", "inside", "marketplace")
WAREHOUSES = ("Dallas", "Reno", "Columbus")
GROUPS = ("contractor", "oem", "municipal")
STEPS = ("erp", "erp", "wms", "wms", "carrier", "finance")
AFTER = tuple(timedelta(hours=h) for h in (0, 1, 3, 26, 50, 52))
PROMISED_AFTER = timedelta(days=3, hours=5)
WORDS = (
    "Circuit breaker, thermal magnetic, 3 poles, with auxiliary contacts, DIN rail mounted, grey"
)


@dataclass(frozen=True, slots=True)
class Told:
    """One message: who says it, under which id, and its document."""

    source: str
    key: str
    document: Mapping[str, Any]

    @property
    def body(self) -> bytes:
        """As it goes through the wire."""
        return orjson.dumps(self.document)

    def event(self) -> bytes:
        """The same as a CloudEvent."""
        return orjson.dumps(
            {
                "specversion": "1.0",
                "id": self.key,
                "source": f"/{self.source}",
                "type": self.document["type"],
                "time": self.document["timestamp"],
                "data": self.document["data"],
            }
        )


def order(token: str, place: int, at: datetime, *, steps: int = len(STEPS)) -> list[Told]:
    """The first `steps` messages of one order; `place` chooses its channel, customer and lines."""
    return [
        Told(
            STEPS[step],
            f"m-{token}-{step}",
            {
                "type": kind,
                "timestamp": iso(at + AFTER[step]),
                "data": data,
            },
        )
        for step, (kind, data) in enumerate(_said(token, place, at)[:steps])
    ]


def _said(token: str, place: int, at: datetime) -> list[tuple[str, dict[str, Any]]]:
    named = {"order": {"number": f"SO-{token}"}}
    shipped = {**named, "shipment": {"number": f"SH-{token}"}, "tracking": f"1Z{token}"}
    billed = {"invoice": {"number": f"IN-{token}"}}
    lines = _lines(place)
    attributes = {
        "warehouse": WAREHOUSES[place % len(WAREHOUSES)],
        "customer_group": GROUPS[place // 7 % len(GROUPS)],
        "currency": "USD",
        "total": str(sum(q for _, q in lines) * 40),
        "promised_at": iso(at + PROMISED_AFTER),
    }
    customer = f"C{10_000 + place % 500}"
    first = {
        "number": f"SO-{token}",
        "po": f"PO-{token}",
        "customer": customer,
        "customer_name": f"Electrical Supply {customer}",
        "channel": CHANNELS[place % len(CHANNELS)],
    }
    return [
        ("order.received", {"order": first, **_told(lines, "ordered"), "attributes": attributes}),
        ("order.released", {**named, **_told(lines, "ordered")}),
        ("line.allocated", {**named, **_told(lines, "allocated")}),
        ("shipment.confirmed", {**shipped, **_told(lines, "shipped"), "part": f"SH-{token}"}),
        ("shipment.delivered", {"tracking": f"1Z{token}", "attributes": {"detail": WORDS * 4}}),
        ("invoice.issued", {**named, **billed, **_told(lines, "invoiced")}),
    ]


def _lines(place: int) -> list[tuple[str, int]]:
    return [(f"SKU-{(place * 5 + n) % 900:04}", 1 + (place + n) % 9) for n in range(4)]


def _told(lines: Iterable[tuple[str, int]], measure: str) -> dict[str, Any]:
    about = {"description": WORDS, "price": "40.00"}
    return {
        "lines": [
            {"line_id": str(n), "sku": sku, **about, measure: quantity}
            for n, (sku, quantity) in enumerate(lines, 1)
        ]
    }


def messages(prefix: str, first: int, orders: int, at: datetime) -> Iterator[Told]:
    """All messages of so many orders as a stream: step by step, some hundred orders at a time."""
    for start in range(first, first + orders, 200):
        numbers = range(start, min(start + 200, first + orders))
        told = [order(f"{prefix}{number:07}", number, at) for number in numbers]
        for step in range(len(STEPS)):
            yield from (messages[step] for messages in told)


def signed(told: Told, now: datetime) -> Mapping[str, str]:
    """The headers of a delivery now."""
    return standard_webhooks.sign(told.body, SECRET.encode(), now, told.key)


def whole_second(now: datetime) -> datetime:
    """Without its fraction."""
    return now.astimezone(UTC).replace(microsecond=0)
