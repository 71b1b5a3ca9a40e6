"""Test the connection of a poller: fetch one page, and read it without storing its records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from connectors.sdk.connector import RawMessage
from connectors.sdk.webhook_and_poll_types import HttpClient, PolledRecord
from visibility.ingest.limited_requests import LimitedRequests
from visibility.ingest.parse_payload_without_storing import try_message
from visibility.ingest.polling import build_connector_and_poll_pages, closing_pages
from visibility.ingest.renewed_secrets import store_renewed_secrets
from visibility.ingest.source_failures import describe_poll_failure
from visibility.models.sources_and_messages import Cursor, Source
from visibility.outbound.http_client import OutgoingHttpClient
from visibility.outbound.request_time_and_count_limits import RequestBudget
from visibility.outbound.sftp_access import UnconfirmedHostKey
from visibility.outbound.sql_rows import DatabaseRows

# A person waits for the answer.
TRIAL_SECONDS = 15.0
TRIAL_REQUESTS = 20
# So many records of the page are read.
READ_RECORDS = 20


@dataclass(frozen=True, slots=True)
class PageTrial:
    """What one page of a poll has. `error`: why there is none; empty if it was fetched.

    `readings` are of the first `READ_RECORDS` records: `events`, `ignored`, `parked`, and `file`,
    the name of its file. `host_key`: of an SFTP server, if nobody has confirmed it.
    """

    records: int = 0
    readings: tuple[Mapping[str, Any], ...] = ()
    error: str = ""
    host_key: str = ""


def fetch_first_page(
    source: Source,
    *,
    now: datetime,
    open_client: Callable[[RequestBudget], HttpClient] = OutgoingHttpClient,
) -> PageTrial:
    """Fetch the next page of a source, and store nothing but a renewed secret.

    A system that replaces refresh tokens has made the old one invalid: without the new one, no
    later poll would work. The cursor stays, so the next poll reads the same page.
    """
    cursor = Cursor.objects.filter(source=source).first()
    budget = RequestBudget(seconds=TRIAL_SECONDS, requests=TRIAL_REQUESTS)
    limited, rows = LimitedRequests(source, now), DatabaseRows()
    try:
        client = limited.limit(open_client(budget), budget)
        read_rows = limited.limit_rows(rows.read, budget)
        value = cursor.value if cursor else ""
        pages = build_connector_and_poll_pages(source, client, read_rows, value, now, is_trial=True)
        with closing_pages(pages):
            page = next(iter(pages), None)
    except UnconfirmedHostKey as error:
        return PageTrial(error=describe_poll_failure(error), host_key=error.fingerprint)
    except Exception as error:  # shown to the person who tests
        return PageTrial(error=describe_poll_failure(error))
    finally:
        rows.close()
        limited.store_remaining_count()
    if page is None:
        return PageTrial()
    if page.renewed_secrets:
        with transaction.atomic():
            store_renewed_secrets(source.pk, page.renewed_secrets, now=now)
    readings = tuple(_reading(source, record, now) for record in page.records[:READ_RECORDS])
    return PageTrial(len(page.records), readings)


def _reading(source: Source, record: PolledRecord, now: datetime) -> Mapping[str, Any]:
    file = {"file": record.headers.get("x-file-name", "")}
    message = RawMessage(record.body, record.headers, now)
    try:
        return {**try_message(source.build_connector(), message), **file}
    except Exception as error:  # one bad record does not hide the others
        return {"parked": f"the connector failed ({type(error).__name__})", **file}
