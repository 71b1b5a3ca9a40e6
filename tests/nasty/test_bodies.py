"""Bodies no parser likes: B01-B19 of the bad-input list.

Empty, truncated and NaN bodies are also kept in tests/intake/test_hook_answers.py, which has the
answers alone; here is what the worker makes of them.
"""

import gzip
from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from connectors.sdk.events import Flag, Measure
from connectors.sdk.payload import Reason
from tests.nasty.sending import Bench, Case, Source, bench, order_of

pytestmark = pytest.mark.django_db
NDJSON = {"content-type": "application/x-ndjson"}


def parked(name: str, body: bytes, reason: Reason, **headers: str | None) -> Case:
    named = {key.replace("_", "-"): text for key, text in headers.items()}
    return Case(name, body, reason, headers=named)


def applied(name: str, body: bytes, *flags: Flag, **headers: str | None) -> Case:
    named = {key.replace("_", "-"): text for key, text in headers.items()}
    return Case(name, body, flags=frozenset(flags), headers=named)


def figure(name: str, written: bytes) -> bytes:
    """An order whose one line's quantity is written as it stands here."""
    lines = {"lines": [{"line_id": "1", "ordered": "QQ"}]}
    return order_of(name, data=lines).replace(b'"QQ"', written)


GOOD = order_of("JSON-1")
MANY = b'{"a":0,' + b",".join(b'"%d":0' % n for n in range(60_000)) + b"}"
CASES = [
    parked("B01 an empty body", b"", Reason.EMPTY),
    parked("B01 blanks alone", b" \r\n\t", Reason.EMPTY),
    parked("B02 a truncated document", GOOD[:-9], Reason.SYNTAX),
    parked("B02 a trailing comma", b'{"a": 1,}', Reason.SYNTAX),
    parked("B02 single quotes", b"{'a': 1}", Reason.SYNTAX),
    parked("B02 a comment", b'{"a": 1} // one', Reason.SYNTAX),
    parked("B03 two documents", GOOD + GOOD, Reason.SYNTAX),
    parked("B03 lines of JSON nobody declared", GOOD + b"\n" + GOOD, Reason.SYNTAX),
    parked("B03 trailing bytes", GOOD + b"xx", Reason.SYNTAX),
    Case(
        "B03 lines of JSON, declared", order_of("L-1") + b"\n" + order_of("L-2"), headers=NDJSON
    ),
    parked("B04 null", b"null", Reason.SCHEMA),
    parked("B04 a text", b'"order"', Reason.SCHEMA),
    parked("B04 a number", b"42", Reason.SCHEMA),
    parked("B04 a list of numbers", b"[1, 2]", Reason.SCHEMA),
    parked("B04 a list in a list", b"[[{}]]", Reason.SCHEMA),
    parked("B05 1 100 levels", b"[" * 1_100 + b"]" * 1_100, Reason.DEPTH),
    parked("B05 100 000 levels", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, Reason.DEPTH),
    parked("B05 100 000 levels never closed", b"[" * 100_000, Reason.DEPTH),
    Case("B06 12 MB of keys", b'{"a":1,' * 1_700_000, status=413),
    parked("B06 60 000 keys", MANY, Reason.SIZE),
    parked("B07 NaN", figure("NAN", b"NaN"), Reason.NUMBER),
    parked("B07 Infinity", figure("INF", b"Infinity"), Reason.NUMBER),
    parked("B07 minus Infinity", figure("NINF", b"-Infinity"), Reason.NUMBER),
    parked("B07 NaN as text", figure("NANT", b'"NaN"'), Reason.NUMBER),
    parked("B08 400 digits", figure("D400", b"9" * 400), Reason.NUMBER),
    parked("B08 5 000 digits", figure("D5000", b"9" * 5_000), Reason.NUMBER),
    parked("B08 140 000 digits", figure("D140000", b"9" * 140_000), Reason.NUMBER),
    parked("B08 an exponent of two million", figure("EXP", b"1E+2000000"), Reason.NUMBER),
    parked("B08 30 digits", figure("D30", b"9" * 30), Reason.NUMBER),
    parked("B08 a price of 30 digits", order_of("P30", data={
        "lines": [{"line_id": "1", "price": "9" * 30}]}), Reason.NUMBER),
    parked("B08 a total of 30 digits", order_of("T30", data={
        "attributes": {"total": "9" * 30}}), Reason.NUMBER),
    applied("B09 a number beyond 2^53", order_of(9007199254740993)),
    applied("B10 28 digits", figure("D28", b"0.1234567890123456789012345678")),
    applied("B11 NUL in a text", order_of("NUL-1", data={
        "lines": [{"line_id": "1", "description": "a\0b"}]}), Flag.SANITISED),
    parked("B11 NUL in a number", order_of("NU\0L"), Reason.ENCODING),
    applied("B12 a lone surrogate in a text", order_of("SUR-1", data={
        "lines": [{"line_id": "1", "description": "QQ"}]}).replace(b"QQ", b"\\ud800"),
        Flag.SANITISED),
    parked("B12 a lone surrogate in a number", order_of("QQ").replace(b"QQ", b"\\ud800"),
           Reason.ENCODING),
    parked("B12 a surrogate in three bytes", order_of("QQ").replace(b"QQ", b"\xed\xa0\x80"),
           Reason.ENCODING),
    parked("B13 Latin-1", order_of("LAT-1").replace(b"LAT", b"L\xe4t"), Reason.ENCODING),
    parked("B13 UTF-16 with its mark", GOOD.decode().encode("utf-16"), Reason.ENCODING),
    parked("B13 UTF-16 without one", GOOD.decode().encode("utf-16-le"), Reason.ENCODING),
    parked("B13 UTF-32", GOOD.decode().encode("utf-32-be"), Reason.ENCODING),
    applied("B14 a byte order mark", b"\xef\xbb\xbf" + order_of("BOM-1")),
    parked("B15 a key twice", b'{"id": "1", "id": "2"}', Reason.SYNTAX),
    parked("B16 a raw line end in a text", GOOD.replace(b"JSON-1", b"JSON\n1"), Reason.SYNTAX),
    parked("B16 a raw NUL in a text", GOOD.replace(b"JSON-1", b"JSON\x001"), Reason.SYNTAX),
    applied("B17 JSON as plain text", order_of("CT-1"), content_type="text/plain"),
    applied("B17 no content type", order_of("CT-2"), content_type=None),
    applied("B17 an absurd content type", order_of("CT-3"), content_type=";;;=,,"),
    applied("B17 UTF-7", order_of("CT-4"), content_type="application/json; charset=utf-7"),
    applied("B17 JSON under a form's name", order_of("CT-5"),
            content_type="application/x-www-form-urlencoded"),
    parked("B18 a form", b"order=SO-1&quantity=5", Reason.MEDIA,
           content_type="application/x-www-form-urlencoded"),
    parked("B18 a form with files", b"--x\r\nContent-Disposition: form-data\r\n\r\n{}\r\n--x--",
           Reason.MEDIA, content_type="multipart/form-data; boundary=x"),
    Case("B18 a form to an EDI source", b"document=ISA", Reason.MEDIA, source="edi",
         headers={"content-type": "application/x-www-form-urlencoded"}),
    applied("B19 gzip", gzip.compress(order_of("GZ-1")), content_encoding="gzip"),
    applied("B19 gzip in two members", b"".join(
        gzip.compress(half) for half in (order_of("GZ-2")[:40], order_of("GZ-2")[40:])),
        content_encoding="gzip"),
    parked("B19 no gzip at all", order_of("GZ-3"), Reason.SYNTAX, content_encoding="gzip"),
    parked("B19 gzip cut short", gzip.compress(order_of("GZ-4"))[:-9], Reason.SYNTAX,
           content_encoding="gzip"),
    parked("B19 bytes after the gzip", gzip.compress(order_of("GZ-5")) + b"xx", Reason.SYNTAX,
           content_encoding="gzip"),
    parked("B19 gzip in 50 000 members", gzip.compress(b"") * 50_000, Reason.SYNTAX,
           content_encoding="gzip"),
]  # fmt: skip


@pytest.fixture(scope="module")
def sent(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Bench]:
    """Every case, sent."""
    folder = tmp_path_factory.mktemp("bodies")
    with django_db_blocker.unblock():
        sources = (Source("json", "cloudevents"), Source("edi", "x12"))
        with bench(folder, *sources) as made:
            made.send(CASES)
            yield made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_gets_its_answer_and_its_reason(sent: Bench, case: Case) -> None:
    sent.judge(case)


def test_nobody_else_noticed(sent: Bench) -> None:
    sent.check_others()


def test_a_number_beyond_2_to_the_53rd_keeps_every_digit(sent: Bench) -> None:
    (event,) = sent.outcomes["B09 a number beyond 2^53"].events
    assert event.objects[0].identifiers[0].value == "9007199254740993"


def test_28_digits_stay_28(sent: Bench) -> None:
    (event,) = sent.outcomes["B10 28 digits"].events
    figure = event.lines[0].quantities[Measure.ORDERED]
    assert str(figure) == "0.1234567890123456789012345678"


def test_what_can_not_be_kept_is_shown_as_replaced(sent: Bench) -> None:
    for name in ("B11 NUL in a text", "B12 a lone surrogate in a text"):
        (event,) = sent.outcomes[name].events
        assert "\ufffd" in event.lines[0].description


def test_both_lines_of_a_batch_count(sent: Bench) -> None:
    assert len(sent.outcomes["B03 lines of JSON, declared"].events) == 2


def test_both_members_of_a_gzip_body_are_one_document(sent: Bench) -> None:
    (event,) = sent.outcomes["B19 gzip in two members"].events
    assert event.objects[0].identifiers[0].value == "GZ-2"
