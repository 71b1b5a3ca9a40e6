"""Manifests that read XML and files of fixed width: records, lines, polls, drafts and problems."""

import json
import random
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.sdk.connector import RawMessage
from connectors.sdk.events import Attribute, CanonicalEvent, Measure
from connectors.sdk.manifest.draft import draft_manifest
from connectors.sdk.manifest.manifest_parser import parse_manifest
from connectors.sdk.manifest.poller import ManifestPoller
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.webhook_and_poll_types import (
    HttpRequest,
    HttpResponse,
    PollContext,
    PolledRecord,
    PollError,
    WebhookRequest,
)
from tests.builders.changed_payloads import changed_copies
from tests.unit.connectors.sdk.manifest.samples import (
    NOW,
    changed,
    connector,
    events,
    parse,
    problems,
)

XML = """
connector: sample
version: 1
title: Sample
role: wms
description: A sample.
receive:
  webhook: {verify: {bearer: yes}, delivery_id: {field: MessageId}}
read: {format: xml, records: "Body.Shipment", blank: [NONE]}
ignore: [{if: {^#root: Test}, reason: a test document}]
order: {numbers: [{scheme: sales_order, issuer: erp, value: OrderNo}]}
shipment: {numbers: [{scheme: shipment, value: "@id"}]}
packages: {each: Carton, numbers: [{scheme: tracking, value: Tracking}]}
attributes: {carrier: Carrier.Name, reason: "Refs[0].Text", warehouse: "^Sender.@site"}
lines: {each: "Carton[].Line", line_id: "@no", sku: Item, unit: Qty.@uom}
events:
  - type: shipment.confirmed
    key: "ship {.@id}"
    at: {value: Shipped, offset: included}
    scope: "shipment {.@id}"
    lines: {shipped: Qty}
    sum: yes
examples:
  - text: "<Test><Body><Shipment/></Body></Test>"
    ignored: a test document
"""
SHIPMENT = """
<Shipment id="SH-1"><OrderNo>S-1</OrderNo><Shipped>2026-03-02T10:00:00Z</Shipped>{0}</Shipment>
"""
CARTON = (
    '<w:Carton><Tracking>1Z999AA10123456784</Tracking><Line no="1"><Item>A-1</Item>'
    '<Qty uom="EA">{0}</Qty></Line></w:Carton>'
)


def document(*shipments: str, root: str = "Message") -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><{root} xmlns:w="urn:warehouse">'
        f'<MessageId>M-7</MessageId><Sender site="DAL"/><Body>{"".join(shipments)}</Body></{root}>'
    ).encode()


def shipped(event: CanonicalEvent) -> dict[str, Decimal]:
    return {line.line_id: line.quantities[Measure.SHIPPED] for line in event.lines}


def test_an_element_that_repeats_is_a_list_with_one_element_too() -> None:
    single = SHIPMENT.format(CARTON.format("2"))
    double = SHIPMENT.replace("SH-1", "SH-2").format(CARTON.format("2") + CARTON.format("3"))
    (event,) = events(XML, document(single))
    assert shipped(event) == {"1": Decimal(2)}
    first, second = events(XML, document(single, double))
    assert (shipped(first), shipped(second)) == ({"1": Decimal(2)}, {"1": Decimal(5)})
    assert (first.key, second.key) == ("ship SH-1", "ship SH-2")
    (line,) = first.lines
    assert (line.sku, line.unit) == ("A-1", "EA")


def test_paths_reach_attributes_outer_elements_and_the_name_of_the_root() -> None:
    body = SHIPMENT.format("<Refs><Text>P-1</Text></Refs><Carrier><Name>NONE</Name></Carrier>")
    (event,) = events(XML, document(body))
    assert event.attributes == {
        Attribute.REASON: "P-1",
        Attribute.WAREHOUSE: "DAL",
    }
    assert parse(XML, document(body, root="Test")).ignored == "a test document"


def test_a_record_that_cannot_be_read_does_not_stop_the_others() -> None:
    good = SHIPMENT.format("")
    bad = SHIPMENT.replace("2026-03-02T10:00:00Z", "yesterday").format("")
    result = parse(XML, document(bad, good))
    assert len(result.events) == 1
    assert [error.path for error in result.errors] == ["Body.Shipment[0].Shipped"]
    repeated = parse(XML, document(SHIPMENT.format("<OrderNo>S-2</OrderNo>")))
    assert "Body.Shipment.OrderNo: expected text, got a list" in str(repeated.errors[0])
    nested = parse(XML, document(SHIPMENT.format("<Carrier><Name><a/></Name></Carrier>")))
    assert "expected text, got an element with elements" in str(nested.errors[0])


def test_entities_are_refused() -> None:
    attack = b'<!DOCTYPE M [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + document("&x;")[38:]
    with pytest.raises(PayloadError) as caught:
        parse(XML, attack)
    assert caught.value.reason is ParkReason.SYNTAX


def test_the_delivery_id_is_a_field_of_the_document() -> None:
    request = WebhookRequest("POST", "/", {}, {}, document())
    assert connector(XML).dedupe_key(request) == "M-7"


def test_changed_copies_of_a_document_are_parsed_or_parked(run_seed: int) -> None:
    body = document(SHIPMENT.format(CARTON.format("2") + CARTON.format("3")))
    for copy in changed_copies(body, 200, random.Random(f"{run_seed} xml")):
        try:
            parse(XML, copy)
        except PayloadError as error:
            assert error.detail  # noqa: PT017 - parking is one of two valid results


FIXED = """
connector: sample
version: 1
title: Sample
role: wms
description: A sample.
receive: {file: {pattern: "*.txt"}}
read:
  format: fixed_width
  charset: cp1252
  row_types:
    - {begins: "00", skip: yes}
    - begins: "10"
      columns: [{name: ORDER, from: 3, width: 8}, {name: SHIPPED, from: 11, width: 12}]
    - begins: "20"
      list: lines
      columns:
        - {name: LINE, from: 3, width: 3}
        - {name: ITEM, from: 6, width: 6}
        - {name: QTY, from: 12, width: 7, decimals: 2}
order: {numbers: [{scheme: sales_order, issuer: erp, value: ORDER}]}
lines: {each: lines, line_id: LINE, sku: ITEM}
events:
  - type: shipment.confirmed
    key: "ship {ORDER} {SHIPPED}"
    at: {value: SHIPPED, format: "%Y%m%d%H%M", zone: America/Chicago}
    scope: "shipment {ORDER} {SHIPPED}"
    lines: {shipped: QTY}
examples:
  - {text: "10SO-00001202603021015", gives: [shipment.confirmed]}
"""


def test_rows_of_fixed_width_are_records_with_lines() -> None:
    body = b"00 20260302\n10SO-00001202603021015\n20001A-1   0000250\n20002B-22  0001000\n"
    (event,) = events(FIXED, body)
    assert event.key == "ship SO-00001 202603021015"
    assert shipped(event) == {"001": Decimal("2.5"), "002": Decimal(10)}
    result = parse(FIXED, body + b"10SO-00002202603021015\n20001A-1   00O0250\n")
    assert len(result.events) == 1
    assert [error.path for error in result.errors] == ["line 6"]


@pytest.mark.parametrize(
    ("replacement", "problem"),
    [
        (("format: fixed_width", "format: csv"), "read.row_types row_types belongs to fixed_width"),
        (("  charset: cp1252", "  delimiter: ';'"), "delimiter belongs to csv and tsv"),
        (("  charset: cp1252", "  records: a"), "records belongs to json and xml"),
        (("  charset: cp1252", "  group: [ORDER]"), "give either row_types or group"),
        (("  charset: cp1252", "  columns: [ORDER]"), "read.columns[0] give name, from and width"),
        (
            ("  charset: cp1252", "  columns: [{name: A, from: 1, width: 2}]"),
            "read fixed_width needs either columns or row_types",
        ),
        (("from: 3, width: 8", "from: 0, width: 8"), "read.row_types[1].columns[0].from"),
        (("skip: yes}", "list: x}"), "read.row_types[0] give either columns or `skip: yes`"),
        (('begins: "10"', 'begins: "10"\n      list: x'), "one type of row must begin a record"),
        (("name: ITEM", "name: LINE"), "columns[1].name the column 'LINE' appears twice"),
    ],
)
def test_each_problem_of_fixed_width_is_reported(
    replacement: tuple[str, str], problem: str
) -> None:
    old, new = replacement
    assert old in FIXED
    reported = problems(FIXED.replace(old, new))
    assert any(problem in text for text in reported), reported


@pytest.mark.parametrize(
    ("read", "problem"),
    [
        ("{format: csv, columns: [{name: A, from: 1, width: 2}]}", "give the name of the column"),
        ("{format: xml, charset: utf-8}", "charset belongs to csv and tsv and fixed_width"),
        ("{format: xml, records: a, envelope: {record: b}}", "give either records or an envelope"),
    ],
)
def test_each_problem_of_other_formats_is_reported(read: str, problem: str) -> None:
    reported = problems(changed(("read: {format: json}", f"read: {read}")))
    assert any(problem in text for text in reported), reported


class XmlResponses:
    """An HTTP client that answers every request with one body."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def send(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, {"content-type": "application/xml"}, self.body)


def polled(body: bytes) -> list[PolledRecord]:
    poll = (
        'receive:\n  poll: {every: 5 min, get: "https://a.test/x", records: "Body.Shipment", '
        'record_key: "{.@id}"}\n'
    )
    start, end = XML.index("receive:"), XML.index("read:")
    text = XML[:start] + poll + XML[end:].replace(', records: "Body.Shipment"', "")
    text = text.replace("^Sender.@site", "Site")
    text = text.replace("<Test><Body><Shipment/></Body></Test>", "<Test/>").replace(
        "^#root", "'#root'"
    )
    manifest = parse_manifest(text)
    assert manifest.poll
    poller = ManifestPoller(
        manifest.poll, manifest.read, XmlResponses(body), {}, (), PollContext(NOW)
    )
    records = [record for page in poller.pages("") for record in page.records]
    for record in records:
        (event,) = connector(text).parse(RawMessage(record.body, {}, NOW)).events
        assert event.key == f"ship {record.dedupe_key}"
    return records


def test_polled_elements_become_messages_in_xml() -> None:
    first, second = SHIPMENT.format(CARTON.format("2")), SHIPMENT.replace("SH-1", "SH-2").format("")
    assert [record.dedupe_key for record in polled(document(first))] == ["SH-1"]
    assert [record.dedupe_key for record in polled(document(first, second))] == ["SH-1", "SH-2"]
    with pytest.raises(PollError, match="the response is invalid"):
        polled(b"<a>")
    with pytest.raises(PollError, match=r"the response has no Body\.Shipment"):
        polled(b"<error/>")


DRAFTED = {
    "elements": """<?xml version="1.0" encoding="iso-8859-1"?>
<Shipments><Shipment><OrderNumber>S-9</OrderNumber><ShipmentNo>SH-9</ShipmentNo>
<ShipDate>2026-03-02T10:00:00Z</ShipDate><Carrier>Müller</Carrier>
<Lines><Line><LineNo>1</LineNo><ItemNo>A-1</ItemNo><Quantity>2</Quantity></Line></Lines>
</Shipment></Shipments>""",
    "attributes": """<Message><Order id="77" number="S-9" created="2026-03-02T10:00:00Z">
<Items><Item pos="1" sku="A" qty="2"/><Item pos="2" sku="B" qty="1"/></Items></Order></Message>""",
}


@pytest.mark.parametrize("kind", sorted(DRAFTED))
def test_a_draft_of_an_xml_sample_reads_it(kind: str) -> None:
    body = DRAFTED[kind].encode("iso-8859-1")
    text = draft_manifest(body, "drafted")
    assert problems(text) == []
    (event,) = parse(text, body).events
    assert len(event.lines) == {"elements": 1, "attributes": 2}[kind]
    assert event.lines[0].quantities
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2026-03-02T10:00:00+00:00"
    numbers = {i.value for reference in event.objects for i in reference.identifiers}
    assert "S-9" in numbers
    assert json.dumps(event.type.value) in text.replace("[", '"').replace("]", '"')


def test_a_draft_of_another_document_is_an_error() -> None:
    for body in (b"<a/>", b"<a", b"<!DOCTYPE a><a><b>1</b></a>", Path(__file__).read_bytes()[:0]):
        with pytest.raises(PayloadError):
            draft_manifest(body, "drafted")
