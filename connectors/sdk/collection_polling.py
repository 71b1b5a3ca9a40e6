"""Poll several collections of one system: a stored cursor with the newest change of each."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.sdk.encode_json import encode_json
from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import PolledRecord, PollError

# A change time far ahead would hide every later change.
MAX_CHANGE_AHEAD = timedelta(days=1)


# The member of a stored cursor with the passes that are not complete.
PASSES = "@passes"


@dataclass(slots=True)
class UnfinishedPass:
    """How far the pages of a collection were read that are not sorted by change.

    `since`: the start that the requests name, as text. `position`: the next page. `newest`: the
    newest change so far, which becomes the time of the collection after the last page.
    """

    since: str
    position: str = ""
    newest: str = ""


@dataclass(slots=True)
class CollectionCursors:
    """The newest change time of each collection, in UTC, as stored between polls.

    Only rows advance a time, never the clock of this host. `passes`: collections whose pages were
    not all read, because the system limited the requests or the round ended.
    """

    now: datetime
    times: dict[str, datetime] = field(default_factory=dict)
    passes: dict[str, UnfinishedPass] = field(default_factory=dict)

    @classmethod
    def parse(cls, cursor: str, now: datetime) -> "CollectionCursors":
        """Parse a stored cursor; an empty one has no times. Raises PollError."""
        if not cursor:
            return cls(now)
        try:
            stored = json.loads(cursor)
            passes = stored.pop(PASSES, {})
            return cls(
                now,
                {str(name): parse_change_time(str(at)) for name, at in stored.items()},
                {str(name): UnfinishedPass(*map(str, texts)) for name, texts in passes.items()},
            )
        except (ValueError, AttributeError, TypeError):
            raise PollError("the stored cursor is invalid") from None

    def to_text(self) -> str:
        """The cursor to store."""
        document: dict[str, Any] = {name: format_rfc3339(at) for name, at in self.times.items()}
        if self.passes:
            document[PASSES] = {
                name: [known.since, known.position, known.newest]
                for name, known in self.passes.items()
            }
        return json.dumps(document, sort_keys=True)

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

    def continue_or_begin_pass(self, collection: str, since: datetime) -> UnfinishedPass:
        """Return the pass that was not complete, or begin one from `since`."""
        return self.passes.setdefault(collection, UnfinishedPass(format_rfc3339(since)))

    def record_page_of_pass(
        self, collection: str, changed_at: Iterable[datetime | None], *, position: str
    ) -> None:
        """Record a page. Without a `position` of the next one, the pass is complete."""
        known = self.passes[collection]
        texts = [format_rfc3339(at) for at in changed_at if at is not None]
        known.newest = max([*texts, known.newest])
        known.position = position
        if not position:
            del self.passes[collection]
            newest = parse_change_time(known.newest) if known.newest else None
            self.advance(collection, [newest])


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
