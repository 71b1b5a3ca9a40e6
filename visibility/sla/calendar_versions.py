"""The versions of a stored calendar, and the calendar that rules count with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from visibility.models.rules_clocks_and_calendars import WorkCalendar
from visibility.sla.calendar import Calendar

DEFINITION_FIELDS = (
    *("zone", "hours", "holidays", "subdivision", "closed_days", "exceptions", "cutoffs"),
)


@dataclass(frozen=True, slots=True)
class CalendarVersion:
    """The definition of a calendar from a date on; None: from the beginning.

    The fields have the form of the model `WorkCalendar`.
    """

    zone: str = "UTC"
    hours: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    holidays: str = ""
    subdivision: str = ""
    closed_days: Sequence[Mapping[str, Any]] = ()
    exceptions: Sequence[Mapping[str, Any]] = ()
    cutoffs: Sequence[Mapping[str, Any]] = ()
    starts_on: date | None = None

    def definition(self) -> dict[str, Any]:
        """The fields without the date."""
        return {name: getattr(self, name) for name in DEFINITION_FIELDS}

    def calendar(self) -> Calendar:
        """The calendar of this version alone."""
        return Calendar(
            zone=self.zone,
            hours=_spans_by_name(self.hours),
            country=self.holidays,
            subdivision=self.subdivision,
            closed_days=tuple(str(entry["day"]) for entry in self.closed_days),
            exceptions=_spans_by_name({e["date"]: e["hours"] for e in self.exceptions}),
        )


def _spans_by_name(hours: Any) -> Any:
    """The spans as pairs, unless they are something else: then validation says so."""
    try:
        return {name: tuple((a, b) for a, b in spans) for name, spans in hours.items()}
    except (TypeError, ValueError, AttributeError):
        return hours


def versions_of_calendar(row: WorkCalendar) -> list[CalendarVersion]:
    """The versions of a calendar, in the order of their dates."""
    first = CalendarVersion(**{name: getattr(row, name) for name in DEFINITION_FIELDS})
    later = [
        CalendarVersion(
            **{name: stored[name] for name in DEFINITION_FIELDS if name in stored},
            starts_on=date.fromisoformat(stored["from"]),
        )
        for stored in row.later_versions
    ]
    return [first, *later]


def set_versions(row: WorkCalendar, versions: Sequence[CalendarVersion]) -> None:
    """Set the columns of a calendar, which is not saved. The first version has no date."""
    first, *later = sorted(versions, key=lambda version: version.starts_on or date.min)
    for name, value in first.definition().items():
        setattr(row, name, value)
    row.later_versions = [
        {"from": version.starts_on.isoformat(), **version.definition()}
        for version in later
        if version.starts_on
    ]


def version_on(versions: Sequence[CalendarVersion], day: date) -> CalendarVersion:
    """The version that is in effect on a date."""
    return [v for v in versions if v.starts_on is None or v.starts_on <= day][-1]


def load_calendar(row: WorkCalendar) -> Calendar:
    """The calendar with its later versions, as rules count with it."""
    first, *later = versions_of_calendar(row)
    replaced = tuple((v.starts_on, v.calendar()) for v in later if v.starts_on)
    own = first.calendar()
    return Calendar(
        own.zone,
        own.hours,
        own.country,
        own.subdivision,
        own.closed_days,
        own.exceptions,
        replaced,
    )
