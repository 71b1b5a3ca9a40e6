"""The section *Matching*: unmatched records, merge, split, undo and permissions."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.builders.alerts import alert
from tests.builders.identity import create_sources, order_of, process_messages, source_message
from tests.builders.users import signed_in
from visibility.models import (
    AuditEntry,
    BusinessObject,
    IdentityDecision,
    Order,
    UnmatchedObject,
)
from visibility.screens.identity.unmatched_records import unmatched_record_count_sentence
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
LINE = [{"line_id": "1", "sku": "A-1", "ordered": 5, "price": "12.30"}]


@pytest.fixture(autouse=True)
def _orders_and_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two orders with the same customer PO, and a package without an order."""
    monkeypatch.setattr("visibility.web.pages.identity.broadcast_change_number", lambda *_: None)
    create_sources(wms={})
    total = {"total": "61.50", "currency": "USD", "customer_no": "C1"}
    process_messages(
        [
            source_message(
                "erp",
                "order.received",
                1,
                order={"number": "SO-1", "po": "PO-77"},
                lines=LINE,
                attributes=total,
            ),
            source_message(
                "shop",
                "order.received",
                1.5,
                order={"number": "1001", "po": "po-77"},
                attributes=total,
            ),
            source_message("carrier", "shipment.delivered", 4, tracking="1Z777"),
        ]
    )


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS, "olga")


def comparison_url() -> str:
    """The URL of the comparison of the two orders."""
    return f"/joins/pair?left={order_of('SO-1').pk}&right={order_of('1001').pk}"


def test_page_lists_unmatched_records_and_duplicate_orders(ops: Client) -> None:
    page = ops.get("/joins").content.decode()
    assert "tracking number 1Z777" in page
    assert 'Suspected duplicates <span class="count">1<' in page
    page = ops.get("/joins/orders").content.decode()
    assert "Possible duplicate" in page
    assert ">95%<" in page


def test_unmatched_sentence_needs_records_to_be_reassuring(
    ops: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visibility.web.pages.unmatched_records.count_unmatched", lambda: 0)
    matched = "All shipments, packages and invoices have an order."
    empty = "No shipments, packages or invoices yet."
    page = ops.get("/joins").content.decode()
    assert matched in page
    assert empty not in page
    BusinessObject.objects.exclude(kind="order").update(kind="return")
    page = ops.get("/joins").content.decode()
    assert empty in page
    assert matched not in page


@pytest.mark.parametrize(
    ("unmatched", "sentence"),
    [
        (1, "1 shipment, package, invoice or order line has no order."),
        (2, "2 shipments, packages, invoices or order lines have no order."),
        (1_000, "1,000+ shipments, packages, invoices or order lines have no order."),
    ],
)
def test_unmatched_sentence_counts_records(unmatched: int, sentence: str) -> None:
    assert unmatched_record_count_sentence(unmatched) == sentence


def test_system_id_is_shown_only_without_other_numbers(ops: Client) -> None:
    process_messages(
        [
            source_message("wms", "shipment.confirmed", 5, shipment={"id": "77001"}),
            source_message(
                "wms", "shipment.confirmed", 6, shipment={"id": "77002", "number": "D-2"}
            ),
        ]
    )
    page = ops.get("/joins").content.decode()
    assert "system ID 77001" in page
    assert "shipment D-2" in page
    assert "77002" not in page


def test_number_of_queries_does_not_depend_on_the_number_of_records(ops: Client) -> None:
    ops.get("/joins")
    counts = []
    for n in (1, 12):
        process_messages(
            source_message("carrier", "shipment.delivered", 4 + n, tracking=f"1Z{n}{i}")
            for i in range(n)
        )
        with CaptureQueriesContext(connection) as queries:
            ops.get("/joins")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_merge_preview_shows_the_effect_and_changes_nothing(
    ops: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "visibility.pipeline.refold_orders.write_clocks_and_alerts.write_clocks_and_reconcile_alerts",
        lambda *_, **__: [],
    )
    order = order_of("SO-1")
    alert("SO-9", order_id=order.pk)
    orders = Order.objects.count()
    page = ops.get(comparison_url()).content.decode()
    assert "2 orders become 1: 2 events, 1 alert." in page
    assert Order.objects.count() == orders
    assert not IdentityDecision.objects.exists()
    assert not AuditEntry.objects.filter(action__startswith="join.").exists()


def test_merge_and_undo(ops: Client) -> None:
    ids = {"left": order_of("SO-1").pk, "right": order_of("1001").pk}
    response = ops.post("/joins/join", {**ids, "why": "Confirmed by Nora"}, follow=True)
    assert "the two are now one order" in response.content.decode()
    decision = IdentityDecision.objects.get()
    assert (decision.reason, decision.decided_by.username) == ("Confirmed by Nora", "olga")
    assert Order.objects.count() == 1
    undoing = ops.get(f"/joins/{decision.pk}").content.decode()
    assert "1 order becomes 2: 2 events, 0 alerts." in undoing
    ops.post(f"/joins/{decision.pk}/undo")
    assert set(Order.objects.values_list("pk", flat=True)) == set(ids.values())
    assert "Undone by olga" in ops.get("/joins/orders").content.decode()


def test_orders_marked_as_different_are_not_suggested_until_undone(ops: Client) -> None:
    ids = {"left": order_of("SO-1").pk, "right": order_of("1001").pk}
    ops.post("/joins/distinct", ids)
    assert "Possible duplicate" not in ops.get("/joins/orders").content.decode()
    comparison = ops.get(comparison_url()).content.decode()
    assert "An earlier decision says that these orders are different." in comparison
    ops.post(f"/joins/{IdentityDecision.objects.get().pk}/undo")
    assert "Possible duplicate" in ops.get("/joins/orders").content.decode()


def test_automatic_merge_shows_its_evidence_and_can_be_split(ops: Client) -> None:
    process_messages([source_message("erp", "order.received", 2, order={"id": "72"})])
    process_messages(
        [source_message("erp", "order.changed", 3, order={"number": "SO-1", "id": "72"})]
    )
    order = order_of("SO-1")
    page = ops.get("/joins/orders").content.decode()
    assert "Erp reported both numbers in one order.changed event" in page
    assert f"/joins/split/{order.pk}" in page
    code = "source_id|erp|72"
    shown = ops.get(f"/joins/split/{order.pk}", {"number": code}).content.decode()
    assert "1 order becomes 2: 3 events, 0 alerts." in shown
    ops.post(f"/joins/split/{order.pk}/do", {"number": code}, follow=True)
    assert Order.objects.count() == 3


def test_unmatched_record_is_attached_by_order_number(ops: Client) -> None:
    record_id = UnmatchedObject.objects.get().object_id
    response = ops.get("/joins/pair", {"number": "so-1", "right": str(record_id)}, follow=True)
    assert "Attach this record to order SO-1?" in response.content.decode()
    ops.post("/joins/join", {"left": order_of("SO-1").pk, "right": record_id})
    assert not UnmatchedObject.objects.exists()
    assert order_of("SO-1").event_count == 2
    response = ops.get("/joins/pair", {"number": "nobody", "right": str(record_id)}, follow=True)
    assert "No order found for nobody." in response.content.decode()


def test_likely_order_of_an_invoice_has_the_same_number(ops: Client) -> None:
    process_messages([source_message("finance", "invoice.issued", 5, invoice="SO-1")])
    page = ops.get("/joins").content.decode()
    assert "invoice SO-1 is the sales order of this order" in page


@pytest.mark.parametrize(
    ("role", "sees", "may_decide"),
    [
        (UserRole.CUSTOMER_SERVICE, True, False),
        (UserRole.EXECUTIVE, False, False),
        (UserRole.OPERATIONS, True, True),
        (UserRole.INTEGRATOR, True, True),
        (UserRole.ADMIN, True, True),
    ],
)
def test_permissions_to_see_and_to_decide(role: UserRole, sees: bool, may_decide: bool) -> None:
    client = signed_in(role)
    url = comparison_url()
    for path in ("/joins", "/joins/orders", url, f"/joins/split/{order_of('SO-1').pk}"):
        assert (client.get(path).status_code == 200) is sees
    if sees:
        assert (">Merge orders</button>" in client.get(url).content.decode()) is may_decide
    ids = {"left": order_of("SO-1").pk, "right": order_of("1001").pk}
    assert (client.post("/joins/join", ids).status_code == 302) is may_decide
    assert IdentityDecision.objects.exists() is may_decide


@pytest.mark.parametrize("path", ["/joins/join", "/joins/1/undo", "/joins/split/1/do"])
def test_decisions_require_post(ops: Client, path: str) -> None:
    assert ops.get(path).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/joins/pair",
        "/joins/pair?left=1&right=x",
        "/joins/pair?left=9&right=9",
        "/joins/99999",
        "/joins/split/99999",
        "/joins/pair?left=999999&right=999998",
    ],
)
def test_unknown_or_invalid_ids_return_404(ops: Client, path: str) -> None:
    assert ops.get(path).status_code == 404


def test_invisible_characters_of_numbers_are_escaped(ops: Client) -> None:
    process_messages(
        [source_message("carrier", "shipment.delivered", 5, tracking="1Z\u202e77<b>7")]
    )
    page = ops.get("/joins").content.decode()
    assert "1Z\\u202e77&lt;b&gt;7" in page
