"""Invalid requests and signatures: cases B20-B32.

The tests of the intake cover the gzip bomb (B20), `br` (B21), a body that never arrives (B23),
120 headers (B25), a wrong bearer token (B26), a duplicate (B28) and a rotated secret (B30). The
tests of the source setup cover short secrets (B32); those of the connectors cover comparisons in
constant time (B33).
"""

import gzip
import socket
import time
from collections.abc import Mapping
from datetime import datetime, timedelta

import httpx2
import pytest
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from connectors.catalog import connectors_by_slug
from connectors.sdk.payload import ParkReason
from connectors.sdk.standard_webhooks import build_signature_headers
from tests.processes.hostile.cases import rejected
from tests.processes.hostile.harness import (
    SECRET,
    HostileCase,
    HostileRun,
    HostileSource,
    order_of,
)
from visibility.db.database_time import database_now
from visibility.ingest.source_secrets import SourceSecret, encrypt_secrets
from visibility.models import InboundMessage, MessageKey
from visibility.models.sources_and_messages import Source as SourceRow
from visibility.operations.invariants import check_messages_have_outcome_and_key

pytestmark = pytest.mark.django_db
SOURCES = (
    HostileSource("json", "cloudevents"),
    HostileSource("shop", "shopify"),
    HostileSource("edi", "x12"),
    HostileSource("carrier", "easypost"),
    HostileSource("hooks", "standard_webhooks"),
)
BODY = order_of("REQ-1")
SHOP = (
    b'{"id": 77, "name": "#77", "created_at": "2026-03-02T10:00:00Z", "financial_status": "paid"}'
)
EDI = b"ST*850*0001~BEG*00*SA*4711**20260304~SE*3*0001~"
TRACKER = b'{"object": "Event", "id": "evt_9", "description": "batch.created"}'
OTHER = "another-secret-of-24-bytes-or-more"


def hmac_of(connector: str, body: bytes, secret: str = SECRET) -> str:
    """The vendor's signature of this body."""
    headers = connectors_by_slug()[connector]({}).build_signed_headers(
        body,
        secret.encode(),
        datetime(2026, 3, 2),  # noqa: DTZ001
    )
    return next(text for name, text in headers.items() if "hmac" in name or "signature" in name)


def signed_headers(shift: timedelta) -> Mapping[str, str]:
    return build_signature_headers(BODY, SECRET.encode(), database_now() + shift, "msg_1")


FLIPPED = SHOP.replace(b"#77", b"#78")
CASES = [
    rejected("B20 gzip bomb", 413, gzip.compress(b"0" * 30_000_000) * 2, content_encoding="gzip"),
    rejected("B21 zstd", 415, BODY, content_encoding="zstd"),
    rejected("B21 unknown content encoding", 415, BODY, content_encoding="x-unknown"),
    rejected("B21 gzip twice", 415, BODY, content_encoding="gzip, gzip"),
    rejected("B26 no signature", 401, SHOP, source="shop", x_shopify_hmac_sha256=None),
    rejected("B26 empty signature", 401, SHOP, source="shop", x_shopify_hmac_sha256=""),
    rejected("B26 wrong secret", 401, SHOP, source="shop",
            x_shopify_hmac_sha256=hmac_of("shopify", SHOP, OTHER)),
    rejected("B26 changed body", 401, FLIPPED, source="shop",
            x_shopify_hmac_sha256=hmac_of("shopify", SHOP)),
    rejected("B26 truncated signature", 401, SHOP, source="shop",
            x_shopify_hmac_sha256=hmac_of("shopify", SHOP)[:20]),
    rejected("B26 invalid base64", 401, SHOP, source="shop", x_shopify_hmac_sha256="*" * 44),
    rejected("B26 EDI file without signature", 401, EDI, source="edi",
            x_throughline_signature=None),
    rejected("B31 sha1", 401, EDI, source="edi", x_throughline_signature="sha1=" + "0" * 40),
    rejected("B31 md5", 401, EDI, source="edi", x_throughline_signature="md5=" + "0" * 32),
    rejected("B31 none", 401, EDI, source="edi", x_throughline_signature="none"),
    rejected("B31 name of another algorithm", 401, TRACKER, source="carrier",
            x_hmac_signature=hmac_of("easypost", TRACKER).replace("sha256", "md5")),
    rejected("B31 unknown version", 401, BODY, source="hooks", webhook_signature="v9,AAAA"),
    rejected("B31 no version", 401, BODY, source="hooks", webhook_signature="none,"),
    rejected("B24 invalid timestamp", 400, BODY, source="hooks", webhook_timestamp="yesterday"),
    rejected("B24 milliseconds instead of seconds", 400, BODY, source="hooks",
            webhook_timestamp="1772445600000"),
    rejected("B24 ID with a dot", 400, BODY, source="hooks", webhook_id="msg.1"),
    rejected("B24 ID with a blank", 400, BODY, source="hooks", webhook_id="msg 1"),
    HostileCase("B24 line break in an ID", order_of("LF-1", id="a\r\nlevel=error forged")),
    HostileCase("B58 event ID of 10,000 characters", order_of("LONG-1", id="x" * 10_000)),
    HostileCase("B58 event ID with another end", order_of("LONG-2", id="x" * 9_999 + "y")),
    HostileCase("B58 number of 10,000 characters", order_of("9" * 10_000), ParkReason.IDENTIFIER),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_gets_expected_response_and_reason(sent: HostileRun, case: HostileCase) -> None:
    sent.check(case)


def test_valid_messages_and_processes_are_unaffected(sent: HostileRun) -> None:
    sent.check_others()


def test_line_break_in_an_id_does_not_forge_a_log_line(sent: HostileRun) -> None:
    logs = sent.product.log("web") + sent.product.log("worker")
    assert "level=error forged" not in logs


def test_ids_that_differ_after_500_characters_are_distinct(sent: HostileRun) -> None:
    keys = MessageKey.objects.filter(dedupe_key__startswith="/hostile xxx")
    assert keys.count() == 2
    assert len(set(keys.values_list("dedupe_key", flat=True))) == 2


def send_raw(sent: HostileRun, *chunks: bytes, wait: float = 10) -> bytes:
    """Send raw bytes and return the first line of the response."""
    with socket.create_connection(("127.0.0.1", sent.product.port), timeout=wait) as wire:
        try:
            for chunk in chunks:
                wire.sendall(chunk)
        except ConnectionError:
            pass  # the server responds before it has read everything
        return wire.recv(4096).split(b"\r\n")[0]


HEAD = b"POST /hooks/json HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "header",
    [b"X-A: one\0two\r\n", b"X-A: one\x01\r\n", b"X-A\r\n", b": nameless\r\n", b"X A: b\r\n"],
)
def test_invalid_header_is_a_bad_request(sent: HostileRun, header: bytes) -> None:
    first = send_raw(sent, HEAD + header + b"Content-Length: 2\r\n\r\n{}")
    assert first.split()[1] in {b"400", b"401"}


def test_bare_carriage_return_in_a_header_is_a_bad_request(sent: HostileRun) -> None:
    first = send_raw(sent, HEAD + b"X-A: one\rtwo\r\nContent-Length: 2\r\n\r\n{}")
    assert first.split()[1] == b"400"


@pytest.mark.parametrize(
    "headers",
    [b"".join(b"X-%d: y\r\n" % n for n in range(10_000)), b"X-A: " + b"y" * 1_000_000 + b"\r\n"],
    ids=["10,000 headers", "header of 1 MB"],
)
def test_excessive_headers_are_rejected(sent: HostileRun, headers: bytes) -> None:
    first = send_raw(sent, HEAD + headers + b"Content-Length: 2\r\n\r\n{}")
    assert first.split()[1] in {b"400", b"431"}


@pytest.mark.parametrize(
    "header",
    [b"X-Shopify-Hmac-Sha256: a", b"Webhook-Id: a", b"webhook-timestamp: 1", b"Authorization: x"],
)
def test_repeated_header_that_identifies_the_sender_is_a_bad_request(
    sent: HostileRun, header: bytes
) -> None:
    repeated = header + b"\r\n" + header.lower() + b"\r\n"
    first = send_raw(sent, HEAD + repeated + b"Content-Length: 2\r\n\r\n{}")
    assert first.split()[1] == b"400"


@pytest.mark.parametrize("path", [b"/hooks/json", b"/api/v1/orders", b"/signin"])
@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 2\r\nContent-Length: 2\r\n",
        b"Content-Length: 2\r\nContent-Length: 9\r\n",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_contradicting_body_lengths_are_a_bad_request(
    sent: HostileRun, path: bytes, framing: bytes
) -> None:
    request = b"POST " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + framing + b"\r\n{}"
    assert send_raw(sent, request).split()[1] == b"400"


def test_50_megabyte_body_is_rejected_before_it_is_sent(sent: HostileRun) -> None:
    started = time.monotonic()
    first = send_raw(sent, HEAD + b"Content-Length: 50000000\r\n\r\n")
    assert first.split()[1] == b"413"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("shift", [timedelta(minutes=10), timedelta(minutes=-10)])
def test_signature_that_is_ten_minutes_off_is_rejected(sent: HostileRun, shift: timedelta) -> None:
    response = sent.client.post("/hooks/hooks", content=BODY, headers=signed_headers(shift))
    assert response.status_code == 401


def test_ninth_signature_of_a_header_is_not_tried(sent: HostileRun) -> None:
    headers = dict(build_signature_headers(BODY, SECRET.encode(), database_now(), "msg_many"))
    valid = headers["webhook-signature"]
    headers["webhook-signature"] = "v1,AAAA " * 8 + valid
    assert sent.client.post("/hooks/hooks", content=BODY, headers=headers).status_code == 401
    headers["webhook-signature"] = "v1,AAAA " * 7 + valid
    assert sent.client.post("/hooks/hooks", content=BODY, headers=headers).status_code == 202


def test_replayed_request_within_the_tolerance_is_a_duplicate(sent: HostileRun) -> None:
    headers = signed_headers(timedelta())
    first, second = (
        sent.client.post("/hooks/hooks", content=BODY, headers=headers) for _ in range(2)
    )
    assert first.status_code == 202
    assert second.json() == {"message_id": first.json()["message_id"], "status": "duplicate"}


def test_second_signature_is_accepted(sent: HostileRun) -> None:
    headers = dict(build_signature_headers(BODY, SECRET.encode(), database_now(), "msg_two"))
    headers["webhook-signature"] = f"v1,AAAA {headers['webhook-signature']}"
    assert sent.client.post("/hooks/hooks", content=BODY, headers=headers).status_code == 202


@pytest.fixture(scope="module")
def aged(sent: HostileRun, django_db_blocker: DjangoDbBlocker) -> Mapping[str, httpx2.Response]:
    """Responses after retention removed a message, and after a secret was replaced."""
    shop = HostileCase("replay", SHOP.replace(b"77", b"7700"), source="shop")
    tracker = HostileCase("old secret", TRACKER, source="carrier")
    new = {"x-hmac-signature": hmac_of("easypost", TRACKER, OTHER)}
    with django_db_blocker.unblock():
        responses = {"shop": sent.post(shop), "old secret before": sent.post(tracker)}
        sent.wait_until_processed()
        with connection.cursor() as cursor:
            removed = responses["shop"].json()["message_id"]
            cursor.execute("DELETE FROM visibility_inbound_message WHERE id = %s", [removed])
        ended = database_now() - timedelta(minutes=1)
        sealed = encrypt_secrets([SourceSecret(OTHER), SourceSecret(SECRET, ended)])
        SourceRow.objects.filter(slug="carrier").update(sealed_secrets=sealed)
        time.sleep(2.2)  # the intake reloads its sources every two seconds
        return {
            **responses,
            "shop again": sent.post(shop),
            "old secret after": sent.post(tracker),
            "new secret": sent.client.post("/hooks/carrier", content=TRACKER, headers=new),
        }


def test_replay_of_a_removed_message_is_still_a_duplicate(
    aged: Mapping[str, httpx2.Response],
) -> None:
    message_id = aged["shop"].json()["message_id"]
    assert aged["shop again"].json() == {"message_id": message_id, "status": "duplicate"}
    assert not InboundMessage.objects.filter(pk=message_id).exists()
    assert check_messages_have_outcome_and_key() == []


def test_expired_secret_is_rejected(
    aged: Mapping[str, httpx2.Response],
) -> None:
    assert aged["old secret before"].status_code == 202
    assert aged["old secret after"].status_code == 401
    assert aged["new secret"].status_code == 202
