"""Where messages have a version, and whether it is supported."""

from datetime import date
from pathlib import Path

import pytest

from connectors.catalog import connectors_by_slug
from connectors.sdk.manifest.connector import make_connector_class_of_manifest
from connectors.sdk.manifest.manifest_parser import parse_manifest
from connectors.sdk.manifest.problems import InvalidManifest
from connectors.sdk.sender_versions import (
    VersionDeclaration,
    VersionStatus,
    parked_version,
    read_sender_versions,
)

ISA = (
    b"ISA*00*          *00*          *ZZ*BIGMART        *ZZ*ACMEDIST       *260304*0915*U*00401*"
    b"000000007*0*P*>~"
)
GS = b"GS*PO*BIGMART*ACMEDIST*20260304*0915*7*X*"
UNH = b"UNA:+.? 'UNB+UNOC:3+A+B+260304:0915+77'UNH+1+ORDERS:"
SCHEMA = b'{"specversion": "1.0", "dataschema": "https://x.example/schemas/v9/event-data.json"}'
TODAY = date(2026, 3, 4)
S, D, U = VersionStatus.SUPPORTED, VersionStatus.DEPRECATED, VersionStatus.UNSUPPORTED


@pytest.mark.parametrize(
    ("slug", "body", "headers", "version", "status"),
    [
        ("x12", ISA + GS + b"004010~ST*850*1~", {}, "004010", S),
        ("x12", ISA + GS + b"005010X220A1~", {}, "005010X220A1", S),
        ("x12", ISA + GS + b"002001~", {}, "002001", U),
        ("edifact", UNH + b"D:96A:UN:EAN008'", {}, "D.96A", S),
        ("edifact", UNH + b"2:912:UN'", {}, "2.912", U),
        ("epcis", b'{"schemaVersion": "2.0"}', {}, "2.0", S),
        ("epcis", b'{"schemaVersion":1.2}', {}, "1.2", U),
        ("shopify", b"{}", {"x-shopify-api-version": "2026-01"}, "2026-01", S),
        ("shopify", b"{}", {"x-shopify-api-version": "2025-04"}, "2025-04", D),
        ("shopify", b"{}", {"x-shopify-api-version": "unstable"}, "unstable", U),
        ("salesforce", b'{"url": "/services/data/v60.0/sobjects/Order/8"}', {}, "60.0", S),
        ("salesforce", b'{"url": "/services/data/v29.0/sobjects/Order/8"}', {}, "29.0", U),
        ("business_central", b'{"resource": "api/v2.0/companies(1)/x"}', {}, "v2.0", S),
        ("business_central", b'{"resource": "api/v1.0/companies(1)/x"}', {}, "v1.0", D),
        ("cloudevents", SCHEMA, {}, "v9", U),
        ("cloudevents", SCHEMA.replace(b"v9", b"v1"), {}, "v1", S),
        ("cloudevents", b"{}", {"ce-dataschema": "urn:acme:order"}, "urn:acme:order", S),
    ],
)
def test_versions_of_connectors(
    slug: str, body: bytes, headers: dict[str, str], version: str, status: VersionStatus
) -> None:
    [declared] = connectors_by_slug()[slug].versions
    [sent] = read_sender_versions([declared], body, headers)
    assert sent == (declared.name, version)
    assert declared.status(version, TODAY) is status


def test_a_file_can_have_several_versions() -> None:
    [declared] = connectors_by_slug()["x12"].versions
    body = ISA + GS + b"004010~ST*850*1~SE*2*1~GE*1*7~" + GS + b"005010~"
    assert [version for _, version in declared.read(body, {})] == ["004010", "005010"]


@pytest.mark.parametrize("body", [b"", b"GS*PO*" * 2_000, b"UNH+" * 9_000, b'"schemaVersion": ""'])
def test_messages_without_a_version(body: bytes) -> None:
    for slug in ("x12", "edifact", "epcis", "cloudevents"):
        assert not read_sender_versions(connectors_by_slug()[slug].versions, body, {})


def test_the_end_of_a_version_is_announced_90_days_before() -> None:
    month = VersionDeclaration("API", header="api", supported=(r"20.*",), months=12)
    assert month.ends_on("2025-10") == date(2026, 10, 1)
    assert month.status("2025-10", date(2026, 7, 2)) is S
    assert month.status("2025-10", date(2026, 7, 3)) is D
    dated = VersionDeclaration("API", header="api", deprecated={"v1": date(2027, 1, 1)})
    assert (dated.status("v1", TODAY), dated.ends_on("v1")) == (D, date(2027, 1, 1))
    assert dated.status("v2", TODAY) is VersionStatus.UNDECLARED


def test_only_declared_versions_are_parked() -> None:
    declared = connectors_by_slug()["epcis"].versions
    for text, is_parked in (("1.2", True), ("3", True), ("2", False), ("2.1", False)):
        body = f'{{"schemaVersion": "{text}"}}'.encode()
        versions = read_sender_versions(declared, body, {})
        assert (parked_version(declared, versions) is not None) is is_parked, text


def test_each_declaration_says_where_the_version_is() -> None:
    connectors = connectors_by_slug().values()
    declared = [(connector, each) for connector in connectors for each in connector.versions]
    assert len(declared) >= 8
    for connector, each in declared:
        assert each.header or "?P<" in each.pattern
        assert not each.header or each.header in connector.stored_headers


MANIFEST = """
connector: acme_wms
version: 1
title: Acme
role: wms
description: A warehouse.
versions:
  - {name: API, header: X-Api-Version, supported: ["2025-*"], parked: ["1*"],
     deprecated: {"2025-01": "2026-05-01", "2025-02": ""}}
  - {name: format, member: schema_version}
receive: {webhook: {verify: {token_header: x-token}}}
read: {format: json}
order: {numbers: [{scheme: sales_order, value: order}]}
events: [{type: order.released, key: "{order}", at: {value: created, zone: UTC}}]
examples: [{text: "{}", gives: []}]
"""


def test_a_manifest_declares_versions() -> None:
    connector = make_connector_class_of_manifest(parse_manifest(MANIFEST), Path("acme_wms.yaml"))
    assert "x-api-version" in connector.stored_headers
    api, schema = connector.versions
    body = b'{"schema_version": 2.1, "order": "1"}'
    versions = read_sender_versions([api, schema], body, {"x-api-version": "2025-01"})
    assert versions == (("API", "2025-01"), ("format", "2.1"))
    assert schema.read(b'<a schema_version="3"/>', {}) == [("format", "3")]
    statuses = [api.status(v, TODAY) for v in ("2025-01", "2025-02", "2025-07", "2024-07", "17")]
    assert statuses == [D, D, S, U, U]
    assert (api.ends_on("2025-01"), api.is_parked("17")) == (date(2026, 5, 1), True)


def test_problems_of_declared_versions_name_their_line() -> None:
    text = MANIFEST.replace("2026-05-01", "in May").replace("member: ", "header: X, member: ")
    with pytest.raises(InvalidManifest) as raised:
        parse_manifest(text)
    assert [problem.sentence for problem in raised.value.problems] == [
        "'in May' is not a date",
        "give either `header` or `member`",
    ]
