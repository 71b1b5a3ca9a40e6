"""EPCIS 2.0: steps, packages and items, business transactions, and withdrawn events."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    IdentifierScheme,
    Measure,
    ObjectKind,
)
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.epcis.connector import Epcis
from connectors.systems.epcis.gs1_keys import Gtin, gln_text, gtin_of, sscc_of
from connectors.systems.epcis.vocabulary import bare_term, transaction_number
from tests.builders.epcis import epcis_document, epcis_event

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SSCC = "urn:epc:id:sscc:4012345.1234567890"
PIECE = "urn:epc:id:sgtin:4012345.098765.{}"


def parse(document: Any, **config: str) -> ParseResult:
    message = RawMessage(orjson.dumps(document), {}, NOW)
    return Epcis({"source": "epcis", **config}).parse(message)


def event_of(event: dict[str, Any], **config: str) -> CanonicalEvent:
    parsed = parse(epcis_document(event), **config)
    assert (parsed.errors, parsed.ignored) == ((), "")
    return parsed.events[0]


class TestKeys:
    @pytest.mark.parametrize(
        ("uri", "sscc"),
        [
            ("urn:epc:id:sscc:0614141.1234567890", "106141412345678908"),
            ("https://id.gs1.org/00/106141412345678908", "106141412345678908"),
            ("https://example.com/some/00/106141412345678908?x=1", "106141412345678908"),
            ("urn:epc:id:sscc:0614141.12345", ""),
            ("urn:epc:id:giai:952005385.w2", ""),
            ("https://[", ""),
        ],
    )
    def test_sscc(self, uri: str, sscc: str) -> None:
        assert sscc_of(uri) == sscc

    @pytest.mark.parametrize(
        ("uri", "gtin"),
        [
            ("urn:epc:id:sgtin:0614141.107346.2017", Gtin("10614141073464", "2017")),
            ("urn:epc:idpat:sgtin:4012345.098765.*", Gtin("04012345987652")),
            ("urn:epc:class:lgtin:4012345.012345.998877", Gtin("04012345123456")),
            ("https://id.gs1.org/01/04012345987652", Gtin("04012345987652")),
            ("https://id.gs1.org/01/04012345987652/10/L1/21/S%2F1", Gtin("04012345987652", "S/1")),
            ("https://id.gs1.org/01/4012345987652", Gtin("04012345987652")),
            ("urn:epc:id:sgtin:0614141.1.2", None),
            ("urn:epc:id:sscc:0614141.1234567890", None),
        ],
    )
    def test_gtin(self, uri: str, gtin: Gtin | None) -> None:
        assert gtin_of(uri) == gtin

    def test_gln_and_other_locations(self) -> None:
        assert gln_text("urn:epc:id:sgln:0614141.07346.1234") == "0614141073467.1234"
        assert gln_text("urn:epc:id:sgln:0614141.00888.0") == "0614141008889"
        assert gln_text("https://id.gs1.org/414/0614141008889") == "0614141008889"
        assert gln_text("https://example.com/dock/4") == "https://example.com/dock/4"

    @pytest.mark.parametrize(
        "text",
        [
            "shipping",
            "urn:epcglobal:cbv:bizstep:shipping",
            "cbv:BizStep-shipping",
            "https://ref.gs1.org/cbv/BizStep-shipping",
        ],
    )
    def test_words_have_four_forms(self, text: str) -> None:
        assert bare_term(text) == "shipping"

    def test_transaction_numbers(self) -> None:
        assert transaction_number("urn:epcglobal:cbv:bt:4012345000009:A:1") == (
            "4012345000009",
            "A:1",
        )
        assert transaction_number("http://acme.com/po/12345678/") == ("", "12345678")
        assert transaction_number("urn:epc:id:gdti:9525.0001.77") == ("", "77")
        assert transaction_number("PO-1") == ("", "PO-1")


class TestSteps:
    @pytest.mark.parametrize(
        ("step", "disposition", "event_type"),
        [
            ("shipping", "in_transit", EventType.SHIPMENT_CONFIRMED),
            ("departing", "in_transit", EventType.PICKED_UP),
            ("arriving", "", EventType.IN_TRANSIT),
            ("receiving", "in_progress", EventType.DELIVERED),
            ("accepting", "", EventType.DELIVERED),
            ("receiving", "returned", EventType.RETURN_RECEIVED),
            ("packing", "", EventType.PACK_COMPLETED),
            ("picking", "", EventType.PICK_COMPLETED),
            ("picking", "in_progress", EventType.PICK_STARTED),
            ("void_shipping", "", EventType.SHIPMENT_VOID),
            ("staging_outbound", "", EventType.UNMAPPED),
        ],
    )
    def test_steps_are_events(self, step: str, disposition: str, event_type: EventType) -> None:
        event = event_of(epcis_event(step, po="1", disposition=disposition))
        assert event.type is event_type
        assert event.raw_type == (f"epcis {step}" if event_type is EventType.UNMAPPED else "")
        assert event.attributes[Attribute.STATUS] == f"{step} {disposition}".strip()

    def test_what_is_taken_apart_is_no_packing(self) -> None:
        event = event_of(epcis_event("packing", "AggregationEvent", action="DELETE", parentID=SSCC))
        assert (event.type, event.raw_type) == (EventType.UNMAPPED, "epcis packing DELETE")


class TestContents:
    def test_pieces_and_classes_are_lines_in_their_package(self) -> None:
        event = event_of(
            epcis_event(
                "packing",
                "AggregationEvent",
                transactions={"desadv": "S-1"},
                parentID=SSCC,
                childEPCs=[PIECE.format(1), PIECE.format(2)],
                childQuantityList=[
                    {"epcClass": "urn:epc:class:lgtin:4012345.012345.L1", "quantity": 2.5}
                    | {"uom": "KGM"},
                    {"epcClass": "https://id.gs1.org/01/04012345987652", "quantity": 3},
                ],
            )
        )
        assert [ref.kind for ref in event.objects] == [ObjectKind.SHIPMENT, ObjectKind.PACKAGE]
        pieces, weighed = event.lines
        assert pieces.quantities == {Measure.PACKED: Decimal(5)}
        assert (pieces.sku, pieces.serials, pieces.package_index) == (
            "04012345987652",
            ("1", "2"),
            1,
        )
        assert (weighed.unit, weighed.quantities) == ("KGM", {Measure.PACKED: Decimal("2.5")})

    def test_a_shipment_of_packages_has_no_lines(self) -> None:
        event = event_of(epcis_event("shipping", transactions={"po": "1"}, epcList=[SSCC, "x"]))
        assert event.lines == ()
        assert event.objects[1].identifiers[0].scheme is IdentifierScheme.SSCC

    def test_an_event_that_names_nothing_known_is_ignored(self) -> None:
        document = epcis_document(
            epcis_event("shipping", epcList=[PIECE.format(1)]), epcis_event("shipping", po="1")
        )
        parsed = parse(document)
        assert len(parsed.events) == 1
        assert parsed.ignored == ("1 event names no order, shipment, package, invoice or return")


class TestTransactions:
    def test_each_kind_has_its_number_range(self) -> None:
        terms = {"po": "1", "desadv": "2", "inv": "3", "rma": "4", "bol": "5", "pedigree": "6"}
        event = event_of(
            epcis_event("shipping", transactions=terms),
            order_number="sales_order@erp",
            shipment_number="shipment@wms",
        )
        named = [(i.scheme.value, i.issuer, i.value) for r in event.objects for i in r.identifiers]
        assert named == [
            ("sales_order", "erp", "1"),
            ("shipment", "wms", "2"),
            ("invoice", "epcis", "3"),
            ("rma", "epcis", "4"),
            ("bol", "", "5"),
        ]

    def test_the_gln_of_a_customer_makes_it_a_customer_po(self) -> None:
        event = event_of(epcis_event("shipping", po="1"), **{"customer.4012345000009": "C1"})
        (identifier,) = event.objects[0].identifiers
        assert (identifier.scheme, identifier.issuer) == (IdentifierScheme.CUSTOMER_PO, "C1")


class TestIdentityAndTime:
    def test_an_event_without_an_id_has_the_key_of_its_content(self) -> None:
        first, same = (event_of(epcis_event("shipping", po="1")) for _ in range(2))
        other = event_of(epcis_event("shipping", po="1", at="2026-03-04T11:00:00Z"))
        assert first.key == same.key != other.key
        assert event_of(epcis_event("shipping", po="1", eventID="urn:uuid:1")).key == "urn:uuid:1"

    def test_an_error_declaration_withdraws_its_event(self) -> None:
        declaration = {"declarationTime": "2026-03-05T08:00:00Z", "reason": "did_not_occur"}
        event = event_of(
            epcis_event("shipping", po="1", eventID="urn:uuid:1", errorDeclaration=declaration)
        )
        assert (event.corrects, event.key) == (("urn:uuid:1",), "urn:uuid:1 error")
        assert event.attributes[Attribute.REASON] == "did_not_occur"

    def test_a_time_without_an_offset_has_that_of_the_event(self) -> None:
        event = event_of(
            epcis_event("shipping", po="1", at="2026-03-04T10:00:00")
            | {"eventTimeZoneOffset": "-06:00"}
        )
        assert event.occurred_at == datetime(2026, 3, 4, 16, tzinfo=UTC)


class TestEpcisDocuments:
    def test_query_results_and_single_events_are_read(self) -> None:
        event = epcis_event("shipping", po="1")
        results = {"queryResults": {"resultsBody": {"eventList": [event]}}}
        assert len(parse({"type": "EPCISQueryDocument", "epcisBody": results}).events) == 1
        assert len(parse(event).events) == 1

    def test_an_invalid_event_does_not_affect_the_others(self) -> None:
        parsed = parse(
            epcis_document(epcis_event("shipping", po="1", at="soon"), epcis_event("", po="2"))
        )
        assert len(parsed.events) == 1
        assert [(e.reason, e.path) for e in parsed.errors] == [
            (ParkReason.TIMESTAMP, "epcisBody.eventList[0].eventTime")
        ]

    @pytest.mark.parametrize(
        "document",
        [
            [],
            {"type": "Order"},
            {"type": "EPCISDocument"},
            epcis_document({"type": "QuantityEvent"}),
        ],
    )
    def test_other_documents_are_parked(self, document: Any) -> None:
        with pytest.raises(PayloadError) as caught:
            parse(document)
        assert caught.value.reason is ParkReason.SCHEMA

    def test_an_empty_document_is_ignored(self) -> None:
        assert parse(epcis_document()).ignored == "the document has no event"


def test_a_request_without_the_secret_is_rejected() -> None:
    request = WebhookRequest("POST", "/", {}, {"authorization": "Bearer x"}, b"{}")
    with pytest.raises(InvalidSignature):
        Epcis({}).verify(request, [b"a-secret-of-this-source"], NOW)
