"""The stored cursor of a declared poll, and its times."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.sdk.http import PollError
from connectors.sdk.payload import PayloadError
from connectors.sdk.timestamps import parse_timestamp


@dataclass(slots=True)
class PollState:
    """The stored cursor: newest change, last tracking number asked, and calls in the window."""

    since: str = ""
    last_number: str = ""
    window_start: str = ""
    calls: int = 0

    @classmethod
    def parse(cls, cursor: str) -> "PollState":
        """Parse a stored cursor. Raises PollError."""
        if not cursor:
            return cls()
        try:
            data = json.loads(cursor)
            return cls(
                str(data["since"]), str(data["number"]), str(data["window"]), int(data["calls"])
            )
        except (ValueError, KeyError, TypeError):
            raise PollError("the stored cursor is invalid") from None

    def format(self) -> str:
        """The cursor to store."""
        return json.dumps(
            {
                "since": self.since,
                "number": self.last_number,
                "window": self.window_start,
                "calls": self.calls,
            }
        )


def time_of(text: str) -> datetime:
    try:
        parsed = parse_timestamp(text, "cursor", "UTC")
    except PayloadError as error:
        raise PollError(str(error)) from None
    if parsed is None:
        raise PollError(f"{text[:40]!r} is not a time")
    return parsed.time


def earlier_text(text: str, overlap: timedelta) -> str:
    """The time minus the overlap, with an offset only if the text has one."""
    earlier = time_of(text) - overlap
    has_offset = text.endswith("Z") or "+" in text or text[-6:-5] == "-"
    return earlier.strftime("%Y-%m-%dT%H:%M:%S") + ("Z" if has_offset else "")
