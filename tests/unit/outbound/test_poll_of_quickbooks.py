"""The QuickBooks connector polls over HTTP: queries, change data capture, tokens and limits."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.webhook_and_poll_types import PollContext, PolledPage, PollError
from connectors.systems.quickbooks.connector import QuickBooks
from connectors.systems.quickbooks.poll_changes import QuickBooksPoller
from tests.builders.quickbooks_server import COMPANY, QuickBooksServer
from visibility.ingest.access_tokens import AccessTokens
from visibility.outbound.http_client import OutgoingHttpClient

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
AT = datetime(2026, 3, 20, 9, tzinfo=timezone(timedelta(hours=-7)))
MINUTE = timedelta(minutes=1)


@pytest.fixture
def quickbooks(settings: Settings) -> Iterator[QuickBooksServer]:
    server = QuickBooksServer()
    settings.OUTGOING_ALLOWED = [server.address]
    yield server
    server.close()


def poll(
    server: QuickBooksServer, cursor: str = "", now: datetime = NOW, **config: str
) -> Iterator[PolledPage]:
    settings = {
        "source": "books",
        "base_url": server.url,
        "token_url": f"{server.url}/token",
        "realm_id": "912000",
        "client_id": "client",
        "client_secret": "client-secret",
        "refresh_token": server.refresh_token,
        "page_size": "2",
        **config,
    }
    context = PollContext(now, tokens=AccessTokens())
    return QuickBooks(settings).poll_with_context(OutgoingHttpClient(), cursor, [], context)


def rows(pages: list[PolledPage]) -> list[str]:
    documents = [json.loads(record.body) for page in pages for record in page.records]
    return [f"{kind} {row['Id']}" for document in documents for kind, row in document.items()]


def calls(server: QuickBooksServer, name: str) -> int:
    return sum(request.path == f"{COMPANY}/{name}" for request in server.requests)


def add_invoices(server: QuickBooksServer, count: int) -> None:
    for number in range(1, count + 1):
        server.add("Invoice", str(number), AT + number * MINUTE)


def test_the_first_poll_queries_every_kind_page_by_page(quickbooks: QuickBooksServer) -> None:
    add_invoices(quickbooks, 5)
    quickbooks.add("CreditMemo", "9", AT)
    pages = list(poll(quickbooks))
    assert rows(pages) == [*(f"Invoice {n}" for n in range(1, 6)), "CreditMemo 9"]
    assert calls(quickbooks, "cdc") == 0
    assert pages[0].renewed_secrets[0].new == "refresh-2"


def test_later_polls_ask_once_for_all_changes_and_deletions(quickbooks: QuickBooksServer) -> None:
    add_invoices(quickbooks, 3)
    cursor = list(poll(quickbooks))[-1].cursor
    quickbooks.requests.clear()
    quickbooks.delete("Invoice", "1", AT + 60 * MINUTE)
    quickbooks.add("Payment", "7", AT + 61 * MINUTE)
    pages = list(poll(quickbooks, cursor, overlap_minutes="0"))
    assert rows(pages) == ["Invoice 3", "Invoice 1", "Payment 7"]
    assert (calls(quickbooks, "cdc"), calls(quickbooks, "query")) == (1, 0)
    message = json.loads(pages[-1].records[1].body)
    assert message["Invoice"]["status"] == "Deleted"
    quickbooks.requests.clear()
    assert rows(list(poll(quickbooks, pages[-1].cursor, overlap_minutes="0"))) == ["Payment 7"]


def test_too_many_changes_are_queried(
    quickbooks: QuickBooksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_invoices(quickbooks, 1)
    cursor = list(poll(quickbooks))[-1].cursor
    add_invoices(quickbooks, 7)
    quickbooks.capture_limit = 3
    monkeypatch.setattr(QuickBooksPoller, "capture_limit", 3)
    pages = list(poll(quickbooks, cursor))
    assert set(rows(pages)) == {f"Invoice {n}" for n in range(1, 8)}
    quickbooks.requests.clear()
    list(poll(quickbooks, pages[-1].cursor, overlap_minutes="0"))
    assert (calls(quickbooks, "cdc"), calls(quickbooks, "query")) == (1, 0)


def test_after_a_pause_longer_than_the_capture_reaches_all_kinds_are_queried(
    quickbooks: QuickBooksServer,
) -> None:
    add_invoices(quickbooks, 2)
    cursor = list(poll(quickbooks))[-1].cursor
    quickbooks.requests.clear()
    quickbooks.add("Invoice", "3", AT + timedelta(days=35))
    later = NOW + timedelta(days=40)
    assert rows(list(poll(quickbooks, cursor, later))) == ["Invoice 1", "Invoice 2", "Invoice 3"]
    assert calls(quickbooks, "cdc") == 0


def test_a_limit_ends_the_round_and_the_next_one_continues(quickbooks: QuickBooksServer) -> None:
    add_invoices(quickbooks, 6)
    quickbooks.calls_left = 2
    stored: list[PolledPage] = []
    with pytest.raises(PollError) as caught:
        stored.extend(poll(quickbooks))
    assert (caught.value.status, caught.value.retry_after) == (429, "23")
    quickbooks.calls_left = None
    remaining = list(poll(quickbooks, stored[-1].cursor, overlap_minutes="0"))
    assert rows(remaining) == ["Invoice 4", "Invoice 5", "Invoice 6"]


def test_an_expired_token_is_replaced_with_the_rotated_refresh_token(
    quickbooks: QuickBooksServer,
) -> None:
    add_invoices(quickbooks, 4)
    pages, renewed = [], []
    for page in poll(quickbooks):
        pages.append(page)
        renewed += [secret.new for secret in page.renewed_secrets]
        if len(pages) == 2:
            quickbooks.access_tokens.append("issued to somebody else")
    assert renewed == ["refresh-2", "refresh-3"]
    assert rows(pages) == [f"Invoice {n}" for n in range(1, 5)]


@pytest.mark.parametrize("since", ["2026-03-20T16:03:00Z", "2026-03-20T09:03:00-07:00"])
def test_the_first_poll_starts_where_the_setting_says(
    quickbooks: QuickBooksServer, since: str
) -> None:
    add_invoices(quickbooks, 4)
    assert rows(list(poll(quickbooks, since=since))) == ["Invoice 3", "Invoice 4"]
