"""Check a manifest that is not published: its problems, and what its samples and examples give."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.sdk.connector import RawMessage
from connectors.sdk.manifest.check_examples import example_body, problems_of_failing_examples
from connectors.sdk.manifest.connector import ManifestConnector
from connectors.sdk.manifest.problems import InvalidManifest, ManifestProblem
from connectors.sdk.manifest.time_limit import (
    TimeLimitExceeded,
    limit_seconds,
    raise_if_time_is_up,
)
from visibility.ingest.check_source_settings import find_setting_errors, secret_setting_names
from visibility.ingest.parse_payload_without_storing import try_message
from visibility.models.sources_and_messages import Source
from visibility.storage.published_manifests import connector_of_text

# A check ends after so many seconds.
MAX_SECONDS = 5.0
# So many problems, and events of one payload, are listed.
MAX_PROBLEMS, MAX_EVENTS = 100, 50
TOO_SLOW = f"the check was stopped after {MAX_SECONDS:.0f} seconds: use smaller samples"
MAX_SOURCES = 50


@dataclass(frozen=True, slots=True)
class PayloadReading:
    """What a sample or an example gives. `expected`: what an example states; empty for a sample."""

    name: str
    events: Sequence[Mapping[str, Any]] = ()
    event_count: int = 0
    ignored: str = ""
    parked: str = ""
    expected: str = ""

    @property
    def more_events(self) -> int:
        """How many events are not listed."""
        return self.event_count - len(self.events)


@dataclass(frozen=True, slots=True)
class ManifestCheck:
    """The result of a check. `warnings` do not prevent publishing."""

    problems: Sequence[ManifestProblem] = ()
    problem_count: int = 0
    readings: Sequence[PayloadReading] = ()
    warnings: Sequence[str] = ()
    title: str = ""
    connector: type[ManifestConnector] | None = field(default=None, compare=False)

    @property
    def is_valid(self) -> bool:
        """Whether it can be published."""
        return not self.problem_count

    @property
    def more_problems(self) -> int:
        """How many problems are not listed."""
        return self.problem_count - len(self.problems)


def check_manifest(
    slug: str, text: str, samples: Mapping[str, bytes], *, now: datetime
) -> ManifestCheck:
    """Check the text, run its examples, and read the samples. Nothing is stored."""
    try:
        with limit_seconds(MAX_SECONDS):
            connector = connector_of_text(slug, text, dict(samples))
            problems = list(problems_of_failing_examples(connector, received_at=now))
            readings = [*_example_readings(connector, now), *_sample_readings(connector, now)]
    except InvalidManifest as error:
        return _result_of_problems(error.problems)
    except TimeLimitExceeded:
        return _result_of_problems([ManifestProblem("examples", 0, TOO_SLOW)])
    except Exception as error:  # whatever a text contains, the page must show why
        sentence = f"the manifest cannot be used ({type(error).__name__}: {error})"
        return _result_of_problems([ManifestProblem("", 0, sentence[:300])])
    return ManifestCheck(
        problems[:MAX_PROBLEMS],
        len(problems),
        readings,
        tuple(_warnings_of_sources(connector)),
        connector.title,
        connector,
    )


def _result_of_problems(problems: Sequence[ManifestProblem]) -> ManifestCheck:
    return ManifestCheck(tuple(problems)[:MAX_PROBLEMS], len(problems))


def _example_readings(
    connector: type[ManifestConnector], now: datetime
) -> Iterator[PayloadReading]:
    for index, example in enumerate(connector.manifest.examples):
        name = f"Example {index + 1}" + (f": {example.file}" if example.file else "")
        expected = (
            ", ".join(example.event_types)
            if example.event_types is not None
            else f"parked: {example.parked}"
            if example.parked
            else f"ignored: {example.ignored}"
        )
        try:
            body = example_body(connector, example)
        except OSError as error:
            yield PayloadReading(name, parked=str(error.strerror), expected=expected)
            continue
        yield _read(connector, name, body, example.settings, now, expected)


def _sample_readings(connector: type[ManifestConnector], now: datetime) -> Iterator[PayloadReading]:
    for name, body in (connector.sample_files or {}).items():
        yield _read(connector, name, body, {}, now)


def _read(
    connector: type[ManifestConnector],
    name: str,
    body: bytes,
    settings: Mapping[str, str],
    now: datetime,
    expected: str = "",
) -> PayloadReading:
    raise_if_time_is_up()
    instance = connector({"source": connector.slug, **settings})
    result = try_message(instance, RawMessage(body, {}, now))
    events = result.get("events", ())
    return PayloadReading(
        name,
        events[:MAX_EVENTS],
        len(events),
        result.get("ignored", ""),
        result.get("parked", ""),
        expected,
    )


def _warnings_of_sources(connector: type[ManifestConnector]) -> Iterator[str]:
    """Settings that sources of this manifest would have to correct."""
    secret_names = secret_setting_names(connector)
    sources = Source.objects.filter(connector=connector.slug, archived_at=None).order_by("slug")
    for source in sources[:MAX_SOURCES]:
        config = source.config_or_empty_if_invalid
        for error in find_setting_errors(connector, config, stored=config):
            if error.name not in secret_names:
                yield f"{source.title}: {error.name}: {error.sentence}"
