"""Cut-offs: until when the orders of a warehouse and carrier must leave, on each day.

A cut-off belongs to a warehouse and a carrier, and either may be any. Of those that cover an order
the most specific applies, whatever the day: warehouse and carrier, then warehouse, then carrier.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from visibility.models.rules_clocks_and_calendars import WorkCalendar
from visibility.sla.calendar import DAYS, local_time_to_utc
from visibility.sla.calendar_versions import CalendarVersion, version_on, versions_of_calendar
from visibility.sla.check_calendar import cutoff_pair

# A cut-off is looked for on so many days from today.
MAX_DAYS = 14


@dataclass(frozen=True, slots=True)
class CutOff:
    """The cut-off of a warehouse and carrier that orders must meet now; empty names: any.

    `at`: today's, also after it has passed, or else the next one; None if there is none on the
    next 14 days. `day`: its local date. `counts_since`: the local midnight after the day of the
    cut-off before; an order that left since then left for this one.
    """

    warehouse: str
    carrier: str
    calendar_code: str
    calendar_title: str
    zone: str
    at: datetime | None = None
    day: date | None = None
    counts_since: datetime | None = None

    @property
    def title(self) -> str:
        """`Dallas, UPS`, `Dallas, any carrier`."""
        return f"{self.warehouse or 'Any warehouse'}, {self.carrier or 'any carrier'}"

    @property
    def key(self) -> tuple[str, str]:
        """Warehouse and carrier in upper case."""
        return self.warehouse.upper(), self.carrier.upper()


def load_current_cutoffs(now: datetime) -> list[CutOff]:
    """The cut-offs that calendars name today. One statement."""
    return [cut for row in load_calendars_with_cutoffs() for cut in current_cutoffs(row, now)]


def load_calendars_with_cutoffs() -> Iterable[WorkCalendar]:
    """The calendars that name cut-offs, or will or did."""
    rows = WorkCalendar.objects.order_by("code")
    return [row for row in rows if row.cutoffs or any(v.get("cutoffs") for v in row.later_versions)]


def current_cutoffs(row: WorkCalendar, now: datetime) -> Iterator[CutOff]:
    """Yield the cut-offs of a calendar."""
    versions = versions_of_calendar(row)
    today = local_date(versions, now)
    version = version_on(versions, today)
    for entry in version.cutoffs:
        pair = cutoff_pair(entry)
        times = [
            (day, at)
            for day in (today + timedelta(days=n) for n in range(-MAX_DAYS, MAX_DAYS))
            if (at := _cutoff_on(versions, pair, day))
        ]
        day, at = next(((day, at) for day, at in times if day >= today), (None, None))
        before = [other for other, _ in times if day and other < day]
        since = before[-1] if before else today - timedelta(days=MAX_DAYS)
        info = ZoneInfo(version.zone)
        yield CutOff(
            warehouse=entry["warehouse"],
            carrier=entry["carrier"],
            calendar_code=row.code,
            calendar_title=row.title,
            zone=version.zone,
            at=at,
            day=day,
            counts_since=local_time_to_utc(since + timedelta(days=1), "00:00", info),
        )


def next_cutoff(
    rows: Iterable[WorkCalendar], *, warehouse: str, carrier: str, after: datetime
) -> tuple[CutOff, datetime] | None:
    """The cut-off that applies to an order, and when it is next; None if none applies or is near.

    Without a carrier, only cut-offs of any carrier apply.
    """
    current = [(row, cut) for row in rows for cut in current_cutoffs(row, after)]
    applying = [
        (row, cut)
        for row, cut in current
        if cut.key[0] in {"", warehouse.upper()} and cut.key[1] in {"", carrier.upper()}
    ]
    if not applying:
        return None
    row, cut = max(applying, key=lambda pair: (bool(pair[1].warehouse), bool(pair[1].carrier)))
    versions = versions_of_calendar(row)
    today = local_date(versions, after)
    for day in (today + timedelta(days=n) for n in range(MAX_DAYS)):
        at = _cutoff_on(versions, cut.key, day)
        if at and at > after:
            return cut, at
    return None


def local_date(versions: list[CalendarVersion], now: datetime) -> date:
    """The date at this time in the zone of the version that is in effect."""
    day = now.astimezone(ZoneInfo(versions[0].zone)).date()
    return now.astimezone(ZoneInfo(version_on(versions, day).zone)).date()


def _cutoff_on(
    versions: list[CalendarVersion], pair: tuple[str, str], day: date
) -> datetime | None:
    """The cut-off of a date; None on closed days and where none is named."""
    version = version_on(versions, day)
    calendar = version.calendar()
    exception = calendar.exceptions.get(day.isoformat())
    is_closed = not exception if exception is not None else calendar.is_closed_day(day)
    entry = next((e for e in version.cutoffs if cutoff_pair(e) == pair), None)
    text = entry["times"].get(DAYS[day.weekday()]) if entry and not is_closed else None
    return local_time_to_utc(day, text, ZoneInfo(version.zone)) if text else None
