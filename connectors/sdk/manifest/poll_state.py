"""The stored cursor of a declared poll, and its times."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

from connectors.sdk.conditional_requests import Validators
from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.payload import PayloadError
from connectors.sdk.timestamps import from_unix_seconds, parse_timestamp, to_plausible_utc
from connectors.sdk.webhook_and_poll_types import PollError

# How a request writes the time from which it asks for changes.
CURSOR_FORMATS = ("http_date", "iso", "rfc3339", "unix", "unix_ms")
# Xero and OData version 2 write times of JSON like this, in milliseconds.
JSON_DATE = re.compile(r"/Date\((\d{1,14})(?:[+-]\d{4})?\)/\Z")
UNIX_TIME = re.compile(r"\d{10}(?:\d{3})?\Z")
MILLISECOND_DIGITS = 13
# RFC 5322, such as `Tue, 03 Mar 2026 10:00:00 +0000`; BigCommerce writes it.
MAIL_DATE = re.compile(r"[A-Z][a-z]{2}, \d")


@dataclass(slots=True)
class PollState:
    """The stored cursor: newest change, last tracking number asked, and calls in the window.

    A pass asks once for every package. It may take several rounds of the poll; until it is
    complete, `pass_end` is the last number of it. `passes` counts the complete ones. `files` has a
    hash of the key of each listed file that is stored. `validators` name the version of the
    document that the latest request returned.
    """

    since: str = ""
    last_number: str = ""
    window_start: str = ""
    calls: int = 0
    pass_end: str = ""
    passes: int = 0
    files: list[str] = field(default_factory=list)
    validators: Validators = field(default_factory=Validators)

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
                Validators.from_cursor(data.get("validators", {})),
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
            | ({"validators": self.validators.to_cursor()} if self.validators.request else {})
        )

    def count_call_unless_limit_reached(self, limit: int, period: timedelta, now: datetime) -> bool:
        """Count a call; False if the limit of the period is reached."""
        started = datetime.fromisoformat(self.window_start) if self.window_start else now
        if not self.window_start or now - started >= period:
            self.window_start, self.calls = format_rfc3339(now), 0
        if self.calls >= limit:
            return False
        self.calls += 1
        return True

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
    """Parse the time of change of a record: ISO 8601, Unix, `/Date(...)/` or RFC 5322.

    Raises PollError.
    """
    try:
        if match := JSON_DATE.match(text):
            return from_unix_seconds(int(match[1]) // 1000, "cursor").time
        if UNIX_TIME.match(text):
            seconds = int(text) // (1000 if len(text) == MILLISECOND_DIGITS else 1)
            return from_unix_seconds(seconds, "cursor").time
        if MAIL_DATE.match(text):
            return to_plausible_utc(_aware(parsedate_to_datetime(text)), "cursor")
        parsed = parse_timestamp(text, "cursor", "UTC")
    except PayloadError as error:
        raise PollError(str(error)) from None
    except (ValueError, TypeError):
        raise PollError(f"{text[:40]!r} is not a time") from None
    if parsed is None:
        raise PollError(f"{text[:40]!r} is not a time")
    return parsed.time


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def time_text_minus_overlap(text: str, overlap: timedelta, form: str = "") -> str:
    """The time minus the overlap, in this form of `CURSOR_FORMATS`.

    Without a form it is ISO 8601, with an offset only if the text has one.
    """
    earlier = parse_poll_time(text) - overlap
    if form == "http_date":
        return format_datetime(earlier, usegmt=True)
    if form in {"unix", "unix_ms"}:
        return str(int(earlier.timestamp()) * (1000 if form == "unix_ms" else 1))
    is_iso = not (JSON_DATE.match(text) or UNIX_TIME.match(text) or MAIL_DATE.match(text))
    has_offset = not is_iso or text.endswith("Z") or "+" in text or text[-6:-5] == "-"
    suffix = {"iso": "", "rfc3339": "Z"}.get(form, "Z" if has_offset else "")
    return earlier.strftime("%Y-%m-%dT%H:%M:%S") + suffix
