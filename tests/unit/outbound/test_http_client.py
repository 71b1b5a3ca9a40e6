"""The outgoing HTTP client on loopback: pool, deadline, limits and address guard."""

import gzip
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.webhook_and_poll_types import HttpRequest, HttpResponse
from tests.builders import polled_systems
from tests.builders.polled_systems import (
    PolledSystem,
    Respond,
    drip_body,
    drip_headers,
    running_system,
    send_json,
)
from visibility.outbound import http_client
from visibility.outbound.address_guard import (
    ForbiddenAddress,
    check_url_scheme_port_and_no_credentials,
    resolve_to_allowed_ip_addresses,
)
from visibility.outbound.http_client import OutgoingHttpClient
from visibility.outbound.request_time_and_count_limits import RequestBudget, RequestBudgetExceeded

PUBLIC, PRIVATE = "93.184.215.14", "10.0.0.7"


def get(url: str, client: OutgoingHttpClient | None = None) -> HttpResponse:
    return (client or OutgoingHttpClient()).send(HttpRequest("GET", url))


class Caller:
    """Starts a server and sends requests to it."""

    def __init__(self, stack: ExitStack, settings: Settings) -> None:
        self._stack, self._settings = stack, settings
        self.system = PolledSystem()

    def start(self, respond: Respond, *, allowed: bool = True) -> None:
        self.system = self._stack.enter_context(running_system(respond))
        self._settings.OUTGOING_ALLOWED = [self.system.address] if allowed else []

    def get(self, client: OutgoingHttpClient | None = None) -> HttpResponse:
        return get(self.system.base_url, client)


@pytest.fixture
def caller(settings: Settings) -> Iterator[Caller]:
    with ExitStack() as stack:
        yield Caller(stack, settings)


def test_requests_share_a_connection_but_no_cookies(caller: Caller) -> None:
    ports, cookies = [], []

    def respond(handler: BaseHTTPRequestHandler, _system: PolledSystem) -> None:
        ports.append(handler.client_address[1])
        cookies.append(handler.headers.get("cookie"))
        send_json(handler, {}, headers={"set-cookie": "session=secret"})

    caller.start(respond)
    assert [caller.get().status for _ in range(3)] == [200, 200, 200]
    assert len(set(ports)) == 1
    assert cookies == [None, None, None]


@pytest.mark.parametrize("respond", [drip_body, drip_headers])
def test_response_that_drips_is_cut_at_the_deadline(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, respond: Respond
) -> None:
    monkeypatch.setattr(polled_systems, "DRIP_SECONDS", 0.1)
    monkeypatch.setattr(http_client, "RESPONSE_SECONDS", 1.0)
    caller.start(respond)
    started = time.monotonic()
    with pytest.raises(ConnectionError, match="the response was not complete after 1 s"):
        caller.get()
    assert 0.9 < time.monotonic() - started < 2.5


@pytest.mark.parametrize("compressed", [False, True])
def test_too_large_response_is_refused(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, *, compressed: bool
) -> None:
    monkeypatch.setattr(http_client, "MAX_RESPONSE_BYTES", 1_000)

    def respond(handler: BaseHTTPRequestHandler, _system: PolledSystem) -> None:
        body = gzip.compress(b" " * 10_000) if compressed else b" " * 10_000
        handler.send_response(200)
        if compressed:
            handler.send_header("content-encoding", "gzip")
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    caller.start(respond)
    with pytest.raises(ConnectionError, match="larger than 1000 bytes"):
        caller.get()


def test_redirect_is_returned_and_not_followed(caller: Caller) -> None:
    caller.start(
        lambda handler, _: send_json(handler, {}, status=302, headers={"location": "/elsewhere"})
    )
    response = caller.get()
    assert (response.status, response.headers["location"]) == (302, "/elsewhere")
    assert len(caller.system.requested_at) == 1


def test_private_address_is_refused_unless_listed(caller: Caller) -> None:
    caller.start(lambda handler, _: send_json(handler, {}), allowed=False)
    with pytest.raises(ForbiddenAddress, match="not a public address; an administrator must allow"):
        caller.get()
    assert caller.system.requested_at == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://erp.example/api", "only http:// and https://"),
        ("http:///api", "only http:// and https://"),
        ("erp.example", "only http:// and https://"),
        ("http://erp.example:x/", "the address is invalid"),
        ("http://[::1/", "the address is invalid"),
        ("http://erp.example:25/", "port 25"),
        ("http://user:password@erp.example/", "user name or a password"),
    ],
)
def test_malformed_or_dangerous_url_is_refused(url: str, message: str) -> None:
    with pytest.raises(ForbiddenAddress, match=message):
        check_url_scheme_port_and_no_credentials(url)
    with pytest.raises(ForbiddenAddress, match=message):
        get(url)


def test_host_with_a_private_address_among_public_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve_to(monkeypatch, PUBLIC, PRIVATE)
    with pytest.raises(ForbiddenAddress):
        resolve_to_allowed_ip_addresses("erp.example", 443)
    resolve_to(monkeypatch, PUBLIC)
    assert resolve_to_allowed_ip_addresses("erp.example", 443) == [PUBLIC]


def test_connection_goes_to_the_address_that_was_checked(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    caller.start(lambda handler, _: send_json(handler, {}))
    settings.OUTGOING_ALLOWED = [f"erp.example:{caller.system.port}"]
    lookups = resolve_to(monkeypatch, "127.0.0.1")
    url = f"http://erp.example:{caller.system.port}/api"
    assert get(url).status == 200
    assert lookups == ["erp.example"]


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Resolve every host to these addresses; return the list of host names looked up."""
    lookups: list[str] = []
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *args: Any, **options: Any) -> Any:
        if host in addresses:  # a connection to an address that is known already
            return resolve(host, port, *args, **options)
        lookups.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return lookups


def test_budget_limits_number_and_time_of_requests(caller: Caller) -> None:
    caller.start(lambda handler, _: send_json(handler, {}))
    budget = RequestBudget(seconds=30, requests=2)
    client = OutgoingHttpClient(budget)
    assert [caller.get(client).status for _ in range(2)] == [200, 200]
    with pytest.raises(RequestBudgetExceeded, match="no complete page within 2 requests"):
        caller.get(client)
    budget.renew()
    assert caller.get(client).status == 200
    with pytest.raises(RequestBudgetExceeded, match="no complete page within 0 s"):
        caller.get(OutgoingHttpClient(RequestBudget(seconds=0, requests=2)))
