"""What a sender is told: the answers of the hook, over real HTTP."""

import gzip
import shlex
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx2
import orjson
import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.product import Product, empty_tables, signed
from visibility.models import InboundMessage, MessageKey, Refusal

pytestmark = pytest.mark.django_db
# How long a request may take to be there; who drips does so for nearly as long.
PATIENCE, DRIPPING = 8, 7
SECRET = "a-secret-of-at-least-24-bytes"


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Product]:
    """The web process with two sources."""
    with django_db_blocker.unblock():
        running = Product(tmp_path_factory.mktemp("hooks"))
        for slug, connector in (("generic", "cloudevents"), ("other", "cloudevents")):
            running.manage(
                "source", "add", slug, "--connector", connector, "--secret", f"{SECRET}-{slug}"
            )
        running.environment["BODY_TIMEOUT"] = str(PATIENCE)
        running.start("web")
        yield running
        running.stop()
        empty_tables()


@pytest.fixture
def client(product: Product) -> Iterator[httpx2.Client]:
    """A client of the hook."""
    with httpx2.Client(base_url=product.url, timeout=15) as made:
        yield made


def event(number: int) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"e{number}",
            "source": "/test",
            "type": "order.received",
            "time": "2026-03-02T10:00:00Z",
            "data": {"order": {"number": f"SO-{number}"}},
        }
    )


def post(client: httpx2.Client, body: bytes, slug: str = "generic", **more: str) -> httpx2.Response:
    headers = {**signed(f"{SECRET}-{slug}", body), **more}
    return client.post(f"/hooks/{slug}", content=body, headers=headers)


def test_an_authentic_message_is_kept_before_the_answer(client: httpx2.Client) -> None:
    answer = post(client, event(1))
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    kept = InboundMessage.objects.get(pk=int(answer.json()["message_id"]))
    assert bytes(kept.body) == event(1)
    assert "authorization" not in kept.headers


def test_the_same_again_is_a_duplicate_of_the_first(client: httpx2.Client) -> None:
    first, second = post(client, event(2)), post(client, event(2))
    assert second.json() == {"message_id": first.json()["message_id"], "status": "duplicate"}


@pytest.mark.parametrize("body", [b"", b"{", b"[1, 2", b"\xff\xfe", b'{"a": NaN}', b"null"])
def test_what_cannot_be_read_is_kept_all_the_same(client: httpx2.Client, body: bytes) -> None:
    answer = post(client, body)
    assert answer.status_code == 202
    kept = InboundMessage.objects.get(pk=int(answer.json()["message_id"]))
    assert bytes(kept.body) == body


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer wrong", f"Bearer {SECRET}-other", "Bearer \xe9\xe9", "Basic abc", "Bearer"],
)
def test_a_wrong_signature_is_told_in_one_wording(
    client: httpx2.Client, authorization: str
) -> None:
    headers = {b"authorization": authorization.encode("latin-1")}
    answer = client.post("/hooks/generic", content=event(3), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "the signature does not fit"


def test_an_unknown_source_is_not_found(client: httpx2.Client) -> None:
    assert client.post("/hooks/nobody", content=b"{}").status_code == 404


def test_another_method_is_told_which_one_is_allowed(client: httpx2.Client) -> None:
    answer = client.put("/hooks/generic", content=b"{}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_two_megabytes_are_too_large(client: httpx2.Client) -> None:
    assert post(client, b"x" * 2_000_000).status_code == 413


def test_two_megabytes_in_chunks_are_too_large(client: httpx2.Client) -> None:
    pieces = (b"x" * 100_000 for _ in range(20))
    headers = signed(f"{SECRET}-generic", b"")
    assert client.post("/hooks/generic", content=pieces, headers=headers).status_code == 413


def test_a_chunked_body_is_kept_whole(client: httpx2.Client) -> None:
    whole = event(4)
    pieces = (whole[i : i + 7] for i in range(0, len(whole), 7))
    headers = signed(f"{SECRET}-generic", whole)
    answer = client.post("/hooks/generic", content=pieces, headers=headers)
    kept = InboundMessage.objects.get(pk=int(answer.json()["message_id"]))
    assert bytes(kept.body) == whole


def test_gzip_is_kept_as_it_came(client: httpx2.Client) -> None:
    packed = gzip.compress(event(5))
    answer = post(client, packed, **{"content-encoding": "gzip"})
    kept = InboundMessage.objects.get(pk=int(answer.json()["message_id"]))
    assert (bytes(kept.body), kept.headers["content-encoding"]) == (packed, "gzip")


def test_a_gzip_bomb_is_refused(client: httpx2.Client) -> None:
    bomb = gzip.compress(b"0" * 60_000_000)
    assert post(client, bomb, **{"content-encoding": "gzip"}).status_code == 413


def test_a_coding_we_do_not_inflate_is_told(client: httpx2.Client) -> None:
    answer = post(client, event(6), **{"content-encoding": "br"})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip, identity")


def test_a_header_block_too_large_is_refused(client: httpx2.Client) -> None:
    many = {f"x-filler-{n}": "y" * 300 for n in range(120)}
    assert post(client, event(7), **many).status_code in {400, 431}


HEAD = b"POST /hooks/generic HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n"
ANOTHER = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def drip(port: int, first: bytes, drop: bytes) -> tuple[bytes, float]:
    """Say something, then one byte and again; all that was answered, and when it was over.

    It falls silent before the answer is due: what is said to a closed connection resets it, and a
    reset takes an answer that was not read yet with it.
    """
    said, started = b"", time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=1) as wire:
        wire.sendall(first)
        while time.monotonic() - started < 3 * PATIENCE:
            with suppress(TimeoutError):
                try:
                    more = wire.recv(4000)
                except ConnectionError:
                    more = b""
                if not more:
                    break
                said += more
            if time.monotonic() - started < DRIPPING:
                wire.sendall(drop)
    return said, time.monotonic() - started


def test_who_drips_a_head_or_a_body_is_not_waited_for(product: Product) -> None:
    """Nothing at all, a head, a second head on the same connection, a body."""
    begun = ((b"", b""), (b"GET / HTTP/1.1\r\nX: ", b"x"), (ANOTHER + b"G", b""), (HEAD, b"{"))
    with ThreadPoolExecutor(len(begun)) as pool:
        found = list(pool.map(lambda one: drip(product.port, *one), begun))
    assert max(seconds for _, seconds in found) < PATIENCE + DRIPPING
    # A connection that had its answer is closed without another.
    assert [b" 408 " in said for said, _ in found] == [True, True, False, True]


def test_refusals_are_counted_by_reason(client: httpx2.Client) -> None:
    client.post("/hooks/generic", content=event(8))
    time.sleep(2.2)
    post(client, event(9))
    time.sleep(0.3)
    assert Refusal.objects.filter(slug="generic", status=401).exists()


def test_a_rotated_secret_overlaps(client: httpx2.Client, product: Product) -> None:
    fresh = product.manage("source", "rotate", "other").split()[1]
    time.sleep(2.2)
    assert post(client, event(10), slug="other").status_code == 202
    headers = {**signed(fresh, b""), "content-type": "application/cloudevents+json"}
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
    ],
)
def test_the_curl_line_that_adding_a_source_prints_works(
    client: httpx2.Client, product: Product, connector: str
) -> None:
    slug = connector.replace("_", "-")
    printed = product.manage("source", "add", f"new-{slug}", "--connector", connector)
    words = shlex.split(printed.splitlines()[-1])
    assert words[0] == "curl"
    pairs = [words[at + 1] for at, word in enumerate(words) if word == "-H"]
    headers = dict(pair.split(": ", 1) for pair in pairs)
    body = words[words.index("--data-binary") + 1].encode()
    time.sleep(2.2)  # the intake reads its sources every two seconds
    answer = client.post(words[-1], content=body, headers=headers)
    assert answer.status_code in {200, 202}, answer.text
    kept = InboundMessage.objects.get(source__slug=f"new-{slug}")
    assert bytes(kept.body) == body


class TestEvents:
    """POST /api/v1/events tells its caller what is wrong."""

    def headers(self, media: str) -> dict[str, str]:
        return {"authorization": f"Bearer {SECRET}-generic", "content-type": media}

    def test_one_event(self, client: httpx2.Client) -> None:
        headers = self.headers("application/cloudevents+json")
        answer = client.post("/api/v1/events", content=event(20), headers=headers)
        assert (answer.status_code, answer.json()["status"]) == (202, "accepted")

    def test_each_event_of_a_batch_has_its_own_result(self, client: httpx2.Client) -> None:
        good, bad = orjson.loads(event(21)), {"specversion": "1.0", "id": "x"}
        headers = self.headers("application/cloudevents-batch+json")
        answer = client.post("/api/v1/events", content=orjson.dumps([good, bad]), headers=headers)
        assert answer.status_code == 207
        results = answer.json()["results"]
        assert results[0]["status"] == "accepted"
        assert results[1]["status"] == 422
        assert results[1]["detail"]

    def test_lines_of_json_are_a_batch(self, client: httpx2.Client) -> None:
        headers = self.headers("application/x-ndjson")
        body = b"\n".join([event(22), event(23), event(22)])
        answer = client.post("/api/v1/events", content=body, headers=headers)
        said = sorted(r["status"] for r in answer.json()["results"])
        assert said == ["accepted", "accepted", "duplicate"]

    def test_a_used_id_with_another_body_is_a_conflict_and_kept(
        self, client: httpx2.Client
    ) -> None:
        headers = self.headers("application/cloudevents+json")
        client.post("/api/v1/events", content=event(24), headers=headers)
        other = event(24).replace(b"SO-24", b"SO-99")
        answer = client.post("/api/v1/events", content=other, headers=headers)
        assert answer.status_code == 409
        assert MessageKey.objects.filter(dedupe_key="/test e24").count() == 2

    def test_syntax_is_400_and_no_token_401(self, client: httpx2.Client) -> None:
        headers = self.headers("application/cloudevents+json")
        assert client.post("/api/v1/events", content=b"{", headers=headers).status_code == 400
        assert client.post("/api/v1/events", content=event(25)).status_code == 401

    def test_an_unknown_media_type_is_415(self, client: httpx2.Client) -> None:
        headers = self.headers("text/csv")
        assert client.post("/api/v1/events", content=b"a", headers=headers).status_code == 415
