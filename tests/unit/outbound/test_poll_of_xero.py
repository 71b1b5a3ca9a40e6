"""The Xero connector polls over HTTP: tokens that rotate, changes, pages and limits."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.webhook_and_poll_types import PollContext, PolledPage, PollError
from connectors.systems.xero.connector import Xero
from tests.builders.vendor_server import Answer
from tests.builders.xero_server import TENANT, XeroServer
from visibility.ingest.access_tokens import AccessTokens
from visibility.outbound.http_client import OutgoingHttpClient

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def xero(settings: Settings) -> Iterator[XeroServer]:
    server = XeroServer()
    settings.OUTGOING_ALLOWED = [server.address]
    yield server
    server.close()


def connector(xero: XeroServer, **config: str) -> Xero:
    return Xero(
        {
            "source": "books",
            "base_url": xero.url,
            "token_url": f"{xero.url}/token",
            "tenant_id": TENANT,
            "client_id": "client",
            "client_secret": "client-secret",
            "refresh_token": "refresh-1",
            "page_size": "2",
            "overlap_minutes": "0",
            **config,
        }
    )


def poll(
    xero: XeroServer, cursor: str = "", tokens: AccessTokens | None = None, **config: str
) -> Iterator[PolledPage]:
    context = PollContext(NOW, tokens=tokens or AccessTokens())
    return connector(xero, **config).poll_with_context(OutgoingHttpClient(), cursor, [], context)


def ids(pages: list[PolledPage]) -> list[str]:
    rows = [json.loads(record.body) for page in pages for record in page.records]
    return [row.get("InvoiceID") or row.get("CreditNoteID") or row["PaymentID"] for row in rows]


def add_invoices(xero: XeroServer, count: int, at: datetime = AT) -> None:
    for number in range(count):
        xero.add("Invoices", f"i{number}", at + number * SECOND, Type="ACCREC")


def test_every_page_of_sales_documents_is_read_oldest_change_first(xero: XeroServer) -> None:
    add_invoices(xero, 5)
    xero.add("Invoices", "purchase", AT, Type="ACCPAY")
    xero.add("CreditNotes", "c1", AT, Type="ACCRECCREDIT")
    pages = list(poll(xero))
    assert list(dict.fromkeys(ids(pages))) == ["i0", "i1", "i2", "i3", "i4", "c1"]
    assert pages[0].renewed_secrets[0].new == "refresh-2"
    assert "if-modified-since" not in xero.calls("Invoices")[0].headers


def test_the_next_poll_asks_only_for_what_changed_since_the_newest_document(
    xero: XeroServer,
) -> None:
    add_invoices(xero, 3)
    cursor = list(poll(xero))[-1].cursor
    xero.requests.clear()
    xero.add("Invoices", "i0", AT + timedelta(hours=1), Type="ACCREC")
    later = list(poll(xero, cursor, refresh_token="refresh-2", overlap_minutes="5"))
    asked = xero.calls("Invoices")[0].headers["if-modified-since"]
    assert asked == "2026-03-02T09:55:02"
    assert ids(later)[-1] == "i0"


def test_more_documents_of_one_second_than_fit_a_page_are_all_read(xero: XeroServer) -> None:
    for number in range(7):
        at = AT + timedelta(milliseconds=number)
        xero.add("Invoices", f"i{number}", at, Type="ACCREC")
    assert set(ids(list(poll(xero)))) == {f"i{number}" for number in range(7)}


def test_a_document_that_changes_between_two_pages_hides_no_other(xero: XeroServer) -> None:
    add_invoices(xero, 6)
    pages, read = poll(xero), list[PolledPage]()
    for page in pages:
        read.append(page)
        if "i0" in ids([page]):
            xero.add("Invoices", "i0", AT + timedelta(hours=1), Type="ACCREC")
    assert set(ids(read)) == {f"i{number}" for number in range(6)}


def test_a_limit_ends_the_round_and_the_next_one_continues(xero: XeroServer) -> None:
    add_invoices(xero, 6)
    xero.calls_left = 2
    stored: list[PolledPage] = []
    with pytest.raises(PollError) as caught:
        stored.extend(poll(xero))
    assert (caught.value.status, caught.value.retry_after) == (429, "17")
    xero.calls_left = None
    remaining = list(poll(xero, stored[-1].cursor, refresh_token="refresh-2"))
    assert set(ids(stored + remaining)) == {f"i{number}" for number in range(6)}
    assert "i0" not in ids(remaining)


def test_an_expired_token_is_replaced_once_with_the_rotated_refresh_token(
    xero: XeroServer,
) -> None:
    add_invoices(xero, 5)
    pages, renewed = [], []
    for page in poll(xero):
        pages.append(page)
        renewed += [secret.new for secret in page.renewed_secrets]
        if len(pages) == 2:
            xero.access_tokens.append("issued to somebody else")
    assert renewed == ["refresh-2", "refresh-3"]
    assert set(ids(pages)) == {f"i{number}" for number in range(5)}


def test_a_refused_refresh_token_is_named_in_the_error(xero: XeroServer) -> None:
    with pytest.raises(PollError, match=r"HTTP 400 \(invalid_grant\)"):
        list(poll(xero, refresh_token="used-before"))


def test_a_custom_connection_needs_no_refresh_token(xero: XeroServer) -> None:
    add_invoices(xero, 1)
    pages = list(poll(xero, refresh_token=""))
    assert ids(pages) == ["i0"]
    assert b"scope=accounting.transactions.read" in xero.requests[0].body


def test_payments_are_read_only_if_wanted(xero: XeroServer) -> None:
    xero.add("Payments", "p1", AT, PaymentType="ACCRECPAYMENT")
    assert ids(list(poll(xero))) == []
    assert ids(list(poll(xero, refresh_token="refresh-2", payments="yes"))) == ["p1"]


def test_a_response_without_the_collection_is_an_error(xero: XeroServer) -> None:
    xero.answers["/Invoices"] = lambda _: Answer(200, {"Status": "OK"})
    with pytest.raises(PollError, match="no list Invoices"):
        list(poll(xero))
