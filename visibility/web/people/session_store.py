"""Sessions in the database that end after a time without activity, and after a total time.

The end is the expiry of the row, which Django, pages and sockets check. `SecuritySettings` has both
limits.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.contrib.sessions.models import Session
from django.db import connection

from visibility.models.people import DEFAULT_IDLE_MINUTES, DEFAULT_SESSION_HOURS

# The time of the sign-in, in seconds since 1970.
STARTED_AT = "started_at"
SELECT_LIMITS = """
SELECT coalesce(max(idle_minutes), %s), coalesce(max(session_hours), %s)
FROM visibility_securitysettings
"""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long a session lasts without activity, and in total."""

    idle: timedelta
    total: timedelta

    def end(self, now: datetime, started_at: datetime | None) -> datetime:
        """When a session that is used now ends. Before the sign-in there is no total time."""
        idle_end = now + self.idle
        return idle_end if started_at is None else min(idle_end, started_at + self.total)


class SessionStore(DatabaseSessionStore):
    """Django's, with the limits. `stored_end`: the expiry of the row that was loaded."""

    stored_end: datetime | None = None

    def _get_session_from_db(self) -> Session | None:
        row: Session | None = super()._get_session_from_db()  # type: ignore[misc]  # not in stubs
        self.stored_end = row.expire_date if row else None
        return row

    def get_expiry_date(self, **_kwargs: Any) -> datetime:
        """When the session ends, if it is used now. Runs one statement."""
        return load_session_limits().end(now_of_sessions(), self.started_at)

    @property
    def started_at(self) -> datetime | None:
        """When the person signed in; None before."""
        seconds = self.get(STARTED_AT)
        return None if seconds is None else datetime.fromtimestamp(seconds, tz=UTC)


def now_of_sessions() -> datetime:
    """The clock of this machine, with which Django compares the end of a session."""
    return datetime.fromtimestamp(time.time(), tz=UTC)


def load_session_limits() -> SessionLimits:
    """The limits. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_LIMITS, [DEFAULT_IDLE_MINUTES, DEFAULT_SESSION_HOURS])
        idle, total = cursor.fetchone()
    return SessionLimits(timedelta(minutes=idle), timedelta(hours=total))
