"""Extend the session of who is active, and change the limits of sessions.

What pages request by themselves is no activity: live updates, and the question when the session
ends. An open page alone does not extend its session.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.db import DatabaseError, transaction
from django.db.models import F
from django.db.models.functions import Least
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

from visibility.models import SecuritySettings
from visibility.models.audit import append_audit_entry
from visibility.web.author import Author
from visibility.web.people.second_factor_middleware import uses_session
from visibility.web.people.session_store import (
    STARTED_AT,
    SessionLimits,
    load_session_limits,
    now_of_sessions,
)

MIN_IDLE_MINUTES, MAX_IDLE_MINUTES = 5, 14 * 24 * 60
MIN_SESSION_HOURS, MAX_SESSION_HOURS = 1, 90 * 24
# A session is not extended at each request: only once it can gain so much.
MIN_GAIN = timedelta(minutes=1)
# Requests of pages without a person, other than those with the header of live updates.
AUTOMATIC = ("/session", "/sources-not-reporting", "/ws/live")


class InvalidLimits(ValueError):
    """The limits are out of bounds, or the idle time is longer than the total time."""


class SessionLimitsMiddleware:
    """Moves the end of a session after a request of a signed-in person."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if uses_session(request) and is_activity(request) and response.status_code < 500:
            # The response is right without it; the next request extends the session.
            with suppress(DatabaseError):
                extend_session(request)
        return response


def is_activity(request: HttpRequest) -> bool:
    """Whether a person caused the request."""
    if request.method not in {"GET", "HEAD"}:
        return True
    return "X-Live" not in request.headers and request.path not in AUTOMATIC


def extend_session(request: HttpRequest) -> None:
    """Move the end of the session, if it would move by a minute or more. At most two statements."""
    session: Any = request.session
    if not request.user.is_authenticated or session.modified or session.stored_end is None:
        return
    if STARTED_AT not in session:  # of a version without limits
        session[STARTED_AT] = int(time.time())
        return
    now = now_of_sessions()
    # Limits of the last half minute decide only whether to look.
    expected = _recent_limits(_half_minute()).end(now, session.started_at)
    if abs(expected - session.stored_end) < MIN_GAIN:
        return
    end = load_session_limits().end(now, session.started_at)
    Session.objects.filter(session_key=session.session_key).update(expire_date=end)


def change_session_limits(*, idle_minutes: int, session_hours: int, by: Author) -> None:
    """Store the limits; open sessions end sooner if the idle time is shorter. Raises InvalidLimits.

    A shorter total time is in force for a session after its next request.
    """
    check_limits(idle_minutes, session_hours)
    with transaction.atomic():
        before = current_limits()
        after = {"idle_minutes": idle_minutes, "session_hours": session_hours}
        if after == before:
            return
        SecuritySettings.objects.update_or_create(
            id=1,
            defaults={**after, "changed_by": by.user, "changed_at": by.now},
            create_defaults={
                **after,
                "requires_second_factor": True,
                "changed_by": by.user,
                "changed_at": by.now,
            },
        )
        latest = by.now + timedelta(minutes=idle_minutes)
        Session.objects.filter(expire_date__gt=latest).update(
            expire_date=Least(F("expire_date"), latest)
        )
        append_audit_entry(
            "security.session_limits",
            user=by.user,
            object="security",
            detail={"before": before, "after": after},
            now=by.now,
        )
    _recent_limits.cache_clear()


def check_limits(idle_minutes: int, session_hours: int) -> None:
    """Raise InvalidLimits with a sentence for people."""
    if not MIN_IDLE_MINUTES <= idle_minutes <= MAX_IDLE_MINUTES:
        raise InvalidLimits("The time without activity must be between 5 minutes and 14 days.")
    if not MIN_SESSION_HOURS <= session_hours <= MAX_SESSION_HOURS:
        raise InvalidLimits("The total time must be between 1 hour and 90 days.")
    if idle_minutes > session_hours * 60:
        raise InvalidLimits("The time without activity cannot be longer than the total time.")


def current_limits() -> dict[str, int]:
    """`idle_minutes` and `session_hours`. One statement."""
    limits = load_session_limits()
    return {
        "idle_minutes": int(limits.idle.total_seconds()) // 60,
        "session_hours": int(limits.total.total_seconds()) // 3600,
    }


@receiver(user_logged_in)
def _record_start(request: HttpRequest, **_kwargs: Any) -> None:
    """The total time counts from the sign-in."""
    request.session[STARTED_AT] = int(time.time())


def _half_minute() -> int:
    return int(time.monotonic() // 30)


@lru_cache(maxsize=1)
def _recent_limits(_half_minute: int) -> SessionLimits:
    """The limits, read at most once in half a minute."""
    return load_session_limits()
