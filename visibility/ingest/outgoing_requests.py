"""The requests that polls send: recorded without secrets, the newest of each source."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

from django.db import connection, transaction

from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    HttpRequest,
    HttpResponse,
    parse_retry_after,
)
from visibility.ingest.source_secrets import UnreadableSecrets, decrypt_secrets
from visibility.models.source_records import OutgoingRequest
from visibility.models.sources_and_messages import Source

# A round stores its last requests; a source has at most so many.
STORED_PER_ROUND = 100
STORED_PER_SOURCE = 1_000
HIDDEN = "(hidden)"
# A shorter text occurs in addresses by chance.
MIN_SECRET_LENGTH = 4
DELETE_OLDEST = """
DELETE FROM visibility_outgoingrequest WHERE source_id = %s AND id <= (
    SELECT id FROM visibility_outgoingrequest WHERE source_id = %s
    ORDER BY id DESC OFFSET %s LIMIT 1)
"""


@dataclass(frozen=True, slots=True)
class SentRequest:
    """One request of a poll. `status` is None if no response came; `error` then says why."""

    sent_at: datetime
    method: str
    address: str
    status: int | None
    seconds: float
    error: str = ""
    retry_at: datetime | None = None


class OutgoingRequestLog:
    """Collects the last requests of a round that started at this time."""

    def __init__(self, started_at: datetime) -> None:
        self._started_at, self._start = started_at, time.monotonic()
        self.requests: deque[SentRequest] = deque(maxlen=STORED_PER_ROUND)

    def record(self, client: HttpClient) -> HttpClient:
        """The client, which then records what it sends."""
        return _RecordingClient(client, self)

    def now(self) -> datetime:
        """The time by the clock of the round."""
        return self._started_at + timedelta(seconds=time.monotonic() - self._start)


class _RecordingClient:
    def __init__(self, client: HttpClient, log: OutgoingRequestLog) -> None:
        self._client, self._log = client, log

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send the request and record it, whatever comes of it."""
        began, sent_at = time.monotonic(), self._log.now()
        status: int | None = None
        retry_at: datetime | None = None
        error = ""
        try:
            response = self._client.send(request)
            status = response.status
            wait = parse_retry_after(response.headers.get("retry-after"), self._log.now())
            retry_at = None if wait is None else self._log.now() + wait
        except Exception as caught:
            error = type(caught).__name__
            raise
        else:
            return response
        finally:
            self._log.requests.append(
                SentRequest(
                    sent_at=sent_at,
                    method=request.method,
                    address=address_without_values(request.url_with_merged_query),
                    status=status,
                    seconds=time.monotonic() - began,
                    error=error,
                    retry_at=retry_at,
                )
            )


def address_without_values(url: str) -> str:
    """The address without credentials, and without the values of its query parameters."""
    address = urlsplit(url)
    host = address.netloc.rpartition("@")[2]
    names = dict.fromkeys(name for name, _ in parse_qsl(address.query, keep_blank_values=True))
    query = "&".join(f"{name}=…" for name in names)
    return f"{address.scheme}://{host}{address.path}{'?' if query else ''}{query}"


def store_outgoing_requests(source: Source, log: OutgoingRequestLog) -> None:
    """Store the requests of a round, and delete the oldest ones of the source."""
    if not log.requests:
        return
    try:
        secrets = [s.value for s in decrypt_secrets(source.sealed_secrets)]
    except UnreadableSecrets:
        secrets = []  # none of them was used: the connector could not be built
    rows = [
        OutgoingRequest(
            source=source,
            sent_at=sent.sent_at,
            method=sent.method[:10],
            address=_hide_secrets(sent.address, secrets).replace("\0", "")[:500],
            status=sent.status,
            milliseconds=round(sent.seconds * 1000),
            error=sent.error,
            retry_at=sent.retry_at,
        )
        for sent in log.requests
    ]
    with transaction.atomic():
        OutgoingRequest.objects.bulk_create(rows)
        with connection.cursor() as cursor:
            cursor.execute(DELETE_OLDEST, [source.pk, source.pk, STORED_PER_SOURCE])


def _hide_secrets(address: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        for text in (secret, quote(secret, safe="")):
            if len(text) >= MIN_SECRET_LENGTH:
                address = address.replace(text, HIDDEN)
    return address
