"""Responses of the webhook endpoint, over real HTTP."""

import base64
import gzip
import hmac
import json
import shlex
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2
import orjson
import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.builders.cloudevents import authorized_headers, cloudevent
from tests.empty_tables import empty_tables
from tests.product import Product
from visibility.models import InboundMessage, MessageKey, RejectedRequestCount

pytestmark = pytest.mark.django_db
# Seconds that a request may take to arrive, and for how long a slow client sends.
BODY_TIMEOUT, SENDING_SECONDS = 8, 7
SECRET = "a-secret-of-at-least-24-bytes"


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """Start the web process with two sources."""
    with django_db_blocker.unblock():
        running = Product(tmp_path_factory.mktemp("hooks"))
        connectors = (
            ("generic", "cloudevents"),
            ("other", "cloudevents"),
            ("books", "xero"),
            ("crm", "salesforce"),
        )
        for slug, connector in connectors:
            running.manage(
                "source", "add", slug, "--connector", connector, "--secret", f"{SECRET}-{slug}"
            )
        running.environment["BODY_TIMEOUT"] = str(BODY_TIMEOUT)
        running.start("web")
        yield running
        running.stop()
        empty_tables()


@pytest.fixture
def client(product: Product) -> Iterator[httpx2.Client]:
    """Return an HTTP client for the web process."""
    with httpx2.Client(base_url=product.url, timeout=15) as http_client:
        yield http_client


def event(number: int) -> bytes:
    data = {"order": {"number": f"SO-{number}"}}
    return orjson.dumps(
        cloudevent("order.received", data, event_id=f"e{number}", at="2026-03-02T10:00:00Z")
    )


def post(client: httpx2.Client, body: bytes, slug: str = "generic", **more: str) -> httpx2.Response:
    headers = {**authorized_headers(f"{SECRET}-{slug}"), **more}
    return client.post(f"/hooks/{slug}", content=body, headers=headers)


def test_authenticated_message_is_stored_before_the_response(client: httpx2.Client) -> None:
    response = post(client, event(1))
    assert (response.status_code, response.json()["status"]) == (202, "accepted")
    stored = InboundMessage.objects.get(pk=int(response.json()["message_id"]))
    assert bytes(stored.body) == event(1)
    assert "authorization" not in stored.headers


def test_xero_gets_empty_answers_to_its_intent_to_receive(client: httpx2.Client) -> None:
    """200 if the signature is right and 401 if it is wrong, both without a body or a cookie."""
    body = b'{"events": [], "firstEventSequence": 0, "lastEventSequence": 0, "entropy": "QWE"}'
    digest = hmac.new(f"{SECRET}-books".encode(), body, "sha256").digest()
    for signature, status in ((base64.b64encode(digest), 200), (b"d3Jvbmc=", 401), (b"", 401)):
        headers = {"x-xero-signature": signature.decode(), "content-type": "application/json"}
        response = client.post("/hooks/books", content=body, headers=headers)
        assert (response.status_code, response.content) == (status, b"")
        assert "set-cookie" not in response.headers
    assert InboundMessage.objects.filter(source__slug="books").count() == 1


def test_salesforce_gets_the_acknowledgment_of_its_outbound_message(
    client: httpx2.Client,
) -> None:
    """Without `<Ack>true</Ack>` Salesforce sends the message for a day. It has a session in it."""
    sample = Path(__file__).parents[3] / "connectors/systems/salesforce/samples"
    message = json.loads((sample / "outbound_message.json").read_text())["body"]
    body = message.replace("(masked)", "00D!AQ.a-session-of-the-api").encode()
    headers = {"content-type": "text/xml; charset=utf-8", "soapaction": '""'}
    wrong = client.post("/hooks/crm?token=wrong", content=body, headers=headers)
    assert wrong.status_code == 401
    response = client.post(f"/hooks/crm?token={SECRET}-crm", content=body, headers=headers)
    assert (response.status_code, response.headers["content-type"][:8]) == (200, "text/xml")
    assert b"<Ack>true</Ack>" in response.content
    stored = InboundMessage.objects.get(source__slug="crm")
    assert b"<SessionId>(masked)</SessionId>" in bytes(stored.body)


def test_identical_message_is_a_duplicate(client: httpx2.Client) -> None:
    first, second = post(client, event(2)), post(client, event(2))
    assert second.json() == {"message_id": first.json()["message_id"], "status": "duplicate"}


@pytest.mark.parametrize("body", [b"", b"{", b"[1, 2", b"\xff\xfe", b'{"a": NaN}', b"null"])
def test_unreadable_message_is_stored(client: httpx2.Client, body: bytes) -> None:
    response = post(client, body)
    assert response.status_code == 202
    stored = InboundMessage.objects.get(pk=int(response.json()["message_id"]))
    assert bytes(stored.body) == body


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer wrong", f"Bearer {SECRET}-other", "Bearer \xe9\xe9", "Basic abc", "Bearer"],
)
def test_wrong_signature_always_gets_the_same_response(
    client: httpx2.Client, authorization: str
) -> None:
    headers = {b"authorization": authorization.encode("latin-1")}
    response = client.post("/hooks/generic", content=event(3), headers=headers)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"] == "the signature is invalid"


def test_unknown_source_gets_404(client: httpx2.Client) -> None:
    assert client.post("/hooks/nobody", content=b"{}").status_code == 404


def test_other_method_gets_405_with_the_allowed_method(client: httpx2.Client) -> None:
    response = client.put("/hooks/generic", content=b"{}")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


def test_two_megabytes_are_too_large(client: httpx2.Client) -> None:
    assert post(client, b"x" * 2_000_000).status_code == 413


def test_two_megabytes_in_chunks_are_too_large(client: httpx2.Client) -> None:
    pieces = (b"x" * 100_000 for _ in range(20))
    headers = authorized_headers(f"{SECRET}-generic")
    assert client.post("/hooks/generic", content=pieces, headers=headers).status_code == 413


def test_chunked_body_is_stored_completely(client: httpx2.Client) -> None:
    body = event(4)
    pieces = (body[i : i + 7] for i in range(0, len(body), 7))
    headers = authorized_headers(f"{SECRET}-generic")
    response = client.post("/hooks/generic", content=pieces, headers=headers)
    stored = InboundMessage.objects.get(pk=int(response.json()["message_id"]))
    assert bytes(stored.body) == body


def test_gzip_body_is_stored_as_received(client: httpx2.Client) -> None:
    packed = gzip.compress(event(5))
    response = post(client, packed, **{"content-encoding": "gzip"})
    stored = InboundMessage.objects.get(pk=int(response.json()["message_id"]))
    assert (bytes(stored.body), stored.headers["content-encoding"]) == (packed, "gzip")


def test_gzip_bomb_is_rejected(client: httpx2.Client) -> None:
    bomb = gzip.compress(b"0" * 60_000_000)
    assert post(client, bomb, **{"content-encoding": "gzip"}).status_code == 413


def test_unsupported_content_encoding_is_rejected(client: httpx2.Client) -> None:
    response = post(client, event(6), **{"content-encoding": "br"})
    assert (response.status_code, response.headers["accept-encoding"]) == (415, "gzip, identity")


def test_too_large_header_block_is_rejected(client: httpx2.Client) -> None:
    many = {f"x-filler-{n}": "y" * 300 for n in range(120)}
    assert post(client, event(7), **many).status_code in {400, 431}


SLOW_BODY_HEAD = b"POST /hooks/generic HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n"
COMPLETE_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def send_slowly(port: int, first: bytes, repeated: bytes) -> tuple[bytes, float]:
    """Send `first`, then `drop` repeatedly. Return the response bytes and the duration in seconds.

    Sending stops before the response is due: data sent to a closed connection resets it, and a
    reset discards a response that was not read yet.
    """
    response, started = b"", time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=1) as client_socket:
        client_socket.sendall(first)
        while time.monotonic() - started < 3 * BODY_TIMEOUT:
            with suppress(TimeoutError):
                try:
                    more = client_socket.recv(4000)
                except ConnectionError:
                    more = b""
                if not more:
                    break
                response += more
            if time.monotonic() - started < SENDING_SECONDS:
                client_socket.sendall(repeated)
    return response, time.monotonic() - started


def test_slow_client_is_disconnected_after_the_timeout(product: Product) -> None:
    """Check no data, a slow head, a slow second head on the same connection, and a slow body."""
    cases = (
        (b"", b""),
        (b"GET / HTTP/1.1\r\nX: ", b"x"),
        (COMPLETE_REQUEST + b"G", b""),
        (SLOW_BODY_HEAD, b"{"),
    )
    with ThreadPoolExecutor(len(cases)) as pool:
        results = list(pool.map(lambda case: send_slowly(product.port, *case), cases))
    assert max(seconds for _, seconds in results) < BODY_TIMEOUT + SENDING_SECONDS
    # A connection that already got a response is closed without another one.
    assert [b" 408 " in response for response, _ in results] == [True, True, False, True]


def test_rejected_requests_are_counted_by_status(client: httpx2.Client) -> None:
    client.post("/hooks/generic", content=event(8))
    time.sleep(2.2)
    post(client, event(9))
    time.sleep(0.3)
    assert RejectedRequestCount.objects.filter(slug="generic", status=401).exists()


def test_old_and_new_secret_are_valid_after_rotation(
    client: httpx2.Client, product: Product
) -> None:
    fresh = product.manage("source", "rotate", "other").split()[1]
    time.sleep(2.2)
    assert post(client, event(10), slug="other").status_code == 202
    headers = authorized_headers(fresh)
    assert client.post("/hooks/other", content=event(11), headers=headers).status_code == 202


@pytest.mark.parametrize(
    "connector",
    [
        "shopify",
        "x12",
        "business_central",
        "shiphero",
        "easypost",
        "cloudevents",
        "standard_webhooks",
        "woocommerce",
        "odoo",
    ],
)
def test_curl_command_printed_by_source_add_works(
    client: httpx2.Client, product: Product, connector: str
) -> None:
    slug = connector.replace("_", "-")
    printed = product.manage("source", "add", f"new-{slug}", "--connector", connector)
    # The body of an example may have several lines.
    arguments = shlex.split(printed[printed.index("curl ") :])
    assert arguments[0] == "curl"
    pairs = [arguments[index + 1] for index, argument in enumerate(arguments) if argument == "-H"]
    headers = dict(pair.split(": ", 1) for pair in pairs)
    body = arguments[arguments.index("--data-binary") + 1].encode()
    time.sleep(2.2)  # the intake refreshes its cache of sources every two seconds
    response = client.post(arguments[-1], content=body, headers=headers)
    assert response.status_code in {200, 202}, response.text
    stored = InboundMessage.objects.get(source__slug=f"new-{slug}")
    assert bytes(stored.body) == body


class TestEvents:
    """POST /api/v1/events reports errors to the caller."""

    def headers(self, media: str) -> dict[str, str]:
        return {"authorization": f"Bearer {SECRET}-generic", "content-type": media}

    def test_single_event(self, client: httpx2.Client) -> None:
        headers = self.headers("application/cloudevents+json")
        response = client.post("/api/v1/events", content=event(20), headers=headers)
        assert (response.status_code, response.json()["status"]) == (202, "accepted")

    def test_each_event_of_a_batch_has_a_result(self, client: httpx2.Client) -> None:
        good, bad = orjson.loads(event(21)), {"specversion": "1.0", "id": "x"}
        headers = self.headers("application/cloudevents-batch+json")
        response = client.post("/api/v1/events", content=orjson.dumps([good, bad]), headers=headers)
        assert response.status_code == 207
        results = response.json()["results"]
        assert results[0]["status"] == "accepted"
        assert results[1]["status"] == 422
        assert results[1]["detail"]

    def test_ndjson_is_a_batch(self, client: httpx2.Client) -> None:
        headers = self.headers("application/x-ndjson")
        body = b"\n".join([event(22), event(23), event(22)])
        response = client.post("/api/v1/events", content=body, headers=headers)
        statuses = sorted(r["status"] for r in response.json()["results"])
        assert statuses == ["accepted", "accepted", "duplicate"]

    def test_same_id_with_different_body_is_a_conflict_and_is_stored(
        self, client: httpx2.Client
    ) -> None:
        headers = self.headers("application/cloudevents+json")
        client.post("/api/v1/events", content=event(24), headers=headers)
        other = event(24).replace(b"SO-24", b"SO-99")
        response = client.post("/api/v1/events", content=other, headers=headers)
        assert response.status_code == 409
        assert MessageKey.objects.filter(dedupe_key="/test e24").count() == 2

    def test_syntax_error_is_400_and_missing_token_is_401(self, client: httpx2.Client) -> None:
        headers = self.headers("application/cloudevents+json")
        assert client.post("/api/v1/events", content=b"{", headers=headers).status_code == 400
        assert client.post("/api/v1/events", content=event(25)).status_code == 401

    def test_unknown_media_type_is_415(self, client: httpx2.Client) -> None:
        headers = self.headers("text/csv")
        assert client.post("/api/v1/events", content=b"a", headers=headers).status_code == 415

    def test_rejections_are_counted_for_the_source_of_the_token(
        self, client: httpx2.Client
    ) -> None:
        client.post("/api/v1/events", content=b"a", headers=self.headers("text/plain"))
        client.post("/api/v1/events", content=event(26))
        time.sleep(2.2)
        client.post("/api/v1/events", content=b"a", headers=self.headers("text/plain"))
        time.sleep(0.3)
        counted = set(RejectedRequestCount.objects.values_list("slug", "status"))
        assert {("generic", 415), ("", 401)} <= counted
