"""Contract of all connectors: documentation, samples, and robustness to changed payloads."""

import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors import systems
from connectors.catalog import connectors_by_slug as shelf
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.event_codec import event_from_dict, event_to_dict
from connectors.sdk.payload import PayloadError
from connectors.sdk.settings import parse_and_check_settings
from tests.effort import FULL

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SYSTEMS = Path(systems.__path__[0])
FILES = {path.parent.name for path in SYSTEMS.glob("*/connector.py")}
MANIFESTS = {path.stem for path in SYSTEMS.glob("*.yaml")}
CASES = sorted(
    p
    for p in SYSTEMS.glob("*/samples/*.json")
    if not p.name.endswith(".events.json") and p.parent.parent.name in FILES
)
JSON_CASES = [p for p in CASES if not isinstance(json.loads(p.read_text())["body"], str)]
UNEXPECTED_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0.5,
    10**20,
    "",
    "\0x",
    "2026-02-30",
    [],
    [7],
    {},
    {"x": 1},
)
# How many of the strange values replace each value in a normal run.
REPLACEMENTS = 2


def slug_of(sample: Path) -> str:
    """The connector that a sample belongs to."""
    return sample.parent.parent.name


def sample_id(path: Path) -> str:
    return f"{slug_of(path)}/{path.stem}"


def load_sample(path: Path) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads(path.read_text())
    return sample


def make_connector(path: Path) -> Connector:
    instance: Connector = shelf()[slug_of(path)]({"source": slug_of(path), **sample_config(path)})
    return instance


def sample_config(path: Path) -> dict[str, str]:
    settings: dict[str, str] = load_sample(path).get("config", {})
    return settings


def make_message(path: Path, body: Any) -> RawMessage:
    text = body if isinstance(body, str) else json.dumps(body)
    return RawMessage(text.encode(), load_sample(path)["headers"], NOW)


def parse_sample(path: Path) -> dict[str, Any]:
    """Parse a sample and return the result in the form of its `.events.json` file."""
    try:
        parsed = make_connector(path).parse(make_message(path, load_sample(path)["body"]))
    except PayloadError as error:
        return {"parked": str(error)}
    result: dict[str, Any] = {"events": [event_to_dict(event) for event in parsed.events]}
    if parsed.ignored:
        result = {**(result if parsed.events else {}), "ignored": parsed.ignored}
    if parsed.errors:
        result["parked"] = str(parsed.errors[0])
    return result


def walk_members(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container of a document with each of its keys or indexes."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(members):
        yield value, key
        if isinstance(inner, dict | list):
            yield from walk_members(inner)


def variants(body: Any, chance: random.Random) -> Iterator[Any]:
    """Yield the document with one change at a time. Each change is undone afterwards.

    Every value is replaced: by each strange value in a full run, by some of them in a normal run.
    """
    for holder, key in list(walk_members(body)):
        original = holder[key]
        for value in UNEXPECTED_VALUES if FULL else chance.sample(UNEXPECTED_VALUES, REPLACEMENTS):
            holder[key] = value
            yield body
        holder[key] = original
        if isinstance(holder, dict):
            order = list(holder.items())
            del holder[key]
            yield body
            holder.clear()
            holder.update(order)
        if isinstance(original, dict):
            original["an unknown key"] = {"of": ["any", {"shape": 1}]}
            yield body
            del original["an unknown key"]


def test_the_catalog_contains_every_package_and_manifest() -> None:
    assert set(shelf()) == FILES | MANIFESTS


@pytest.mark.parametrize("slug", sorted(shelf()))
class TestEachConnector:
    def test_slug_title_role_and_docstring_are_set(self, slug: str) -> None:
        kind = shelf()[slug]
        assert kind.slug == slug
        assert kind.title.strip()
        assert isinstance(kind.role, SourceRole)
        assert (kind.__doc__ or "").strip()
        assert all(header == header.lower() for header in kind.stored_headers)

    def test_every_setting_has_a_help_sentence(self, slug: str) -> None:
        kind = shelf()[slug]
        assert all(setting.help.endswith(".") and " " in setting.help for setting in kind.settings)
        names = [setting.name for setting in kind.settings]
        assert len(names) == len(set(names))
        used = {
            name
            for path in (SYSTEMS / slug).glob("*.py")
            for name in re.findall(
                r"""(?:values|settings)\.(?:text|is_on|integer|decimal|duration|identifier_scheme_and_issuer"""
                r"""|list_of_texts)\(\s*["'](\w+)["']""",
                path.read_text(),
            )
        }
        assert used <= set(names)

    def test_defaults_are_valid(self, slug: str) -> None:
        errors = parse_and_check_settings(shelf()[slug].settings, {}).errors
        required = {setting.name for setting in shelf()[slug].settings if setting.required}
        assert {error.name for error in errors} == required

    def test_every_sample_has_expected_events(self, slug: str) -> None:
        if slug in MANIFESTS:
            return  # test_manifest_contract visits them
        samples = [path for path in CASES if slug_of(path) == slug]
        assert samples
        assert all(path.with_suffix(".events.json").exists() for path in samples)

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"null", b"7", b'"x"', b"[]", b"{}", b"\xff\xfe", b"[" * 100_000]
    )
    def test_an_empty_or_invalid_body_is_parked_or_ignored(self, slug: str, body: bytes) -> None:
        system = shelf()[slug]({"source": slug})
        assert isinstance(system.guess_headers(body), dict)
        try:
            assert not system.parse(RawMessage(body, {}, NOW)).events
        except PayloadError as error:
            assert error.detail  # noqa: PT017 - parking and ignoring are both valid


@pytest.mark.parametrize("path", CASES, ids=sample_id)
class TestSamples:
    def test_parsing_returns_exactly_the_expected_events(self, path: Path) -> None:
        assert parse_sample(path) == json.loads(path.with_suffix(".events.json").read_text())

    def test_events_survive_a_json_round_trip(self, path: Path) -> None:
        for event_dict in parse_sample(path).get("events", []):
            assert event_to_dict(event_from_dict(json.loads(json.dumps(event_dict)))) == event_dict


@pytest.mark.parametrize("path", JSON_CASES, ids=sample_id)
def test_any_change_of_a_sample_is_parsed_or_parked(path: Path, run_seed: int) -> None:
    system, body, count = make_connector(path), load_sample(path)["body"], 0
    for variant in variants(body, random.Random(f"{run_seed} {sample_id(path)}")):
        count += 1
        try:
            parsed = system.parse(make_message(path, variant))
        except PayloadError as error:
            assert error.detail  # noqa: PT017 - parking is one of two valid results
        else:
            assert isinstance(parsed, ParseResult)
            for event in parsed.events:
                assert event_to_dict(event_from_dict(event_to_dict(event))) == event_to_dict(event)
    assert count
    assert body == load_sample(path)["body"]
