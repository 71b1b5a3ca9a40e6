"""The Extensiv connector polls over HTTP: tokens, RQL, pages of HAL documents, and limits."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.webhook_and_poll_types import PollContext, PolledPage, PollError
from connectors.systems.extensiv.connector import Extensiv
from tests.builders.extensiv_server import ExtensivServer
from tests.builders.vendor_server import Answer
from visibility.ingest.access_tokens import AccessTokens
from visibility.outbound.http_client import OutgoingHttpClient

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)


@pytest.fixture
def extensiv(settings: Settings) -> Iterator[ExtensivServer]:
    server = ExtensivServer()
    settings.OUTGOING_ALLOWED = [server.address]
    yield server
    server.close()


def poll(
    server: ExtensivServer, cursor: str = "", tokens: AccessTokens | None = None, **config: str
) -> Iterator[PolledPage]:
    settings = {
        "source": "3pl",
        "base_url": server.url,
        "client_id": "client",
        "client_secret": "client-secret",
        "user_login_id": "12",
        "page_size": "2",
        "overlap_minutes": "0",
        **config,
    }
    context = PollContext(NOW, tokens=tokens or AccessTokens())
    return Extensiv(settings).poll_with_context(OutgoingHttpClient(), cursor, [], context)


def ids(pages: list[PolledPage]) -> list[int]:
    documents = [json.loads(record.body) for page in pages for record in page.records]
    return [document["readOnly"]["orderId"] for document in documents]


def add_orders(server: ExtensivServer, count: int) -> None:
    for number in range(1, count + 1):
        server.add(number, f"2026-03-02T10:00:0{number}")


def test_every_page_is_read_and_the_next_poll_continues(extensiv: ExtensivServer) -> None:
    add_orders(extensiv, 5)
    pages = list(poll(extensiv))
    assert list(dict.fromkeys(ids(pages))) == [1, 2, 3, 4, 5]
    extensiv.requests.clear()
    extensiv.add(2, "2026-03-02T11:00:00")
    assert list(dict.fromkeys(ids(list(poll(extensiv, pages[-1].cursor))))) == [5, 2]
    rql = extensiv.requests[1].query["rql"]
    assert rql == "ReadOnly.LastModifiedDate=ge=2026-03-02T10:00:05"


def test_the_condition_is_in_the_local_time_of_the_answers(extensiv: ExtensivServer) -> None:
    add_orders(extensiv, 1)
    cursor = list(poll(extensiv, zone="America/Chicago"))[-1].cursor
    assert "2026-03-02T16:00:01" in cursor
    list(poll(extensiv, cursor, zone="America/Chicago", customer_id="3"))
    assert extensiv.requests[-1].query["rql"] == (
        "ReadOnly.LastModifiedDate=ge=2026-03-02T10:00:01;ReadOnly.CustomerIdentifier.Id==3"
    )


def test_an_order_that_changes_between_pages_hides_no_other(extensiv: ExtensivServer) -> None:
    add_orders(extensiv, 6)
    read: list[PolledPage] = []
    for page in poll(extensiv):
        read.append(page)
        if len(read) == 1:
            extensiv.add(1, "2026-03-02T12:00:00")
    assert set(ids(read)) == {1, 2, 3, 4, 5, 6}


def test_more_orders_of_one_second_than_fit_a_page_are_all_read(extensiv: ExtensivServer) -> None:
    for number in range(1, 8):
        extensiv.add(number, f"2026-03-02T10:00:00.{number}")
    assert set(ids(list(poll(extensiv)))) == set(range(1, 8))


def test_the_token_is_used_until_it_is_refused(extensiv: ExtensivServer) -> None:
    add_orders(extensiv, 1)
    tokens = AccessTokens()
    for _ in range(2):
        list(poll(extensiv, tokens=tokens))
    assert extensiv.access_tokens == ["access-1"]
    extensiv.access_tokens.append("issued to somebody else")
    assert ids(list(poll(extensiv, tokens=tokens))) == [1]
    assert extensiv.access_tokens[-1] == "access-3"


def test_a_limit_ends_the_round_and_the_next_one_continues(extensiv: ExtensivServer) -> None:
    add_orders(extensiv, 6)
    extensiv.calls_left = 2
    stored: list[PolledPage] = []
    with pytest.raises(PollError) as caught:
        stored.extend(poll(extensiv))
    assert (caught.value.status, caught.value.retry_after) == (429, "9")
    extensiv.calls_left = None
    remaining = ids(list(poll(extensiv, stored[-1].cursor)))
    assert set(ids(stored) + remaining) == {1, 2, 3, 4, 5, 6}
    assert 1 not in remaining


def test_wrong_credentials_and_wrong_answers_are_errors(extensiv: ExtensivServer) -> None:
    with pytest.raises(PollError, match="invalid_client"):
        list(poll(extensiv, client_secret="wrong"))
    with pytest.raises(PollError, match="invalid_request"):
        list(poll(extensiv, user_login_id=""))
    extensiv.answers["/orders"] = lambda _: Answer(200, {"message": "hello"})
    with pytest.raises(PollError, match="no orders"):
        list(poll(extensiv))
    extensiv.answers["/orders"] = lambda _: Answer(200, {"totalResults": 0})
    assert ids(list(poll(extensiv))) == []
