"""Contract of all shipped manifests: their examples and expected events."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.catalog import SYSTEMS
from connectors.sdk.connector import RawMessage
from connectors.sdk.event_codec import event_to_dict
from connectors.sdk.manifest.check_examples import (
    example_body,
    problems_of_failing_examples,
    sample_folder,
)
from connectors.sdk.manifest.connector import ManifestConnector
from connectors.sdk.manifest.definition import Example
from connectors.sdk.manifest.folder import load_manifest_as_connector_class
from connectors.sdk.payload import PayloadError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SHIPPED = {
    path.stem: load_manifest_as_connector_class(path) for path in sorted(SYSTEMS.glob("*.yaml"))
}
CASES = [
    (slug, example)
    for slug, connector in SHIPPED.items()
    for example in connector.manifest.examples
    if example.file
]


def case_id(value: Any) -> str:
    return value.file if isinstance(value, Example) else str(value)


def instance(slug: str, example: Example) -> ManifestConnector:
    return SHIPPED[slug]({"source": slug, **example.settings})


def result_of(slug: str, example: Example) -> dict[str, Any]:
    """Parse the sample of an example; in the form of its `.events.json` file."""
    body = example_body(SHIPPED[slug], example)
    try:
        parsed = instance(slug, example).parse(RawMessage(body, {}, NOW))
    except PayloadError as error:
        return {"parked": str(error)}
    result: dict[str, Any] = {"events": [event_to_dict(event) for event in parsed.events]}
    if parsed.ignored:
        result = {"ignored": parsed.ignored}
    if parsed.errors:
        result["parked"] = str(parsed.errors[0])
    return result


@pytest.mark.parametrize("slug", sorted(SHIPPED))
class TestEachManifest:
    def test_every_example_gives_what_it_states(self, slug: str) -> None:
        assert not list(map(str, problems_of_failing_examples(SHIPPED[slug], received_at=NOW)))

    def test_every_sample_is_an_example_and_has_expected_events(self, slug: str) -> None:
        folder = sample_folder(SHIPPED[slug])
        samples = {p.name for p in folder.iterdir() if not p.name.endswith(".events.json")}
        assert samples == {e.file for e in SHIPPED[slug].manifest.examples if e.file}
        assert all((folder / name).with_suffix(".events.json").is_file() for name in samples)


@pytest.mark.parametrize(("slug", "example"), CASES, ids=case_id)
def test_parsing_returns_exactly_the_expected_events(slug: str, example: Example) -> None:
    path: Path = (sample_folder(SHIPPED[slug]) / example.file).with_suffix(".events.json")
    assert result_of(slug, example) == json.loads(path.read_text())
