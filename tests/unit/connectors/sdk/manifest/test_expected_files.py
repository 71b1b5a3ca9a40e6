"""`expect` says when files come and what they contain; rows of headers and trailers are none."""

from pathlib import Path

import pytest

from connectors.sdk.connector import RawMessage
from connectors.sdk.manifest.connector import make_connector_class_of_manifest
from connectors.sdk.manifest.manifest_parser import parse_manifest
from tests.unit.connectors.sdk.manifest.samples import NOW, problems

FILES = """
connector: nightly
version: 1
title: Nightly
role: erp
description: A file each night.
receive: {file: {pattern: "SHIP_*.csv"}}
expect: {at: "06:00", days: mon-fri, least_rows: "2", count: row TRL 2, number: row HDR 3}
read: {format: csv, delimiter: ";", skip_begins: [HDR, TRL]}
order: {numbers: [{scheme: sales_order, value: ORDER}]}
events:
  - type: order.received
    key: "order {ORDER}"
    at: {value: AT, format: "%d.%m.%Y", zone: America/Chicago}
examples:
  - {text: "ORDER;AT\\nS1;03.03.2026\\n", gives: [order.received]}
"""
BODY = b"HDR;20260303;0017\nORDER;AT\nS1;03.03.2026\nS2;03.03.2026\nTRL;2\n"


def test_a_manifest_gives_defaults_and_counts_its_rows() -> None:
    kind = make_connector_class_of_manifest(parse_manifest(FILES), Path("nightly.yaml"))
    assert kind.batch_defaults == {
        "batch_at": "06:00",
        "batch_days": "mon-fri",
        "batch_least_rows": "2",
        "batch_count": "row TRL 2",
        "batch_number": "row HDR 3",
    }
    message = RawMessage(BODY, {}, NOW)
    connector = kind({"source": "nightly"})
    assert connector.batch_contents(message).records == 2
    parsed = connector.parse(message)
    assert (len(parsed.events), parsed.errors) == (2, ())


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('at: "06:00"', "at: noon", "expect.at 'noon' is not a time such as 06:00"),
        ("days: mon-fri", "every: 4 h", "expect.every Enter either the times or the interval"),
        ('at: "06:00", ', "", "expect give `at` or `every`: when files are expected"),
        ("least_rows", "most_rows", "expect.most_rows unknown 'most_rows'"),
        ("row TRL 2", "line 2", "expect.count 'line 2' says no position"),
        ("format: csv", "format: json", "read.skip_begins only tables (csv, tsv) have it"),
    ],
)
def test_an_invalid_expectation_is_a_problem(old: str, new: str, problem: str) -> None:
    listed = problems(FILES.replace(old, new))
    assert any(problem in each for each in listed), listed
