"""The page of an order whose systems contradict each other."""

from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from tests.web.test_orders import signed_in, text
from visibility.db.clock import database_now
from visibility.ingest.inbox import Arrival, keep
from visibility.models import Conflict, Order, Source
from visibility.operations.canonical_dump import facts
from visibility.pipeline import stages
from visibility.timeline.authority import GRACE
from visibility.timeline.enums import Field

pytestmark = pytest.mark.django_db
ROLES = {"shop": "shop", "erp": "erp", "north": "3pl", "wms": "wms", "finance": "finance"}
HOSTILE = "<script>alert(1)</script>"


def lines(measure: str, **figures: int) -> list[dict[str, Any]]:
    return [
        {"line_id": sku, "sku": sku, "price": "2.50", measure: figure}
        for sku, figure in figures.items()
    ]


def listen() -> None:
    for slug, role in ROLES.items():
        Source.objects.create(
            slug=slug,
            title=slug.upper(),
            connector="cloudevents",
            role=role,
            config={"order_number": "sales_order@erp"},
        )


def tell(source: str, word: str, at: datetime, data: dict[str, Any]) -> None:
    identity = f"{word} {at.isoformat()}"
    event = {
        "specversion": "1.0",
        "id": identity,
        "source": source,
        "type": word,
        "time": at.isoformat(),
        "data": {"order": "SO-1", **data},
    }
    headers = {"content-type": "application/cloudevents+json"}
    keep([Arrival(Source.objects.get(slug=source).pk, identity, headers, orjson.dumps(event))])


@pytest.fixture
def now() -> datetime:
    listen()
    return database_now()


@pytest.fixture
def blind(now: datetime) -> Order:
    """The 3PL shipped 8 of 12 two days ago, the ERP says 0, and moved its promise."""
    day = timedelta(days=1)
    about = {"currency": "USD", "promised_at": "2026-03-05"}
    tell(
        "erp",
        "order.received",
        now - 4 * day,
        {"lines": lines("ordered", A=12), "attributes": about},
    )
    tell("erp", "order.released", now - 3 * day, {"lines": lines("shipped", A=0)})
    shipped = {"shipment": "S1", "part": "shipment S1", "tracking": "1Z1"}
    tell("north", "shipment.confirmed", now - 2 * day, {**shipped, "lines": lines("shipped", A=8)})
    later = {"promised_at": "2026-03-09", "reason": HOSTILE}
    tell("erp", "order.changed", now - day, {"attributes": later})
    stages.advance()
    return Order.objects.get()


def test_a_contradiction_is_told_at_the_top_with_age_money_and_whose_it_is(blind: Order) -> None:
    page = text(signed_in("customer_service"), f"/orders/{blind.pk}")
    assert "Shipped: NORTH says 8, ERP says 0" in page
    assert "20.00 USD" in page
    assert "Warehouse" in page
    assert "for 1 d 20 h" in page
    assert page.index("NORTH says 8") < page.index("What happened, newest first")


def test_the_truths_are_a_matrix_of_field_and_system(blind: Order) -> None:
    page = text(signed_in("customer_service"), f"/orders/{blind.pk}?tab=truths")
    assert "1 contradiction" in page
    row = page.split('<th scope="row"><span class="mono">A</span> Shipped')[1].split("</tr>")[0]
    assert row.index("contradiction") < row.index('data-title="ERP">0')
    assert 'data-title="NORTH">8 <span class="chip-small">believed</span>' in row
    assert "Promised date" in page
    assert 'data-title="ERP">Mon 9 Mar' in page
    assert "A</span> Price, USD" in page


def test_money_and_prices_are_for_those_who_may_see_them(blind: Order) -> None:
    integrator = signed_in("integrator")
    for tab in ("timeline", "lines", "money", "truths"):
        page = text(integrator, f"/orders/{blind.pk}?tab={tab}")
        assert "20.00" not in page
        assert "2.50" not in page
    assert "20.00 USD" in text(signed_in("executive"), f"/orders/{blind.pk}?tab=money")


def test_the_promise_ledger_says_who_moved_it_and_text_from_outside_is_inert(blind: Order) -> None:
    page = text(signed_in("customer_service"), f"/orders/{blind.pk}")
    ledger = page.split('class="promises"')[1].split("</details>")[0]
    assert "Thu 5 Mar" in ledger
    assert "Mon 9 Mar" in ledger
    assert "4 days later" in ledger
    assert "by ERP" in ledger
    assert HOSTILE not in page


def test_the_copied_answer_is_the_customer_s(blind: Order) -> None:
    page = text(signed_in("customer_service"), f"/orders/{blind.pk}")
    assert 'data-copy="answer-for-customer"' in page
    said = page.split('id="answer-for-customer" hidden>')[1].split("</p>")[0]
    assert said.startswith("Order SO-1: Part of your order has been shipped: 0 of 1 line")
    assert "contradict" not in said


def test_the_lines_say_what_each_system_says(blind: Order) -> None:
    page = text(signed_in("customer_service"), f"/orders/{blind.pk}?tab=lines")
    assert "Partly shipped" in page
    assert "NORTH: shipped 8" in page
    assert 'data-title="Ordered"' in page  # a card on a narrow screen


def test_the_money_says_what_left_without_a_bill(blind: Order) -> None:
    page = text(signed_in("customer_service"), f"/orders/{blind.pk}?tab=money")
    assert "8 shipped, not invoiced" in page
    assert "Nothing has been invoiced yet." in page


def test_a_look_back_stays_one_from_tab_to_tab(blind: Order) -> None:
    clerk = signed_in("customer_service")
    page = text(clerk, f"/orders/{blind.pk}?as_known_at=2026-01-01T00:00:00%2B00:00")
    assert "You see what was known on" in page
    assert "?tab=truths&amp;as_known_at=2026-01-01" in page
    assert "Nothing was known then." in page
    assert "No contradictions" in text(
        clerk, f"/orders/{blind.pk}?tab=truths&as_known_at=2026-01-01T00:00:00%2B00:00"
    )


def test_conflicting_orders_are_one_click_away_and_counted(blind: Order) -> None:
    clerk = signed_in("customer_service")
    page = text(clerk, "/orders?state=conflict")
    assert "SO-1" in page
    assert 'Conflicting claims <span class="count">1</span>' in page
    assert "contradiction between systems" in page
    assert "SO-1" not in text(clerk, "/orders?state=returned&state=partially_returned")
    assert "SO-1" not in text(clerk, "/orders?state=conflict&without=partially_shipped")
    assert text(clerk, "/orders?state=nonsense&without=nonsense")


def test_the_row_of_a_conflict_is_one_and_goes_when_they_agree(blind: Order, now: datetime) -> None:
    (row,) = Conflict.objects.values("field", "line", "owner", "currency", "opened_at", "money")
    assert (row["field"], row["line"], row["owner"], row["currency"]) == (
        "shipped",
        "A",
        "Warehouse",
        "USD",
    )
    assert row["opened_at"] == now - timedelta(days=2) + GRACE[Field.SHIPPED]
    assert (blind.conflict_count, "conflict" in blind.states) == (1, True)
    call_command("rebuild")
    assert Conflict.objects.count() == 1
    tell("erp", "order.changed", now, {"lines": lines("shipped", A=8)})
    stages.advance()
    assert not Conflict.objects.exists()
    blind.refresh_from_db()
    assert (blind.conflict_count, "conflict" in blind.states) == (0, False)


def test_time_alone_opens_a_conflict(now: datetime) -> None:
    grace, soon = GRACE[Field.SHIPPED], timedelta(seconds=30)
    tell("erp", "order.received", now - 2 * grace, {"lines": lines("ordered", A=12)})
    tell("erp", "order.released", now - 2 * grace, {"lines": lines("shipped", A=0)})
    at = now - grace + soon
    tell("north", "shipment.confirmed", at, {"shipment": "S1", "lines": lines("shipped", A=8)})
    stages.advance()
    assert not Conflict.objects.exists()
    marks = "SELECT object_id, touched_at FROM visibility_refold "
    marks += "WHERE touched_at > clock_timestamp()"
    with connection.cursor() as cursor:
        cursor.execute(marks)
        assert cursor.fetchall() == [(Order.objects.get().pk, at + grace)]
    call_command("rebuild")  # however often it is folded, it is marked once
    with connection.cursor() as cursor:
        cursor.execute(marks)
        assert len(cursor.fetchall()) == 1
    early, late = (
        b"".join(facts(as_of=at + grace + wait))
        for wait in (-timedelta(microseconds=1), timedelta(0))
    )
    assert b'"conflicts":[]' in early
    assert b'"owner":"Warehouse"' in late


def test_the_facts_can_be_asked_as_known_at(
    blind: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("facts", "--known-at", "2026-01-01T00:00:00Z")
    assert capsys.readouterr().out == ""
    call_command("facts")
    told = capsys.readouterr().out
    assert '"kind":"moved"' in told
    assert '"field":"shipped"' in told


def test_the_api_tells_conflicts_and_promises(blind: Order) -> None:
    def get(client: Client, path: str) -> Any:
        return client.get(f"/api/v1/orders/{blind.pk}{path}").json()

    clerk, integrator = signed_in("customer_service"), signed_in("integrator")
    for path in ("", "/timeline"):
        told = get(clerk, path)
        (conflict,) = told["conflicts"]
        assert (conflict["field"], conflict["line"], conflict["owner"]) == (
            "shipped",
            "A",
            "Warehouse",
        )
        assert conflict["money"] == {"amount": "20", "currency": "USD"}
        assert [p["kind"] for p in told["promises"]] == ["first", "moved"]
        assert "conflict" in told["states"]
        assert "money" not in get(integrator, path)["conflicts"][0]
    line = get(clerk, "")["lines"]["items"][0]
    assert (line["state"], line["flags"]) == ("partially_shipped", [])
    assert clerk.get("/api/v1/orders?state=conflict").json()["items"][0]["conflict_count"] == 1
    then = get(clerk, "/timeline?as_known_at=2026-01-01T00:00:00Z")
    assert (then["conflicts"], then["promises"]) == ([], [])


def test_a_conflict_about_prices_is_for_those_who_may_see_prices(now: datetime) -> None:
    day = timedelta(days=1)
    dear = [{"line_id": "A", "sku": "A", "ordered": 12, "price": "3.75"}]
    tell("shop", "order.received", now - 3 * day, {"lines": dear})
    tell("erp", "order.received", now - 3 * day, {"lines": lines("ordered", A=12)})
    stages.advance()
    order = Order.objects.get()
    integrator = signed_in("integrator")
    assert "3.75" in text(signed_in("customer_service"), f"/orders/{order.pk}")
    for tab in ("timeline", "truths"):
        assert "3.75" not in text(integrator, f"/orders/{order.pk}?tab={tab}")
    assert integrator.get(f"/api/v1/orders/{order.pk}").json()["conflicts"] == []
