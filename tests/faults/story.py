"""What five systems say about orders: the same for the same seed, in the order it happened."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.sdk import standard_webhooks
from connectors.sdk.events import iso
from tests.faults.examiner import SECRET, SOURCES


@dataclass(frozen=True)
class Message:
    """One message of one source; `identity` is what makes it one."""

    slug: str
    identity: str
    body: bytes

    def headers(self, now: datetime) -> Mapping[str, str]:
        """Signed at that moment, as its source signs."""
        if SOURCES[self.slug] == "cloudevents":
            kind = {"content-type": "application/cloudevents+json"}
            return {**kind, "authorization": f"Bearer {SECRET}"}
        signed = standard_webhooks.sign(self.body, SECRET.encode(), now, self.identity)
        return {**signed, "content-type": "application/json"}


def told(
    slug: str,
    kind: str,
    data: Mapping[str, Any],
    *,
    identity: str,
    at: datetime | None,
) -> Message:
    """One event in the words of its source; without a time it takes that of its arrival."""
    if SOURCES[slug] == "cloudevents":
        outer: dict[str, Any] = {"specversion": "1.0", "id": identity, "source": f"/{slug}"}
        time = "time"
    else:
        outer, time = {}, "timestamp"
    if at is not None:
        outer[time] = iso(at)
    body = {**outer, "type": kind, "data": data}
    return Message(slug, identity, json.dumps(body, sort_keys=True).encode())


def stories(prefix: str, *, count: int, seed: int, since: datetime) -> list[Message]:
    """At least `count` messages, whole orders of them."""
    found: list[Message] = []
    number = 0
    while len(found) < count:
        found += order(f"{prefix}-{number}", chance=random.Random(f"{seed}/{number}"), since=since)
        number += 1
    return found


def order(name: str, *, chance: random.Random, since: datetime) -> Iterator[Message]:
    """One order's life: taken, released, sent in one or two parcels, delivered, billed."""
    at = since + timedelta(minutes=chance.randrange(1200))

    def later(most: int) -> datetime:
        nonlocal at
        at += timedelta(minutes=chance.randint(1, most))
        return at

    quantity = chance.randint(1, 9) * 2
    line: dict[str, Any] = {"line_id": "1", "sku": f"SKU-{chance.randrange(20)}", "price": "9.90"}
    customer = {"po": f"PO-{name}", "customer": f"C-{name}"}
    # One shop order in five does not know the ERP's number: the invoice makes the two one.
    known = chance.random() > 0.2
    shop = {**customer, "id": f"W-{name}", "channel": chance.choice(("web", "edi"))}
    taken: dict[str, Any] = {"order": shop | ({"number": name} if known else {})}
    taken |= {"lines": [{**line, "ordered": quantity}], "attributes": {"currency": "EUR"}}
    yield told("shop", "order.received", taken, identity=f"{name}-received", at=later(60))
    released: dict[str, Any] = {"order": {"number": name}, "attributes": {"warehouse": "W1"}}
    first = later(120)
    yield told("erp", "order.released", released, identity=f"{name}-released", at=first)
    if chance.random() < 0.05:
        # The same message with other content: the higher revision counts, whichever came first.
        again = {**released, "revision": "2", "attributes": {"warehouse": "W2"}}
        yield told("erp", "order.released", again, identity=f"{name}-released", at=first)
    if chance.random() < 0.03:
        yield Message("erp", f"{name}-broken", f'{{"type": "order.released", "{name}": {{'.encode())
    if chance.random() < 0.1:
        return  # never sent: its promise is broken
    parcels = chance.choice((1, 1, 2))
    for parcel in range(parcels):
        tracking = f"TRK-{name}-{parcel}"
        sent: dict[str, Any] = {"order": {"number": name}, "shipment": f"S-{name}-{parcel}"}
        sent |= {"tracking": tracking, "part": f"shipment {parcel}"}
        sent |= {"lines": [{**line, "shipped": quantity // parcels}]}
        when = later(300)
        yield told("wms", "shipment.confirmed", sent, identity=f"{name}-sent-{parcel}", at=when)
        for kind in ("shipment.in_transit", "shipment.delivered"):
            seen = {"tracking": tracking}
            yield told("carrier", kind, seen, identity=f"{name}-{parcel}-{kind}", at=later(300))
    bill: dict[str, Any] = {"order": {"number": name, **customer}, "invoice": f"I-{name}"}
    bill |= {"lines": [{**line, "invoiced": quantity}]}
    timeless = chance.random() < 0.1
    when_billed = None if timeless else later(60)
    yield told("finance", "invoice.issued", bill, identity=f"{name}-billed", at=when_billed)
