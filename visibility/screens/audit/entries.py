"""Entries of the audit log: filters, words and the table for export."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from visibility.models import AuditEntry

PAGE_SIZE = 50
# A file has at most so many entries, the newest.
MAX_EXPORTED = 50_000
# The first part of an action, and its title. Others are listed under their own name.
AREAS: Mapping[str, str] = {
    "address": "Outgoing addresses",
    "alert": "Alerts",
    "api_token": "API tokens",
    "audit": "Audit log",
    "backup": "Backups",
    "board": "Boards",
    "calendar": "Calendars",
    "export": "Exports",
    "kpi_note": "Notes on KPIs",
    "master": "Mappings",
    "message": "Messages",
    "messages": "Message bodies",
    "order": "Orders",
    "organization": "Organization",
    "person": "People",
    "rule": "Rules",
    "saved_view": "Saved views",
    "screen_link": "Screen links",
    "secret_key": "Secret key",
    "security": "Sign-in security",
    "source": "Sources",
    "subscription": "Subscriptions",
    "team": "Teams",
    "tracking_link": "Tracking links",
}
EXPORT_COLUMNS = ("Time", "Person", "Action", "Object", "Details", "Digest")


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries. `since` and `until` are days, both included, in the organization's zone."""

    text: str = ""
    username: str = ""
    area: str = ""
    since: date | None = None
    until: date | None = None

    def describe(self) -> list[str]:
        """The filter in words, for the heading of a file."""
        labeled = {
            "Text": self.text,
            "Person": self.username,
            "Area": AREAS.get(self.area, self.area),
            "From": self.since,
            "To": self.until,
        }
        return [f"{label}: {value}" for label, value in labeled.items() if value]


def filter_entries(asked: AuditFilter, zone: str) -> QuerySet[AuditEntry]:
    """The entries that match, newest first."""
    rows = AuditEntry.objects.select_related("user").order_by("-id")
    if asked.text:
        rows = rows.filter(Q(object__icontains=asked.text) | Q(action__icontains=asked.text))
    if asked.username:
        rows = rows.filter(user__username__iexact=asked.username)
    if asked.area:
        rows = rows.filter(Q(action=asked.area) | Q(action__startswith=f"{asked.area}."))
    if asked.since:
        rows = rows.filter(at__gte=_midnight(asked.since, zone))
    if asked.until:
        rows = rows.filter(at__lt=_midnight(asked.until + timedelta(days=1), zone))
    return rows


def action_title(action: str) -> str:
    """`person.second_factors_removed`: "Person: second factors removed"."""
    area, _, verb = action.replace("_", " ").partition(".")
    return f"{area.capitalize()}: {verb}" if verb else area.capitalize()


def describe_detail(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each fact of an entry as (name, text); `before` and `after` are joined by an arrow."""
    facts = {
        name: _text(value) for name, value in detail.items() if name not in {"before", "after"}
    }
    before, after = detail.get("before"), detail.get("after")
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                facts[name] = f"{_text(before.get(name))} → {_text(after.get(name))}"
    else:
        facts |= {name: _text(detail[name]) for name in ("before", "after") if name in detail}
    return [(name.replace("_", " "), text) for name, text in facts.items()]


def export_rows(
    entries: Iterable[AuditEntry],
) -> Iterable[tuple[datetime, str, str, str, str, str]]:
    """The rows of EXPORT_COLUMNS."""
    for entry in entries:
        detail = json.dumps(entry.detail, ensure_ascii=False, sort_keys=True)
        user = entry.user.get_username() if entry.user else ""
        yield entry.at, user, entry.action, entry.object, detail, entry.digest


def _text(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
