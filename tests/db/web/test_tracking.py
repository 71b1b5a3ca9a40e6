"""The page for customers: its links, what it shows of an order, and what it never shows."""

import html
import logging
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import Measure
from tests.builders.sources import ERP_NUMBERS, SYSTEM_ROLES, create_source, store_story
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.formatting import format_date_in_zone
from visibility.logging_config import redact_secrets
from visibility.models import AuditEntry, BusinessObject, IdempotencyKey, Order, TrackingLink
from visibility.pipeline import job_functions
from visibility.screens.orders.milestones import load_timeline
from visibility.screens.orders.source_reports import SourceReport
from visibility.screens.tracking import dates_and_quantities as formats
from visibility.screens.tracking import orders_of_link
from visibility.screens.tracking.customer_page import tracked_order
from visibility.timeline import Status
from visibility.timeline.customer_answer import customer_status_sentence
from visibility.web.pages import tracking
from visibility.web.permissions import UserRole
from visibility.web.request_limit import MAX_KEYS, RequestLimit

pytestmark = pytest.mark.django_db
CS, EX, OP, IN, AD = (
    UserRole.CUSTOMER_SERVICE,
    UserRole.EXECUTIVE,
    UserRole.OPERATIONS,
    UserRole.INTEGRATOR,
    UserRole.ADMIN,
)
ZONE = settings.TIME_ZONE
MARKER = "XQMARKERX"


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        tracking, "failed_requests_per_address", RequestLimit(30, clock=lambda: 0.0)
    )
    monkeypatch.setattr(tracking, "requests_per_link", RequestLimit(60, clock=lambda: 0.0))


def store_orders(*story: tuple[str, str, int, dict[str, Any]]) -> None:
    """Store and process events: (source, type, hours from now, data)."""
    sources = {
        slug: create_source(slug, title=f"{MARKER} {slug}", role=role, config=dict(ERP_NUMBERS))
        for slug, role in SYSTEM_ROLES.items()
    }
    now = database_now()
    timed = [
        (source, what, (now + timedelta(hours=hours)).isoformat(), data)
        for source, what, hours, data in story
    ]
    store_story(sources, timed)
    job_functions.process_messages_and_refold()


def number_of(order: str, *, po: str = "PO-7", customer: str = "C1") -> dict[str, Any]:
    return {"number": order, "po": po, "customer": customer}


def ordered(order: str, *, po: str = "PO-7", customer: str = "C1", **more: Any) -> dict[str, Any]:
    lines = [
        {"line_id": "1", "sku": "QO120", "description": "Breaker", "ordered": 8, "price": "981.25"},
        {
            "line_id": "2",
            "sku": "A1412",
            "description": "Enclosure",
            "ordered": 4,
            "price": "777.31",
        },
    ]
    return {"order": number_of(order, po=po, customer=customer), "lines": lines, **more}


def in_hours(hours: int) -> str:
    return (database_now() + timedelta(hours=hours)).isoformat()


def shipped(order: str, shipment: str, tracking_number: str, **lines: int) -> dict[str, Any]:
    keys = {"QO120": "1", "A1412": "2"}
    return {
        "order": {"number": order},
        "shipment": shipment,
        "tracking": tracking_number,
        "attributes": {"carrier": "UPS"},
        "lines": [
            {"line_id": keys[sku], "sku": sku, "shipped": quantity}
            for sku, quantity in lines.items()
        ],
    }


def scanned(
    tracking_number: str, location: str = "Dallas, TX", **attributes: str
) -> dict[str, Any]:
    return {"tracking": tracking_number, "attributes": {"location": location, **attributes}}


def create_link(order: Order, client: Client | None = None, **body: Any) -> str:
    """Create a link over the API; its path."""
    response = (client or signed_in(CS)).post(
        f"/api/v1/orders/{order.pk}/tracking-links", body, content_type="application/json"
    )
    assert response.status_code == 201, response.content
    return str(response.json()["path"])


def text_of(path: str, status: int = 200) -> str:
    """The visible text of the page, on one line."""
    response = Client().get(path)
    assert response.status_code == status
    body = response.content.decode().partition("<body")[2].partition(">")[2]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


def page_of_order(number: str) -> str:
    return text_of(create_link(Order.objects.get(number=number)))


def test_page_needs_no_cookie_and_leaves_no_trace() -> None:
    store_orders(("erp", "order.received", -48, ordered("SO-1")))
    path = create_link(Order.objects.get(number="SO-1"))
    sessions = Session.objects.count()
    response = Client().get(path)
    assert response.status_code == 200
    assert not response.cookies
    assert Session.objects.count() == sessions
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"
    assert "noindex" in response.headers["X-Robots-Tag"]
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    page = response.content.decode()
    assert "<script" not in page
    assert "Cookie" not in response.headers.get("Vary", "")
    # Nothing on it is loaded from elsewhere.
    assert not re.findall(r'(?:src|link [^>]*href)="(?:https?:)?//', page)


def test_page_tells_of_parcels_and_back_orders_what_the_timeline_has() -> None:
    eta = in_hours(48)
    store_orders(
        ("erp", "order.received", -72, ordered("SO-1")),
        ("erp", "line.backordered", -60, {
            "order": {"number": "SO-1"},
            "lines": [{"line_id": "2", "sku": "A1412", "backordered": 3}],
            "attributes": {"eta": in_hours(200)},
        }),
        ("wms", "shipment.confirmed", -48, shipped("SO-1", "S1", "1Z001", QO120=8)),
        ("wms", "shipment.confirmed", -47, shipped("SO-1", "S2", "1Z002", A1412=1)),
        ("carrier", "shipment.picked_up", -46, scanned("1Z001")),
        ("carrier", "shipment.delivered", -20, scanned("1Z001", "Galveston, TX")),
        ("carrier", "shipment.in_transit", -19, scanned("1Z002", "Houston, TX", eta=eta)),
    )  # fmt: skip
    order = Order.objects.get(number="SO-1")
    page = page_of_order("SO-1")
    timeline = load_timeline(order.pk, as_of=database_now())
    assert f"{customer_status_sentence(timeline, ZONE)}." in page
    assert "1 of 2 parcels delivered. The next arrives" in page
    for shipment in timeline.shipments:
        for package in shipment.packages:
            assert package.tracking in page
            assert package.last_scan_at is not None
            assert formats.date_and_time(package.last_scan_at, ZONE) in page
        if shipment.eta and not shipment.delivered_at:
            assert f"Expected {format_date_in_zone(shipment.eta, ZONE)}" in page
    assert "in transit, Houston, TX" in page
    assert "Your PO PO-7 · our order SO-1" in page
    breaker, enclosure = timeline.lines
    assert breaker.quantity(Measure.SHIPPED) == 8
    assert "Breaker QO120 8 8 shipped" in page
    assert enclosure.quantity(Measure.SHIPPED) == 1
    assert enclosure.quantity(Measure.BACKORDERED) == 3
    assert "Enclosure A1412 4 1 shipped, 3 waiting for stock" in page
    assert "1 line back-ordered, expected" in page
    assert "Track at UPS" in page


def test_page_of_other_endings() -> None:
    store_orders(
        # Returned to the sender.
        ("erp", "order.received", -300, ordered("SO-1", po="P1")),
        ("wms", "shipment.confirmed", -200, shipped("SO-1", "S1", "1Z001", QO120=8, A1412=4)),
        ("carrier", "shipment.in_transit", -190, scanned("1Z001")),
        ("carrier", "shipment.returned", -150, scanned("1Z001", "Waco, TX")),
        # Waiting for stock.
        ("erp", "order.received", -299, ordered("SO-2", po="P2")),
        ("erp", "line.backordered", -298, {
            "order": {"number": "SO-2"},
            "lines": [{"line_id": "1", "sku": "QO120", "backordered": 8}],
            "attributes": {"eta": in_hours(100)},
        }),
        # Cancelled.
        ("erp", "order.received", -297, ordered("SO-3", po="P3")),
        ("erp", "order.cancelled", -290, {"order": {"number": "SO-3"}}),
        # Late, with a new date of the carrier, and without one.
        ("erp", "order.received", -296, ordered(
            "SO-4", po="P4", attributes={"promised_at": in_hours(-48)})),
        ("wms", "shipment.confirmed", -100, shipped("SO-4", "S4", "1Z004", QO120=8, A1412=4)),
        ("carrier", "shipment.in_transit", -90, scanned("1Z004", eta=in_hours(30))),
        ("erp", "order.received", -295, ordered(
            "SO-5", po="P5", attributes={"promised_at": in_hours(-48)})),
    )  # fmt: skip
    pages = {}
    for order in Order.objects.all():
        timeline = load_timeline(order.pk, as_of=database_now())
        pages[order.number] = page_of_order(order.number)
        assert f"{customer_status_sentence(timeline, ZONE)}." in pages[order.number]
        is_late = timeline.status not in {Status.CANCELLED} and order.number in {"SO-4", "SO-5"}
        assert ("We are sorry for the delay." in pages[order.number]) is is_late
    assert "on its way back to us" in pages["SO-1"]
    assert "Arrives" not in pages["SO-1"]
    assert "Waiting for stock: 1 line, expected" in pages["SO-2"]
    assert "Your order has been cancelled." in pages["SO-3"]
    assert "Progress" not in pages["SO-3"]
    eta = load_timeline(Order.objects.get(number="SO-4").pk, as_of=database_now()).shipments[0].eta
    assert eta is not None
    assert f"Delayed, new date {format_date_in_zone(eta, ZONE)}." in pages["SO-4"]
    assert "Delayed, no new date is known yet." in pages["SO-5"]


def test_page_shows_no_free_text_price_or_source() -> None:
    internal = {
        name: f"{MARKER}{name}"
        for name in (
            "customer_name", "customer_group", "channel", "warehouse", "reason", "status", "detail",
        )
    }  # fmt: skip
    data = ordered("SO-1", attributes={**internal, "total": "98765.43", "currency": "USD"})
    for line in data["lines"]:
        line["seller"] = f"{MARKER}seller"
    on_hold = {"order": {"number": "SO-1"}, "attributes": internal}
    parcel = shipped("SO-1", "S1", "1Z001", QO120=5)
    parcel["attributes"] |= internal | {"location": f"{MARKER}dock"}
    store_orders(
        ("erp", "order.received", -72, data),
        ("erp", "order.held", -70, on_hold),
        ("erp", "order.hold_released", -69, on_hold),
        ("wms", "shipment.confirmed", -48, parcel),
        ("carrier", "shipment.in_transit", -46, scanned("1Z001", **internal)),
        ("erp", "order.received", -40, ordered("SO-9", po="PO-OTHER", customer="C9")),
    )
    page = Client().get(create_link(Order.objects.get(number="SO-1"))).content.decode()
    for secret in (MARKER, "981.25", "777.31", "98765", "98,765", "SO-9", "PO-OTHER", "USD"):
        assert secret not in page
    assert "Dallas, TX" in page


def test_untrusted_text_is_escaped() -> None:
    data = ordered("SO-1")
    data["lines"][0]["description"] = "<img src=x onerror=alert(1)>"
    store_orders(("erp", "order.received", -72, data))
    page = Client().get(create_link(Order.objects.get(number="SO-1"))).content.decode()
    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_unknown_expired_revoked_and_changed_links_look_alike() -> None:
    store_orders(("erp", "order.received", -48, ordered("SO-1")))
    order = Order.objects.get(number="SO-1")
    path = create_link(order)
    link = TrackingLink.objects.get()
    bodies = set()

    def assert_not_valid(address: str) -> None:
        response = Client().get(address)
        assert response.status_code == 404
        bodies.add(response.content)

    for address in (
        "/track/x",
        path[:-1],
        f"{path}0",
        "/track/" + path[7:].swapcase(),
        "/track/é" + path[8:],
    ):
        assert_not_valid(address)
    TrackingLink.objects.update(expires_at=link.expires_at + timedelta(days=300))
    assert_not_valid(path)  # the seal covers the row
    TrackingLink.objects.update(expires_at=link.expires_at, created_at=link.created_at)
    assert Client().get(path).status_code == 200
    TrackingLink.objects.update(revoked_at=database_now())
    assert_not_valid(path)
    TrackingLink.objects.update(revoked_at=None)
    expired = create_link(order, days=1)
    TrackingLink.objects.exclude(pk=link.pk).update(expires_at=database_now())
    assert_not_valid(expired)
    assert len(bodies) == 1
    assert b"Ask your contact for a new link" in bodies.pop()
    # Nothing of an address is in the database, but its name.
    assert path.removeprefix("/track/") not in str(list(TrackingLink.objects.values()))


def test_unknown_and_revoked_links_cost_the_same(django_assert_num_queries: Any) -> None:
    store_orders(("erp", "order.received", -48, ordered("SO-1")))
    path = create_link(Order.objects.get(number="SO-1"))
    TrackingLink.objects.update(revoked_at=database_now())
    for address in (path, "/track/x"):
        with django_assert_num_queries(3):  # the time, the link, and the brand
            assert Client().get(address).status_code == 404


def test_address_has_thirty_requests_a_minute_that_open_nothing() -> None:
    answers = [Client().get("/track/x") for _ in range(31)]
    assert [answer.status_code for answer in answers] == [404] * 30 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert Client().get("/track/x", REMOTE_ADDR="192.0.2.9").status_code == 404


def test_valid_link_opens_whatever_others_at_the_same_address_ask_for() -> None:
    store_orders(
        ("erp", "order.received", -48, ordered("SO-1")),
        ("erp", "order.received", -47, ordered("SO-2", po="PO-8")),
    )
    first, second = (create_link(Order.objects.get(number=n)) for n in ("SO-1", "SO-2"))
    for _ in range(31):
        answer = Client().get("/track/x")
    assert answer.status_code == 429
    assert Client().get(first).status_code == 200
    # A link has a limit of its own, and its requests do not count for the address.
    answers = [Client().head(first).status_code for _ in range(60)]
    assert answers == [200] * 59 + [429]
    assert Client().get(second).status_code == 200
    # A link that opens nothing any more is one of the others.
    TrackingLink.objects.update(revoked_at=database_now())
    assert Client().get(second).status_code == 429
    assert Client().get(second, REMOTE_ADDR="192.0.2.9").status_code == 404


def test_request_limit_counts_networks_and_forgets_after_a_minute() -> None:
    now = 0.0
    limit = RequestLimit(1, clock=lambda: now)
    assert limit.take_address("2001:db8::1")
    assert not limit.take_address("2001:db8::2")
    assert limit.take_address("2001:db8:0:1::1")
    now = 61.0
    assert limit.take_address("2001:db8::2")
    for index in range(MAX_KEYS):
        limit.take_address(f"10.{index >> 16}.{index >> 8 & 255}.{index & 255}")
    assert not limit.take_address("192.0.2.1")


def test_link_of_a_purchase_order_shows_all_its_orders_and_no_other_customer() -> None:
    store_orders(
        ("erp", "order.received", -48, ordered("SO-1")),
        ("erp", "order.received", -47, ordered("SO-2")),
        ("erp", "order.received", -46, ordered("SO-3", customer="C2")),
        ("erp", "order.received", -45, ordered("SO-4", po="PO-8")),
    )
    page = text_of(create_link(Order.objects.get(number="SO-1"), covers_po=True))
    assert "0 of 2 orders delivered" in page
    assert "SO-1" in page
    assert "SO-2" in page
    assert "SO-3" not in page
    assert "SO-4" not in page
    single = page_of_order("SO-1")
    assert "SO-2" not in single


def test_heading_counts_all_orders_of_a_purchase_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders_of_link, "MAX_ORDERS", 2)
    store_orders(
        ("erp", "order.received", -48, ordered("SO-1")),
        ("erp", "order.received", -45, ordered("SO-2")),
        ("erp", "order.received", -44, ordered("SO-3")),
        ("erp", "order.received", -43, ordered("SO-4")),
    )
    Order.objects.filter(number="SO-1").update(delivered_at=database_now())
    page = text_of(create_link(Order.objects.get(number="SO-2"), covers_po=True))
    assert "1 of 4 orders delivered" in page
    assert "And 2 more orders" in page
    assert sum(f"SO-{number}" in page for number in (1, 2, 3, 4)) == 2
    monkeypatch.setattr(orders_of_link, "MAX_ORDERS", 3)
    page = text_of(create_link(Order.objects.get(number="SO-2"), covers_po=True))
    assert "And 1 more order." in page
    monkeypatch.setattr(orders_of_link, "MAX_ORDERS", 4)
    page = text_of(create_link(Order.objects.get(number="SO-2"), covers_po=True))
    assert "more order" not in page


def test_link_follows_a_merge_and_shows_only_its_own_after_a_split() -> None:
    store_orders(
        ("erp", "order.received", -48, ordered("SO-1")),
        ("erp", "order.received", -47, ordered("SO-2", po="PO-8")),
    )
    first, second = (Order.objects.get(number=number) for number in ("SO-1", "SO-2"))
    paths = [create_link(order) for order in (first, second)]
    client = signed_in(AD)
    body = {"other": second.pk, "note": "same order"}
    response = client.post(f"/api/v1/orders/{first.pk}/join", body, content_type="application/json")
    assert response.status_code == 200, response.content
    job_functions.process_messages_and_refold()
    survivors = BusinessObject.objects.filter(pk__in=[first.pk, second.pk], merged_into=None)
    assert survivors.count() == 1
    pages = [text_of(path) for path in paths]
    assert pages[0] == pages[1]
    decision = response.json()["id"]
    undo = client.post(
        f"/api/v1/matching/decisions/{decision}/undo", {}, content_type="application/json"
    )
    assert undo.status_code in {200, 201}, undo.content
    job_functions.process_messages_and_refold()
    assert "SO-2" not in text_of(paths[0])
    assert "SO-1" not in text_of(paths[1])


@pytest.mark.parametrize(
    ("role", "may"), [(CS, True), (OP, True), (AD, True), (EX, False), (IN, False)]
)
def test_roles_that_create_and_revoke_links(role: UserRole, may: bool) -> None:
    store_orders(("erp", "order.received", -48, ordered("SO-1")))
    order = Order.objects.get(number="SO-1")
    client = signed_in(role)
    page = client.get(f"/orders/{order.pk}").content.decode()
    assert ('id="tracking-page"' in page) is may
    form = client.post(f"/orders/{order.pk}/tracking-links", {"days": "30", "scope": "order"})
    api = client.post(
        f"/api/v1/orders/{order.pk}/tracking-links", {}, content_type="application/json"
    )
    listed = client.get(f"/api/v1/orders/{order.pk}/tracking-links")
    assert (form.status_code, api.status_code, listed.status_code) == (
        (200, 201, 200) if may else (403, 403, 403)
    )
    number = TrackingLink.objects.values_list("pk", flat=True).first() or 1
    revoked = client.delete(f"/api/v1/orders/{order.pk}/tracking-links/{number}")
    assert revoked.status_code == (200 if may else 403)


def test_link_is_created_and_revoked_with_forms_and_shown_once() -> None:
    store_orders(("erp", "order.received", -48, ordered("SO-1")))
    order = Order.objects.get(number="SO-1")
    user = signed_in(CS)
    client = Client(enforce_csrf_checks=True)
    client.cookies = user.cookies
    where = f"/orders/{order.pk}/tracking-links"
    assert client.post(where, {"days": "30"}).status_code == 403
    page = client.get(f"/orders/{order.pk}").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    values = {"csrfmiddlewaretoken": token[1], "days": "30", "scope": "order"}
    created = client.post(where, values)
    assert created.status_code == 200
    path = re.search(r'value="http://testserver(/track/[^"]+)"', created.content.decode())
    assert path
    assert Client().get(path[1]).status_code == 200
    secret = path[1].removeprefix("/track/")
    order_page = client.get(f"/orders/{order.pk}").content.decode()
    assert "created by customer_service" in order_page
    assert secret not in order_page
    assert secret not in str(list(AuditEntry.objects.values()))
    assert not any(secret in str(session.get_decoded()) for session in Session.objects.all())
    number = TrackingLink.objects.get().pk
    revoked = client.post(f"{where}/{number}/revoke", values)
    assert revoked.status_code == 302
    assert Client().get(path[1]).status_code == 404
    entries = list(AuditEntry.objects.filter(action__startswith="tracking_link.").order_by("id"))
    assert [entry.action for entry in entries] == ["tracking_link.created", "tracking_link.revoked"]
    assert {entry.object for entry in entries} == {f"order {order.pk}"}
    far = client.post(where, {**values, "days": "4000"})
    assert far.status_code == 302
    assert TrackingLink.objects.count() == 1


def test_repeated_request_with_a_key_gets_the_same_path_which_is_not_stored() -> None:
    store_orders(("erp", "order.received", -48, ordered("SO-1")))
    order, client = Order.objects.get(number="SO-1"), signed_in(CS)
    paths = {
        client.post(
            f"/api/v1/orders/{order.pk}/tracking-links",
            {},
            content_type="application/json",
            headers={"Idempotency-Key": "k1"},
        ).json()["path"]
        for _ in range(2)
    }
    assert len(paths) == 1
    assert TrackingLink.objects.count() == 1
    assert "/track/" not in IdempotencyKey.objects.get().response_body


def test_link_of_another_order_cannot_be_revoked_through_this_one() -> None:
    store_orders(
        ("erp", "order.received", -48, ordered("SO-1")),
        ("erp", "order.received", -47, ordered("SO-2", po="PO-8")),
    )
    first, second = (Order.objects.get(number=number) for number in ("SO-1", "SO-2"))
    path, client = create_link(first), signed_in(OP)
    number = TrackingLink.objects.get().pk
    answer = client.delete(f"/api/v1/orders/{second.pk}/tracking-links/{number}")
    assert answer.status_code == 404
    assert Client().get(path).status_code == 200


def test_logs_have_no_tokens(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Client().get("/track/abcDEF123")
    lines = [record.getMessage() for record in caplog.records if "/track/" in record.getMessage()]
    assert lines
    for line in lines:
        event = redact_secrets(None, "", {"event": line})["event"]
        assert event == "Not Found: /track/[redacted]"


def test_order_closed_long_ago_is_not_shown() -> None:
    store_orders(
        ("erp", "order.received", -24 * 200, ordered("SO-1")),
        ("erp", "order.cancelled", -24 * 100, {"order": {"number": "SO-1"}}),
    )
    path = create_link(Order.objects.get(number="SO-1"))
    assert Client().get(path).status_code == 404


def test_estimates_that_differ_are_a_span_and_a_silent_carrier_is_named() -> None:
    story: list[tuple[str, str, int, dict[str, Any]]] = [
        ("erp", "order.received", -72, ordered("SO-1")),
        ("wms", "shipment.confirmed", -48, shipped("SO-1", "S1", "1Z001", QO120=8, A1412=4)),
        ("carrier", "shipment.in_transit", -46, scanned("1Z001", eta=in_hours(48))),
        ("wms", "eta.updated", -45, scanned("1Z001", eta=in_hours(120))),
    ]
    store_orders(*story)
    timeline = load_timeline(Order.objects.get().pk, as_of=database_now())
    span = formats.dates_or_span(
        [datetime.fromisoformat(in_hours(hours)) for hours in (48, 120)], ZONE
    )
    assert " to " in span
    page = page_of_order("SO-1")
    assert f"Arrives {span}." in page
    assert f"Expected {span}" in page
    now = timeline.as_of
    reports = {
        "carrier": SourceReport("UPS feed", SourceRole.CARRIER, now, now - timedelta(days=3)),
        "erp": SourceReport("ERP", SourceRole.ERP, now, now - timedelta(hours=40)),
    }
    shown = tracked_order(timeline, reports, zone=ZONE)
    day = formats.since_when(now - timedelta(days=3), now, ZONE)
    assert shown.parcels[0].silence == f"We have had no news from the carrier since {day}."
    assert shown.headline.text.startswith("Was last expected")
    assert "More may have happened since." in shown.outdated


def test_parcels_of_another_order_in_the_same_shipment_are_not_shown() -> None:
    store_orders(
        ("erp", "order.received", -72, ordered("SO-1", po="P1")),
        ("erp", "order.received", -71, ordered("SO-2", po="P2", customer="C2")),
        ("wms", "shipment.confirmed", -48, shipped("SO-1", "S1", "1ZMINE", QO120=8, A1412=4)),
        ("wms", "shipment.confirmed", -47, shipped("SO-2", "S1", "1ZOTHER", QO120=8, A1412=4)),
        ("carrier", "shipment.in_transit", -46, scanned("1ZOTHER", "Waco, TX")),
    )
    first, second = (Order.objects.get(number=number) for number in ("SO-1", "SO-2"))
    shipments = load_timeline(first.pk, as_of=database_now()).shipments
    assert [len(shipment.packages) for shipment in shipments] == [2]
    page, other = (text_of(create_link(order)) for order in (first, second))
    assert "1ZMINE" in page
    assert "1ZMINE" not in other
    for secret in ("1ZOTHER", "Waco", "SO-2"):
        assert secret not in page
        assert secret in other
