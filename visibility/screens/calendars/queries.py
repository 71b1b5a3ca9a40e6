"""Load the calendars with what uses them, their versions and their next closed days."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import Q
from holidays.registry import COUNTRIES

from visibility.formatting import format_date
from visibility.models import AuditEntry, ClockState, SlaClock, SlaRule, WorkCalendar
from visibility.models.master import Location
from visibility.screens.calendars.country_names import country_name
from visibility.screens.calendars.form_texts import spans_text, week_text
from visibility.sla.calendar_versions import CalendarVersion, version_on, versions_of_calendar
from visibility.sla.cutoff_times import local_date
from visibility.storage.organization import organization_time_zone

PAGE_SIZE = 50
MAX_HISTORY = 50
MAX_USERS = 100
MAX_SPECIAL_DAYS = 8
MAX_ZONES = 100


@dataclass(frozen=True, slots=True)
class CalendarSummary:
    """A calendar with the version in effect today, and how many rules and locations use it."""

    calendar: WorkCalendar
    versions: Sequence[CalendarVersion]
    current: CalendarVersion
    today: date
    rules: int = 0
    locations: int = 0

    @property
    def hours_text(self) -> str:
        """The working hours of today's version."""
        return week_text(self.current.hours)

    @property
    def holidays_text(self) -> str:
        """`US, TX`; empty for none."""
        return ", ".join(filter(None, (self.current.holidays, self.current.subdivision)))

    @property
    def upcoming(self) -> list[tuple[date, str]]:
        """The dates of changes that have not taken effect, with their hours."""
        later = [(v.starts_on, v) for v in self.versions if v.starts_on]
        return [(day, week_text(v.hours)) for day, v in later if day > self.today]

    @property
    def past(self) -> list[tuple[str, str]]:
        """(since, hours) of the versions that have taken effect, the latest first."""
        versions = [v for v in self.versions if not (v.starts_on and v.starts_on > self.today)]
        return [
            (f"since {v.starts_on}" if v.starts_on else "from the beginning", week_text(v.hours))
            for v in reversed(versions)
        ]


@dataclass(frozen=True, slots=True)
class CalendarUse:
    """What uses a calendar. `running_clocks`: SLA timers that are counted with it now."""

    rules: Sequence[SlaRule] = field(default_factory=list)
    locations: Sequence[Location] = field(default_factory=list)
    running_clocks: int = 0

    @property
    def is_unused(self) -> bool:
        """Whether the calendar can be deleted."""
        return not self.rules and not self.locations


def list_calendars(
    now: datetime, *, after: str = "", limit: int = PAGE_SIZE
) -> list[CalendarSummary]:
    """Return calendars in the order of their codes, after a code. Three statements."""
    rows = list(WorkCalendar.objects.filter(code__gt=after).order_by("code")[:limit])
    rules = Counter(SlaRule.objects.filter(calendar__in=rows).values_list("calendar", flat=True))
    codes = Location.objects.filter(calendar__in=[row.code for row in rows])
    locations = Counter(codes.values_list("calendar", flat=True))
    return [
        _summarize(row, now, rules=rules[row.pk], locations=locations[row.code]) for row in rows
    ]


def load_calendar_summary(code: str, now: datetime) -> CalendarSummary | None:
    """Return one calendar, or None. Three statements."""
    row = WorkCalendar.objects.filter(code=code).first()
    if row is None:
        return None
    return _summarize(
        row,
        now,
        rules=SlaRule.objects.filter(calendar=row).count(),
        locations=Location.objects.filter(calendar=row.code).count(),
    )


def load_calendar_use(calendar: WorkCalendar) -> CalendarUse:
    """Return what uses a calendar. Three statements."""
    clocks = SlaClock.objects.filter(
        rule__calendar=calendar, state=ClockState.RUNNING, stopped_at__isnull=True
    )
    return CalendarUse(
        list(SlaRule.objects.filter(calendar=calendar).order_by("title")[:MAX_USERS]),
        list(Location.objects.filter(calendar=calendar.code).order_by("code")[:MAX_USERS]),
        clocks.count(),
    )


def _summarize(row: WorkCalendar, now: datetime, *, rules: int, locations: int) -> CalendarSummary:
    versions = versions_of_calendar(row)
    today = local_date(versions, now)
    return CalendarSummary(row, versions, version_on(versions, today), today, rules, locations)


def special_days(summary: CalendarSummary) -> list[tuple[str, str]]:
    """The next days of a year that differ from the week: the date, and the hours with the name."""
    special = []
    for number in range(366):
        day = summary.today + timedelta(days=number)
        texts = list(_special_day(version_on(summary.versions, day), day))
        special += [(format_date(day, year=True), texts[0])] if texts else []
        if len(special) == MAX_SPECIAL_DAYS:
            break
    return special


def _special_day(version: CalendarVersion, day: date) -> Iterator[str]:
    for entry in version.exceptions:
        if entry["date"] == day.isoformat():
            yield f"{spans_text(entry['hours']) or 'closed'} {entry['title']}".strip()
    for entry in version.closed_days:
        if entry["day"] in {day.isoformat(), f"{day:%m-%d}"}:
            yield f"closed {entry['title']}".strip()
    name = version.calendar().public_holiday_names(day.year).get(day)
    if name:
        yield f"closed {name}"


def calendar_history(code: str) -> list[AuditEntry]:
    """Return the latest changes of a calendar."""
    entries = AuditEntry.objects.filter(
        Q(action="calendar.created") | Q(action="calendar.changed"), object=f"calendar {code}"
    )
    return list(entries.select_related("user").order_by("-pk")[:MAX_HISTORY])


def country_choices() -> list[tuple[str, str]]:
    """(code, name) of the countries whose public holidays are known, by name."""
    names: Mapping[str, Sequence[str]] = COUNTRIES
    return sorted(
        ((codes[1], country_name(codes[1], name)) for name, codes in names.items()),
        key=lambda choice: choice[1].replace("Å", "A"),
    )


def known_zones() -> list[str]:
    """The time zones of the organization, the locations and the calendars."""
    locations = Location.objects.values_list("zone", flat=True).distinct()[:MAX_ZONES]
    calendars = WorkCalendar.objects.values_list("zone", flat=True).distinct()[:MAX_ZONES]
    return sorted({organization_time_zone(), *locations, *calendars})
