"""Contract of all shipped manifests: their examples, expected events, and changed payloads."""

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.catalog import SYSTEMS
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.event_codec import event_from_dict, event_to_dict
from connectors.sdk.manifest.check_examples import (
    example_body,
    problems_of_failing_examples,
    sample_folder,
)
from connectors.sdk.manifest.connector import ManifestConnector
from connectors.sdk.manifest.definition import Example
from connectors.sdk.manifest.folder import load_manifest_as_connector_class
from connectors.sdk.payload import PayloadError
from tests.unit.connectors.test_contract import variants

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
JSON_CASES = [case for case in CASES if case[1].file.endswith(".json")]
TABLE_CASES = [case for case in CASES if not case[1].file.endswith(".json")]


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


def check_parsed_or_parked(slug: str, example: Example, body: bytes) -> None:
    try:
        parsed = instance(slug, example).parse(RawMessage(body, {}, NOW))
    except PayloadError as error:
        assert error.detail  # noqa: PT017 - parking is one of two valid results
        return
    assert isinstance(parsed, ParseResult)
    for event in parsed.events:
        assert event_to_dict(event_from_dict(event_to_dict(event))) == event_to_dict(event)


@pytest.mark.parametrize(("slug", "example"), JSON_CASES, ids=case_id)
def test_any_change_of_a_json_sample_is_parsed_or_parked(
    slug: str, example: Example, run_seed: int
) -> None:
    document = json.loads(example_body(SHIPPED[slug], example))
    count = 0
    for variant in variants(document, random.Random(f"{run_seed} {slug} {example.file}")):
        count += 1
        check_parsed_or_parked(slug, example, json.dumps(variant).encode())
    assert count


@pytest.mark.parametrize(("slug", "example"), TABLE_CASES, ids=case_id)
def test_any_change_of_a_table_is_parsed_or_parked(
    slug: str, example: Example, run_seed: int
) -> None:
    body = example_body(SHIPPED[slug], example)
    chance = random.Random(f"{run_seed} {slug} {example.file}")
    for _ in range(200):
        changed = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            index = chance.randrange(len(changed))
            changed[index : index + chance.randint(0, 3)] = chance.choice(
                (
                    *(b"", b";", b"\n", b'"', b"\0", b"\xff", b"9" * 40, b";;", b"2026-13-99"),
                    *(b"<", b"</", b"/>", b"<x>", b"&x;", b"<!DOCTYPE x>", b" "),
                )
            )
        check_parsed_or_parked(slug, example, bytes(changed))
