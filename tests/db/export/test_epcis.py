"""EPCIS exports: valid against the GS1 schema, with CBV terms for each event type."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import (  # type: ignore[import-untyped]  # it has no types
    Draft7Validator,
    FormatChecker,
)

from tests.builders.exported_order import SSCC, STORY
from tests.db.export.conftest import ExportWriter
from visibility.export.export_orders_in_format import Format
from visibility.export.snapshot_to_temp_tables import OrderSelection
from visibility.screens.orders.order_filters import order_filters

SCHEMA = json.loads((Path(__file__).parent / "schema" / "EPCIS-JSON-Schema.json").read_text())
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=\[\]-]|%[0-9A-F]{2})+")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
FORMATS = FormatChecker(())
FORMATS.checks("uri")(lambda value: bool(URI.fullmatch(str(value))))
FORMATS.checks("date-time")(lambda value: bool(MOMENT.fullmatch(str(value))))
VALIDATOR = Draft7Validator(SCHEMA, format_checker=FORMATS)
PO = "urn:throughline:sales_order:erp:SO-1"
SHIPMENT = "urn:throughline:shipment:wms:S1"


def document(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.fixture
def events(write_export: ExportWriter) -> list[dict[str, Any]]:
    event_list: list[dict[str, Any]] = document(write_export(Format.EPCIS))["epcisBody"][
        "eventList"
    ]
    return event_list


def single_event(events: list[dict[str, Any]], **wanted: str) -> dict[str, Any]:
    names = {"at": "eventTime", "is_a": "type", "ours": "throughline:eventType"}
    matching = [
        e
        for e in events
        if all(e.get(names.get(n, n), "").startswith(v) for n, v in wanted.items())
    ]
    assert len(matching) == 1, [e["eventID"] for e in matching]
    return matching[0]


def test_document_is_valid_against_the_gs1_schema(write_export: ExportWriter) -> None:
    epcis = document(write_export(Format.EPCIS))
    assert [e.message[:300] for e in VALIDATOR.iter_errors(epcis)] == []
    epcis["epcisBody"]["eventList"][0]["bizStep"] = "no such step"
    assert not VALIDATOR.is_valid(epcis)


def test_empty_export_is_a_valid_document(write_export: ExportWriter) -> None:
    epcis = document(write_export(Format.EPCIS, OrderSelection(order_filters(customer="nobody"))))
    assert epcis["epcisBody"]["eventList"] == []
    assert VALIDATOR.is_valid(epcis)


def test_each_event_is_exported_once(events: list[dict[str, Any]]) -> None:
    assert len({e["eventID"] for e in events}) == len(events)
    assert len([e for e in events if e["type"] != "AggregationEvent"]) == len(STORY)


def test_order_is_a_po_transaction(events: list[dict[str, Any]]) -> None:
    event = single_event(events, ours="order.received", at="2026-03-02T15:00")
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


def test_shipment_is_an_object_event(events: list[dict[str, Any]]) -> None:
    event = single_event(events, is_a="ObjectEvent", at="2026-03-03T15:00")
    assert (event["bizStep"], event["disposition"]) == ("shipping", "in_transit")
    assert event["epcList"] == [f"https://id.gs1.org/00/{SSCC}", "urn:throughline:tracking::1ZA2"]
    transactions = {(b["type"], b["bizTransaction"]) for b in event["bizTransactionList"]}
    assert transactions == {
        ("po", PO),
        ("po", "urn:throughline:customer_po:C1:PO%2077"),
        ("desadv", SHIPMENT),
        ("bol", "urn:throughline:bol::BOL%209"),
    }
    assert event["bizLocation"] == {"id": "urn:throughline:warehouse::Dallas%201"}


def test_packages_are_aggregated_to_their_shipment(events: list[dict[str, Any]]) -> None:
    event = single_event(events, is_a="AggregationEvent", at="2026-03-03T15:00")
    assert (event["parentID"], event["action"]) == (SHIPMENT, "ADD")
    assert len(event["childEPCs"]) == 2
    void = single_event(events, is_a="AggregationEvent", at="2026-03-05T17:00")
    assert (void["action"], void["bizStep"]) == ("DELETE", "void_shipping")


def test_voided_event_is_declared_did_not_occur(events: list[dict[str, Any]]) -> None:
    wrong = single_event(events, is_a="ObjectEvent", at="2026-03-05T16:00")
    void = single_event(events, is_a="ObjectEvent", at="2026-03-05T17:00")
    declared = wrong["errorDeclaration"]
    assert declared["reason"] == "did_not_occur"
    assert declared["correctiveEventIDs"] == [void["eventID"]]
    assert declared["declarationTime"] == void["recordTime"]
    assert "errorDeclaration" not in void


def test_replaced_event_is_declared_incorrect_data(events: list[dict[str, Any]]) -> None:
    first = single_event(events, ours="invoice.issued", at="2026-03-08T08:00")
    better = single_event(events, ours="invoice.issued", at="2026-03-08T09:00")
    assert first["errorDeclaration"]["reason"] == "incorrect_data"
    assert first["errorDeclaration"]["correctiveEventIDs"] == [better["eventID"]]
    assert {"type": "inv", "bizTransaction": "urn:throughline:invoice:finance:INV-1"} in better[
        "bizTransactionList"
    ]


def test_event_ids_are_stable(write_export: ExportWriter, events: list[dict[str, Any]]) -> None:
    second = document(write_export(Format.EPCIS))["epcisBody"]["eventList"]
    assert [e["eventID"] for e in second] == [e["eventID"] for e in events]


def test_carrier_event_has_no_transactions(events: list[dict[str, Any]]) -> None:
    event = single_event(events, ours="shipment.in_transit")
    assert event["type"] == "ObjectEvent"
    assert "bizTransactionList" not in event
    assert event["readPoint"] == {"id": "urn:throughline:location::Waco%2C%20TX"}
