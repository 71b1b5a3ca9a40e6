"""Contract of all connectors: documentation, settings and samples.

`test_message_contract` has what holds for requests, and `test_changed_samples` changed copies.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors import systems
from connectors.catalog import connectors_by_slug as shelf
from connectors.sdk.connector import Connector, RawMessage, SourceRole
from connectors.sdk.event_codec import event_from_dict, event_to_dict
from connectors.sdk.payload import PayloadError
from connectors.sdk.settings import parse_and_check_settings

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SYSTEMS = Path(systems.__path__[0])
FILES = {path.parent.name for path in SYSTEMS.glob("*/connector.py")}
MANIFESTS = {path.stem for path in SYSTEMS.glob("*.yaml")}
CASES = sorted(
    p
    for p in SYSTEMS.glob("*/samples/*.json")
    if not p.name.endswith(".events.json") and p.parent.parent.name in FILES
)


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
