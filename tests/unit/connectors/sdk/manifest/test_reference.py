"""The reference for integrators: its example works, and it names every member of the schema."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connectors.sdk.manifest.check_examples import problems_of_failing_examples
from connectors.sdk.manifest.connector import make_connector_class_of_manifest
from connectors.sdk.manifest.manifest_parser import parse_manifest
from connectors.sdk.manifest.schema import SCHEMA
from tests.unit.connectors.sdk.manifest.samples import NOW

REFERENCE = (Path(__file__).parents[5] / "docs" / "manifests.md").read_text()


def members(schema: Any) -> Iterator[str]:
    """Yield the names of all members that a manifest can have."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for item in schema.values():
            yield from members(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from members(item)


def test_the_example_of_the_reference_has_no_problems() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL)
    connector = make_connector_class_of_manifest(parse_manifest(text), Path("parts_portal.yaml"))
    assert not list(map(str, problems_of_failing_examples(connector, received_at=NOW)))


def test_the_reference_names_every_member() -> None:
    missing = {n for n in members(SCHEMA) if not re.search(rf"\b{re.escape(n)}\b", REFERENCE)}
    assert not missing
