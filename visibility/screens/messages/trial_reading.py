"""Read parked messages on trial, in a process of its own that is ended if a message takes too long.

A web process cannot be ended, so no message is read in it: a parser that hangs would block it.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson
from django.conf import settings

from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import UNSTORABLE_CHARACTERS, ParkReason
from visibility.identity.pure.keys_and_reuse_windows import IdentifierKey, identity_and_other_keys
from visibility.ingest.decompress_gzip import decompressed_size
from visibility.ingest.parse_messages_and_pick_versions import StoredMessage, parse_message
from visibility.models.sources_and_messages import Source
from visibility.storage.published_manifests import use_published_rows, used_rows

# A process that does not end by itself is ended after so many seconds more.
START_SECONDS = 20
MAX_PARALLEL, MAX_WAIT_SECONDS = 2, 20
COMMAND = (
    sys.executable,
    "-c",
    "import django; django.setup(); "
    "from visibility.screens.messages.trial_reading import main; main()",
)
READY = b"ready"
_running = threading.BoundedSemaphore(MAX_PARALLEL)


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
    values = (list(messages), dict(sources), limits, used_rows())
    ran = run_in_own_process(pickle.dumps(values), COMMAND)
    if ran is None:
        return TrialReading((), has_started=False)
    output, has_failed = ran
    first, *lines = output.split(b"\n")
    if first != READY:
        return TrialReading((), has_started=False)
    # The last line is empty, or incomplete if the process was ended while it wrote.
    results = tuple(_result_from_json(line) for line in lines[:-1])
    stopped_at = messages[len(results)].id if has_failed and len(results) < len(messages) else None
    return TrialReading(results, stopped_at)


def run_in_own_process(values: bytes, command: Sequence[str]) -> tuple[bytes, bool] | None:
    """The output of the process, and whether it was ended or failed. None: too many are running."""
    if not _running.acquire(timeout=MAX_WAIT_SECONDS):
        return None
    try:
        return _run_process(values, command)
    finally:
        _running.release()


def end_this_process_after(seconds: float) -> None:
    """A signal ends the process, also while a regular expression does not return."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _run_process(values: bytes, command: Sequence[str]) -> tuple[bytes, bool]:
    module = os.environ.get("DJANGO_SETTINGS_MODULE", "visibility.settings")
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": module},
    ) as process:
        try:
            output, _ = process.communicate(values, timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
    return output, process.returncode != 0


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
    messages, sources, limits, manifests = pickle.load(sys.stdin.buffer)  # noqa: S301  # written by the process that started this one
    out = sys.stdout.buffer
    out.write(READY + b"\n")
    out.flush()
    use_published_rows(None, manifests)
    end_this_process_after(limits.seconds + 1)
    for result in read_messages(messages, sources, limits):
        values = (result.message_id, result.reason, result.detail, result.events, result.keys)
        out.write(orjson.dumps(values) + b"\n")
        out.flush()
