"""What the samples of a connector show: the events that arrive, and an example.

A connector has its samples in `connectors/systems/<slug>/samples`, each with the expected events
beside it. The sample of a manifest is the message itself; that of a Python connector is a JSON
document whose `body` is the message.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors import systems
from connectors.sdk.connector import Connector
from connectors.sdk.event_type_descriptions import EVENT_TYPES
from connectors.sdk.events import EventType
from connectors.sdk.manifest.connector import ManifestConnector

EXPECTED = ".events.json"
# A longer message is no example for a page.
MAX_EXAMPLE_CHARACTERS = 2_500
MAX_CODES = 8


@dataclass(frozen=True, slots=True)
class ConnectorSample:
    """A sample: the text of the message, and its expected events as JSON objects.

    `is_read_completely`: nothing of the message is parked.
    """

    name: str
    text: str
    events: tuple[dict[str, Any], ...]
    is_read_completely: bool


def load_samples(kind: type[Connector]) -> list[ConnectorSample]:
    """The samples of a shipped connector, by name."""
    folder = Path(systems.__path__[0]) / kind.slug / "samples"
    expected = sorted(folder.glob(f"*{EXPECTED}"))
    return [sample for path in expected if (sample := _load_sample(kind, path)) is not None]


def _load_sample(kind: type[Connector], expected: Path) -> ConnectorSample | None:
    name = expected.name.removesuffix(EXPECTED)
    path = next(
        (p for p in expected.parent.glob(f"{name}.*") if not p.name.endswith(EXPECTED)), None
    )
    if path is None:
        return None
    text = path.read_bytes().decode("utf-8", "replace")
    if not issubclass(kind, ManifestConnector):
        body = json.loads(text)["body"]
        text = body if isinstance(body, str) else json.dumps(body, indent=1, ensure_ascii=False)
    result = json.loads(expected.read_text())
    events = tuple(result.get("events", []))
    return ConnectorSample(path.name, text, events, is_read_completely="parked" not in result)


def arriving_events(samples: list[ConnectorSample]) -> Iterator[tuple[str, str, str]]:
    """Yield each event type of the samples with its meaning and the system's codes for it."""
    codes: dict[str, list[str]] = {}
    for sample in samples:
        for event in sample.events:
            named = codes.setdefault(event["type"], [])
            if event["raw_type"] and event["raw_type"] not in named:
                named.append(event["raw_type"])
    for kind in EventType:
        if kind.value in codes and kind is not EventType.UNMAPPED:
            shown = ", ".join(f"`{code}`" for code in sorted(codes[kind.value])[:MAX_CODES])
            yield kind.value, EVENT_TYPES[kind].meaning, shown


def pick_example(samples: list[ConnectorSample]) -> ConnectorSample | None:
    """The sample with the most kinds of events among those that a page has room for."""
    short = [
        sample
        for sample in samples
        if sample.events
        and sample.is_read_completely
        and len(sample.text) <= MAX_EXAMPLE_CHARACTERS
    ]
    return max(short, key=lambda s: len({event["type"] for event in s.events}), default=None)
