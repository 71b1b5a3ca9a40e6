"""The stored cursor of a declared poll, and its times."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.sdk.payload import PayloadError
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import PollError


@dataclass(slots=True)
class PollState:
    """The stored cursor: newest change, last tracking number asked, and calls in the window.

    A pass asks once for every package. It may take several rounds of the poll; until it is
    complete, `pass_end` is the last number of it. `passes` counts the complete ones. `files` has a
    hash of the key of each listed file that is stored.
    """

    since: str = ""
    last_number: str = ""
    window_start: str = ""
    calls: int = 0
    pass_end: str = ""
    passes: int = 0
    files: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, cursor: str) -> "PollState":
        """Parse a stored cursor. Raises PollError."""
        if not cursor:
            return cls()
        try:
            data = json.loads(cursor)
            return cls(
                str(data["since"]),
                str(data["number"]),
                str(data["window"]),
                int(data["calls"]),
                str(data.get("end", "")),
                int(data.get("passes", 0)),
                [str(key) for key in data.get("files", ())],
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise PollError("the stored cursor is invalid") from None

    def to_cursor_text(self) -> str:
        """The cursor to store."""
        return json.dumps(
            {
                "since": self.since,
                "number": self.last_number,
                "window": self.window_start,
                "calls": self.calls,
                "end": self.pass_end,
                "passes": self.passes,
            }
            | ({"files": self.files} if self.files else {})
        )

    def tracking_numbers_left_to_ask(self, numbers: Sequence[str]) -> list[str]:
        """Return what remains of the pass, or all numbers of a new one, from the last one asked."""
        later = [number for number in numbers if number > self.last_number]
        earlier = numbers[: len(numbers) - len(later)]
        remaining: list[str] = []
        if self.pass_end > self.last_number:
            remaining = [number for number in later if number <= self.pass_end]
        elif self.pass_end:
            remaining = [*later, *(number for number in earlier if number <= self.pass_end)]
        return remaining or [*later, *earlier]

    def record_every_package_asked(self) -> None:
        """Record that every package was asked for."""
        self.pass_end, self.passes = "", self.passes + 1


def parse_poll_time(text: str) -> datetime:
    try:
        parsed = parse_timestamp(text, "cursor", "UTC")
    except PayloadError as error:
        raise PollError(str(error)) from None
    if parsed is None:
        raise PollError(f"{text[:40]!r} is not a time")
    return parsed.time


def time_text_minus_overlap(text: str, overlap: timedelta) -> str:
    """The time minus the overlap, with an offset only if the text has one."""
    earlier = parse_poll_time(text) - overlap
    has_offset = text.endswith("Z") or "+" in text or text[-6:-5] == "-"
    return earlier.strftime("%Y-%m-%dT%H:%M:%S") + ("Z" if has_offset else "")
