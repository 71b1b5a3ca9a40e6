"""Throughline event data: lenient where it is harmless, strict where it is not."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it ships no types

import connectors.systems
from connectors.sdk import event_parser
from connectors.sdk.event_schema import SCHEMA
from connectors.sdk.events import Attribute, CanonicalEvent, Flag, IdentifierScheme, Measure
from connectors.sdk.payload import ParkReason, PayloadError, load_json
from connectors.sdk.settings import parse_settings
from connectors.sdk.timestamps import ParsedTime

AT = ParsedTime(datetime(2026, 3, 9, tzinfo=UTC))
SYSTEMS = Path(connectors.systems.__path__[0])


def parse(data: Any, type_name: str = "shipment.confirmed", **config: str) -> CanonicalEvent:
    node = load_json(json.dumps({"data": data}).encode()).get("data")
    return event_parser.parse_event(
        node,
        type_name=type_name,
        path="type",
        key="k",
        at=AT,
        settings=parse_settings(event_parser.SETTINGS, config),
        source="wms",
    )


def parse_error(data: Any, type_name: str = "shipment.confirmed", **config: str) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        parse(data, type_name, **config)
    return caught.value


def test_the_schema_is_valid_and_accepts_the_samples() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA)
    for slug, case in (("standard_webhooks", "invoice_issued"), ("cloudevents", "structured")):
        sample = json.loads((SYSTEMS / slug / "samples" / f"{case}.json").read_text())
        validator.validate(sample["body"]["data"])
    assert not validator.is_valid({"lines": []})


def test_plain_text_is_a_number() -> None:
    event = parse({"order": 9007199254740993, "shipment": "S-1", "invoice": "I-1", "return": "R-1"})
    numbers = [(i.scheme, i.value, i.issuer) for ref in event.objects for i in ref.identifiers]
    assert numbers == [
        (IdentifierScheme.ORDER_NUMBER, "9007199254740993", "wms"),
        (IdentifierScheme.SHIPMENT, "S-1", "wms"),
        (IdentifierScheme.INVOICE, "I-1", "wms"),
        (IdentifierScheme.RMA, "R-1", "wms"),
    ]


@pytest.mark.parametrize("number", ["", "0", "N/A", "null", "TBD", "-", "Pickup", None])
def test_a_placeholder_is_not_an_identifier(number: str | None) -> None:
    assert parse_error({"order": number, "tracking": number}).reason is ParkReason.REFERENCE


def test_a_purchase_order_is_strong_only_with_its_customer() -> None:
    for customer, strong in (("C1", True), ("", False)):
        (identifier,) = (
            parse({"order": {"po": "4711", "customer": customer}}).objects[0].identifiers
        )
        assert (identifier.issuer, identifier.strong) == (customer, strong)


def test_each_package_is_referenced_once() -> None:
    event = parse(
        {"packages": [{"tracking": "T-1", "sscc": "S-1"}, "T-2"], "tracking": ["T-2", "T-3"]}
    )
    numbers = [[i.value for i in ref.identifiers] for ref in event.objects]
    assert numbers == [["T-1", "S-1"], ["T-2"], ["T-3"]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"line_id": "1", "shipped": -1}, ParkReason.QUANTITY),
        ({"line_id": "1", "shipped": "1,000"}, ParkReason.NUMBER),
        ({"line_id": "1", "shipped": "five"}, ParkReason.NUMBER),
        ({"line_id": "1", "shipped": True}, ParkReason.SCHEMA),
        ({"shipped": 1}, ParkReason.SCHEMA),
    ],
)
def test_an_invalid_line_is_an_error(line: dict[str, Any], reason: ParkReason) -> None:
    assert parse_error({"order": "1", "lines": [line]}).reason is reason


def test_a_duplicate_line_is_an_error() -> None:
    lines = [{"line_id": "1", "shipped": 1}, {"line_id": "1", "shipped": 2}]
    assert parse_error({"order": "1", "lines": lines}).reason is ParkReason.MAPPING


def test_a_correction_may_have_negative_quantities() -> None:
    line = {"line_id": "1", "shipped": "-1.50"}
    event = parse({"order": "1", "corrects": ["x"], "lines": [line]})
    assert event.lines[0].quantities == {Measure.SHIPPED: Decimal("-1.50")}


def test_date_and_total_attributes_are_validated() -> None:
    attributes = {"eta": "2026-03-09T10:00:00+01:00", "promised_at": "2026-03-12", "total": "1.50"}
    event = parse(
        {"order": "1", "attributes": {**attributes, "other": ["unknown", "names", "pass"]}}
    )
    assert event.attributes == {
        Attribute.ETA: "2026-03-09T09:00:00.000000Z",
        Attribute.PROMISED_AT: "2026-03-12",
        Attribute.TOTAL: "1.5",
    }
    bad = {"order": "1", "attributes": {"eta": "soon"}}
    assert parse_error(bad).reason is ParkReason.TIMESTAMP


def test_a_lone_surrogate_is_replaced_and_flagged() -> None:
    event = parse({"order": "1", "attributes": {"reason": "\ud800"}})
    assert event.attributes[Attribute.REASON] == "\ufffd"
    assert Flag.SANITIZED in event.flags


def test_an_invalid_setting_is_an_error() -> None:
    error = parse_error({"order": "1"}, order_number="erp")
    assert (error.reason, error.path) == (ParkReason.MAPPING, "settings")


def test_an_object_has_any_number_of_numbers_from_any_issuer() -> None:
    numbers = [
        {"scheme": "web_order", "issuer": "shop", "value": "727"},
        {"scheme": "source_id", "value": 42},
        {"scheme": "customer_po", "value": "PO-1"},
        {"scheme": "reference", "value": "R-1", "weak": True},
        {"scheme": "order_number", "issuer": "wms", "value": "SO-1"},
        {"scheme": "web_order", "issuer": "shop", "value": "N/A"},
    ]
    boxes = [{"tracking": "1Z1", "numbers": [{"scheme": "source_id", "value": "b1"}]}]
    data = {"order": {"number": "SO-1", "numbers": numbers}, "packages": boxes}
    assert not list(Draft202012Validator(SCHEMA).iter_errors(data))
    order, package = parse(data).objects
    assert [(i.scheme, i.issuer, i.value, i.strong) for i in order.identifiers] == [
        ("order_number", "wms", "SO-1", True),
        ("web_order", "shop", "727", True),
        ("source_id", "wms", "42", True),
        ("customer_po", "", "PO-1", False),
        ("reference", "wms", "R-1", False),
    ]
    assert [(i.scheme, i.issuer, i.value) for i in package.identifiers] == [
        ("tracking", "", "1Z1"),
        ("source_id", "wms", "b1"),
    ]
    error = parse_error({"order": {"numbers": [{"scheme": "so", "value": "1"}]}})
    assert (error.path, error.reason) == ("data.order.numbers[0].scheme", ParkReason.MAPPING)
    error = parse_error({"order": {"numbers": [{"scheme": "sku"}]}})
    assert error.path == "data.order.numbers[0].value"
