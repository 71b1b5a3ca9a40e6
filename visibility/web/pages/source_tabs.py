"""The tabs of a source: which it has, and what those show that need nothing but the source."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from visibility.models import Source
from visibility.web import (
    source_batches_tab,
    source_drift_tab,
    source_history_tabs,
    telemetry_tabs,
)
from visibility.web.pages.source_requests import requests_context

TabContext = Callable[[HttpRequest, Source, datetime], dict[str, Any]]

TABS = (
    ("overview", "Overview"),
    ("requests", "Requests"),
    ("reading", "Reading"),
    ("messages", "Messages"),
    ("parked", "Parked"),
    ("drift", "Drift"),
)
# Only for those who may change settings.
SETTINGS_TABS = (("settings", "Settings"), ("history", "History"))
TAB_CONTEXTS: Mapping[str, TabContext] = {
    "requests": requests_context,
    "batches": source_batches_tab.batches_context,
    "drift": source_drift_tab.drift_context,
    "calls": telemetry_tabs.source_calls_context,
    "jobs": source_history_tabs.polls_context,
    "outgoing": source_history_tabs.outgoing_context,
    "history": source_history_tabs.changes_context,
}


def tabs_of_source(source: Source, *, edits: bool) -> list[tuple[str, str]]:
    """Return the tabs (code, title). `edits`: whether the person may change settings."""
    return [
        *TABS,
        *telemetry_tabs.tabs_of_source(source),
        *source_batches_tab.batch_tabs(source),
        *source_history_tabs.poll_tabs(source),
        *(SETTINGS_TABS if edits else ()),
    ]
