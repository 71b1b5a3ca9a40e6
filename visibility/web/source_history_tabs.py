"""The tabs of a source with what happened to it: polls, outgoing requests, changes."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from visibility.db.parse_id_and_time import parse_row_id
from visibility.models import AuditEntry, OutgoingRequest, PollRound, Source
from visibility.screens.audit.entries import action_title, describe_detail
from visibility.screens.relative_and_absolute_time import (
    displayed_time,
    format_time_from_start_to_end,
)
from visibility.screens.sources import polls_requests_and_changes as history
from visibility.screens.sources.polls_requests_and_changes import HistoryPage
from visibility.web.permissions import Permission, has_permission


def poll_tabs(source: Source) -> tuple[tuple[str, str], ...]:
    """The tabs (code, title) that only sources have which are polled."""
    if source.reads_sftp_folder:
        return (("jobs", "Jobs"),)
    return (("jobs", "Jobs"), ("outgoing", "Outgoing")) if source.is_polled else ()


def polls_context(request: HttpRequest, source: Source, now: datetime) -> dict[str, Any]:
    """What the tab of the polls shows. Four statements."""
    return {
        **_page_context(request, source, history.load_polls, lambda poll: _poll(poll, now)),
        "polls_sentence": history.polls_sentence(source, now),
        "requests_sentence": history.requests_sentence(source, now),
        "may_poll": source.enabled
        and source.next_poll_at is not None
        and has_permission(request.user, Permission.SOURCES_EDIT),
        "next_poll": displayed_time(source.next_poll_at, now) if source.enabled else None,
    }


def outgoing_context(request: HttpRequest, source: Source, now: datetime) -> dict[str, Any]:
    """What the tab of the outgoing requests shows. One statement."""
    load = history.load_outgoing_requests
    return {
        **_page_context(request, source, load, lambda sent: _outgoing(sent, now)),
        "throttled_until": displayed_time(source.throttled_until, now),
    }


def changes_context(request: HttpRequest, source: Source, now: datetime) -> dict[str, Any]:
    """What the tab of the changes shows. One statement."""
    return _page_context(request, source, history.load_changes, lambda entry: _change(entry, now))


def _page_context(
    request: HttpRequest,
    source: Source,
    load: Callable[..., HistoryPage[Any]],
    row: Callable[[Any], dict[str, Any]],
) -> dict[str, Any]:
    """A page of rows, and the ID before which the next page begins."""
    before = parse_row_id(request.GET.get("before", "")) or None
    page = load(source, before=before)
    return {
        "rows": [row(each) for each in page.rows],
        "older": page.older,
        "is_first": before is None,
    }


def _change(entry: AuditEntry, now: datetime) -> dict[str, Any]:
    return {
        "title": action_title(entry.action).partition(": ")[2].capitalize(),
        "at": displayed_time(entry.at, now),
        "user": entry.user,
        "facts": describe_detail(entry.detail),
    }


def _poll(poll: PollRound, now: datetime) -> dict[str, Any]:
    if poll.is_throttled:
        label, tone = "Rate limited", "waiting"
    elif poll.error:
        label, tone = "Failed", "late"
    else:
        label, tone = "Succeeded", "ok"
    took = ""
    if poll.started_at is not None:
        took = format_time_from_start_to_end(poll.ended_at, poll.started_at)
    return {
        "poll": poll,
        "label": label,
        "tone": tone,
        "at": displayed_time(poll.ended_at, now),
        "took": took,
    }


def _outgoing(sent: OutgoingRequest, now: datetime) -> dict[str, Any]:
    if sent.status is None:
        label, tone = "No response", "late"
    elif sent.status == 429:
        label, tone = "429, rate limited", "waiting"
    else:
        label, tone = str(sent.status), "ok" if sent.status < 400 else "late"
    return {
        "sent": sent,
        "label": label,
        "tone": tone,
        "at": displayed_time(sent.sent_at, now),
        "retry": displayed_time(sent.retry_at, now),
    }
