"""Send the requests of a poll within the limits that people set for its source, and count them.

Counts are stored by minute, and before a request is sent if the source has limits: they hold
across polls, processes and restarts.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from connectors.sdk.sql_rows import ReadRows, RowQuery
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    HttpRequest,
    HttpResponse,
    PollError,
)
from visibility.db.release_connection import close_connection_outside_transaction
from visibility.models.source_records import RequestCount
from visibility.models.sources_and_messages import Source
from visibility.outbound.request_time_and_count_limits import RequestBudget
from visibility.sla.poll_limits import PollRequestLimit, request_limits_of

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
RETENTION = timedelta(days=8)
# A longer pause between two requests ends the round; the next one continues.
MAX_PAUSE = timedelta(seconds=20)
COUNT = """
INSERT INTO visibility_requestcount AS stored (source_id, minute, count)
VALUES (%s, date_trunc('minute', %s::timestamptz, 'UTC'), %s)
ON CONFLICT (source_id, minute) DO UPDATE SET count = stored.count + EXCLUDED.count
"""


class RequestLimitReached(PollError):
    """The limit that people set for the source is used up; `until`: when it allows a request."""

    def __init__(self, limit: PollRequestLimit, until: datetime) -> None:
        super().__init__(f"its limit of {limit.text}, which is set for this source, is used up")
        self.until = until


class LimitedRequests:
    """Counts the requests of a round, and sends them as the limits of the source allow.

    `on_pause` is called before each pause between two requests, which may be long in total.
    """

    def __init__(
        self, source: Source, now: datetime, on_pause: Callable[[], None] = lambda: None
    ) -> None:
        self._source, self._on_pause = source, on_pause
        self._started_at, self._start = now, time.monotonic()
        limits = request_limits_of(source.config_or_empty_if_invalid)
        self._paced = [limit for limit in limits if limit.is_paced]
        self._counted = [limit for limit in limits if not limit.is_paced]
        self._counts = self._load_counts() if self._counted else {}
        self._last_sent_at = source.poll_ended_at
        self.count = 0

    def limit(self, client: HttpClient, budget: RequestBudget) -> HttpClient:
        """The client, which then sends within the limits."""
        return _LimitedClient(client, self, budget)

    def limit_rows(self, read: ReadRows, budget: RequestBudget) -> ReadRows:
        """The function, which then reads within the limits; a statement is one request."""

        def read_within_limits(query: RowQuery) -> Sequence[Mapping[str, Any]]:
            self.wait_and_count(budget)
            budget.count_request_and_return_seconds_left()
            try:
                return read(query)
            finally:
                self.note_end_of_request()

        return read_within_limits

    def wait_and_count(self, budget: RequestBudget) -> None:
        """Wait until the limits allow a request, and count it. Raises RequestLimitReached."""
        now = self._now()
        for limit in self._counted:
            if until := self._full_until(limit, now):
                raise RequestLimitReached(limit, until)
        for limit in self._paced:
            earliest = (self._last_sent_at or now - DAY) + limit.period / limit.count
            pause = earliest - now
            if pause > MAX_PAUSE:
                raise RequestLimitReached(limit, earliest)
            if pause > timedelta():
                self._on_pause()
                time.sleep(pause.total_seconds())
                budget.extend(pause.total_seconds())
                now = self._now()
        self._last_sent_at = now
        self.count += 1
        if self._counted:
            minute = now.replace(second=0, microsecond=0)
            self._counts[minute] = self._counts.get(minute, 0) + 1
            _store_count(self._source.pk, now, 1)
            close_connection_outside_transaction()

    def note_end_of_request(self) -> None:
        """Begin the pause before the next request only now: requests travel for different times."""
        self._last_sent_at = self._now()

    def store_remaining_count(self) -> None:
        """Store the count of a round that was not stored before each request."""
        if self.count and not self._counted:
            _store_count(self._source.pk, self._now(), self.count)

    def _now(self) -> datetime:
        return self._started_at + timedelta(seconds=time.monotonic() - self._start)

    def _load_counts(self) -> dict[datetime, int]:
        since = self._started_at - DAY - MINUTE
        rows = RequestCount.objects.filter(source=self._source, minute__gt=since)
        return dict(rows.values_list("minute", "count"))

    def _full_until(self, limit: PollRequestLimit, now: datetime) -> datetime | None:
        """When requests of the period are old enough for one more; None: now."""
        # A minute counts until all of it has left the period.
        recent = sorted(m for m in self._counts if m + MINUTE > now - limit.period)
        used = sum(self._counts[minute] for minute in recent)
        if used < limit.count:
            return None
        for minute in recent:
            used -= self._counts[minute]
            if used < limit.count:
                return minute + MINUTE + limit.period
        return now + limit.period


class _LimitedClient:
    def __init__(self, client: HttpClient, limited: LimitedRequests, budget: RequestBudget) -> None:
        self._client, self._limited, self._budget = client, limited, budget

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send the request when the limits allow it."""
        self._limited.wait_and_count(self._budget)
        try:
            return self._client.send(request)
        finally:
            self._limited.note_end_of_request()


def _store_count(source_id: int, at: datetime, count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [source_id, at, count])


def count_requests(sources: Sequence[Source], since: datetime) -> int:
    """Return how many requests polls of these sources have sent since."""
    counts = RequestCount.objects.filter(source__in=sources, minute__gte=since)
    return sum(counts.values_list("count", flat=True))


def delete_old_request_counts(*, now: datetime) -> int:
    """Delete counts that no limit and no page reads; return how many."""
    return RequestCount.objects.filter(minute__lt=now - RETENTION).delete()[0]
