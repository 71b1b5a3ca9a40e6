"""Invalid message bodies: cases B01-B20.

The tests of the intake cover only the responses; these tests also cover the worker.
"""

import gzip

import pytest

from connectors.sdk.events import Flag, Measure
from connectors.sdk.payload import ParkReason
from tests.processes.hostile.cases import applied, parked
from tests.processes.hostile.harness import (
    HostileCase,
    HostileRun,
    HostileSource,
    order_of,
)

pytestmark = pytest.mark.django_db
SOURCES = (HostileSource("json", "cloudevents"), HostileSource("edi", "x12"))
NDJSON = {"content-type": "application/x-ndjson"}


def order_with_quantity(name: str, written: bytes) -> bytes:
    """An order with one line whose quantity has exactly these bytes."""
    lines = {"lines": [{"line_id": "1", "ordered": "QQ"}]}
    return order_of(name, data=lines).replace(b'"QQ"', written)


VALID = order_of("JSON-1")
MANY_KEYS = b'{"a":0,' + b",".join(b'"%d":0' % n for n in range(60_000)) + b"}"
CASES = [
    parked("B01 empty body", b"", ParkReason.EMPTY),
    parked("B01 only blanks", b" \r\n\t", ParkReason.EMPTY),
    parked("B02 truncated document", VALID[:-9], ParkReason.SYNTAX),
    parked("B02 trailing comma", b'{"a": 1,}', ParkReason.SYNTAX),
    parked("B02 single quotes", b"{'a': 1}", ParkReason.SYNTAX),
    parked("B02 comment", b'{"a": 1} // one', ParkReason.SYNTAX),
    parked("B03 two documents", VALID + VALID, ParkReason.SYNTAX),
    parked("B03 undeclared lines of JSON", VALID + b"\n" + VALID, ParkReason.SYNTAX),
    parked("B03 trailing bytes", VALID + b"xx", ParkReason.SYNTAX),
    HostileCase(
        "B03 declared lines of JSON", order_of("L-1") + b"\n" + order_of("L-2"), headers=NDJSON
    ),
    parked("B04 null", b"null", ParkReason.SCHEMA),
    parked("B04 string", b'"order"', ParkReason.SCHEMA),
    parked("B04 number", b"42", ParkReason.SCHEMA),
    parked("B04 list of numbers", b"[1, 2]", ParkReason.SCHEMA),
    parked("B04 list in a list", b"[[{}]]", ParkReason.SCHEMA),
    parked("B05 1,100 levels", b"[" * 1_100 + b"]" * 1_100, ParkReason.DEPTH),
    parked("B05 100,000 levels", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, ParkReason.DEPTH),
    parked("B05 100,000 levels never closed", b"[" * 100_000, ParkReason.DEPTH),
    HostileCase("B06 12 MB of keys", b'{"a":1,' * 1_700_000, status=413),
    parked("B06 60,000 keys", MANY_KEYS, ParkReason.SIZE),
    parked("B07 NaN", order_with_quantity("NAN", b"NaN"), ParkReason.NUMBER),
    parked("B07 Infinity", order_with_quantity("INF", b"Infinity"), ParkReason.NUMBER),
    parked("B07 minus Infinity", order_with_quantity("NINF", b"-Infinity"), ParkReason.NUMBER),
    parked("B07 NaN as a string", order_with_quantity("NANT", b'"NaN"'), ParkReason.NUMBER),
    parked("B08 400 digits", order_with_quantity("D400", b"9" * 400), ParkReason.NUMBER),
    parked("B08 5,000 digits", order_with_quantity("D5000", b"9" * 5_000), ParkReason.NUMBER),
    parked("B08 140,000 digits", order_with_quantity("D140000", b"9" * 140_000), ParkReason.NUMBER),
    parked(
        "B08 exponent of two million",
        order_with_quantity("EXP", b"1E+2000000"),
        ParkReason.NUMBER,
    ),
    parked("B08 30 digits", order_with_quantity("D30", b"9" * 30), ParkReason.NUMBER),
    parked("B08 price of 30 digits", order_of("P30", data={
        "lines": [{"line_id": "1", "price": "9" * 30}]}), ParkReason.NUMBER),
    parked("B08 total of 30 digits", order_of("T30", data={
        "attributes": {"total": "9" * 30}}), ParkReason.NUMBER),
    applied("B09 number above 2^53", order_of(9007199254740993)),
    applied("B10 28 digits", order_with_quantity("D28", b"0.1234567890123456789012345678")),
    applied("B11 NUL in a text", order_of("NUL-1", data={
        "lines": [{"line_id": "1", "description": "a\0b"}]}), Flag.SANITIZED),
    parked("B11 NUL in a number", order_of("NU\0L"), ParkReason.ENCODING),
    applied("B12 lone surrogate in a text", order_of("SUR-1", data={
        "lines": [{"line_id": "1", "description": "QQ"}]}).replace(b"QQ", b"\\ud800"),
        Flag.SANITIZED),
    parked("B12 lone surrogate in a number", order_of("QQ").replace(b"QQ", b"\\ud800"),
           ParkReason.ENCODING),
    parked("B12 surrogate encoded in UTF-8", order_of("QQ").replace(b"QQ", b"\xed\xa0\x80"),
           ParkReason.ENCODING),
    parked("B13 Latin-1", order_of("LAT-1").replace(b"LAT", b"L\xe4t"), ParkReason.ENCODING),
    parked("B13 UTF-16 with BOM", VALID.decode().encode("utf-16"), ParkReason.ENCODING),
    parked("B13 UTF-16 without BOM", VALID.decode().encode("utf-16-le"), ParkReason.ENCODING),
    parked("B13 UTF-32", VALID.decode().encode("utf-32-be"), ParkReason.ENCODING),
    applied("B14 UTF-8 with BOM", b"\xef\xbb\xbf" + order_of("BOM-1")),
    parked("B15 duplicate key", b'{"id": "1", "id": "2"}', ParkReason.SYNTAX),
    parked(
        "B16 raw line break in a string",
        VALID.replace(b"JSON-1", b"JSON\n1"),
        ParkReason.SYNTAX,
    ),
    parked("B16 raw NUL in a string", VALID.replace(b"JSON-1", b"JSON\x001"), ParkReason.SYNTAX),
    applied("B17 JSON as plain text", order_of("CT-1"), content_type="text/plain"),
    applied("B17 no content type", order_of("CT-2"), content_type=None),
    applied("B17 invalid content type", order_of("CT-3"), content_type=";;;=,,"),
    applied("B17 UTF-7", order_of("CT-4"), content_type="application/json; charset=utf-7"),
    applied("B17 JSON with the content type of a form", order_of("CT-5"),
            content_type="application/x-www-form-urlencoded"),
    parked("B18 form", b"order=SO-1&quantity=5", ParkReason.MEDIA,
           content_type="application/x-www-form-urlencoded"),
    parked("B18 form with files", b"--x\r\nContent-Disposition: form-data\r\n\r\n{}\r\n--x--",
           ParkReason.MEDIA, content_type="multipart/form-data; boundary=x"),
    HostileCase("B18 form to an EDI source", b"document=ISA", ParkReason.MEDIA, source="edi",
         headers={"content-type": "application/x-www-form-urlencoded"}),
    applied("B19 gzip", gzip.compress(order_of("GZ-1")), content_encoding="gzip"),
    applied("B19 gzip in two members", b"".join(
        gzip.compress(half) for half in (order_of("GZ-2")[:40], order_of("GZ-2")[40:])),
        content_encoding="gzip"),
    parked("B19 not gzip", order_of("GZ-3"), ParkReason.SYNTAX, content_encoding="gzip"),
    parked("B19 truncated gzip", gzip.compress(order_of("GZ-4"))[:-9], ParkReason.SYNTAX,
           content_encoding="gzip"),
    parked("B19 bytes after the gzip", gzip.compress(order_of("GZ-5")) + b"xx", ParkReason.SYNTAX,
           content_encoding="gzip"),
    parked("B19 gzip in 50,000 members", gzip.compress(b"") * 50_000, ParkReason.SYNTAX,
           content_encoding="gzip"),
    parked("B20 gzip bomb after 16 members",
           gzip.compress(b"") * 16 + gzip.compress(b"0" * 60_000_000), ParkReason.SYNTAX,
           content_encoding="gzip"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_gets_expected_response_and_reason(sent: HostileRun, case: HostileCase) -> None:
    sent.check(case)


def test_valid_messages_and_processes_are_unaffected(sent: HostileRun) -> None:
    sent.check_others()


def test_number_above_2_to_the_53_is_exact(sent: HostileRun) -> None:
    (event,) = sent.outcomes["B09 number above 2^53"].events
    assert event.objects[0].identifiers[0].value == "9007199254740993"


def test_decimal_with_28_digits_is_exact(sent: HostileRun) -> None:
    (event,) = sent.outcomes["B10 28 digits"].events
    figure = event.lines[0].quantities[Measure.ORDERED]
    assert str(figure) == "0.1234567890123456789012345678"


def test_unstorable_characters_are_replaced(sent: HostileRun) -> None:
    for name in ("B11 NUL in a text", "B12 lone surrogate in a text"):
        (event,) = sent.outcomes[name].events
        assert "\ufffd" in event.lines[0].description


def test_both_lines_of_a_batch_become_events(sent: HostileRun) -> None:
    assert len(sent.outcomes["B03 declared lines of JSON"].events) == 2


def test_gzip_members_beyond_the_limit_are_named_as_the_reason(sent: HostileRun) -> None:
    for name in ("B19 gzip in 50,000 members", "B20 gzip bomb after 16 members"):
        message = sent.outcomes[name].message
        assert message is not None
        message.refresh_from_db()
        assert message.detail == "the gzip body has more than 16 members"


def test_two_gzip_members_are_a_single_document(sent: HostileRun) -> None:
    (event,) = sent.outcomes["B19 gzip in two members"].events
    assert event.objects[0].identifiers[0].value == "GZ-2"
