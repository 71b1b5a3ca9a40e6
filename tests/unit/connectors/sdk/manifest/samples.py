"""A small valid manifest, and changed copies of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.manifest.connector import ManifestConnector, make_connector_class_of_manifest
from connectors.sdk.manifest.manifest_parser import parse_manifest
from connectors.sdk.manifest.problems import InvalidManifest

NOW = datetime(2026, 6, 1, tzinfo=UTC)
VALID = """
connector: sample
version: 1
title: Sample
role: erp
description: A sample.
settings:
  zone: {help: "The zone.", type: zone, default: America/Chicago}
receive: {webhook: {verify: {bearer: yes}}}
read: {format: json}
order: {numbers: [{scheme: sales_order, value: number}]}
lines: {each: lines, line_id: id, sku: sku}
events:
  - type: order.received
    key: "order {id}"
    at: {value: at, zone: "{$zone}"}
    lines: {ordered: qty}
examples:
  - {text: '{"id": 1, "number": "S1", "at": "2026-03-02 10:00:00"}', gives: [order.received]}
"""


def changed(*replacements: tuple[str, str]) -> str:
    """The valid manifest with texts replaced; each must occur."""
    text = VALID
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    return text


def problems(text: str) -> list[str]:
    """The problems of a manifest as `line path sentence`."""
    try:
        parse_manifest(text)
    except InvalidManifest as error:
        return [f"{p.line} {p.path} {p.sentence}" for p in error.problems]
    return []


def connector(text: str, **config: str) -> ManifestConnector:
    return make_connector_class_of_manifest(parse_manifest(text), Path("sample.yaml"))(
        {"source": "s", **config}
    )


def parse(text: str, body: Any, **config: str) -> ParseResult:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return connector(text, **config).parse(RawMessage(raw, {}, NOW))


def events(text: str, body: Any, **config: str) -> tuple[CanonicalEvent, ...]:
    result = parse(text, body, **config)
    assert not result.errors, result.errors
    return result.events
