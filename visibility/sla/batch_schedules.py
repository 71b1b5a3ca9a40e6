"""The schedules of batches that are in effect: settings of a source, or of its connector."""

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.catalog import connectors_by_slug
from connectors.sdk.batch_settings import CALENDAR, PREFIX
from visibility.models.batches import BatchSchedule
from visibility.models.rules_clocks_and_calendars import WorkCalendar
from visibility.models.sources_and_messages import Source
from visibility.sla.batch_schedule import BatchExpectation, expectation_of_settings
from visibility.sla.calendar import Calendar
from visibility.sla.calendar_versions import load_calendar
from visibility.storage.organization import organization_time_zone


def batch_settings_of_source(source: Source) -> dict[str, str]:
    """Return the settings of batches in effect; empty if no batch is expected.

    What is set for the source goes before what its connector or manifest declares.
    """
    connector = connectors_by_slug().get(source.connector)
    own = {
        name: str(value).strip()
        for name, value in source.config_or_empty_if_invalid.items()
        if name.startswith(PREFIX)
    }
    settings = {**(connector.batch_defaults if connector else {}), **own}
    if "batch_at" in own or "batch_every" in own:
        # A schedule of its own replaces that of the manifest.
        for name in {"batch_at", "batch_every", "batch_days"} - own.keys():
            settings.pop(name, None)
    settings = {name: text for name, text in settings.items() if text}
    return settings if {"batch_at", "batch_every"} & settings.keys() else {}


def find_calendar_error(config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the setting and a sentence if there is no such calendar."""
    code = str(config.get(CALENDAR.name) or "").strip()
    if not code or WorkCalendar.objects.filter(code=code).exists():
        return None
    known = ", ".join(WorkCalendar.objects.order_by("code").values_list("code", flat=True)[:20])
    return CALENDAR.name, f"There is no calendar {code[:40]!r}; the calendars are: {known}."


def load_expectations(schedules: Iterable[BatchSchedule]) -> dict[int, BatchExpectation]:
    """Return what is expected of each source by id. One statement if calendars are named."""
    rows = list(schedules)
    codes = {row.settings.get(CALENDAR.name) for row in rows} - {None}
    calendars: dict[str, Calendar] = {}
    if codes:
        named = WorkCalendar.objects.filter(code__in=codes)
        calendars = {calendar.code: load_calendar(calendar) for calendar in named}
    expectations = {}
    for row in rows:
        try:
            expectation = expectation_of_settings(
                row.settings,
                calendars.get(row.settings.get(CALENDAR.name, "")),
                organization_time_zone(),
                row.expected_since,
            )
        except ValueError:
            continue  # an invalid stored setting is shown on the page of the source
        if expectation is not None:
            expectations[row.source_id] = expectation
    return expectations
