"""Read stored messages with a draft or the installed connector, in processes without database.

A process that takes too long at one message is ended, and the next one goes on after it.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from connectors.sdk.event_codec import event_from_dict
from connectors.sdk.payload import UNSTORABLE_CHARACTERS, ParkReason
from visibility.ingest.parse_messages_and_pick_versions import (
    ParseOutcome,
    StoredMessage,
    parse_message,
    parse_message_with,
)
from visibility.models.events import EventToStore
from visibility.models.sources_and_messages import Source
from visibility.screens.messages.own_process import (
    begin_in_own_process,
    end_own_process_after,
    run_in_own_process,
)
from visibility.storage.published_manifests import connector_of_text

# One process reads so many messages, for so many seconds; then the next one starts.
CHUNK_SIZE, CHUNK_SECONDS = 250, 10.0
MAX_STARTS = 3
# With the start of the process, which takes long on a busy machine. Nobody waits for it.
PROCESS_SECONDS = 90.0
TOO_LONG = "reading this message takes too long"
COMMAND = (
    sys.executable,
    "-c",
    "import django; django.setup(); "
    "from visibility.release_checks.read_messages import main; main()",
)


class ReadingFailed(RuntimeError):
    """The process that reads the messages does not start."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads the messages: the text of a draft, or "" for the installed connector."""

    slug: str
    text: str


def read_in_own_processes(
    messages: Sequence[StoredMessage],
    source: Source,
    reader: Reader,
    report: Callable[[int], None],
) -> list[ParseOutcome]:
    """The outcome of each message. `report` gets the number of messages that were read."""
    outcomes: list[ParseOutcome] = []
    failed_starts = 0
    while len(outcomes) < len(messages):
        remaining = messages[len(outcomes) : len(outcomes) + CHUNK_SIZE]
        lines, has_failed = run_in_own_process(
            COMMAND, (list(remaining), source, reader), limit_seconds=PROCESS_SECONDS
        )
        if not lines:
            failed_starts += 1
            if failed_starts == MAX_STARTS:
                raise ReadingFailed
            continue
        # The last line is empty, or incomplete if the process was ended while it wrote.
        read = [_outcome_of_line(line, remaining[i]) for i, line in enumerate(lines[:-1])]
        outcomes += read
        if has_failed and not read:
            # It was the first message, so it had all of the time for itself.
            stuck = remaining[0].id
            outcomes.append(ParseOutcome(stuck, reason=ParkReason.CRASH, detail=TOO_LONG))
        report(len(outcomes))
    return outcomes


def _read_message(message: StoredMessage, source: Source, reader: Reader) -> ParseOutcome:
    try:
        if not reader.text:
            return parse_message(message, source)
        kind = connector_of_text(reader.slug, reader.text)
        config = {**source.config_or_empty_if_invalid, "source": source.slug}
        return parse_message_with(message, lambda: kind(config))
    except Exception as error:  # the worker would record it on the message
        detail = UNSTORABLE_CHARACTERS.sub("\ufffd", f"{type(error).__name__}: {error}"[:500])
        return ParseOutcome(message.id, reason=ParkReason.CRASH, detail=detail)


def _line_of_outcome(outcome: ParseOutcome) -> bytes:
    events = [
        (event.text, event.occurred_at.isoformat(), event.content_hash)
        for event in outcome.new_events
    ]
    reason = outcome.reason.value if outcome.reason else ""
    return orjson.dumps((outcome.message_id, reason, outcome.detail, events))


def _outcome_of_line(line: bytes, message: StoredMessage) -> ParseOutcome:
    message_id, reason, detail, events = orjson.loads(line)
    return ParseOutcome(
        message_id,
        tuple(
            EventToStore(
                message_id,
                message.source_id,
                event_from_dict(orjson.loads(text)),
                datetime.fromisoformat(occurred_at),
                message.received_at,
                content_hash,
                text,
            )
            for text, occurred_at, content_hash in events
        ),
        ParkReason(reason) if reason else None,
        detail,
    )


def _outcomes_until_late(
    messages: Sequence[StoredMessage], source: Source, reader: Reader
) -> Iterator[ParseOutcome]:
    began = time.monotonic()
    for message in messages:
        if time.monotonic() - began > CHUNK_SECONDS:
            return
        yield _read_message(message, source, reader)


def main() -> None:
    """Read the messages from the standard input, and write a line for each outcome."""
    (messages, source, reader), out = begin_in_own_process()
    end_own_process_after(CHUNK_SECONDS + 2)
    for outcome in _outcomes_until_late(messages, source, reader):
        out.write(_line_of_outcome(outcome) + b"\n")
        out.flush()
