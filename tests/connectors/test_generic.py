"""Our own event data: read leniently where it is harmless, refused where it is not."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it ships no types

import connectors.systems
from connectors.sdk.event_json import SCHEMA, read
from connectors.sdk.events import Attribute, CanonicalEvent, Flag, Measure, Scheme
from connectors.sdk.payload import PayloadError, Reason, load_json
from connectors.sdk.timestamps import Moment

AT = Moment(datetime(2026, 3, 9, tzinfo=UTC))
SYSTEMS = Path(connectors.systems.__path__[0])


def made(data: Any, word: str = "shipment.confirmed", **config: str) -> CanonicalEvent:
    node = load_json(json.dumps({"data": data}).encode()).at("data")
    return read(node, word=word, path="type", key="k", at=AT, config=config, source="wms")


def problem(data: Any, word: str = "shipment.confirmed", **config: str) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        made(data, word, **config)
    return caught.value


def test_the_schema_is_one_and_takes_every_sample_that_is_read() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA)
    for slug, case in (("standard_webhooks", "invoice_issued"), ("cloudevents", "structured")):
        sample = json.loads((SYSTEMS / slug / "samples" / f"{case}.json").read_text())
        validator.validate(sample["body"]["data"])
    assert not validator.is_valid({"lines": []})


def test_text_alone_is_a_number() -> None:
    event = made({"order": 9007199254740993, "shipment": "S-1", "invoice": "I-1", "return": "R-1"})
    numbers = [(i.scheme, i.value, i.issuer) for ref in event.objects for i in ref.identifiers]
    assert numbers == [
        (Scheme.ORDER_NUMBER, "9007199254740993", "wms"),
        (Scheme.SHIPMENT, "S-1", "wms"),
        (Scheme.INVOICE, "I-1", "wms"),
        (Scheme.RMA, "R-1", "wms"),
    ]


@pytest.mark.parametrize("number", ["", "0", "N/A", "null", "TBD", "-", "Pickup", None])
def test_what_is_no_number_names_nothing(number: str | None) -> None:
    assert problem({"order": number, "tracking": number}).reason is Reason.REFERENCE


def test_a_purchase_order_is_strong_only_with_its_customer() -> None:
    for customer, strong in (("C1", True), ("", False)):
        (identifier,) = made({"order": {"po": "4711", "customer": customer}}).objects[0].identifiers
        assert (identifier.issuer, identifier.strong) == (customer, strong)


def test_a_package_is_named_once() -> None:
    event = made(
        {"packages": [{"tracking": "T-1", "sscc": "S-1"}, "T-2"], "tracking": ["T-2", "T-3"]}
    )
    numbers = [[i.value for i in ref.identifiers] for ref in event.objects]
    assert numbers == [["T-1", "S-1"], ["T-2"], ["T-3"]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"line_id": "1", "shipped": -1}, Reason.QUANTITY),
        ({"line_id": "1", "shipped": "1,000"}, Reason.NUMBER),
        ({"line_id": "1", "shipped": "five"}, Reason.NUMBER),
        ({"line_id": "1", "shipped": True}, Reason.SCHEMA),
        ({"shipped": 1}, Reason.SCHEMA),
    ],
)
def test_a_line_that_can_not_be_counted_parks(line: dict[str, Any], reason: Reason) -> None:
    assert problem({"order": "1", "lines": [line]}).reason is reason


def test_a_line_that_stands_twice_parks() -> None:
    lines = [{"line_id": "1", "shipped": 1}, {"line_id": "1", "shipped": 2}]
    assert problem({"order": "1", "lines": lines}).reason is Reason.MAPPING


def test_a_correction_may_take_back() -> None:
    line = {"line_id": "1", "shipped": "-1.50"}
    event = made({"order": "1", "corrects": ["x"], "lines": [line]})
    assert event.lines[0].quantities == {Measure.SHIPPED: Decimal("-1.50")}


def test_dates_and_totals_among_the_attributes_are_checked() -> None:
    told = {"eta": "2026-03-09T10:00:00+01:00", "promised_at": "2026-03-12", "total": "1.50"}
    event = made({"order": "1", "attributes": {**told, "colour": ["unknown", "names", "pass"]}})
    assert event.attributes == {
        Attribute.ETA: "2026-03-09T09:00:00.000000Z",
        Attribute.PROMISED_AT: "2026-03-12",
        Attribute.TOTAL: "1.5",
    }
    bad = {"order": "1", "attributes": {"eta": "soon"}}
    assert problem(bad).reason is Reason.TIMESTAMP


def test_an_unpaired_surrogate_is_replaced_and_flagged() -> None:
    event = made({"order": "1", "attributes": {"reason": "\ud800"}})
    assert event.attributes[Attribute.REASON] == "\ufffd"
    assert Flag.SANITISED in event.flags


def test_a_setting_that_makes_no_sense_parks_with_a_sentence() -> None:
    error = problem({"order": "1"}, order_number="erp")
    assert (error.reason, error.path) == (Reason.MAPPING, "settings")
