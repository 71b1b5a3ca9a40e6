"""Throughline event data: lenient where it is harmless, strict where it is not."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it ships no types

import connectors.systems
from connectors.sdk import event_parser
from connectors.sdk.check_event_size_limits import validate_and_flag_event
from connectors.sdk.event_codec import event_from_dict, event_to_dict
from connectors.sdk.event_examples import EXAMPLES
from connectors.sdk.event_schema import SCHEMA, event_type_schema
from connectors.sdk.event_term_descriptions import ATTRIBUTES, MEASURES, OBJECT_KINDS, SCHEMES
from connectors.sdk.event_type_descriptions import EVENT_TYPES
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventType,
    Flag,
    IdentifierScheme,
    Measure,
    ObjectKind,
    QuantityMode,
)
from connectors.sdk.payload import ParkReason, PayloadError, load_json
from connectors.sdk.required_and_ignored_event_members import REFERENCE_MEMBERS
from connectors.sdk.settings import parse_and_check_settings
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
        settings=parse_and_check_settings(event_parser.SETTINGS, config),
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


def numbers_of(event: CanonicalEvent, position: int = 0) -> list[tuple[str, str, str, bool]]:
    return [
        (i.scheme.value, i.issuer, i.value, i.strong) for i in event.objects[position].identifiers
    ]


def test_numbers_name_any_object_beside_the_short_forms() -> None:
    web_order = {"scheme": "web_order", "issuer": "shop", "value": "727"}
    event = parse({"order": {"number": "SO-1", "numbers": [web_order]}})
    assert numbers_of(event) == [
        ("order_number", "wms", "SO-1", True),
        ("web_order", "shop", "727", True),
    ]
    for member, kind in (
        ("shipment", "shipment"),
        ("delivery", "shipment"),
        ("invoice", "invoice"),
        ("return", "return"),
        ("vehicle", "vehicle"),
        ("contract", "contract"),
    ):
        event = parse({member: {"numbers": [{"scheme": "reference", "issuer": "x", "value": "9"}]}})
        assert event.objects[0].kind.value == kind
        assert numbers_of(event) == [("reference", "x", "9", True)]
    event = parse({"packages": [{"numbers": [{"scheme": "sscc", "value": "340123450000000018"}]}]})
    assert numbers_of(event) == [("sscc", "", "340123450000000018", True)]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"scheme": "sales_order", "value": "1"}, ("sales_order", "wms", "1", True)),
        ({"scheme": "tracking", "value": "1"}, ("tracking", "", "1", True)),
        ({"scheme": "customer_po", "value": "1"}, ("customer_po", "", "1", False)),
        ({"scheme": "bol", "value": "1"}, ("bol", "", "1", False)),
        (
            {"scheme": "web_order", "issuer": "shop", "value": "1", "weak": True},
            ("web_order", "shop", "1", False),
        ),
    ],
)
def test_number_without_an_issuer_is_the_senders_worldwide_or_weak(
    entry: dict[str, Any], expected: tuple[str, str, str, bool]
) -> None:
    assert numbers_of(parse({"order": {"numbers": [entry]}})) == [expected]


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ({"scheme": "nothing", "value": "1"}, "data.order.numbers[0].scheme"),
        ({"value": "1"}, "data.order.numbers[0].scheme"),
        ({"scheme": "web_order"}, "data.order.numbers[0].value"),
        ({"scheme": "web_order", "value": "1", "weak": "maybe"}, "data.order.numbers[0].weak"),
        ("SO-1", "data.order.numbers[0]"),
        # Many orders share a contract: its number must not merge them.
        ({"scheme": "contract", "value": "1"}, "data.order.numbers[0].scheme"),
        ({"scheme": "load", "issuer": "tms", "value": "1"}, "data.order.numbers[0].scheme"),
    ],
)
def test_an_invalid_number_is_an_error_at_its_path(entry: Any, path: str) -> None:
    assert parse_error({"order": {"numbers": [entry]}}).path == path


def test_lines_name_their_order_by_index_or_number() -> None:
    orders = ["SO-1", {"number": "SO-2", "po": "PO-2"}]
    lines = [
        {"line_id": "1", "order": 1, "shipped": 1},
        {"line_id": "1", "order": "SO-1", "shipped": 2},
        {"line_id": "2", "order": "po-2", "shipped": 3},
    ]
    event = parse({"orders": orders, "lines": lines})
    assert [line.order_index for line in event.lines] == [1, 0, 1]


@pytest.mark.parametrize(
    ("order", "detail"),
    [
        (None, "2 orders"),
        (2, "names none of the orders"),
        ("SO-3", "names none of the orders"),
        (True, "expected text"),
        ("PO-1", "names 2 of the orders"),
    ],
)
def test_a_line_that_names_no_order_of_the_event_is_an_error(order: Any, detail: str) -> None:
    orders = [{"number": "SO-1", "po": "PO-1"}, {"number": "SO-2", "po": "PO-1"}]
    error = parse_error({"orders": orders, "lines": [{"line_id": "1", "order": order}]})
    assert error.path == "data.lines[0].order"
    assert detail in error.detail


def test_order_and_orders_together_are_an_error() -> None:
    assert parse_error({"order": "1", "orders": ["2"]}).path == "data.orders"
    assert parse_error({"orders": ["1", {"number": "N/A"}]}).path == "data.orders[1]"


def test_customer_of_several_orders_counts_only_if_they_agree() -> None:
    orders = [
        {"number": "1", "customer": "C1", "channel": "b2b"},
        {"number": "2", "channel": "b2b"},
    ]
    assert parse({"orders": orders}).attributes == {Attribute.CHANNEL: "b2b"}


def test_lines_name_their_package_and_repeat_for_several() -> None:
    packages = [{"tracking": "T-1"}, {"sscc": "N/A"}, {"tracking": "T-2"}]
    lines = [
        {"line_id": "1", "package": 2, "shipped": 1},
        {"line_id": "1", "package": "t-1", "shipped": 2},
    ]
    event = parse({"order": "1", "packages": packages, "lines": lines})
    numbers = [event.objects[n.package_index].identifiers[0].value for n in event.lines]
    assert numbers == ["T-2", "T-1"]
    for package in (1, 3, "T-9"):
        line = {"line_id": "1", "package": package}
        error = parse_error({"order": "1", "packages": packages, "lines": [line]})
        assert error.path == "data.lines[0].package"
    twice = {"order": "1", "packages": packages, "lines": [lines[0], lines[0]]}
    assert "duplicate" in parse_error(twice).detail
    without = {"order": "1", "packages": packages, "lines": [lines[0], {"line_id": "1"}]}
    assert "duplicate" in parse_error(without).detail


def test_line_terms_serials_and_quantity_mode() -> None:
    line = {
        "line_id": "1",
        "seller": "Acme",
        "ship_by": "2026-03-09T10:00:00+01:00",
        "serials": ["A1", "A1", "N/A", "A2"],
        "shipped": "-1",
    }
    event = parse({"order": "1", "quantity_mode": "delta", "lines": [line]})
    (parsed,) = event.lines
    assert (parsed.seller, parsed.ship_by) == ("Acme", "2026-03-09T09:00:00.000000Z")
    assert parsed.serials == ("A1", "A2")
    assert parsed.quantity_mode is QuantityMode.DELTA
    own = {**line, "quantity_mode": "total", "shipped": 1}
    event = parse({"order": "1", "quantity_mode": "delta", "lines": [own]})
    assert event.lines[0].quantity_mode is QuantityMode.TOTAL
    error = parse_error({"order": "1", "lines": [{**line, "quantity_mode": "sum"}]})
    assert error.path == "data.lines[0].quantity_mode"


def test_event_with_every_field_survives_storage() -> None:
    line = {"line_id": "1", "sku": "A", "package": 0, "seller": "s", "ship_by": "2026-03-09"}
    data = {"order": "1", "tracking": "T", "quantity_mode": "delta"}
    event = parse({**data, "lines": [{**line, "serials": "A1", "shipped": 1}]})
    assert event_from_dict(event_to_dict(event)) == event
    plain = event_to_dict(parse({"order": "1", "lines": [{"line_id": "1", "shipped": 1}]}))
    # Stored hashes of events from before these fields must stay valid.
    assert set(plain["lines"][0]) == {
        "line_id",
        "sku",
        "description",
        "unit",
        "price",
        "quantities",
        "order",
    }


def test_serial_numbers_become_objects_of_their_item() -> None:
    line = {"line_id": "1", "sku": "A", "serials": ["A1", "A2"], "shipped": 2}
    event = validate_and_flag_event(parse({"order": "1", "lines": [line]}), AT.time)
    items = [ref for ref in event.objects if ref.kind is ObjectKind.SERIALIZED_ITEM]
    assert [ref.identifiers[0] for ref in items] == [
        EventIdentifier(IdentifierScheme.SERIAL, serial, "A") for serial in ("A1", "A2")
    ]
    assert validate_and_flag_event(event, AT.time).objects == event.objects


@pytest.mark.parametrize("change", [{"order_index": 1}, {"order_index": 9}, {"package_index": 0}])
def test_line_that_refers_to_no_order_or_package_is_an_error(change: dict[str, Any]) -> None:
    event = parse({"order": "1", "shipment": "2", "lines": [{"line_id": "1", "shipped": 1}]})
    broken = replace(event, lines=(replace(event.lines[0], **change),))
    with pytest.raises(PayloadError, match="reference"):
        validate_and_flag_event(broken, AT.time)


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_schema_and_parser_agree_about_what_each_type_requires(event_type: EventType) -> None:
    schema, example = event_type_schema(event_type), EXAMPLES[event_type]
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    validator.validate(example)
    assert parse(example, event_type.value).type is event_type
    bare = {name: value for name, value in example.items() if name not in REFERENCE_MEMBERS}
    candidates = [bare, {**bare, "shipment": "1"}, {**bare, "order": "1"}]
    for data in candidates:
        data = {name: value for name, value in data.items() if name != "lines"}
        if validator.is_valid(data):
            parse(data, event_type.value)
        else:
            assert parse_error(data, event_type.value).reason is ParkReason.REFERENCE


def test_every_member_of_the_vocabulary_is_described() -> None:
    assert set(EVENT_TYPES) == set(EventType)
    assert set(EXAMPLES) == set(EventType) - {EventType.UNMAPPED}
    assert set(OBJECT_KINDS) == set(ObjectKind)
    assert set(SCHEMES) == set(IdentifierScheme)
    assert set(MEASURES) == set(Measure)
    assert set(ATTRIBUTES) == set(Attribute)


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


def test_complete_measures_states_taken_back_and_lines_that_are_no_goods() -> None:
    data = {
        "order": "SO-1",
        "complete_measures": ["ordered", "ordered", "cancelled"],
        "takes_back": ["order.released"],
        "lines": [{"line_id": "1", "ordered": 1}, {"line_id": "2", "ordered": 1, "goods": False}],
    }
    Draft202012Validator(SCHEMA).validate(data)
    event = parse(data, "order.changed")
    assert event.complete_measures == (Measure.ORDERED, Measure.CANCELLED)
    assert event.takes_back == (EventType.ORDER_RELEASED,)
    assert [line.is_goods for line in event.lines] == [True, False]
    assert event_from_dict(event_to_dict(event)) == event
    plain = event_to_dict(parse({"order": "SO-1", "lines": [{"line_id": "1"}]}))
    assert not {"complete_measures", "takes_back"} & plain.keys()
    assert not {"goods", "shipment"} & plain["lines"][0].keys()


@pytest.mark.parametrize("member", ["complete_measures", "takes_back"])
def test_unknown_measure_or_event_type_in_a_list_is_an_error(member: str) -> None:
    error = parse_error({"order": "SO-1", member: ["nothing"]})
    assert (error.reason, error.path) == (ParkReason.MAPPING, f"data.{member}[0]")
