"""The newest requests of a source, its test event, and the test of its connection."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_POST

from visibility.db.database_time import database_now
from visibility.ingest.fetch_first_page import PageTrial, fetch_first_page
from visibility.ingest.queue_settings import has_queue
from visibility.ingest.source_secrets import UnreadableSecrets
from visibility.ingest.try_queue import QueueTrial, try_queue
from visibility.models.audit import append_audit_entry
from visibility.models.sources_and_messages import Source, UnusableSource
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.save_conflicts import fingerprint_of_values
from visibility.screens.sources.connector_catalog import find_connector
from visibility.screens.sources.newest_requests import SourceRequest, list_newest_requests
from visibility.screens.sources.queue_state import load_queue_state
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
    signed_in_user,
)
from visibility.web.send_test_event import NoTestEvent, send_test_event
from visibility.web.source_conflicts import settings_by_label
from visibility.web.source_lookup import source_or_404

OUTCOMES = {
    "accepted": ("Processed", "ok"),
    "waiting": ("Queued", "waiting"),
    "parked": ("Parked", "late"),
    "discarded": ("Discarded", "unknown"),
    "refused": ("Refused", "late"),
    "test": ("Test", "waiting"),
}


def requests_context(
    request: HttpRequest,
    source: Source,
    now: datetime,
    trial: PageTrial | None = None,
    queue_trial: QueueTrial | None = None,
) -> dict[str, Any]:
    """The context of the tab of requests."""
    return {
        "has_queue": has_queue(source.config_or_empty_if_invalid),
        "queue_trial": queue_trial,
        "connector": find_connector(source.connector),
        "may_edit": has_permission(request.user, Permission.SOURCES_EDIT),
        "trial": trial,
        "waiting_text": "Requests of this source will be listed here with the check of each.",
        "requests": [_row_context(row, now) for row in list_newest_requests(source)],
    }


def queue_context(source: Source, now: datetime) -> dict[str, Any] | None:
    """The queue of a source for `sources/_queue.html`; None if it has none."""
    state = load_queue_state(source, now)
    if state is None:
        return None
    return {
        "state": state,
        "connected": displayed_time(state.connected_at, now),
        "last": displayed_time(state.last_message_at, now),
        "counted": displayed_time(state.counted_at, now),
    }


def _row_context(row: SourceRequest, now: datetime) -> dict[str, Any]:
    label, tone = OUTCOMES[row.outcome]
    if row.is_test and not row.is_verified:
        label, tone = "Test refused", "late"
    elif row.is_test and not row.event_count:
        label, tone = "Test without events", "late"
    no_order = {
        "test": "test: changes no order",
        "accepted": "not matched to an order yet" if row.event_count else "",
    }.get(row.outcome, "")
    return {
        "row": row,
        "label": label,
        "tone": tone,
        "received": displayed_time(row.received_at, now),
        "no_order": no_order,
        "more": row.order_count - len(row.orders),
    }


@require_POST
@require_permission(Permission.SOURCES_EDIT)
def send_test_event_view(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /sources/<slug>/test-event`: the result is the newest request of the source."""
    source, now = source_or_404(slug), database_now()
    try:
        answer = send_test_event(source, now=now)
    except (NoTestEvent, UnusableSource, UnreadableSecrets) as error:
        messages.error(request, f"The test event was not sent. {error}")
    else:
        _audit(request, "source.test_event", source, {"status": answer.status}, now)
    return HttpResponseRedirect(f"/sources/{source.slug}?tab=requests")


@require_POST
@require_permission(Permission.SOURCES_EDIT)
def fetch_first_page_view(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /sources/<slug>/test-poll`: show what the next page would create."""
    source, now = source_or_404(slug), database_now()
    trial = fetch_first_page(source, now=now)
    _audit(request, "source.test_poll", source, {"error": trial.error}, now)
    context = {"source": source} | requests_context(request, source, now, trial)
    context["settings_seen"] = fingerprint_of_values(settings_by_label(source))
    return render(request, "sources/connection_test.html", context)


@require_POST
@require_permission(Permission.SOURCES_EDIT)
def test_queue_view(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /sources/<slug>/test-queue`: show whether the queue can be reached."""
    source, now = source_or_404(slug), database_now()
    trial = try_queue(source)
    _audit(request, "source.test_queue", source, {"error": trial.error}, now)
    context = {"source": source} | requests_context(request, source, now, queue_trial=trial)
    return render(request, "sources/connection_test.html", context)


def _audit(
    request: HttpRequest, action: str, source: Source, detail: dict[str, Any], now: datetime
) -> None:
    append_audit_entry(
        action, user=signed_in_user(request), object=source.slug, detail=detail, now=now
    )


urlpatterns = [
    path("sources/<slug:slug>/test-event", send_test_event_view, name="source-test-event"),
    path("sources/<slug:slug>/test-poll", fetch_first_page_view, name="source-test-poll"),
    path("sources/<slug:slug>/test-queue", test_queue_view, name="source-test-queue"),
]
