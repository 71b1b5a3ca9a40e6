"""Read the records of a message one by one, so that an invalid one does not affect the others."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from connectors.sdk.connector import ParseResult
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import PayloadError

Record = TypeVar("Record")


@dataclass(slots=True)
class RecordReadings:
    """The events and errors of the records, and why records have no events."""

    events: list[CanonicalEvent] = field(default_factory=list)
    errors: list[PayloadError] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def ignored_because(self, without_records: str) -> str:
        """Return why there are no events; empty if there are any, or errors."""
        if self.events or self.errors:
            return ""
        return "; ".join(dict.fromkeys(self.reasons)) or without_records

    def to_result(self, without_records: str) -> ParseResult:
        """Return the result of the message. Raises the error if it is all that was read."""
        if len(self.errors) == 1 and not self.events and not self.reasons:
            raise self.errors[0]
        ignored = self.ignored_because(without_records)
        return ParseResult(tuple(self.events), tuple(self.errors), ignored)


def read_each_record(
    records: Iterable[Record], read: Callable[[Record], tuple[Iterable[CanonicalEvent], str]]
) -> RecordReadings:
    """Read each record. `read` returns its events, and the reason if it has none."""
    readings = RecordReadings()
    for record in records:
        try:
            events, reason = read(record)
            readings.events += events
        except PayloadError as error:
            readings.errors.append(error)
        else:
            readings.reasons += [reason] if reason else []
    return readings
