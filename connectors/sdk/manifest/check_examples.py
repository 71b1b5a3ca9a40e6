"""The examples of a manifest are its contract tests: payload in, events out."""

from collections.abc import Iterator
from datetime import datetime
from errno import ENOENT
from pathlib import Path

from connectors.sdk.check_event_size_limits import validate_and_flag_event
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.manifest.connector import ManifestConnector
from connectors.sdk.manifest.definition import Example
from connectors.sdk.manifest.problems import ManifestProblem
from connectors.sdk.manifest.time_limit import raise_if_time_is_up
from connectors.sdk.payload import PayloadError


def sample_folder(connector: type[ManifestConnector]) -> Path:
    """Samples are in a folder with the name of the connector, beside its manifest."""
    return connector.manifest_path.parent / connector.slug / "samples"


def example_body(connector: type[ManifestConnector], example: Example) -> bytes:
    """Return the payload of an example. Raises OSError."""
    if example.file and connector.sample_files is not None:
        try:
            return connector.sample_files[example.file]
        except KeyError:
            raise FileNotFoundError(ENOENT, "no sample has this name") from None
    if example.file:
        return (sample_folder(connector) / example.file).read_bytes()
    return example.text.encode(connector.manifest.read.charset, "replace")


def problems_of_failing_examples(
    connector: type[ManifestConnector], *, received_at: datetime
) -> Iterator[ManifestProblem]:
    """Yield a problem for each example whose result differs from what it states."""
    for index, example in enumerate(connector.manifest.examples):
        raise_if_time_is_up()
        sentence = _run_example_and_describe_failure(connector, example, received_at)
        if sentence:
            file = str(connector.manifest_path)
            yield ManifestProblem(f"examples[{index}]", 0, sentence, file)


def _run_example_and_describe_failure(
    connector: type[ManifestConnector], example: Example, received_at: datetime
) -> str:
    try:
        body = example_body(connector, example)
    except OSError as error:
        return f"{example.file}: {error.strerror}"
    instance = connector({"source": connector.slug, **example.settings})
    try:
        parsed = instance.parse(RawMessage(body, {}, received_at))
        types = tuple(
            validate_and_flag_event(event, received_at).type.value for event in parsed.events
        )
        types += tuple(record.kind.value for record in parsed.telemetry)
    except PayloadError as error:
        return _describe_difference_or_empty("parked", example.parked, str(error))
    return _mismatch_with_example_sentence(example, parsed, types)


def _mismatch_with_example_sentence(
    example: Example, parsed: ParseResult, types: tuple[str, ...]
) -> str:
    errors = "; ".join(str(error) for error in parsed.errors)
    if errors or example.parked:
        return _describe_difference_or_empty(
            "parked", example.parked, errors or f"gives {', '.join(types)}"
        )
    if example.ignored or parsed.ignored:
        return _describe_difference_or_empty("ignored", example.ignored, parsed.ignored)
    if types != example.event_types:
        return f"gives {', '.join(types)}, not {', '.join(example.event_types or ())}"
    return ""


def _describe_difference_or_empty(kind: str, expected: str, actual: str) -> str:
    if expected and expected in actual:
        return ""
    return f"{kind}: {actual}" if not expected else f"expected {kind}: {expected}, got: {actual}"
