"""A source whose published manifest has mistakes, its messages, and a draft that corrects them."""

import random
from datetime import timedelta
from typing import Any

import orjson

from connectors.sdk.connector import SourceRole
from tests.builders.manifests import publish
from tests.builders.sources import create_source, message
from visibility.db.database_time import database_now
from visibility.ingest.change_manifest import create_manifest, save_draft
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import (
    Manifest,
    ReleaseCheck,
    Source,
)
from visibility.models.release_checks import ReleaseCheckMessage, ReleaseCheckOrder
from visibility.pipeline import job_functions
from visibility.release_checks.promote import promote_check
from visibility.release_checks.requests import request_check

SLUG = "lake_wms"
SAMPLE = b'{"order_no": "SO-1", "status": "open", "created": "2026-03-02T08:00:00Z"}'
TEXT = """connector: lake_wms
version: "1"
title: Lake
role: wms
description: A small warehouse.
receive:
  webhook:
    verify: {bearer: yes}
read:
  format: json
ignore:
  - {if: {status: [new]}, reason: not an order yet}
order:
  numbers:
    - {scheme: sales_order, issuer: erp, value: order_no}
attributes:
  channel: channel
lines:
  each: lines
  line_id: line
  sku: sku
events:
  - type: order.received
    if: {status: [open, done]}
    key: "order {order_no}"
    at: {value: created, offset: included}
    lines: {ordered: qty}
  - type: shipment.confirmed
    if: {status: [done]}
    key: "ship {order_no}"
    at: {value: created, offset: included}
    scope: "ship {order_no}"
    lines: {shipped: qty}
codes:
  status: [new, open, done, lost]
examples:
  - text: >-
      {"order_no": "SO-1", "reference": "SO-1", "status": "new",
      "created": "2026-03-02T08:00:00Z", "updated": "2026-03-02T08:00:00Z"}
    ignored: not an order yet
"""
# Corrections of the mistakes, by what they change.
EDITS = {
    "moves the shipment": (
        'key: "ship {order_no}"\n    at: {value: created,',
        'key: "ship {order_no}"\n    at: {value: updated,',
    ),
    "removes the shipment": (
        "  - type: shipment.confirmed\n    if: {status: [done]}",
        "  - type: shipment.confirmed\n    if: {status: [lost]}",
    ),
    "adds the release": (
        "codes:\n",
        '  - type: order.released\n    key: "release {order_no}"\n'
        "    at: {value: updated, offset: included}\ncodes:\n",
    ),
    "reads another number": ("value: order_no}", "value: reference}"),
    "names the events differently": ('key: "order {order_no}"', 'key: "received {order_no}"'),
    "reads another quantity": ("lines: {shipped: qty}", "lines: {shipped: packed}"),
    "parks some": ("lines: {ordered: qty}", "lines: {ordered: packed}"),
}


def stored_check() -> ReleaseCheck:
    """A check with a result, as its job stores it; nobody ran it."""
    now, source = database_now(), create_source("checked")
    message_id = message(source)
    check = ReleaseCheck.objects.create(
        source=source,
        reader="cloudevents of version 1",
        since=now - timedelta(days=7),
        until=now,
        state="ready",
        requested_at=now,
        finished_at=now,
        available=3,
        selected=2,
        without_body=1,
        summary={
            "orders": 1,
            "affected": 2,
            "newly_parked": 1,
            "newly_read": 0,
            "other_reason": 0,
            "failed_kpis": [],
            "tags": {"milestone": 1, "milestone:shipped": 1, "milestone:shipped:moved": 1},
            "kpis": [],
        },
        message_ids=[message_id, message_id + 1],
    )
    moved = ["milestone", "shipped", "reached", "moved", "2026-03-02", "2026-03-03"]
    ReleaseCheckOrder.objects.create(
        check_run=check,
        position=1,
        number="SO-1",
        tags=["milestone", "milestone:shipped", "milestone:shipped:moved"],
        differences=[moved],
        message_ids=[message_id],
    )
    ReleaseCheckMessage.objects.create(
        check_run=check, message_id=message_id, change="newly_parked", reason="fields"
    )
    return check


def waiting_check() -> ReleaseCheck:
    """A check that no worker has begun."""
    source, now = create_source("waiting_check"), database_now()
    return request_check(source, None, by=None, now=now)


def promoted_check() -> ReleaseCheck:
    """A check of a draft that was promoted, and can be rolled back."""
    source, manifest = lake_source()
    draft, now = correct(manifest, "adds the release"), database_now()
    check = request_check(source, draft, by=None, now=now)
    message_id = message(source)
    ReleaseCheck.objects.filter(pk=check.pk).update(
        state="ready", message_ids=[message_id], selected=1, summary={"orders": 1}
    )
    promote_check(check, messages=1, by=None, now=now)
    check.refresh_from_db()
    return check


def lake_source() -> tuple[Source, Manifest]:
    """The source and its manifest, which is live with the mistakes."""
    now = database_now()
    manifest = create_manifest(SLUG, sample=SAMPLE, sample_name="order.json", by=None, now=now)
    manifest = save_draft(manifest, TEXT, revision=manifest.revision, by=None, now=now)
    publish(manifest)
    source = create_source(SLUG, connector=SLUG, role=SourceRole.WMS.value)
    return source, manifest


def correct(manifest: Manifest, *names: str) -> Manifest:
    """Save the draft with these corrections."""
    text = manifest.text
    for name in names:
        before, after = EDITS[name]
        assert before in text, name
        text = text.replace(before, after)
    return save_draft(manifest, text, revision=manifest.revision, by=None, now=database_now())


def order_body(number: int, **values: Any) -> dict[str, Any]:
    """What the warehouse sends about one order."""
    day = database_now() - timedelta(days=3, hours=number)
    return {
        "order_no": f"SO-{number}",
        "reference": f"SO-{number}",
        "status": "done",
        "channel": "web",
        "created": day.isoformat(),
        "updated": (day + timedelta(hours=5)).isoformat(),
        "lines": [{"line": 1, "sku": "A-1", "qty": 5, "packed": 4}],
        **values,
    }


def random_bodies(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """Orders of which some have another reference, no quantity, or several messages."""
    bodies = []
    for index in range(count):
        number = chance.randint(1, max(2, count - 2))
        body = order_body(
            number,
            message=index,
            status=chance.choice(["open", "done", "done", "lost"]),
            reference=f"SO-{chance.choice([number, number, number + 1, 100 + number])}",
        )
        if chance.random() < 0.3:
            body["lines"][0]["packed"] = "many"
        bodies.append(body)
    return bodies


def receive(source: Source, *bodies: dict[str, Any]) -> None:
    """Store these messages as the intake does, and process them."""
    headers = {"content-type": "application/json"}
    store_messages(
        [
            IncomingMessage(
                source.pk, orjson.dumps(body).decode()[:250], headers, orjson.dumps(body)
            )
            for body in bodies
        ]
    )
    process()


def process() -> None:
    """Process what waits."""
    job_functions.process_messages_and_refold()
