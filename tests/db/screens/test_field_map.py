"""Which raw fields became which fields of an event, exactly and in bounded time."""

import json
import time
from typing import Any

import orjson
import pytest

from connectors.sdk.connector import RawMessage
from connectors.sdk.events import Attribute, CanonicalEvent
from tests.builders.manifest_systems import HEAD
from tests.builders.web_order import SOURCES, web_order_messages
from visibility.db.database_time import database_now
from visibility.ingest.parse_messages_and_pick_versions import StoredMessage
from visibility.models import Source
from visibility.screens.messages import field_map
from visibility.screens.messages.field_map import FieldMap, build_field_map, map_fields

pytestmark = pytest.mark.django_db
SHOP_ORDER, SHIPMENT, TRACKER = 0, 4, 6


def sample(index: int) -> tuple[StoredMessage, Source]:
    message = web_order_messages()[index]
    connector, role, config = SOURCES[message.source]
    source = Source(
        slug=message.source, title="S", connector=connector, role=role, config=dict(config)
    )
    headers = dict(message.headers)
    return StoredMessage(1, 1, database_now(), "k", "h", headers, message.body), source


def events(message: StoredMessage, source: Source) -> list[CanonicalEvent]:
    raw = RawMessage(message.body or b"", message.headers, message.received_at)
    return list(source.build_connector().parse(raw).events)


def mapping(index: int, event: int = 0) -> dict[str, tuple[str, list[str]]]:
    message, source = sample(index)
    mapped = build_field_map(message, source, events(message, source)[event], 20)
    assert mapped.problem == ""
    assert mapped.tried == mapped.total > 5
    return {each.name: (each.value, [raw.path for raw in each.raws]) for each in mapped.fields}


def test_each_field_names_the_raw_fields_that_change_it() -> None:
    fields = mapping(SHIPMENT)
    assert fields["Order: sales order"] == ("SO-104711", ["fulfillment.order_number"])
    assert fields["Line 1: shipped quantity"] == ("5", ["fulfillment.line_items[0].quantity"])
    # Nothing in the message says it.
    assert fields["Line 1: unit"] == ("EA", [])


def test_translated_codes_and_combined_fields_name_their_raw_fields() -> None:
    fields = mapping(TRACKER)
    kind, paths = fields["Event type"]
    assert kind == "shipment.in_transit"
    assert "result.tracking_details[0].status" in paths
    where = "result.tracking_details[0].tracking_location"
    assert fields["Location"] == (
        "Dallas, TX, US",
        [f"{where}.city", f"{where}.state", f"{where}.country"],
    )
    # The other scan of the message has nothing to do with this event.
    assert not any("tracking_details[1]" in path for _, raws in fields.values() for path in raws)


def test_headers_are_raw_fields_and_secrets_are_not() -> None:
    source = Source(slug="generic", title="S", connector="cloudevents", role="other", config={})
    headers = {"content-type": "application/json", "ce-specversion": "1.0", "ce-id": "1"}
    headers |= {"ce-source": "/x", "ce-type": "order.received", "ce-time": "2026-03-02T15:00:00Z"}
    totals = []
    for secret in ({}, {"authorization": "Bearer 12345"}):
        body = b'{"order": {"number": "SO-1"}}'
        message = StoredMessage(1, 1, database_now(), "k", "h", headers | secret, body)
        mapped = build_field_map(message, source, events(message, source)[0], 20)
        fields = {each.name: [raw.path for raw in each.raws] for each in mapped.fields}
        assert fields["Event type"] == ["header ce-type"]
        assert fields["Event occurred"] == ["header ce-time"]
        assert fields["Order: order number"] == ["order.number"]
        totals.append(mapped.total)
    assert totals[0] == totals[1] == len(headers) + 1


def test_names_of_columns_in_another_charset_can_be_shown() -> None:
    config = {"erp": "erp"}
    source = Source(slug="3pl", title="S", connector="northlog_945", role="3pl", config=config)
    row = "S00042;NL-771;PO-88;C14;B7001;10;BOLT-M8;4;ST;C;02.03.2026 15:10;FDEG;449044304137821;"
    body = f"{HEAD.strip()};GR\xf6\xdfE\n{row};NORTH\n".encode("cp1252")
    message = StoredMessage(1, 1, database_now(), "k", "h", {}, body)
    (event,) = events(message, source)
    mapped = build_field_map(message, source, event, 20)
    assert mapped.problem == ""
    assert orjson.dumps(mapped)


def test_problems_are_named() -> None:
    message, source = sample(SHIPMENT)
    (event, *_) = events(message, source)

    def problem(body: bytes, connector: str = "shiphero", **config: Any) -> str:
        source.connector, source.config = connector, {**SOURCES["wms"][2], **config}
        changed = StoredMessage(1, 1, message.received_at, "k", "h", message.headers, body)
        mapped = build_field_map(changed, source, event, 20)
        assert not mapped.fields
        return mapped.problem

    body = message.body or b""
    assert problem(b"{") == field_map.NOT_READ
    assert problem(body, "no_such_connector") == field_map.NOT_READ
    other = json.loads(body)
    other["fulfillment"]["shipment_id"] = 77
    assert problem(json.dumps(other).encode()) == field_map.NOT_AMONG
    assert problem(body + b" " * field_map.MAX_BYTES) == field_map.TOO_LARGE


def test_without_time_raw_fields_with_the_value_are_named_as_such() -> None:
    message, source = sample(SHOP_ORDER)
    mapped = build_field_map(message, source, events(message, source)[0], -1)
    assert mapped.tried == 0 < mapped.total
    fields = {each.name: each for each in mapped.fields}
    assert fields["Line 2: description"].raws == ()
    assert [raw.path for raw in fields["Line 2: description"].same] == ["line_items[1].title"]


def test_the_value_on_the_order_is_shown_if_it_differs() -> None:
    message, source = sample(SHIPMENT)
    (event, *_) = events(message, source)
    translated = CanonicalEvent(
        event.type,
        event.key,
        event.occurred_at,
        event.objects,
        attributes={Attribute.CARRIER: "UPS Ground"},
    )
    fields = {f.name: f for f in build_field_map(message, source, translated, 20).fields}
    assert (fields["Carrier"].value, fields["Carrier"].current) == ("UPS", "UPS Ground")
    assert fields["Order: sales order"].current == ""


@pytest.mark.slow
def test_it_runs_in_its_own_process_and_a_connector_that_hangs_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message, source = sample(SHIPMENT)
    (event, *_) = events(message, source)
    in_process = build_field_map(message, source, event, 20)
    assert map_fields(message, source, event) == in_process
    program = """
import django; django.setup()
from visibility.screens.messages import field_map
from visibility.models.sources_and_messages import Source
import re
Source.build_connector = lambda self: re.match("(a+)+b", "a" * 60)
field_map.main()
"""
    command = (field_map.COMMAND[0], "-c", program)
    monkeypatch.setattr(field_map, "COMMAND", command)
    monkeypatch.setattr(field_map, "SECONDS", 0.1)
    began = time.monotonic()
    assert map_fields(message, source, event) == FieldMap(problem=field_map.TOO_LONG)
    assert time.monotonic() - began < 20
