"""EDIFACT: authentication, dedupe keys, separators, character sets and envelopes."""

from datetime import UTC, datetime

import pytest

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import RawMessage
from connectors.sdk.events import Attribute, Flag
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.edifact.connector import Edifact
from connectors.systems.edifact.date_times import iso_date_and_time
from connectors.systems.edifact.segments import decode_file, detect_separators, read_segments
from tests.builders.edifact import (
    edifact_error,
    edifact_events,
    edifact_file,
    edifact_message,
    parse_edifact,
)
from tests.unit.connectors.signatures import is_accepted

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SECRET, OLD = b"new-secret-of-this-source", b"old-secret-of-this-source"
ORDER = "ORDERS'BGM+220+4711+9'DTM+137:20260304:102'LIN+1++A:SA'QTY+21:5:PCE'UNS+S"


def request(body: bytes, **headers: str) -> WebhookRequest:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return WebhookRequest("POST", "/", {}, named, body)


def key(body: bytes) -> str:
    return Edifact({}).dedupe_key(request(body))


@pytest.mark.parametrize("end", [b"'", b"''", b"'\n'\n", b" ' \r\n"])
def test_blank_segments_after_the_end_are_skipped(end: bytes) -> None:
    body = edifact_file(ORDER)
    expected = parse_edifact(body)
    assert expected.events
    assert parse_edifact(body + end) == expected


class TestEdifactVerify:
    def test_a_signature_or_token_with_any_secret_is_accepted(self) -> None:
        body = edifact_file(ORDER)
        headers = Edifact({}).build_signed_headers(body, OLD, NOW)
        assert is_accepted(
            Edifact({}), WebhookRequest("POST", "/", {}, headers, body), [SECRET, OLD], NOW
        )
        bearer = request(body, authorization=f"Bearer {OLD.decode()}")
        assert is_accepted(Edifact({}), bearer, [SECRET, OLD], NOW)
        assert not is_accepted(Edifact({}), bearer, [SECRET], NOW)

    def test_anything_else_is_rejected(self) -> None:
        body = edifact_file(ORDER)
        signed = Edifact({}).build_signed_headers(body, SECRET, NOW)
        for changed in (
            request(body),
            WebhookRequest("POST", "/", {}, signed, body + b" "),
            request(body, x_throughline_signature="sha1=00"),
        ):
            with pytest.raises(InvalidSignature):
                Edifact({}).verify(changed, [SECRET], NOW)


class TestEdifactDedupeKey:
    def test_it_names_the_interchange_and_its_documents(self) -> None:
        body = edifact_file(ORDER)
        assert key(body).startswith("5412345000013/4012345000009/260304:0915/77/")
        assert key(body) == key(edifact_file(ORDER.replace("21:5", "21:6")))
        assert key(body) != key(edifact_file(ORDER.replace("4711", "4712")))
        assert key(body) != key(edifact_file(ORDER, reference="78"))

    def test_several_or_unreadable_interchanges_have_none(self) -> None:
        body = edifact_file(ORDER)
        for other in (body + body, b"", b"UNB", edifact_message(ORDER).encode()):
            assert key(other) == ""


class TestSeparators:
    def test_release_characters_keep_the_separators_of_texts(self) -> None:
        text = ORDER.replace("LIN+1", "NAD+BY+1++M?+B?: ?'Co?''LIN+1")
        (event,) = edifact_events(text)
        assert event.attributes[Attribute.CUSTOMER_NAME] == "M+B: 'Co'"

    @pytest.mark.parametrize(
        ("text", "elements"),
        [
            ("A+b?+c+d'", ["b+c", "d"]),
            ("A+b??+c'", ["b?", "c"]),
            ("A+b?''", ["b'"]),
            ("A+b+'", ["b", ""]),
            ("A+b?+'", ["b+"]),
            ("A+b?", ["b"]),
        ],
    )
    def test_a_released_separator_separates_nothing(self, text: str, elements: list[str]) -> None:
        ((segment, _),) = read_segments(text, 0, detect_separators("UNH+1'BGM+"))
        assert [components[0] for components in segment.elements] == elements

    @pytest.mark.parametrize("terminator", ["\n", "\r\n"])
    def test_a_newline_ends_segments_with_and_without_una(self, terminator: str) -> None:
        body = edifact_file(ORDER).replace(b"'", terminator.encode())
        for head in (b"", b"UNA:+.? " + terminator.encode()):
            (event,) = parse_edifact(head + body).events
            assert event.lines[0].quantities

    def test_una_names_other_separators_and_a_decimal_comma(self) -> None:
        body = edifact_file(ORDER.replace("21:5", "21:2,5"))
        changed = body.translate(bytes.maketrans(b":+'", b"|*~"))
        (event,) = parse_edifact(b"UNA|*,? ~" + changed).events
        assert [str(q) for q in event.lines[0].quantities.values()] == ["2.5"]

    def test_line_ends_between_and_within_segments_are_no_content(self) -> None:
        body = edifact_file(ORDER).replace(b"'", b"'\r\n").replace(b"2026030", b"202\r\n6030")
        assert len(parse_edifact(body).events) == 1

    @pytest.mark.parametrize("body", [b"UNA:+.?", b"UNAab.? '", b"UNA::.? '", b"ISA*00*", b"x"])
    def test_what_begins_otherwise_is_parked(self, body: bytes) -> None:
        with pytest.raises(PayloadError) as caught:
            parse_edifact(body)
        assert caught.value.reason is ParkReason.EDI_ENVELOPE

    def test_a_million_characters_are_split_quickly(self) -> None:
        text = "UNH+1+ORDERS:D:01B:UN'FTX+AAI+++" + "?+" * 100_000 + "'UNT+3+1'"
        assert len(list(read_segments(text, 0, detect_separators(text)))) == 3


class TestCharsets:
    @pytest.mark.parametrize(
        ("syntax", "codec"),
        [("UNOC:3", "latin-1"), ("UNOW:4", "utf-8"), ("UNOC:3", "utf-8"), ("UNOE:3", "iso8859-5")],
    )
    def test_the_syntax_identifier_names_the_character_set(self, syntax: str, codec: str) -> None:
        name = "Ж" if codec == "iso8859-5" else "Müller"
        text = (
            edifact_file(ORDER, syntax=syntax).decode().replace("LIN+1", f"NAD+BY+1++{name}'LIN+1")
        )
        (event,) = parse_edifact(text.replace("UNT+6", "UNT+7").encode(codec)).events
        assert event.attributes[Attribute.CUSTOMER_NAME] == name

    def test_a_byte_order_mark_and_the_setting_come_before_it(self) -> None:
        assert decode_file(b"\xef\xbb\xbfUNB+UNOE:3+\xc3\xbc").endswith("ü")
        assert decode_file(b"UNB+UNOW:3+\xfc", "cp1252").endswith("ü")

    @pytest.mark.parametrize(
        ("body", "reason"),
        [(b"UNB+UNOW:3+\xff", ParkReason.ENCODING), (b" \r\n", ParkReason.EMPTY)],
    )
    def test_invalid_bytes_and_empty_files_are_parked(
        self, body: bytes, reason: ParkReason
    ) -> None:
        with pytest.raises(PayloadError) as caught:
            decode_file(body)
        assert caught.value.reason is reason


class TestEnvelopes:
    def test_test_traffic_is_ignored_unless_enabled(self) -> None:
        body = edifact_file(ORDER, is_test=True)
        assert "UNB 0035 = 1" in parse_edifact(body).ignored
        assert len(parse_edifact(body, test_traffic="yes").events) == 1

    def test_a_missing_unz_and_wrong_counts_are_findings(self) -> None:
        body = edifact_file(ORDER).split(b"UNZ")[0].replace(b"UNT+7+1", b"UNT+9+2")
        (event,) = parse_edifact(body).events
        assert Flag.ENVELOPE in event.flags
        assert event.attributes[Attribute.DETAIL] == (
            "UNT 0074 is '9', expected '7'; UNT 0062 is '2', expected '1'; "
            "the interchange has no UNZ"
        )

    def test_a_message_without_unt_is_parked_and_the_others_are_applied(self) -> None:
        body = edifact_file(ORDER, ORDER.replace("4711", "4712"))
        parsed = parse_edifact(body.replace(b"UNT+7+1'", b""))
        assert [event.key for event in parsed.events] == ["ORDERS 5412345000013 4712 received"]
        assert [e.path for e in parsed.errors] == ["UNH ORDERS 1"]

    def test_groups_several_interchanges_and_files_without_unb_are_read(self) -> None:
        body = edifact_file(ORDER)
        grouped = body.replace(b"UNH", b"UNG+ORDERS+5+4+260304:0915+1+UN+D:96A'UNH", 1)
        grouped = grouped.replace(b"UNZ", b"UNE+1+1'UNZ")
        (event,) = parse_edifact(grouped).events
        assert event.flags == (Flag.DATE_ONLY,)
        assert len(parse_edifact(body + body.split(b"UNZ")[0] + body).events) == 3
        (bare,) = parse_edifact(edifact_message(ORDER).encode(), partner="P1").events
        assert bare.objects[0].identifiers[0].issuer == "P1"

    def test_an_unsupported_message_does_not_affect_the_others(self) -> None:
        parsed = parse_edifact(edifact_file("PRICAT'BGM+9+1+9", ORDER))
        assert len(parsed.events) == 1
        assert str(parsed.errors[0]) == "mapping: UNH PRICAT 1: message PRICAT is not supported"
        assert edifact_error("SLSRPT'BGM+73+1+9").reason is ParkReason.MAPPING

    def test_nul_is_replaced_and_flagged(self) -> None:
        (event,) = parse_edifact(edifact_file(ORDER.replace("++A:SA", "++A\0:SA"))).events
        assert Flag.SANITIZED in event.flags


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        ("20260304", "102", ("2026-03-04", "")),
        ("260304", "101", ("2026-03-04", "")),
        ("202603041406", "203", ("2026-03-04", "14:06:00")),
        ("20260304140607", "204", ("2026-03-04", "14:06:07")),
        ("202603041406+01", "303", ("2026-03-04", "14:06:00+01:00")),
        ("202603041406UTC", "303", ("2026-03-04", "14:06:00Z")),
        ("202603040000", "102", ("2026-03-04", "")),
        ("20260304-20260306", "718", ("2026-03-06", "")),
        ("2026030420260306", "718", ("2026-03-06", "")),
        ("20260230", "102", ("", "")),
        ("soon", "", ("", "")),
    ],
)
def test_dates_by_their_format(value: str, code: str, expected: tuple[str, str]) -> None:
    assert iso_date_and_time(value, code) == expected


def test_an_invalid_setting_parks_the_message() -> None:
    with pytest.raises(PayloadError) as caught:
        Edifact({"status.21": "delivered"}).parse(RawMessage(edifact_file(ORDER), {}, NOW))
    assert "status.21" in str(caught.value)
