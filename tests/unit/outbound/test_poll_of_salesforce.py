"""The Salesforce connector polls over HTTP: SOQL, pages, expired sessions and limits."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.webhook_and_poll_types import PollContext, PolledPage, PollError
from connectors.systems.salesforce.connector import Salesforce
from tests.builders.salesforce_server import API, SalesforceServer
from visibility.ingest.access_tokens import AccessTokens
from visibility.outbound.http_client import OutgoingHttpClient

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)


@pytest.fixture
def salesforce(settings: Settings) -> Iterator[SalesforceServer]:
    server = SalesforceServer()
    settings.OUTGOING_ALLOWED = [server.address]
    yield server
    server.close()


def poll(server: SalesforceServer, cursor: str = "", **config: str) -> Iterator[PolledPage]:
    settings = {
        "source": "crm",
        "base_url": server.url,
        "client_id": "key",
        "client_secret": "consumer-secret",
        "overlap_minutes": "0",
        **config,
    }
    context = PollContext(NOW, tokens=AccessTokens())
    return Salesforce(settings).poll_with_context(OutgoingHttpClient(), cursor, [], context)


def ids(pages: list[PolledPage]) -> list[str]:
    return [json.loads(record.body)["Id"] for page in pages for record in page.records]


def add_orders(server: SalesforceServer, count: int) -> None:
    for number in range(1, count + 1):
        server.add("Order", f"o{number}", f"2026-03-02T10:00:0{number}.250+0000")


def queries(server: SalesforceServer) -> list[str]:
    return [request.query["q"] for request in server.requests if request.path == API]


def test_every_page_is_read_and_the_next_poll_continues(salesforce: SalesforceServer) -> None:
    add_orders(salesforce, 5)
    pages = list(poll(salesforce))
    assert ids(pages) == ["o1", "o2", "o3", "o4", "o5"]
    salesforce.add("Order", "o2", "2026-03-02T11:00:00.000+0000")
    assert ids(list(poll(salesforce, pages[-1].cursor))) == ["o5", "o2"]
    assert "SystemModstamp >= 2026-03-02T10:00:05.250Z" in queries(salesforce)[-1]


def test_won_opportunities_and_the_own_field_are_asked_for(salesforce: SalesforceServer) -> None:
    salesforce.add("Opportunity", "won", "2026-03-02T10:00:00.000+0000", IsWon=True)
    salesforce.add("Opportunity", "lost", "2026-03-02T10:00:00.000+0000", IsWon=False)
    assert ids(list(poll(salesforce))) == []
    assert ids(list(poll(salesforce, opportunities="yes", order_field="ERP__c"))) == ["won"]
    assert all(", ERP__c" in query for query in queries(salesforce)[-2:])


def test_an_expired_session_is_replaced_within_a_query(salesforce: SalesforceServer) -> None:
    add_orders(salesforce, 5)
    pages: list[PolledPage] = []
    for page in poll(salesforce):
        pages.append(page)
        if len(pages) == 1:
            salesforce.access_tokens.append("issued to somebody else")
    assert ids(pages) == ["o1", "o2", "o3", "o4", "o5"]


def test_the_limit_of_requests_is_a_pause_and_no_lack_of_permission(
    salesforce: SalesforceServer,
) -> None:
    add_orders(salesforce, 5)
    salesforce.calls_left = 2
    stored: list[PolledPage] = []
    with pytest.raises(PollError) as caught:
        stored.extend(poll(salesforce))
    assert (caught.value.status, caught.value.retry_after) == (429, "900")
    salesforce.calls_left = None
    assert ids(list(poll(salesforce, stored[-1].cursor))) == ["o4", "o5"]


def test_wrong_credentials_and_fields_are_errors(salesforce: SalesforceServer) -> None:
    with pytest.raises(PollError, match="invalid_client_id"):
        list(poll(salesforce, client_secret="wrong"))
    with pytest.raises(PollError, match="API name"):
        list(poll(salesforce, order_field="Id FROM User"))
