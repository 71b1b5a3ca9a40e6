"""Poll several collections of one system: a stored cursor with the newest change of each."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.sdk.encode_json import encode_json
from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import PolledRecord, PollError

# A change time far ahead would hide every later change.
MAX_CHANGE_AHEAD = timedelta(days=1)


@dataclass(slots=True)
class CollectionCursors:
    """The newest change time of each collection, in UTC, as stored between polls.

    Only rows advance a time, never the clock of this host.
    """

    now: datetime
    times: dict[str, datetime] = field(default_factory=dict)

    @classmethod
    def parse(cls, cursor: str, now: datetime) -> "CollectionCursors":
        """Parse a stored cursor; an empty one has no times. Raises PollError."""
        if not cursor:
            return cls(now)
        try:
            stored = json.loads(cursor)
            return cls(now, {str(name): parse_change_time(str(at)) for name, at in stored.items()})
        except (ValueError, AttributeError):
            raise PollError("the stored cursor is invalid") from None

    def to_text(self) -> str:
        """The cursor to store."""
        times = {name: format_rfc3339(at) for name, at in self.times.items()}
        return json.dumps(times, sort_keys=True)

    def since(self, collection: str, overlap: timedelta, start: str = "") -> datetime | None:
        """Where to read a collection from: its newest change less the overlap.

        Without one, `start` (a date or time, usually of the setting `since`). None: everything.
        """
        newest = self.times.get(collection)
        if newest is not None:
            return newest - overlap
        return parse_change_time(start) if start else None

    def advance(self, collection: str, changed_at: Iterable[datetime | None]) -> None:
        """Move a collection to the newest of these times. Times more than a day ahead are wrong."""
        known = [at for at in changed_at if at is not None and at <= self.now + MAX_CHANGE_AHEAD]
        newest = self.times.get(collection)
        if known and (newest is None or max(known) > newest):
            self.times[collection] = max(known)


def parse_change_time(text: str) -> datetime:
    """Parse a change time; without an offset it is UTC. Raises PollError."""
    try:
        parsed = parse_timestamp(text, "cursor", "UTC")
    except PayloadError as error:
        raise PollError(str(error)) from None
    if parsed is None:
        raise PollError(f"{text[:40]!r} is not a time")
    return parsed.time


def rows_or_error(document: Node, member: str) -> list[Node]:
    """Return the objects in the list `member` of a response. Raises PollError without the list."""
    try:
        if not isinstance(document.value, dict) or member not in document.value:
            raise PollError(f"the response has no list {member}")
        rows = document.list_at(member)
        for row in rows:
            row.keys()
    except PayloadError as error:
        raise PollError(f"the response is invalid ({error})") from None
    return rows


def row_to_record(
    collection: str, row: Node, *versions: str, headers: Mapping[str, str] | None = None
) -> PolledRecord:
    """Return a row as a message. `versions`: its id and its version, such as the change time.

    The content is part of the key: a version may have two states.
    """
    body = encode_json(row.value)
    digest = hashlib.sha256(body).hexdigest()[:16]
    key = " ".join(filter(None, (collection, *versions, digest)))
    return PolledRecord(key, body, headers or {})
