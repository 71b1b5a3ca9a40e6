"""WooCommerce and Odoo: the newest snapshot replaces the state that an earlier one reported."""

import itertools
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.catalog import connectors_by_slug
from connectors.sdk.connector import RawMessage
from connectors.sdk.event_codec import sha256_hex, to_canonical_json
from visibility.timeline import RecordedEvent, Status, fold
from visibility.timeline.model import Timeline

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def woocommerce(status: str, day: int) -> dict[str, Any]:
    return {
        "id": 31,
        "number": "31",
        "status": status,
        "date_created_gmt": "2026-03-01T09:00:00",
        "date_modified_gmt": f"2026-03-0{day}T10:00:00",
        "line_items": [{"id": 7, "sku": "A", "quantity": 2}],
    }


def odoo(state: str, day: int) -> dict[str, Any]:
    return {"id": 4, "name": "S00004", "state": state, "write_date": f"2026-03-0{day} 10:00:00"}


def timeline_of_snapshots(slug: str, *bodies: dict[str, Any]) -> Timeline:
    connector = connectors_by_slug()[slug]({"source": slug})
    recorded = [
        RecordedEvent(
            event=event,
            source=slug,
            role=connector.role,
            occurred_at=event.occurred_at or NOW,
            received_at=NOW,
            content_hash=sha256_hex(to_canonical_json(event)),
            object_keys=tuple("order" for _ in event.objects),
            order_index=0,
        )
        for body in bodies
        for event in connector.parse(RawMessage(json.dumps(body).encode(), {}, NOW)).events
    ]
    return fold(recorded, key="order", as_of=NOW)


@pytest.mark.parametrize(
    ("slug", "bodies", "status"),
    [
        ("woocommerce", [woocommerce("on-hold", 2), woocommerce("processing", 3)], "accepted"),
        ("woocommerce", [woocommerce("failed", 2), woocommerce("processing", 3)], "accepted"),
        ("woocommerce", [woocommerce("processing", 2), woocommerce("on-hold", 3)], "on_hold"),
        ("woocommerce", [woocommerce("on-hold", 2), woocommerce("cancelled", 3)], "cancelled"),
        ("odoo", [odoo("cancel", 2), odoo("sale", 3)], "accepted"),
        ("odoo", [odoo("sale", 2), odoo("cancel", 3)], "cancelled"),
    ],
)
def test_newest_snapshot_tells_the_state_in_any_order_of_arrival(
    slug: str, bodies: list[dict[str, Any]], status: str
) -> None:
    for arrived in itertools.permutations(bodies):
        assert timeline_of_snapshots(slug, *arrived).status is Status(status)
