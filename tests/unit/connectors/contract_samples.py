"""Every sample of every shipped connector and manifest, and what holds for all that is parsed."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.catalog import SYSTEMS, connectors_by_slug
from connectors.sdk.check_event_size_limits import validate_and_flag_event
from connectors.sdk.connector import Connector, ParseResult, RawMessage
from connectors.sdk.event_codec import event_from_dict, event_to_dict, to_canonical_json
from connectors.sdk.events import DATES, Attribute, CanonicalEvent
from connectors.sdk.manifest.check_examples import example_body
from connectors.sdk.manifest.connector import ManifestConnector
from connectors.sdk.number_issuers import with_issuers_of_setting
from connectors.sdk.payload import PayloadError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LARGEST = 10**18
# Words of Python that mean nothing to a person who reads why a message was parked.
NOT_FOR_PEOPLE = re.compile(
    r"NoneType|Traceback|object at 0x|<class|Decimal\(|has no attribute|not subscriptable"
    r"|unhashable|got (?:bool|int|float|str|dict|list|tuple|None)\b"
)
UNSTORABLE = re.compile(r"\\u0000|\\ud[89a-f]", re.IGNORECASE)


@dataclass(frozen=True)
class ContractSample:
    """A sample with the connector that reads it."""

    slug: str
    name: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.slug}/{self.name}"

    def connector(self, **settings: str) -> Connector:
        """A new connector with the settings of the sample."""
        return connectors_by_slug()[self.slug]({"source": self.slug, **self.settings, **settings})

    def message(self, *, later: timedelta = timedelta()) -> RawMessage:
        return RawMessage(self.body, self.headers, NOW + later)


def _samples_of_package(folder: Path) -> list[ContractSample]:
    samples = []
    for path in sorted(folder.glob("samples/*.json")):
        if path.name.endswith(".events.json"):
            continue
        sample = json.loads(path.read_text())
        body = sample["body"]
        text = body if isinstance(body, str) else json.dumps(body)
        samples.append(
            ContractSample(
                folder.name, path.stem, text.encode(), sample["headers"], sample.get("config", {})
            )
        )
    return samples


def _samples_of_manifest(connector: type[ManifestConnector]) -> list[ContractSample]:
    return [
        ContractSample(
            connector.slug,
            Path(example.file).stem or f"example {number}",
            example_body(connector, example),
            {},
            example.settings,
        )
        for number, example in enumerate(connector.manifest.examples)
    ]


def all_contract_samples() -> list[ContractSample]:
    """The samples of all packages and manifests, by slug."""
    samples: list[ContractSample] = []
    for slug, connector in sorted(connectors_by_slug().items()):
        samples += (
            _samples_of_manifest(connector)
            if issubclass(connector, ManifestConnector)
            else _samples_of_package(SYSTEMS / slug)
        )
    return samples


def parse_as_pipeline(
    connector: Connector, message: RawMessage
) -> tuple[ParseResult, list[CanonicalEvent], list[PayloadError]]:
    """Parse and validate like the pipeline; return the events to store and what is parked."""
    try:
        parsed = connector.parse(message)
        reported = list(with_issuers_of_setting(parsed.events, connector))
    except PayloadError as error:
        return ParseResult(), [], [error]
    events, errors = [], list(parsed.errors)
    for event in reported:
        try:
            events.append(validate_and_flag_event(event, message.received_at))
        except PayloadError as error:
            errors.append(error)
    return parsed, events, errors


def check_outcome(
    parsed: ParseResult, events: list[CanonicalEvent], errors: list[PayloadError], at: datetime
) -> None:
    """Check that there are valid events, a reason for none, or an understandable error."""
    assert isinstance(parsed, ParseResult)
    is_read = events or parsed.telemetry
    assert is_read or errors or parsed.ignored.strip(), "no event, and no reason"
    for error in errors:
        assert error.detail.strip(), error
        assert not NOT_FOR_PEOPLE.search(str(error)), str(error)
    for event in events:
        check_event(event, at)


def check_event(event: CanonicalEvent, received_at: datetime) -> None:
    """Check that an event can be stored and that no value of it is nonsense."""
    text = to_canonical_json(event)
    data: dict[str, Any] = json.loads(text)
    assert event_to_dict(event_from_dict(data)) == data, "the event does not survive storage"
    assert not UNSTORABLE.search(text.decode()), text[:300]
    assert event.key.strip(), "no key"
    assert event.objects, event.key
    if event.occurred_at is not None:
        assert EARLIEST <= event.occurred_at <= received_at + timedelta(days=7), event.occurred_at
    for reference in event.objects:
        assert reference.identifiers, event.key
        assert all(i.value.strip() and i.scheme for i in reference.identifiers), event.key
    for line in event.lines:
        # A negative quantity is no nonsense: ERPs and invoices write what is given back so.
        for measure, quantity in line.quantities.items():
            assert quantity.is_finite(), (event.key, measure)
            assert abs(quantity) < LARGEST, (event.key, measure)
        assert line.price is None or line.price.is_finite()
    for name in DATES & event.attributes.keys():
        year = datetime.fromisoformat(event.attributes[name]).year
        assert EARLIEST.year <= year <= 9000, (name, event.attributes[name])
    total = event.attributes.get(Attribute.TOTAL)
    assert total is None or re.fullmatch(r"-?\d+(\.\d+)?", total), total
