"""The seller and the dates of order lines, as the most authoritative source reports them."""

from dataclasses import dataclass
from datetime import datetime

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import Attribute
from connectors.sdk.required_and_ignored_event_members import uses_line_seller_and_dates
from visibility.timeline.authority import RANKS
from visibility.timeline.interpret_event_lines import Interpretation
from visibility.timeline.model import RecordedEvent, parse_timestamp_or_none
from visibility.timeline.state_and_flag_enums import ComparedField


@dataclass(frozen=True, slots=True)
class LineTerms:
    """Who sells a line, when it must be shipped, and when its delivery is due."""

    seller: str = ""
    ship_by: datetime | None = None
    requested_at: datetime | None = None
    promised_at: datetime | None = None


class LineTermsByRole:
    """The seller and the dates of each line, as each role last reported them."""

    def __init__(self, reading: Interpretation) -> None:
        self._reading = reading
        self._sellers: dict[str, dict[SourceRole, str]] = {}
        self._dates: dict[str, dict[SourceRole, dict[Attribute, str]]] = {}

    def record(self, recorded: RecordedEvent) -> None:
        """Record what an event says about its lines. What it does not say stays."""
        if not uses_line_seller_and_dates(recorded.event.type):
            return
        for line in self._reading.lines_of_event(recorded):
            if line.line.seller:
                self._sellers.setdefault(line.key, {})[recorded.role] = line.line.seller
            if dates := line.line.dates:
                self._dates.setdefault(line.key, {}).setdefault(recorded.role, {}).update(dates)

    def earliest_ship_by(self) -> datetime | None:
        """When the first line must be shipped, None if no line has such a date."""
        dates = (self._most_authoritative_date(key, Attribute.SHIP_BY) for key in self._dates)
        return min((date for date in dates if date), default=None)

    def terms(self, key: str) -> LineTerms:
        """The terms of the line `key`."""
        sellers = self._sellers.get(key, {})
        return LineTerms(
            seller=next((sellers[role] for role in _by_authority(sellers)), ""),
            ship_by=self._most_authoritative_date(key, Attribute.SHIP_BY),
            requested_at=self._most_authoritative_date(key, Attribute.REQUESTED_AT),
            promised_at=self._most_authoritative_date(key, Attribute.PROMISED_AT),
        )

    def _most_authoritative_date(self, key: str, name: Attribute) -> datetime | None:
        dates = {r: d[name] for r, d in self._dates.get(key, {}).items() if name in d}
        text = next((dates[role] for role in _by_authority(dates)), None)
        return parse_timestamp_or_none(text)


def _by_authority(by_role: dict[SourceRole, str]) -> list[SourceRole]:
    ranks = RANKS[ComparedField.ORDERED]
    return sorted(by_role, key=lambda role: (ranks[role], role))
