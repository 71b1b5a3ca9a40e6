"""Requests that are not what they claim: B20-B32 of the bad-input list.

In tests/intake/test_hook_answers.py: the gzip bomb (B20), `br` (B21), 120 headers (B25), a body
that never comes (B23), a wrong bearer token (B26), a repeat (B28), a rotated secret (B30). In
tests/receive/test_connecting.py: short secrets (B32). In tests/connectors/test_signing.py: every
comparison is of whole digests in constant time (B33).
"""

import gzip
import socket
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import httpx2
import pytest
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from connectors.catalog import systems
from connectors.sdk.payload import Reason
from connectors.sdk.standard_webhooks import sign
from tests.nasty.sending import SECRET, Bench, Case, Source, bench, order_of
from visibility.db.clock import database_now
from visibility.ingest.source_secrets import Secret, seal
from visibility.models import InboundMessage, MessageKey
from visibility.models.intake import Source as SourceRow
from visibility.operations.invariants import one_fate

pytestmark = pytest.mark.django_db
BODY = order_of("REQ-1")
SHOP = (
    b'{"id": 77, "name": "#77", "created_at": "2026-03-02T10:00:00Z", "financial_status": "paid"}'
)
EDI = b"ST*850*0001~BEG*00*SA*4711**20260304~SE*3*0001~"
PARCEL = b'{"object": "Event", "id": "evt_9", "description": "batch.created"}'
OTHER = "another-secret-of-24-bytes-or-more"


def refused(name: str, status: int, source: str, body: bytes, **headers: str | None) -> Case:
    named = {key.replace("_", "-"): text for key, text in headers.items()}
    return Case(name, body, source=source, status=status, headers=named)


def hmac_of(connector: str, body: bytes, secret: str = SECRET) -> str:
    """The signature that the connector's vendor puts on this body."""
    made = systems()[connector]({}).sign(body, secret.encode(), datetime(2026, 3, 2))  # noqa: DTZ001
    return next(text for name, text in made.items() if "hmac" in name or "signature" in name)


def stamped(shift: timedelta) -> Mapping[str, str]:
    return sign(BODY, SECRET.encode(), database_now() + shift, "msg_1")


FLIPPED = SHOP.replace(b"#77", b"#78")
CASES = [
    refused("B20 a bomb of a thousand members", 413, "json",
            gzip.compress(b"0" * 30_000_000) * 2, content_encoding="gzip"),
    refused("B21 zstd", 415, "json", BODY, content_encoding="zstd"),
    refused("B21 a coding nobody knows", 415, "json", BODY, content_encoding="x-unknown"),
    refused("B21 gzip twice", 415, "json", BODY, content_encoding="gzip, gzip"),
    refused("B26 no signature", 401, "shop", SHOP, x_shopify_hmac_sha256=None),
    refused("B26 an empty signature", 401, "shop", SHOP, x_shopify_hmac_sha256=""),
    refused("B26 a wrong secret", 401, "shop", SHOP,
            x_shopify_hmac_sha256=hmac_of("shopify", SHOP, OTHER)),
    refused("B26 one bit of the body", 401, "shop", FLIPPED,
            x_shopify_hmac_sha256=hmac_of("shopify", SHOP)),
    refused("B26 a signature cut short", 401, "shop", SHOP,
            x_shopify_hmac_sha256=hmac_of("shopify", SHOP)[:20]),
    refused("B26 no base64", 401, "shop", SHOP, x_shopify_hmac_sha256="*" * 44),
    refused("B26 an EDI file without a signature", 401, "edi", EDI, x_throughline_signature=None),
    refused("B31 sha1", 401, "edi", EDI, x_throughline_signature="sha1=" + "0" * 40),
    refused("B31 md5", 401, "edi", EDI, x_throughline_signature="md5=" + "0" * 32),
    refused("B31 none", 401, "edi", EDI, x_throughline_signature="none"),
    refused("B31 another algorithm's name", 401, "parcels", PARCEL,
            x_hmac_signature=hmac_of("easypost", PARCEL).replace("sha256", "md5")),
    refused("B31 a version nobody knows", 401, "hooks", BODY, webhook_signature="v9,AAAA"),
    refused("B31 no version", 401, "hooks", BODY, webhook_signature="none,"),
    refused("B24 a timestamp that is none", 400, "hooks", BODY, webhook_timestamp="yesterday"),
    refused("B24 milliseconds for seconds", 400, "hooks", BODY, webhook_timestamp="1772445600000"),
    refused("B24 an id of two words", 400, "hooks", BODY, webhook_id="msg 1"),
    Case("B24 a line end inside an id", order_of("LF-1", id="a\r\nlevel=error forged")),
    Case("B58 an event's id of 10 000 characters", order_of("LONG-1", id="x" * 10_000)),
    Case("B58 its twin, differing at the end", order_of("LONG-2", id="x" * 9_999 + "y")),
    Case("B58 a number of 10 000 characters", order_of("9" * 10_000), Reason.IDENTIFIER),
]  # fmt: skip


@pytest.fixture(scope="module")
def sent(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Bench]:
    """Every case, sent."""
    folder = tmp_path_factory.mktemp("requests")
    kinds = {
        "json": "cloudevents",
        "shop": "shopify",
        "edi": "x12",
        "parcels": "easypost",
        "hooks": "standard_webhooks",
    }
    with (
        django_db_blocker.unblock(),
        bench(folder, *(Source(slug, kind) for slug, kind in kinds.items())) as made,
    ):
        made.send(CASES)
        yield made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_gets_its_answer_and_its_reason(sent: Bench, case: Case) -> None:
    sent.judge(case)


def test_nobody_else_noticed(sent: Bench) -> None:
    sent.check_others()


def test_a_line_end_in_an_id_forges_no_line_of_the_log(sent: Bench) -> None:
    logs = sent.product.log("web") + sent.product.log("worker")
    assert "level=error forged" not in logs


def test_ids_that_differ_behind_their_500th_character_are_two(sent: Bench) -> None:
    keys = MessageKey.objects.filter(dedupe_key__startswith="/nasty xxx")
    assert keys.count() == 2
    assert len(set(keys.values_list("dedupe_key", flat=True))) == 2


def raw(sent: Bench, *parts: bytes, wait: float = 10) -> bytes:
    """Bytes on the wire as no client would send them; the first line of the answer."""
    with socket.create_connection(("127.0.0.1", sent.product.port), timeout=wait) as wire:
        try:
            for part in parts:
                wire.sendall(part)
        except ConnectionError:
            pass  # it had heard enough
        return wire.recv(4096).split(b"\r\n")[0]


HEAD = b"POST /hooks/json HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "header",
    [b"X-A: one\0two\r\n", b"X-A: one\x01\r\n", b"X-A\r\n", b": nameless\r\n", b"X A: b\r\n"],
)
def test_control_characters_in_headers_are_a_bad_request(sent: Bench, header: bytes) -> None:
    first = raw(sent, HEAD + header + b"Content-Length: 2\r\n\r\n{}")
    assert first.split()[1] in {b"400", b"401"}


def test_a_bare_line_end_in_a_header_is_a_bad_request(sent: Bench) -> None:
    first = raw(sent, HEAD + b"X-A: one\rtwo\r\nContent-Length: 2\r\n\r\n{}")
    assert first.split()[1] == b"400"


@pytest.mark.parametrize(
    "headers",
    [b"".join(b"X-%d: y\r\n" % n for n in range(10_000)), b"X-A: " + b"y" * 1_000_000 + b"\r\n"],
    ids=["10 000 of them", "one of 1 MB"],
)
def test_headers_without_measure_are_refused(sent: Bench, headers: bytes) -> None:
    first = raw(sent, HEAD + headers + b"Content-Length: 2\r\n\r\n{}")
    assert first.split()[1] in {b"400", b"431"}


def test_fifty_megabytes_are_refused_before_they_are_sent(sent: Bench) -> None:
    started = time.monotonic()
    first = raw(sent, HEAD + b"Content-Length: 50000000\r\n\r\n")
    assert first.split()[1] == b"413"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("shift", [timedelta(minutes=10), timedelta(minutes=-10)])
def test_ten_minutes_off_is_no_signature(sent: Bench, shift: timedelta) -> None:
    answer = sent.client.post("/hooks/hooks", content=BODY, headers=stamped(shift))
    assert answer.status_code == 401


def test_a_signed_request_again_within_its_tolerance_is_a_duplicate(sent: Bench) -> None:
    headers = stamped(timedelta())
    first, again = (
        sent.client.post("/hooks/hooks", content=BODY, headers=headers) for _ in range(2)
    )
    assert first.status_code == 202
    assert again.json() == {"message_id": first.json()["message_id"], "status": "duplicate"}


def test_of_two_signatures_one_is_enough(sent: Bench) -> None:
    headers = dict(sign(BODY, SECRET.encode(), database_now(), "msg_two"))
    headers["webhook-signature"] = f"v1,AAAA {headers['webhook-signature']}"
    assert sent.client.post("/hooks/hooks", content=BODY, headers=headers).status_code == 202


@pytest.fixture(scope="module")
def aged(sent: Bench, django_db_blocker: DjangoDbBlocker) -> Mapping[str, httpx2.Response]:
    """Answers after time has passed: a message removed by retention, a secret replaced."""
    shop = Case("replay", SHOP.replace(b"77", b"7700"), source="shop")
    parcel = Case("old secret", PARCEL, source="parcels")
    new = {"x-hmac-signature": hmac_of("easypost", PARCEL, OTHER)}
    with django_db_blocker.unblock():
        found = {"shop": sent.post(shop), "old secret before": sent.post(parcel)}
        sent.settle()
        with connection.cursor() as cursor:
            removed = found["shop"].json()["message_id"]
            cursor.execute("DELETE FROM visibility_inbound_message WHERE id = %s", [removed])
        ended = database_now() - timedelta(minutes=1)
        sealed = seal([Secret(OTHER), Secret(SECRET, ended)])
        SourceRow.objects.filter(slug="parcels").update(sealed_secrets=sealed)
        time.sleep(2.2)  # the intake reads its sources every two seconds
        return {
            **found,
            "shop again": sent.post(shop),
            "old secret after": sent.post(parcel),
            "new secret": sent.client.post("/hooks/parcels", content=PARCEL, headers=new),
        }


def test_a_replay_after_the_message_was_removed_is_still_a_duplicate(
    aged: Mapping[str, httpx2.Response],
) -> None:
    kept = aged["shop"].json()["message_id"]
    assert aged["shop again"].json() == {"message_id": kept, "status": "duplicate"}
    assert not InboundMessage.objects.filter(pk=kept).exists()
    assert one_fate() == []


def test_a_secret_whose_overlap_is_over_counts_no_more(
    aged: Mapping[str, httpx2.Response],
) -> None:
    assert aged["old secret before"].status_code == 202
    assert aged["old secret after"].status_code == 401
    assert aged["new secret"].status_code == 202
