"""Choices and history of the page of the organization."""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from visibility.models import AuditEntry, WorkCalendar
from visibility.models.organization import Organization, WeekStart
from visibility.screens.relative_and_absolute_time import IsoRelativeAndAbsoluteTime, displayed_time

MAX_HISTORY = 20
MAX_CALENDARS = 200
MONTHS = [(month, calendar.month_name[month]) for month in range(1, 13)]
WEEK_STARTS = [(start.value, start.value.capitalize()) for start in WeekStart]
LABELS = {
    "name": "name",
    "time_zone": "time zone",
    "currency": "currency",
    "week_start": "first day of the week",
    "fiscal_year_start": "start of the fiscal year",
    "calendar": "calendar",
    "is_checklist_closed": "set-up checklist closed",
}


@dataclass(frozen=True, slots=True)
class OrganizationChange:
    """One change in the history: what, when and by whom."""

    text: str
    at: IsoRelativeAndAbsoluteTime | None
    by: str


def calendar_choices() -> list[tuple[str, str]]:
    """(code, title) of the calendars by title."""
    return list(WorkCalendar.objects.order_by("title").values_list("code", "title")[:MAX_CALENDARS])


def field_values(row: Organization) -> dict[str, Any]:
    """The values of the form."""
    return {
        "name": row.name,
        "time_zone": row.time_zone,
        "currency": row.currency,
        "week_start": row.week_start,
        "fiscal_year_start": row.fiscal_year_start,
        "calendar": row.calendar.code if row.calendar else "",
    }


def list_latest_changes(now: datetime) -> list[OrganizationChange]:
    """The latest changes, newest first."""
    entries = AuditEntry.objects.filter(action="organization.changed").select_related("user")
    return [
        OrganizationChange(
            _change_text(entry.detail),
            displayed_time(entry.at, now),
            (entry.user.get_full_name() or entry.user.get_username()) if entry.user else "",
        )
        for entry in entries.order_by("-pk")[:MAX_HISTORY]
    ]


def _change_text(detail: Mapping[str, Any]) -> str:
    after = detail.get("after", {})
    text = "; ".join(
        f"{LABELS[name]}: {_value_text(name, after[name])}" for name in LABELS if name in after
    )
    return text[:1].upper() + text[1:]


def _value_text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "fiscal_year_start":
        return dict(MONTHS).get(int(str(value)), str(value))
    return str(value) or "none"
