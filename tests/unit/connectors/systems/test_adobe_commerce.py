"""Adobe Commerce: events of Adobe I/O, documents, and polling of the REST API over HTTP."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from pytest_django.fixtures import Settings

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import RawMessage
from connectors.sdk.events import Attribute, CanonicalEvent, EventType, Measure
from connectors.sdk.settings import parse_and_check_settings
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.adobe_commerce.connector import AdobeCommerce
from tests.builders.polls import (
    NOW,
    SECRETS,
    MemoryTokens,
    events_of_pages,
    fold_messages,
    keys_of_pages,
    poll_pages,
    poll_until_error,
)
from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

FILTER = "searchCriteria[filter_groups][0][filters][0]"


def item(number: int, kind: str = "simple", parent: int | None = None, **more: Any) -> Any:
    row = {"item_id": number, "sku": f"SKU-{number}", "product_type": kind, "qty_ordered": 2}
    return row | ({"parent_item_id": parent} if parent else {}) | {"price": 9.5} | more


def order(number: int, updated: str = "2026-03-02 10:00:00", **more: Any) -> dict[str, Any]:
    return {
        "entity_id": number,
        "increment_id": f"0000000{number}",
        "state": "new",
        "status": "pending",
        "created_at": "2026-03-02 10:00:00",
        "updated_at": updated,
        "items": [item(1)],
    } | more


def document(number: int, order_id: int, *items: tuple[int, str, int], **more: Any) -> Any:
    rows = [{"order_item_id": i, "sku": sku, "qty": quantity} for i, sku, quantity in items]
    return {
        "entity_id": number,
        "increment_id": f"9000{number}",
        "order_id": order_id,
        "created_at": "2026-03-03 08:00:00",
        "updated_at": "2026-03-03 08:00:00",
        "items": rows,
    } | more


def parse(body: Any, code: str = "", **config: str) -> list[CanonicalEvent]:
    connector = AdobeCommerce({"source": "shop", **config})
    headers = {"x-adobe-event-code": code} if code else {}
    return list(connector.parse(RawMessage(json.dumps(body).encode(), headers, NOW)).events)


def quantities(event: CanonicalEvent) -> dict[str, dict[str, int]]:
    return {
        line.line_id: {m.value: int(q) for m, q in line.quantities.items()} for line in event.lines
    }


class TestItems:
    ITEMS = (
        item(1),
        item(2, "configurable"),
        item(3, parent=2, price=0, sku="SKU-2"),
        item(4, "bundle"),
        item(5, parent=4),
        item(6, "virtual", is_virtual=1),
    )

    @pytest.mark.parametrize(
        ("bundles", "counted"), [("together", "1 2 4 6"), ("separately", "1 2 5 6")]
    )
    def test_one_level_of_a_configurable_or_bundle_product_is_counted(
        self, bundles: str, counted: str
    ) -> None:
        (received, *_) = parse(order(7, items=list(self.ITEMS)), bundles=bundles)
        assert list(quantities(received)) == counted.split()
        assert [line.line_id for line in received.lines if not line.is_goods] == ["6"]

    def test_the_items_of_the_order_decide_which_lines_of_a_shipment_are_counted(self) -> None:
        body = document(8, 7, (1, "SKU-1", 2), (3, "SKU-2", 1), (4, "SKU-4", 1), (5, "SKU-5", 1))
        body |= {"tracks": [{"track_number": "1Z1", "title": "UPS"}, {"track_number": "1Z2"}]}
        (event,) = parse(body | {"order": order(7, items=list(self.ITEMS))})
        assert event.type is EventType.SHIPMENT_CONFIRMED
        # 3 is the variant of the configurable product 2, which is not listed itself.
        assert quantities(event) == {"1": {"shipped": 2}, "2": {"shipped": 1}, "4": {"shipped": 1}}
        numbers = [i.value for ref in event.objects for i in ref.identifiers]
        assert numbers == ["00000007", "7", "90008", "1Z1", "1Z2"]
        assert event.attributes[Attribute.CARRIER] == "UPS"

    def test_without_the_order_the_variant_of_a_configurable_product_is_not_counted(self) -> None:
        body = document(9, 7, (2, "SKU-2", 1), (3, "SKU-2", 1), state=2, grand_total="9.50")
        issued, paid = parse(body)
        assert quantities(issued) == {"2": {"invoiced": 1}}
        assert (issued.type, paid.type) == (EventType.INVOICE_ISSUED, EventType.INVOICE_PAID)

    def test_the_polled_document_with_its_order_replaces_the_event(self) -> None:
        body = document(9, 7, (1, "SKU-1", 1), tracks=[])
        (event,), (polled,) = parse(body), parse(body | {"order": order(7)})
        assert event.key == polled.key
        assert polled.revision > event.revision


class TestAdobeStates:
    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ("processing", "order.accepted"),
            ("complete", "order.accepted"),
            ("closed", "order.accepted"),
            ("holded", "order.held"),
            ("payment_review", "order.held"),
            ("canceled", "order.cancelled"),
            ("new", "order.changed"),
            ("fraud_check_by_plugin", "unmapped"),
        ],
    )
    def test_the_state_of_an_order(self, state: str, expected: str) -> None:
        events = parse(order(7, "2026-03-04 10:00:00", state=state, status="own_word"))
        assert [event.type.value for event in events] == ["order.received", expected]
        assert {event.key for event in events} == {"order 7", "order 7 state"}

    def test_a_hold_ends_with_a_later_state_and_a_bundle_is_shipped_once(self) -> None:
        items = [item(4, "bundle"), item(5, parent=4), item(2, "configurable")]
        items.append(item(3, parent=2, price=0, sku="SKU-2"))
        on_hold = order(7, "2026-03-04 10:00:00", state="holded", items=items)
        free = order(7, "2026-03-05 10:00:00", state="new", items=items)
        connector = AdobeCommerce({"source": "shop"})
        assert fold_messages(connector, on_hold).status.value == "on_hold"
        assert fold_messages(connector, on_hold, free).status.value != "on_hold"
        rows = ((4, "SKU-4", 2), (5, "SKU-5", 4), (2, "SKU-2", 2), (3, "SKU-2", 1))
        shipment = document(8, 7, *rows, tracks=[]) | {"order": free}
        assert fold_messages(connector, free, shipment).status.value == "shipped"

    def test_an_order_is_not_changed_when_it_is_created(self) -> None:
        assert [event.type.value for event in parse(order(7))] == ["order.received"]

    def test_units_cancelled_after_a_shipment_are_a_change(self) -> None:
        body = order(7, "2026-03-04 10:00:00", state="complete", items=[item(1, qty_canceled=1)])
        changed = parse(body)[-1]
        assert changed.type is EventType.ORDER_CHANGED
        assert quantities(changed) == {"1": {"cancelled": 1}}
        assert changed.complete_measures == (Measure.CANCELLED,)

    def test_a_credit_memo_credits_its_lines(self) -> None:
        (event,) = parse(document(5, 7, (1, "SKU-1", 1), adjustment=0, grand_total="9.50"))
        assert event.type is EventType.CREDIT_ISSUED
        assert event.objects[1].identifiers[0].value == "90005"
        assert quantities(event) == {"1": {"credited": 1}}


class TestAdobeEvents:
    KEYS = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
    PEMS = [
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
        for key in KEYS
    ]

    def request(self, body: bytes, key: rsa.RSAPrivateKey, number: int = 2) -> WebhookRequest:
        signature = base64.b64encode(key.sign(body, PKCS1v15(), hashes.SHA256())).decode()
        headers = {f"x-adobe-digital-signature-{number}": signature}
        return WebhookRequest("POST", "/hooks/shop", {}, headers, body)

    def test_a_signature_by_either_key_is_accepted(self) -> None:
        text = " ".join("\n".join(self.PEMS).split("\n"))  # a form has one line
        connector = AdobeCommerce({"public_keys": text, "recipient_client_id": "c1"})
        body = b'{"recipient_client_id": "c1"}'
        for key in self.KEYS:
            connector.verify(self.request(body, key), SECRETS, NOW)

    @pytest.mark.parametrize("change", ["body", "key", "recipient", "no keys"])
    def test_anything_else_is_refused(self, change: str) -> None:
        body = b'{"recipient_client_id": "c1"}'
        request = self.request(body, self.KEYS[change == "key"])
        if change == "body":
            request = WebhookRequest("POST", "/", {}, request.headers, body + b" ")
        config = {"public_keys": self.PEMS[0], "recipient_client_id": "c1"}
        config |= {"recipient_client_id": "c2"} if change == "recipient" else {}
        config |= {"public_keys": ""} if change == "no keys" else {}
        with pytest.raises(InvalidSignature):
            AdobeCommerce(config).verify(request, SECRETS, NOW)

    def test_an_unsigned_event_needs_the_secret(self) -> None:
        connector = AdobeCommerce({"public_keys": self.PEMS[0]})
        headers = connector.build_signed_headers(b"{}", SECRETS[0], NOW)
        connector.verify(WebhookRequest("POST", "/", {}, headers, b"{}"), SECRETS, NOW)
        with pytest.raises(InvalidSignature):
            connector.verify(WebhookRequest("POST", "/", {}, {}, b"{}"), SECRETS, NOW)

    @pytest.mark.parametrize(
        "text", ["x", "-----BEGIN PUBLIC KEY----- AAAA -----END PUBLIC KEY-----"]
    )
    def test_a_damaged_public_key_is_refused_when_it_is_entered(self, text: str) -> None:
        (error,) = parse_and_check_settings(AdobeCommerce.settings, {"public_keys": text}).errors
        assert error.name == "public_keys"

    def test_the_challenge_is_returned(self) -> None:
        request = WebhookRequest("GET", "/", {"challenge": "8ec8e794"}, {}, b"")
        response = AdobeCommerce({}).handshake(request, SECRETS)
        assert response is not None
        assert response.body == b"8ec8e794"

    def test_events_with_text_numbers_and_a_batch_are_read(self) -> None:
        row = order(7, items=[item(1, qty_ordered="2.0000")], entity_id="7")
        code = "com.adobe.commerce.observer.sales_order_save_commit_after"
        event = {"specversion": "1.0", "type": code, "data": {"value": row}}
        (received,) = parse([event])
        assert quantities(received) == {"1": {"ordered": 2}}
        (same,) = parse({"event": {"data": {"value": row}}}, code)
        assert same == received

    def test_an_event_about_a_product_is_ignored(self) -> None:
        body = json.dumps({"data": {"value": {"sku": "A"}}}).encode()
        headers = {"x-adobe-event-code": "com.adobe.commerce.observer.catalog_product_save_after"}
        result = AdobeCommerce({}).parse(RawMessage(body, headers, NOW))
        assert result.ignored == "not related to orders"


class CommerceServer(VendorServer):
    """Answers searches as the REST API does: the last page is repeated beyond the end."""

    def __init__(self) -> None:
        super().__init__([])
        self.lists: dict[str, list[dict[str, Any]]] = {}
        for name in ("orders", "shipments", "invoices", "creditmemos"):
            self.lists[name] = []
            self.answers[f"/rest/all/V1/{name}"] = self.search
        self.answers["/rest/all/V1/orders/"] = self.answer_order
        self.authorize = lambda request: request.headers.get("authorization") == "Bearer t-1"

    def search(self, request: VendorRequest) -> Answer:
        query = request.query
        rows = self.lists[request.path.rpartition("/")[2]]
        if since := query.get(f"{FILTER}[value]"):
            assert query[f"{FILTER}[condition_type]"] == "gteq"
            rows = [row for row in rows if row["updated_at"] >= since]
        rows = sorted(rows, key=lambda row: (row["updated_at"], row["entity_id"]))
        size = int(query["searchCriteria[pageSize]"])
        last = max(-(-len(rows) // size), 1)
        page = min(int(query["searchCriteria[currentPage]"]), last)
        shown = rows[(page - 1) * size : page * size]
        return Answer(200, {"items": shown or None, "total_count": len(rows)})

    def answer_order(self, request: VendorRequest) -> Answer:
        number = request.path.rpartition("/")[2]
        rows = [row for row in self.lists["orders"] if str(row["entity_id"]) == number]
        return Answer(200, rows[0]) if rows else Answer(404, {"message": "no such entity"})


@pytest.fixture
def server(settings: Settings) -> Iterator[CommerceServer]:
    running = CommerceServer()
    settings.OUTGOING_ALLOWED = [running.address]
    yield running
    running.close()


def connect(server: CommerceServer, **config: str) -> AdobeCommerce:
    values = {"base_url": f"{server.url}/rest/all/V1", "access_token": "t-1", "page_size": "2"}
    return AdobeCommerce({"source": "shop", **values, **config})


class TestAdobePoll:
    def test_all_pages_of_all_lists_are_read_once(self, server: CommerceServer) -> None:
        # Three orders of one second: the page number counts within this second.
        times = ["2026-03-02 10:00:00"] * 3 + ["2026-03-02 11:00:00", "2026-03-02 12:00:00"]
        server.lists["orders"] = [order(n, at) for n, at in enumerate(times, 1)]
        server.lists["shipments"] = [document(4, 2, (1, "SKU-1", 2), tracks=[])]
        server.lists["invoices"] = [document(5, 99, (1, "SKU-1", 2), grand_total=19, state=1)]
        pages = poll_pages(connect(server))
        keys = keys_of_pages(pages)
        assert [key.split()[:2] for key in keys] == [
            *(["orders", f"{n}"] for n in range(1, 6)),
            ["shipments", "4"],
            ["invoices", "5"],
        ]
        events = events_of_pages(connect(server), pages)
        shipped = next(e for e in events if e.type is EventType.SHIPMENT_CONFIRMED)
        assert shipped.objects[0].identifiers[0].value == "00000002"
        assert EventType.INVOICE_ISSUED in {e.type for e in events}  # its order is missing

    def test_the_next_poll_goes_back_by_the_overlap(self, server: CommerceServer) -> None:
        server.lists["orders"] = [order(1, "2026-03-02 10:00:00")]
        cursor = poll_pages(connect(server))[-1].cursor
        server.lists["orders"] += [order(2, "2026-03-02 09:56:00"), order(3, "2026-03-02 09:54:00")]
        keys = keys_of_pages(poll_pages(connect(server), cursor))
        assert [key.split()[1] for key in keys] == ["2", "1"]

    def test_a_poll_interrupted_by_429_continues_where_it_stopped(
        self, server: CommerceServer
    ) -> None:
        server.lists["orders"] = [order(n, f"2026-03-02 10:0{n}:00") for n in range(1, 6)]
        first = server.answers["/rest/all/V1/orders"]

        def once(request: VendorRequest) -> Answer:
            server.failures = [Answer(429, {}, {"Retry-After": "7"})]
            server.answers["/rest/all/V1/orders"] = first
            return first(request)

        server.answers["/rest/all/V1/orders"] = once
        pages, error = poll_until_error(connect(server))
        assert (error.status, error.retry_after) == (429, "7")
        assert len(keys_of_pages(pages)) == 2
        later_keys = keys_of_pages(poll_pages(connect(server), pages[-1].cursor))
        assert [key.split()[1] for key in later_keys] == ["2", "3", "4", "5"]

    @pytest.mark.parametrize(
        ("items", "total", "text"),
        [(0, 500, "0 rows of 500"), (2, 0, "2 rows of 0"), (2, 1, "2 rows of 1")],
    )
    def test_a_total_that_contradicts_the_rows_fails_and_loses_none(
        self, server: CommerceServer, items: int, total: int, text: str
    ) -> None:
        server.lists["orders"] = [order(n, f"2026-03-02 10:0{n}:00") for n in range(1, 4)]
        right = server.answers["/rest/all/V1/orders"]
        wrong = Answer(200, {"items": server.lists["orders"][:items], "total_count": total})
        server.answers["/rest/all/V1/orders"] = lambda _: wrong
        pages, error = poll_until_error(connect(server))
        assert (pages, text in str(error)) == ([], True)
        server.answers["/rest/all/V1/orders"] = right
        assert len(keys_of_pages(poll_pages(connect(server)))) == 3

    def test_an_expired_token_of_the_cloud_service_is_renewed(self, server: CommerceServer) -> None:
        server.authorize = server.has_current_token
        server.lists["orders"] = [order(1)]
        tokens = MemoryTokens()
        config = {"client_id": "c", "client_secret": "s", "token_url": f"{server.url}/token"}
        poll_pages(connect(server, **config), tokens=tokens)
        server.access_tokens.append("another")  # the stored one has expired
        pages = poll_pages(connect(server, **config), tokens=tokens)
        assert len(keys_of_pages(pages)) == 1

    def test_requests_are_signed_with_the_four_keys(self, server: CommerceServer) -> None:
        server.authorize = lambda request: (
            'oauth_consumer_key="k"' in request.headers["authorization"]
            and 'oauth_signature_method="HMAC-SHA256"' in request.headers["authorization"]
        )
        server.lists["orders"] = [order(1)]
        keys = {"consumer_key": "k", "consumer_secret": "s", "access_token_secret": "ts"}
        assert keys_of_pages(poll_pages(connect(server, **keys)))
