"""Read parked messages on trial, in a process of its own that is ended if a message takes too long.

A web process cannot be ended, so no message is read in it: a parser that hangs would block it.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import UNSTORABLE_CHARACTERS, ParkReason
from visibility.identity.pure.keys_and_reuse_windows import IdentifierKey, identity_and_other_keys
from visibility.ingest.decompress_gzip import decompressed_size
from visibility.ingest.parse_messages_and_pick_versions import StoredMessage, parse_message
from visibility.models.sources_and_messages import Source
from visibility.screens.messages.own_process import (
    begin_in_own_process,
    end_own_process_after,
    run_in_own_process,
)

COMMAND = (
    sys.executable,
    "-c",
    "import django; django.setup(); "
    "from visibility.screens.messages.trial_reading import main; main()",
)


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """How long the messages are read, and how many bytes of them, inflated."""

    seconds: float
    inflated_bytes: int


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What one message would become. `reason`: why it would be parked, or ""."""

    message_id: int
    reason: str
    detail: str
    events: int
    keys: tuple[IdentifierKey, ...]


@dataclass(frozen=True, slots=True)
class TrialReading:
    """The results in the order of the messages. `stopped_at`: the message that took too long.

    `has_started` is false if too many trials were running, or the process did not start.
    """

    results: tuple[TrialResult, ...]
    stopped_at: int | None = None
    has_started: bool = True


def read_messages(
    messages: Iterable[StoredMessage], sources: Mapping[int, Source], limits: TrialLimits
) -> Iterator[TrialResult]:
    """Read the first message, and further ones until a limit is reached."""
    inflated, began, is_first = 0, time.monotonic(), True
    for message in messages:
        inflated += decompressed_size(message.body or b"", message.headers)
        is_late = time.monotonic() - began >= limits.seconds
        if not is_first and (is_late or inflated > limits.inflated_bytes):
            return
        is_first = False
        yield _read_message(message, sources[message.source_id])


def read_messages_in_own_process(
    messages: Sequence[StoredMessage], sources: Mapping[int, Source], limits: TrialLimits
) -> TrialReading:
    """Read them like `read_messages`, in a process that is ended if a message takes too long."""
    if not messages:
        return TrialReading(())
    lines, has_failed = run_in_own_process(COMMAND, (list(messages), dict(sources), limits))
    if not lines:
        return TrialReading((), has_started=False)
    # The last line is empty, or incomplete if the process was ended while it wrote.
    results = tuple(_result_from_json(line) for line in lines[:-1])
    stopped_at = messages[len(results)].id if has_failed and len(results) < len(messages) else None
    return TrialReading(results, stopped_at)


def _read_message(message: StoredMessage, source: Source) -> TrialResult:
    """Read one message. Any error counts as a failed attempt of the worker."""
    try:
        outcome = parse_message(message, source)
        events = [new.event for new in outcome.new_events]
        keys = _keys_of_events(events, source.slug)
    except Exception as error:  # the worker records it on the message; the others go on
        detail = UNSTORABLE_CHARACTERS.sub("\ufffd", f"{type(error).__name__}: {error}")
        return TrialResult(message.id, ParkReason.CRASH.value, detail[:500], 0, ())
    reason = outcome.reason.value if outcome.reason else ""
    detail = "" if outcome.reason in {None, ParkReason.SYNTAX} else outcome.detail
    return TrialResult(message.id, reason, detail, len(events), tuple(keys))


def _keys_of_events(events: Iterable[CanonicalEvent], slug: str) -> set[IdentifierKey]:
    """The numbers that these events name."""
    keys: set[IdentifierKey] = set()
    for event in events:
        for reference in event.objects:
            identities, others = identity_and_other_keys(reference, slug)
            keys.update(identities, others)
    return keys


def _result_from_json(line: bytes) -> TrialResult:
    message_id, reason, detail, events, keys = orjson.loads(line)
    return TrialResult(message_id, reason, detail, events, tuple(tuple(key) for key in keys))


def main() -> None:
    """Read the messages from the standard input, and write a line for each result."""
    (messages, sources, limits), out = begin_in_own_process()
    end_own_process_after(limits.seconds + 1)
    for result in read_messages(messages, sources, limits):
        values = (result.message_id, result.reason, result.detail, result.events, result.keys)
        out.write(orjson.dumps(values) + b"\n")
        out.flush()
