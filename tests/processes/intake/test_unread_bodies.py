"""Responses before the end of a body arrive, and what follows is discarded within limits."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.empty_tables import empty_tables
from tests.product import Product
from visibility.web.intake.header_timeout_protocol import DISCARD_SECONDS, DISCARDED_BYTES

pytestmark = pytest.mark.django_db
BODY = b"x" * 9_000_000
PIECE = b"x" * 65_536
# The intake, a page, and what is refused whatever the body is.
STATUSES = {"/hooks/wms": b"413", "/signin": b"413", "/api/v1/events": b"401", "/hooks/no": b"404"}


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """Start the web process with a source."""
    with django_db_blocker.unblock():
        running = Product(tmp_path_factory.mktemp("unread"))
        running.write_static_manifest()
        running.manage("source", "add", "wms", "--connector", "cloudevents")
        running.start("web")
        yield running
        running.stop()
        empty_tables()


def connect(product: Product) -> socket.socket:
    return socket.create_connection(("127.0.0.1", product.port), timeout=20)


def head(path: str, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]
    return "\r\n".join(lines).encode()


def read_to_the_end(connection: socket.socket) -> bytes:
    answer = b""
    while data := connection.recv(65_536):
        answer += data
    return answer


@pytest.mark.parametrize("path", list(STATUSES))
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_client_that_sends_everything_first_gets_the_response(
    product: Product, path: str, framing: str
) -> None:
    """As proxies do: they send the body, and want the connection closed after the response."""
    with connect(product) as connection:
        if framing == "length":
            connection.sendall(head(path, "Connection: close", f"Content-Length: {len(BODY)}"))
            connection.sendall(BODY)
        else:
            connection.sendall(head(path, "Connection: close", "Transfer-Encoding: chunked"))
            connection.sendall(b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n")
        assert read_to_the_end(connection).split()[1] == STATUSES[path]


def test_a_connection_is_used_again_after_a_body_that_was_not_read(product: Product) -> None:
    with connect(product) as connection:
        connection.sendall(head("/hooks/wms", f"Content-Length: {len(BODY)}") + BODY)
        assert connection.recv(65_536).split()[1] == b"413"
        connection.sendall(head("/healthz", "Connection: close").replace(b"POST", b"GET", 1))
        assert read_to_the_end(connection).split()[1] == b"200"


def seconds_until_closed(product: Product, connection_header: str, piece: bytes) -> float:
    """How long a client can go on sending pieces of a body that was refused."""
    pause = 0.0 if len(piece) > 1 else 0.2
    with connect(product) as connection:
        connection.sendall(head("/hooks/wms", connection_header, "Content-Length: 900000000000"))
        assert connection.recv(65_536).split()[1] == b"413"
        started, sent = time.monotonic(), 0
        while sent < 20 * DISCARDED_BYTES:
            try:
                connection.sendall(piece)
            except ConnectionError:
                return time.monotonic() - started
            sent += len(piece)
            time.sleep(pause)
            assert time.monotonic() - started < 3 * DISCARD_SECONDS
    raise AssertionError(f"{sent:,} bytes were read")


def test_what_is_discarded_is_limited_in_bytes_and_time(product: Product) -> None:
    cases = [
        (header, piece)
        for header in ("Connection: close", "Connection: keep-alive")
        for piece in (b"x", PIECE)
    ]
    with ThreadPoolExecutor(len(cases)) as pool:
        seconds = list(pool.map(lambda case: seconds_until_closed(product, *case), cases))
    slow, quick = seconds[::2], seconds[1::2]
    assert max(slow) < DISCARD_SECONDS + 2
    assert max(quick) < DISCARD_SECONDS
