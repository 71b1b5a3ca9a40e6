"""The workbench of who is who: what it shows, what it warns of, what it does, and to whom."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.correlate.told import connect, order_of, tell, word
from tests.web.alert_cast import alert, signed_in
from visibility.models import AuditEntry, JoinAct, Order, Orphan
from visibility.web.permissions import Role

pytestmark = pytest.mark.django_db
LINE = [{"line_id": "1", "sku": "A-1", "ordered": 5, "price": "12.30"}]


@pytest.fixture(autouse=True)
def _told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two orders with one customer PO, and a parcel of nobody."""
    monkeypatch.setattr("visibility.web.pages.identity.announce", lambda *_: None)
    connect(wms={})
    total = {"total": "61.50", "currency": "USD", "customer_no": "C1"}
    tell(
        [
            word(
                "erp",
                "order.received",
                1,
                order={"number": "SO-1", "po": "PO-77"},
                lines=LINE,
                attributes=total,
            ),
            word(
                "shop",
                "order.received",
                1.5,
                order={"number": "1001", "po": "po-77"},
                attributes=total,
            ),
            word("carrier", "shipment.delivered", 4, tracking="1Z777"),
        ]
    )


@pytest.fixture
def ops() -> Client:
    return signed_in(Role.OPERATIONS, "olga")


def pair() -> str:
    """The address of the comparison."""
    return f"/joins/pair?left={order_of('SO-1').pk}&right={order_of('1001').pk}"


def test_the_page_tells_of_orphans_and_of_orders_entered_twice(ops: Client) -> None:
    page = ops.get("/joins").content.decode()
    assert "tracking number 1Z777" in page
    assert "Entered twice?" in page
    assert "95 % sure" in page


def test_the_id_of_a_system_is_said_where_it_is_all_there_is(ops: Client) -> None:
    tell(
        [
            word("wms", "shipment.confirmed", 5, shipment={"id": "77001"}),
            word("wms", "shipment.confirmed", 6, shipment={"id": "77002", "number": "D-2"}),
        ]
    )
    page = ops.get("/joins").content.decode()
    assert "system id 77001" in page
    assert "shipment D-2" in page
    assert "77002" not in page


def test_the_page_asks_the_same_number_of_questions_however_much_there_is(ops: Client) -> None:
    ops.get("/joins")
    counts = []
    for n in (1, 12):
        tell(word("carrier", "shipment.delivered", 4 + n, tracking=f"1Z{n}{i}") for i in range(n))
        with CaptureQueriesContext(connection) as queries:
            ops.get("/joins")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_join_is_shown_in_numbers_first_and_changes_nothing_until_it_is_done(
    ops: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visibility.pipeline.refold.clocks.set_clocks", lambda *_, **__: [])
    found = order_of("SO-1")
    alert("SO-9", order_id=found.pk)
    orders = Order.objects.count()
    page = ops.get(pair()).content.decode()
    assert "2 orders become 1: 2 events, 1 alert." in page
    assert Order.objects.count() == orders
    assert not JoinAct.objects.exists()
    assert not AuditEntry.objects.filter(what__startswith="join.").exists()


def test_joined_by_a_click_and_taken_back_by_another(ops: Client) -> None:
    ids = {"left": order_of("SO-1").pk, "right": order_of("1001").pk}
    answer = ops.post("/joins/join", {**ids, "why": "Nora said so"}, follow=True)
    assert "the two are one order now" in answer.content.decode()
    act = JoinAct.objects.get()
    assert (act.why, act.made_by.username) == ("Nora said so", "olga")
    assert Order.objects.count() == 1
    undoing = ops.get(f"/joins/{act.pk}").content.decode()
    assert "1 order becomes 2: 2 events, 0 alerts." in undoing
    ops.post(f"/joins/{act.pk}/undo")
    assert set(Order.objects.values_list("pk", flat=True)) == set(ids.values())
    assert "Taken back by olga" in ops.get("/joins").content.decode()


def test_what_is_not_the_same_is_suggested_no_longer(ops: Client) -> None:
    ids = {"left": order_of("SO-1").pk, "right": order_of("1001").pk}
    ops.post("/joins/distinct", ids)
    assert "Entered twice?" not in ops.get("/joins").content.decode()
    refused = ops.get(pair()).content.decode()
    assert "Somebody has told them apart: undo that first." in refused
    ops.post(f"/joins/{JoinAct.objects.get().pk}/undo")
    assert "Entered twice?" in ops.get("/joins").content.decode()


def test_a_wrong_join_is_listed_with_its_evidence_and_split_by_choosing_numbers(
    ops: Client,
) -> None:
    tell([word("erp", "order.received", 2, order={"id": "72"})])
    tell([word("erp", "order.changed", 3, order={"number": "SO-1", "id": "72"})])
    order = order_of("SO-1")
    page = ops.get("/joins").content.decode()
    assert "Erp named both in one order.changed" in page
    assert f"/joins/split/{order.pk}" in page
    code = "source_id|erp|72"
    shown = ops.get(f"/joins/split/{order.pk}", {"number": code}).content.decode()
    assert "1 order becomes 2: 3 events, 0 alerts." in shown
    ops.post(f"/joins/split/{order.pk}/do", {"number": code}, follow=True)
    assert Order.objects.count() == 3


def test_an_orphan_is_given_to_the_order_whose_number_is_typed(ops: Client) -> None:
    orphan = Orphan.objects.get().object_id
    answer = ops.get("/joins/pair", {"number": "so-1", "right": str(orphan)}, follow=True)
    assert "Does this belong to the order?" in answer.content.decode()
    ops.post("/joins/join", {"left": order_of("SO-1").pk, "right": orphan})
    assert not Orphan.objects.exists()
    assert order_of("SO-1").event_count == 2
    answer = ops.get("/joins/pair", {"number": "nobody", "right": str(orphan)}, follow=True)
    assert "No order goes by nobody." in answer.content.decode()


def test_the_probable_owner_of_a_bill_is_the_order_it_mentions(ops: Client) -> None:
    tell([word("finance", "invoice.issued", 5, invoice="SO-1")])
    page = ops.get("/joins").content.decode()
    assert "its invoice SO-1 is the order&#x27;s sales order" in page


@pytest.mark.parametrize(
    ("role", "sees", "acts"),
    [
        (Role.CUSTOMER_SERVICE, True, False),
        (Role.EXECUTIVE, False, False),
        (Role.OPERATIONS, True, True),
        (Role.INTEGRATOR, True, True),
        (Role.ADMIN, True, True),
    ],
)
def test_who_may_see_and_who_may_decide(role: Role, sees: bool, acts: bool) -> None:
    client = signed_in(role)
    address = pair()
    for path in ("/joins", address, f"/joins/split/{order_of('SO-1').pk}"):
        assert (client.get(path).status_code == 200) is sees
    if sees:
        assert ("Join: they are one" in client.get(address).content.decode()) is acts
    ids = {"left": order_of("SO-1").pk, "right": order_of("1001").pk}
    assert (client.post("/joins/join", ids).status_code == 302) is acts
    assert JoinAct.objects.exists() is acts


@pytest.mark.parametrize("path", ["/joins/join", "/joins/1/undo", "/joins/split/1/do"])
def test_nothing_is_decided_by_an_address_alone(ops: Client, path: str) -> None:
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
def test_what_does_not_exist_is_not_found(ops: Client, path: str) -> None:
    assert ops.get(path).status_code == 404


def test_a_number_that_only_looks_like_another_is_written_out(ops: Client) -> None:
    tell([word("carrier", "shipment.delivered", 5, tracking="1Z\u202e77<b>7")])
    page = ops.get("/joins").content.decode()
    assert "1Z\\u202e77&lt;b&gt;7" in page
