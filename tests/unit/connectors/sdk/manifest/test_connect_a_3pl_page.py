"""docs/connect-a-3pl.md: its samples, drafted and corrected as it says, give its results."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.manifest.check_examples import problems_of_failing_examples
from connectors.sdk.manifest.connector import (
    ManifestConnector,
    make_connector_class_of_manifest,
)
from connectors.sdk.manifest.draft import DraftContext, draft_manifest
from connectors.sdk.manifest.manifest_parser import parse_manifest
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from visibility.launcher.instance_lock_and_environment import CHECKOUT

SAMPLES = CHECKOUT / "docs" / "samples" / "northbay"
PAGE = (CHECKOUT / "docs" / "connect-a-3pl.md").read_text()
FILE = "NB_STATUS_20261128_1500.csv"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
CONTEXT = DraftContext(FILE, FILE, zone="Europe/Berlin", orders="web_order@shop")


def connector_of(text: str, samples: Mapping[str, bytes] | None = None) -> type[ManifestConnector]:
    """The connector of a manifest that has no problems."""
    kind = make_connector_class_of_manifest(parse_manifest(text), Path(), samples)
    assert list(problems_of_failing_examples(kind, received_at=NOW)) == []
    return kind


def read(kind: type[ManifestConnector], name: str) -> ParseResult:
    """What the connector reads in a sample."""
    instance = kind({"source": kind.slug})
    return instance.parse(RawMessage((SAMPLES / name).read_bytes(), {}, NOW))


def summaries(parsed: ParseResult) -> dict[str, list[Any]]:
    """By order number: the event types, and the quantities of the lines."""
    result: dict[str, list[Any]] = {}
    for event in parsed.events:
        (order,) = event.objects[0].identifiers[:1]
        quantities = [
            f"{n.normalize():f}" for line in event.lines for n in line.quantities.values()
        ]
        result.setdefault(order.value, []).append((event.type.value, quantities))
    return result


def test_the_drafted_manifest_of_the_csv_file_reads_it_without_a_correction() -> None:
    body = (SAMPLES / FILE).read_bytes()
    text = draft_manifest(body, "northbay", CONTEXT)
    for drafted in (
        'pattern: "NB_STATUS_*.csv"',
        'default: "Europe/Berlin"',
        f'file: "{FILE}"',
    ):
        assert drafted in text
    kind = connector_of(text, {FILE: body})
    parsed = read(kind, FILE)
    assert [error.detail for error in parsed.errors] == [
        "'2811.2026 14:40' does not have the format %d.%m.%Y %H:%M"
    ]
    orders = summaries(parsed)
    assert orders["WEB-10481"] == [("shipment.confirmed", ["4", "2"])]
    assert orders["WEB-10482"] == [("shipment.confirmed", ["6", "1.5"]), ("line.shorted", [])]
    assert orders["WEB-10483"] == [("pick.completed", [])]
    assert orders["WEB-10484"] == [("pack.completed", ["2"])]
    assert orders["WEB-10485"] == [("order.cancelled", [])]
    assert orders["WEB-10486"] == [("shipment.confirmed", ["12"])]
    first = parsed.events[0]
    assert first.occurred_at == datetime(2026, 11, 28, 13, 5, tzinfo=UTC)
    numbers = {(i.scheme.value, i.issuer, i.value) for o in first.objects for i in o.identifiers}
    assert numbers == {
        ("web_order", "shop", "WEB-10481"),
        ("delivery", "northbay", "LS-88121"),
        ("tracking", "", "00340434161094042557"),
        ("tracking", "", "00340434161094042564"),
    }
    later = read(kind, "NB_STATUS_20261128_1600.csv").events
    assert [(e.type.value, e.raw_type) for e in later] == [
        ("shipment.confirmed", ""),
        ("unmapped", "UMLA"),
    ]


def test_the_drafted_manifest_of_the_webhook_reads_it_with_the_two_corrections_of_the_page() -> (
    None
):
    text = draft_manifest((SAMPLES / "messages.json").read_bytes(), "northbay_events", CONTEXT)
    delivery = '{scheme: delivery, value: "order.deliveryNote"}'
    corrections = {
        "    verify: {bearer: yes}": re.search(r"verify: \{hmac.*\}", PAGE),
        delivery: re.search(r"\{scheme: delivery, issuer.*\}", PAGE),
    }
    for drafted, printed in corrections.items():
        assert drafted.strip() in PAGE
        assert printed is not None
        assert text.count(drafted) == 1
        indent = drafted[: len(drafted) - len(drafted.lstrip())]
        text = text.replace(drafted, indent + printed[0])
    kind = connector_of(text)
    assert summaries(read(kind, "messages.json")) == {
        "WEB-10491": [("shipment.confirmed", ["4", "2"])],
        "WEB-10492": [("pick.started", [])],
        "WEB-10493": [("pack.completed", ["2"])],
        "WEB-10494": [("shipment.confirmed", ["6"]), ("line.shorted", [])],
        "WEB-10495": [("order.cancelled", [])],
        "WEB-10496": [("order.held", [])],
    }
    shipped = read(kind, "dispatched.json").events[0]
    assert shipped.occurred_at == datetime(2026, 11, 30, 8, 13, 52, tzinfo=UTC)
    issuers = {i.scheme.value: i.issuer for o in shipped.objects for i in o.identifiers}
    assert (issuers["web_order"], issuers["delivery"]) == ("shop", "northbay")
    (unknown,) = read(kind, "at_dock.json").events
    assert (unknown.type.value, unknown.raw_type) == ("unmapped", "AT_DOCK")
    body = (SAMPLES / "dispatched.json").read_bytes()
    signature = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    headers = {"x-northbay-signature": f"sha256={signature}"}
    request = WebhookRequest("POST", "/hooks/northbay_events", {}, headers, body)
    instance = kind({"source": "northbay_events"})
    instance.verify(request, [b"secret"], NOW)
    assert instance.dedupe_key(request) == "nb-7f3a-000151"


def test_every_file_that_the_page_names_exists() -> None:
    named = set(re.findall(r"docs/samples/northbay/([\w.]+)", PAGE))
    assert len(named) == 6
    assert sorted(name for name in named if not (SAMPLES / name).is_file()) == []
    orders = json.loads((SAMPLES / "shop_orders.json").read_text())
    assert len(orders) == 12
