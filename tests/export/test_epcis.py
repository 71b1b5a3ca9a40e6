"""EPCIS documents: valid by GS1's schema, and each of our events said as the vocabulary says it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import (  # type: ignore[import-untyped]  # it has no types
    Draft7Validator,
    FormatChecker,
)

from connectors.sdk.events import EventType
from tests.export.cast import SSCC, STORY
from tests.export.conftest import Written
from visibility.export.epcis_vocabulary import WORDS
from visibility.export.formats import Format
from visibility.export.snapshot import Selection
from visibility.export.uris import is_sscc, private
from visibility.screens.orders.order_list import Filters

SCHEMA = json.loads((Path(__file__).parent / "schema" / "EPCIS-JSON-Schema.json").read_text())
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=\[\]-]|%[0-9A-F]{2})+")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
FORMATS = FormatChecker(())
FORMATS.checks("uri")(lambda value: bool(URI.fullmatch(str(value))))
FORMATS.checks("date-time")(lambda value: bool(MOMENT.fullmatch(str(value))))
VALID = Draft7Validator(SCHEMA, format_checker=FORMATS)
PO = "urn:throughline:sales_order:erp:SO-1"
SHIPMENT = "urn:throughline:shipment:wms:S1"


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.fixture
def events(written: Written) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document(written(Format.EPCIS))["epcisBody"]["eventList"]
    return found


def one(events: list[dict[str, Any]], **wanted: str) -> dict[str, Any]:
    names = {"at": "eventTime", "is_a": "type", "ours": "throughline:event"}
    found = [
        e
        for e in events
        if all(e.get(names.get(n, n), "").startswith(v) for n, v in wanted.items())
    ]
    assert len(found) == 1, [e["eventID"] for e in found]
    return found[0]


def test_the_document_is_valid_by_the_schema_of_gs1(written: Written) -> None:
    found = document(written(Format.EPCIS))
    assert [e.message[:300] for e in VALID.iter_errors(found)] == []
    found["epcisBody"]["eventList"][0]["bizStep"] = "no such step"
    assert not VALID.is_valid(found)


def test_an_empty_selection_is_a_valid_document_too(written: Written) -> None:
    found = document(written(Format.EPCIS, Selection(Filters(customer="nobody"))))
    assert found["epcisBody"]["eventList"] == []
    assert VALID.is_valid(found)


def test_each_event_is_there_once(events: list[dict[str, Any]]) -> None:
    assert len({e["eventID"] for e in events}) == len(events)
    assert len([e for e in events if e["type"] != "AggregationEvent"]) == len(STORY)


def test_an_order_is_a_transaction_of_type_po(events: list[dict[str, Any]]) -> None:
    event = one(events, ours="order.received", at="2026-03-02T15:00")
    assert (event["type"], event["action"]) == ("TransactionEvent", "ADD")
    assert event["bizTransactionList"] == [
        {"type": "po", "bizTransaction": PO},
        {"type": "po", "bizTransaction": "urn:throughline:customer_po:C1:PO%2077"},
    ]
    assert event["quantityList"] == [
        {"epcClass": "urn:throughline:sku::A-1", "quantity": 8},
        {"epcClass": "urn:throughline:sku::B%202%2F5", "quantity": 3.5, "uom": "MTR"},
    ]
    assert event["recordTime"] > event["eventTime"]


def test_goods_leave_in_an_object_event(events: list[dict[str, Any]]) -> None:
    event = one(events, is_a="ObjectEvent", at="2026-03-03T15:00")
    assert (event["bizStep"], event["disposition"]) == ("shipping", "in_transit")
    assert event["epcList"] == [f"https://id.gs1.org/00/{SSCC}", "urn:throughline:tracking::1ZA2"]
    papers = {(b["type"], b["bizTransaction"]) for b in event["bizTransactionList"]}
    assert papers == {
        ("po", PO),
        ("po", "urn:throughline:customer_po:C1:PO%2077"),
        ("desadv", SHIPMENT),
        ("bol", "urn:throughline:bol::BOL%209"),
    }
    assert event["bizLocation"] == {"id": "urn:throughline:warehouse::Dallas%201"}


def test_packages_are_aggregated_in_their_shipment(events: list[dict[str, Any]]) -> None:
    event = one(events, is_a="AggregationEvent", at="2026-03-03T15:00")
    assert (event["parentID"], event["action"]) == (SHIPMENT, "ADD")
    assert len(event["childEPCs"]) == 2
    void = one(events, is_a="AggregationEvent", at="2026-03-05T17:00")
    assert (void["action"], void["bizStep"]) == ("DELETE", "void_shipping")


def test_what_did_not_occur_is_declared_with_what_says_so(events: list[dict[str, Any]]) -> None:
    wrong = one(events, is_a="ObjectEvent", at="2026-03-05T16:00")
    void = one(events, is_a="ObjectEvent", at="2026-03-05T17:00")
    declared = wrong["errorDeclaration"]
    assert declared["reason"] == "did_not_occur"
    assert declared["correctiveEventIDs"] == [void["eventID"]]
    assert declared["declarationTime"] == void["recordTime"]
    assert "errorDeclaration" not in void


def test_what_was_told_better_is_incorrect_data(events: list[dict[str, Any]]) -> None:
    first = one(events, ours="invoice.issued", at="2026-03-08T08:00")
    better = one(events, ours="invoice.issued", at="2026-03-08T09:00")
    assert first["errorDeclaration"]["reason"] == "incorrect_data"
    assert first["errorDeclaration"]["correctiveEventIDs"] == [better["eventID"]]
    assert {"type": "inv", "bizTransaction": "urn:throughline:invoice:finance:INV-1"} in better[
        "bizTransactionList"
    ]


def test_the_same_event_has_the_same_id_in_every_export(
    written: Written, events: list[dict[str, Any]]
) -> None:
    again = document(written(Format.EPCIS))["epcisBody"]["eventList"]
    assert [e["eventID"] for e in again] == [e["eventID"] for e in events]


def test_a_carrier_speaks_of_packages_alone(events: list[dict[str, Any]]) -> None:
    event = one(events, ours="shipment.in_transit")
    assert event["type"] == "ObjectEvent"
    assert "bizTransactionList" not in event
    assert event["readPoint"] == {"id": "urn:throughline:location::Waco%2C%20TX"}


def test_every_word_of_ours_has_its_words_in_epcis() -> None:
    assert set(WORDS) == set(EventType)


@pytest.mark.parametrize(
    ("value", "right"),
    [(SSCC, True), ("340123450000000018", False), ("34012345000000001", False), ("x" * 18, False)],
)
def test_only_a_right_sscc_is_a_key_of_gs1(value: str, right: bool) -> None:
    assert is_sscc(value) is right


def test_a_private_name_holds_whatever_people_write() -> None:
    assert private("sku", "a:b/ü", issuer="x y") == "urn:throughline:sku:x%20y:a%3Ab%2F%C3%BC"
