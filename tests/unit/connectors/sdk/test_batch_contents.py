"""Where the number and the count of a batch are, and how its records are counted."""

from datetime import UTC, datetime

import pytest

from connectors.sdk.batch_contents import (
    check_number_location,
    count_records_of_text_or_json,
    read_located_text,
)
from connectors.sdk.connector import RawMessage
from connectors.systems.edifact.connector import Edifact

TEXT = b"HDR;20260304;0017\nA;1\nB;2\nTRL;2\n"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("location", "body", "name", "expected"),
    [
        ("SHIP_{number}.csv", b"", "ship_0042.CSV", "0042"),
        ("SHIP_*_{number}.csv", b"", "SHIP_2026-03-04_17.csv", "17"),
        ("SHIP_{number}.csv", b"", "ORDERS_1.csv", ""),
        ("row HDR 3", TEXT, "", "0017"),
        ("row TRL 2", TEXT, "", "2"),
        ("row TRL 9", TEXT, "", ""),
        ("row TRL 2", b'"TRL","1,204"\n', "", "1,204"),
        ("row TR 4-8", b"TR 00012X", "", "00012"),
        ("field batch.count", b'{"batch": {"count": 3}}', "", "3"),
        ("field batch.id", b"<m><batch><id>B7</id></batch></m>", "", "B7"),
        ("field batch.id", b"no JSON", "", ""),
    ],
)
def test_a_number_is_read_from_its_location(
    location: str, body: bytes, name: str, expected: str
) -> None:
    check_number_location(location)
    assert read_located_text(location, body, {"x-file-name": name}) == expected


def test_records_are_elements_of_a_list_or_lines() -> None:
    counts = {
        b"": 0,
        b"[]": 0,
        b"[1, 2]": 2,
        b'{"orders": [1, 2, 3]}': 3,
        b'{"a": [1], "b": [2]}': 1,
        b"a\n\nb\n": 2,
    }
    assert {body: count_records_of_text_or_json(body) for body in counts} == counts


def test_edifact_messages_are_counted_and_compared_with_the_envelope() -> None:
    connector = Edifact({})
    body = connector.example_payload().replace(b"UNZ+1+1", b"UNZ+2+1")
    contents = connector.batch_contents(RawMessage(body, {}, NOON))
    assert (contents.records, contents.number) == (1, "1")
    assert contents.series == "5412345000013 > 4012345000009"
    assert contents.mismatch == "UNH ORDERS 1: UNZ 0036 is '2', expected '1'"
