"""Messages of five systems about orders, in chronological order; reproducible by seed."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.sdk import standard_webhooks
from connectors.sdk.event_codec import format_rfc3339
from tests.builders.cloudevents import authorized_headers, cloudevent
from tests.processes.faults.product_process import SECRET, SOURCES


@dataclass(frozen=True)
class FaultMessage:
    """One message of one source; `identity` is its delivery ID."""

    slug: str
    identity: str
    body: bytes

    def headers(self, now: datetime) -> Mapping[str, str]:
        """Headers with a signature as of `now`."""
        if SOURCES[self.slug] == "cloudevents":
            return authorized_headers(SECRET)
        signed = standard_webhooks.build_signature_headers(
            self.body, SECRET.encode(), now, self.identity
        )
        return {**signed, "content-type": "application/json"}


def event_message(
    slug: str,
    kind: str,
    data: Mapping[str, Any],
    *,
    identity: str,
    at: datetime | None,
) -> FaultMessage:
    """One event in the format of its source. Without `at` the product uses the time of receipt."""
    time = None if at is None else format_rfc3339(at)
    body: dict[str, Any]
    if SOURCES[slug] == "cloudevents":
        body = cloudevent(kind, data, event_id=identity, at=time, source=f"/{slug}")
    else:
        body = {"type": kind, "data": data} | ({"timestamp": time} if time else {})
    return FaultMessage(slug, identity, json.dumps(body, sort_keys=True).encode())


def order_messages(prefix: str, *, count: int, seed: int, since: datetime) -> list[FaultMessage]:
    """At least `count` messages about complete orders."""
    messages: list[FaultMessage] = []
    number = 0
    while len(messages) < count:
        messages += messages_of_order(
            f"{prefix}-{number}", rng=random.Random(f"{seed}/{number}"), since=since
        )
        number += 1
    return messages


def messages_of_order(name: str, *, rng: random.Random, since: datetime) -> Iterator[FaultMessage]:
    """One order: received, released, shipped in one or two packages, delivered, invoiced."""
    at = since + timedelta(minutes=rng.randrange(1200))

    def later(max_minutes: int) -> datetime:
        nonlocal at
        at += timedelta(minutes=rng.randint(1, max_minutes))
        return at

    quantity = rng.randint(1, 9) * 2
    line: dict[str, Any] = {"line_id": "1", "sku": f"SKU-{rng.randrange(20)}", "price": "9.90"}
    customer = {"po": f"PO-{name}", "customer": f"C-{name}"}
    # One shop order in five has no ERP order number: the invoice links the two.
    has_number = rng.random() > 0.2
    shop = {**customer, "id": f"W-{name}", "channel": rng.choice(("web", "edi"))}
    received: dict[str, Any] = {"order": shop | ({"number": name} if has_number else {})}
    received |= {"lines": [{**line, "ordered": quantity}], "attributes": {"currency": "EUR"}}
    yield event_message(
        "shop", "order.received", received, identity=f"{name}-received", at=later(60)
    )
    released: dict[str, Any] = {"order": {"number": name}, "attributes": {"warehouse": "W1"}}
    first = later(120)
    yield event_message("erp", "order.released", released, identity=f"{name}-released", at=first)
    if rng.random() < 0.05:
        # The same message with a higher revision, which wins whichever arrives first.
        revised = {**released, "revision": "2", "attributes": {"warehouse": "W2"}}
        yield event_message("erp", "order.released", revised, identity=f"{name}-released", at=first)
    if rng.random() < 0.03:
        yield FaultMessage(
            "erp", f"{name}-broken", f'{{"type": "order.released", "{name}": {{'.encode()
        )
    if rng.random() < 0.1:
        return  # never shipped: the SLA is breached
    packages = rng.choice((1, 1, 2))
    for package in range(packages):
        tracking = f"TRK-{name}-{package}"
        shipped: dict[str, Any] = {"order": {"number": name}, "shipment": f"S-{name}-{package}"}
        shipped |= {"tracking": tracking, "part": f"shipment {package}"}
        shipped |= {"lines": [{**line, "shipped": quantity // packages}]}
        when = later(300)
        yield event_message(
            "wms", "shipment.confirmed", shipped, identity=f"{name}-sent-{package}", at=when
        )
        for kind in ("shipment.in_transit", "shipment.delivered"):
            scan = {"tracking": tracking}
            yield event_message(
                "carrier", kind, scan, identity=f"{name}-{package}-{kind}", at=later(300)
            )
    invoice: dict[str, Any] = {"order": {"number": name, **customer}, "invoice": f"I-{name}"}
    invoice |= {"lines": [{**line, "invoiced": quantity}]}
    without_time = rng.random() < 0.1
    invoiced_at = None if without_time else later(60)
    yield event_message(
        "finance", "invoice.issued", invoice, identity=f"{name}-billed", at=invoiced_at
    )
