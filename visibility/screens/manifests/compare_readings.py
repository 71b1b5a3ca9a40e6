"""What a draft of a manifest would read in stored messages, compared with how they are read today.

Both readings run in a process of their own, which is ended if they take too long. Nothing is
stored.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import orjson
from django.db import connection

from connectors.sdk.connector import Connector
from connectors.sdk.event_codec import event_to_dict
from connectors.sdk.manifest.problems import InvalidManifest
from connectors.sdk.payload import UNSTORABLE_CHARACTERS, ParkReason
from visibility.ingest.parse_messages_and_pick_versions import (
    ParseOutcome,
    StoredMessage,
    parse_message,
    parse_message_with,
)
from visibility.models.manifests import Manifest
from visibility.models.sources_and_messages import Source
from visibility.screens.messages.own_process import (
    begin_in_own_process,
    end_own_process_after,
    run_in_own_process,
)
from visibility.storage.published_manifests import connector_of_text

# A person waits for it: so many of the newest messages, bytes of them, and seconds.
MAX_MESSAGES, MAX_BYTES, MAX_SECONDS = 200, 8_000_000, 8.0
# So many messages that differ are listed, with so many events each and fields of an event.
MAX_LISTED, MAX_EVENTS, MAX_FIELDS, MAX_TEXT = 50, 10, 10, 120
NEWEST = """
SELECT id, source_id, received_at, dedupe_key, content_hash, headers, body FROM (
    SELECT candidate.*, sum(octet_length(body)) OVER (ORDER BY received_at DESC, id DESC) AS bytes
    FROM (
        SELECT m.id, m.source_id, m.received_at, m.dedupe_key, m.content_hash, m.headers,
            coalesce(b.body, m.body) AS body
        FROM visibility_inbound_message m
        LEFT JOIN visibility_message_body b
            ON b.message_id = m.id AND b.received_at = m.received_at
        WHERE m.source_id = %s
        ORDER BY m.received_at DESC, m.id DESC LIMIT %s
    ) candidate WHERE body IS NOT NULL
) newest WHERE bytes <= %s OR bytes = octet_length(body) ORDER BY received_at DESC, id DESC
"""
COMMAND = (
    sys.executable,
    "-c",
    "import django; django.setup(); "
    "from visibility.screens.manifests.compare_readings import main; main()",
)


class Difference(StrEnum):
    """How the readings of a message differ."""

    NEWLY_READ = "newly_read"
    NEWLY_PARKED = "newly_parked"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class EventChange:
    """An event that only one reading has, or whose fields differ: (field, today, draft)."""

    type: str
    key: str
    what: str
    fields: Sequence[tuple[str, str, str]] = ()


@dataclass(frozen=True, slots=True)
class MessageComparison:
    """Both readings of a message. `today`, `draft`: the event types, or why it is parked."""

    message_id: int
    difference: Difference
    today_types: Sequence[str]
    draft_types: Sequence[str]
    today_problem: str
    draft_problem: str
    changes: Sequence[EventChange]


class EventTypeCount(NamedTuple):
    """How many events of a type each reading gives."""

    type: str
    today: int
    draft: int


@dataclass(frozen=True, slots=True)
class ReadingComparison:
    """The comparison of the newest messages of a source.

    `examined` of `selected` messages were read; the others are beyond a limit. `differing` are at
    most `MAX_LISTED`. `problem`: why it could not run.
    """

    selected: int = 0
    examined: int = 0
    counts: Mapping[str, int] | None = None
    differing: Sequence[MessageComparison] = ()
    types: Sequence[EventTypeCount] = ()
    problem: str = ""

    @property
    def newly_read(self) -> int:
        """Messages that are parked today."""
        return (self.counts or {}).get(Difference.NEWLY_READ, 0)

    @property
    def newly_parked(self) -> int:
        """Messages that would be parked."""
        return (self.counts or {}).get(Difference.NEWLY_PARKED, 0)

    @property
    def changed(self) -> int:
        """Messages that give other events, or are parked for another reason."""
        return (self.counts or {}).get(Difference.CHANGED, 0)

    @property
    def same(self) -> int:
        """Messages that are read as today."""
        return (self.counts or {}).get(Difference.SAME, 0)

    @property
    def more(self) -> int:
        """How many messages that differ are not listed."""
        return self.newly_read + self.newly_parked + self.changed - len(self.differing)


def compare_readings(manifest: Manifest, source: Source) -> ReadingComparison:
    """Read the newest messages of the source with the draft and as today."""
    try:
        connector_of_text(manifest.slug, manifest.text)
    except InvalidManifest:
        return ReadingComparison(problem="The draft has problems. Correct them first.")
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, [source.pk, MAX_MESSAGES, MAX_BYTES])
        messages = [StoredMessage.from_row(row) for row in cursor.fetchall()]
    if not messages:
        return ReadingComparison(problem="The source has no messages with a stored body.")
    values = (manifest.slug, manifest.text, messages, source)
    lines, has_failed = run_in_own_process(COMMAND, values)
    if not lines:
        return ReadingComparison(problem="The comparison could not be started. Try again later.")
    # The last line is empty, or incomplete if the process was ended while it wrote.
    rows = [_comparison_of_json(line) for line in lines[:-1]]
    if not rows:
        reason = "took too long" if has_failed else "has no result"
        return ReadingComparison(problem=f"Reading the newest message {reason}.")
    return _summarize(len(messages), rows)


def _summarize(selected: int, rows: Sequence[MessageComparison]) -> ReadingComparison:
    today = Counter(kind for row in rows for kind in row.today_types)
    draft = Counter(kind for row in rows for kind in row.draft_types)
    return ReadingComparison(
        selected,
        len(rows),
        Counter(row.difference.value for row in rows),
        [row for row in rows if row.difference is not Difference.SAME][:MAX_LISTED],
        [EventTypeCount(kind, today[kind], draft[kind]) for kind in sorted(today | draft)],
    )


def compare_message(
    message: StoredMessage, source: Source, draft: type[Connector]
) -> MessageComparison:
    """Read one message both ways."""
    config = {**source.config_or_empty_if_invalid, "source": source.slug}
    before = _outcome_or_crash(message, lambda: parse_message(message, source))
    after = _outcome_or_crash(message, lambda: parse_message_with(message, lambda: draft(config)))
    changes = list(_event_changes(_events_by_key(before), _events_by_key(after)))
    problems = _problem(before), _problem(after)
    if bool(problems[0]) != bool(problems[1]):
        difference = Difference.NEWLY_PARKED if problems[1] else Difference.NEWLY_READ
    elif changes or problems[0] != problems[1]:
        difference = Difference.CHANGED
    else:
        difference = Difference.SAME
    return MessageComparison(
        message.id,
        difference,
        [new.event.type.value for new in before.new_events],
        [new.event.type.value for new in after.new_events],
        *problems,
        changes[:MAX_EVENTS],
    )


def _outcome_or_crash(message: StoredMessage, parse: Any) -> ParseOutcome:
    try:
        outcome: ParseOutcome = parse()
    except Exception as error:  # the worker would record it on the message
        detail = UNSTORABLE_CHARACTERS.sub("\ufffd", f"{type(error).__name__}: {error}"[:500])
        return ParseOutcome(message.id, reason=ParkReason.CRASH, detail=detail)
    return outcome


def _problem(outcome: ParseOutcome) -> str:
    return f"{outcome.reason.value}: {outcome.detail}" if outcome.reason else ""


def _events_by_key(outcome: ParseOutcome) -> dict[tuple[str, int], dict[str, Any]]:
    """The events by key, and by number if several have one key."""
    numbers: Counter[str] = Counter()
    events = {}
    for new in outcome.new_events:
        events[new.event.key, numbers[new.event.key]] = event_to_dict(new.event)
        numbers[new.event.key] += 1
    return events


def _event_changes(
    before: Mapping[tuple[str, int], Mapping[str, Any]],
    after: Mapping[tuple[str, int], Mapping[str, Any]],
) -> Iterator[EventChange]:
    for key, number in dict.fromkeys((*before, *after)):
        old, new = before.get((key, number)), after.get((key, number))
        kind = str((new or old or {}).get("type", ""))
        if old is None or new is None:
            yield EventChange(kind, key, "new" if old is None else "removed")
            continue
        old_fields, new_fields = dict(_flat_fields(old)), dict(_flat_fields(new))
        fields = [
            (name, old_fields.get(name, ""), new_fields.get(name, ""))
            for name in dict.fromkeys((*old_fields, *new_fields))
            if old_fields.get(name) != new_fields.get(name)
        ]
        if fields:
            yield EventChange(kind, key, "changed", fields[:MAX_FIELDS])


def _flat_fields(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat_fields(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _flat_fields(item, f"{path}[{index}]")
    else:
        yield path, str(value)


def _comparison_of_json(line: bytes) -> MessageComparison:
    message_id, difference, today, draft, *problems, changes = orjson.loads(line)
    return MessageComparison(
        message_id,
        Difference(difference),
        today,
        draft,
        problems[0],
        problems[1],
        [
            EventChange(kind, key, what, [tuple(field) for field in fields])
            for kind, key, what, fields in changes
        ],
    )


def _json_of_comparison(row: MessageComparison) -> bytes:
    changes = [
        (
            change.type,
            change.key[:MAX_TEXT],
            change.what,
            [tuple(text[:MAX_TEXT] for text in field) for field in change.fields],
        )
        for change in row.changes
    ]
    problems = row.today_problem[:MAX_TEXT], row.draft_problem[:MAX_TEXT]
    values = row.message_id, row.difference.value, row.today_types, row.draft_types
    return orjson.dumps((*values, *problems, changes))


def main() -> None:
    """Read the messages from the standard input, and write a line for each comparison."""
    (slug, text, messages, source), out = begin_in_own_process()
    began = time.monotonic()
    draft = connector_of_text(slug, text)
    end_own_process_after(MAX_SECONDS + 1)
    for message in messages:
        if time.monotonic() - began > MAX_SECONDS:
            return
        out.write(_json_of_comparison(compare_message(message, source, draft)) + b"\n")
        out.flush()
