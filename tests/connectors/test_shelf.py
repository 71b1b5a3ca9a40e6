"""Every connector on the shelf: documented, sampled, and unmoved by whatever a sender changes."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors import systems
from connectors.catalog import systems as shelf
from connectors.sdk.connector import Connector, Message, Parsed, Role
from connectors.sdk.events import as_dict, from_dict
from connectors.sdk.payload import PayloadError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SYSTEMS = Path(systems.__path__[0])
FILES = {path.parent.name for path in SYSTEMS.glob("*/connector.py")}
CASES = sorted(p for p in SYSTEMS.glob("*/samples/*.json") if not p.name.endswith(".events.json"))
JSON_CASES = [p for p in CASES if not isinstance(json.loads(p.read_text())["body"], str)]
STRANGE: tuple[Any, ...] = (
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


def slug_of(path: Path) -> str:
    """The connector that a sample belongs to."""
    return path.parent.parent.name


def name(path: Path) -> str:
    return f"{slug_of(path)}/{path.stem}"


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def connector(path: Path) -> Connector:
    made: Connector = shelf()[slug_of(path)]({"source": slug_of(path), **config(path)})
    return made


def config(path: Path) -> dict[str, str]:
    found: dict[str, str] = read(path).get("config", {})
    return found


def message(path: Path, body: Any) -> Message:
    raw = body if isinstance(body, str) else json.dumps(body)
    return Message(raw.encode(), read(path)["headers"], NOW)


def told(path: Path) -> dict[str, Any]:
    """What the message of a sample became, as the file beside it says it."""
    try:
        parsed = connector(path).parse(message(path, read(path)["body"]))
    except PayloadError as error:
        return {"parked": str(error)}
    found: dict[str, Any] = {"events": [as_dict(event) for event in parsed.events]}
    if parsed.ignored:
        found = {"ignored": parsed.ignored}
    if parsed.problems:
        found["parked"] = str(parsed.problems[0])
    return found


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a document with every key or index in it."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(members):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def changed(body: Any) -> Iterator[Any]:
    """The document with one thing different at a time, and as it was again afterwards."""
    for holder, key in list(places(body)):
        kept = holder[key]
        for other in STRANGE:
            holder[key] = other
            yield body
        holder[key] = kept
        if isinstance(holder, dict):
            order = list(holder.items())
            del holder[key]
            yield body
            holder.clear()
            holder.update(order)
        if isinstance(kept, dict):
            kept["a key nobody knows"] = {"of": ["any", {"shape": 1}]}
            yield body
            del kept["a key nobody knows"]


def test_every_file_of_the_shelf_is_a_connector() -> None:
    assert set(shelf()) == FILES


@pytest.mark.parametrize("slug", sorted(shelf()))
class TestEach:
    def test_it_is_named_and_described(self, slug: str) -> None:
        kind = shelf()[slug]
        assert kind.slug == slug
        assert kind.title.strip()
        assert isinstance(kind.role, Role)
        assert (kind.__doc__ or "").strip()
        assert all(header == header.lower() for header in kind.kept_headers)

    def test_every_setting_it_reads_is_explained_in_a_sentence(self, slug: str) -> None:
        kind = shelf()[slug]
        assert all(text.endswith(".") and " " in text for text in kind.settings.values())
        source = (SYSTEMS / slug / "connector.py").read_text()
        used = set(re.findall(r"""config(?:\.get\(|\[)["'](\w+)["']""", source)) - {"source"}
        assert used <= set(kind.settings)

    def test_it_has_samples_and_each_says_what_becomes_of_it(self, slug: str) -> None:
        mine = [path for path in CASES if slug_of(path) == slug]
        assert mine
        assert all(path.with_suffix(".events.json").exists() for path in mine)

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"null", b"7", b'"x"', b"[]", b"{}", b"\xff\xfe", b"[" * 100_000]
    )
    def test_a_body_that_is_nothing_is_parked_or_ignored(self, slug: str, body: bytes) -> None:
        system = shelf()[slug]({"source": slug})
        assert isinstance(system.infer_headers(body), dict)
        try:
            assert not system.parse(Message(body, {}, NOW)).events
        except PayloadError as error:
            assert error.detail  # noqa: PT017 - parking and ignoring are both fine


@pytest.mark.parametrize("path", CASES, ids=name)
class TestSamples:
    def test_it_gives_exactly_its_events(self, path: Path) -> None:
        assert told(path) == json.loads(path.with_suffix(".events.json").read_text())

    def test_its_events_can_be_kept_and_read_again(self, path: Path) -> None:
        for said in told(path).get("events", []):
            assert as_dict(from_dict(json.loads(json.dumps(said)))) == said


@pytest.mark.parametrize("path", JSON_CASES, ids=name)
def test_whatever_changes_in_a_message_it_is_read_or_parked(path: Path) -> None:
    system, body, tried = connector(path), read(path)["body"], 0
    for other in changed(body):
        tried += 1
        try:
            parsed = system.parse(message(path, other))
        except PayloadError as error:
            assert error.detail  # noqa: PT017 - parking is one of the two answers
        else:
            assert isinstance(parsed, Parsed)
            for event in parsed.events:
                assert as_dict(from_dict(as_dict(event))) == as_dict(event)
    assert tried
    assert body == read(path)["body"]
