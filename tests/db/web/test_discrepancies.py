"""The order page when systems disagree: discrepancies, promise dates and the system comparison."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from tests.builders import sources
from tests.builders.cloudevents import cloudevent
from tests.builders.users import signed_in
from tests.db.web.test_orders import fetch
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import store_messages
from visibility.models import Conflict, Order, Source
from visibility.operations.canonical_dump import dump_lines
from visibility.pipeline import job_functions
from visibility.timeline.authority import GRACE_PERIODS
from visibility.timeline.state_and_flag_enums import ComparedField
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
ROLES = {"shop": "shop", "erp": "erp", "north": "3pl", "wms": "wms", "finance": "finance"}
HOSTILE = "<script>alert(1)</script>"


def line_items(measure: str, **figures: int) -> list[dict[str, Any]]:
    return [
        {"line_id": sku, "sku": sku, "price": "2.50", measure: figure}
        for sku, figure in figures.items()
    ]


def create_sources() -> None:
    sources.create_sources(ROLES)


def send_event(source: str, event_type: str, at: datetime, data: dict[str, Any]) -> None:
    identity = f"{event_type} {at.isoformat()}"
    event = cloudevent(event_type, {"order": "SO-1", **data}, event_id=identity, at=at)
    store_messages([sources.cloudevent_message(Source.objects.get(slug=source), event)])


@pytest.fixture
def now() -> datetime:
    create_sources()
    return database_now()


@pytest.fixture
def blind(now: datetime) -> Order:
    """The 3PL shipped 8 of 12 two days ago; the ERP reports 0 and changed its promise date."""
    day = timedelta(days=1)
    about = {"currency": "USD", "promised_at": "2026-03-05"}
    send_event(
        "erp",
        "order.received",
        now - 4 * day,
        {"lines": line_items("ordered", A=12), "attributes": about},
    )
    send_event("erp", "order.released", now - 3 * day, {"lines": line_items("shipped", A=0)})
    shipped = {"shipment": "S1", "part": "shipment S1", "tracking": "1Z1"}
    send_event(
        "north",
        "shipment.confirmed",
        now - 2 * day,
        {**shipped, "lines": line_items("shipped", A=8)},
    )
    later = {"promised_at": "2026-03-09", "reason": HOSTILE}
    send_event("erp", "order.changed", now - day, {"attributes": later})
    job_functions.process_messages_and_refold()
    return Order.objects.get()


def test_discrepancy_shows_age_value_and_responsible_team_at_the_top(blind: Order) -> None:
    page = fetch(signed_in(UserRole.CUSTOMER_SERVICE), f"/orders/{blind.pk}")
    assert "Shipped: NORTH reports 8, ERP reports 0" in page
    assert "20.00 USD" in page
    assert "Warehouse" in page
    assert "discrepancy open for 1 d 20 h" in page
    assert page.index("NORTH reports 8") < page.index(">Activity<")


def test_comparison_lists_fields_by_system(blind: Order) -> None:
    page = fetch(signed_in(UserRole.CUSTOMER_SERVICE), f"/orders/{blind.pk}?tab=discrepancies")
    assert "1 discrepancy" in page
    row = page.split('<th scope="row"><span class="mono">A</span> Shipped')[1].split("</tr>")[0]
    assert row.index("discrepancy") < row.index('data-title="ERP">0')
    assert 'data-title="NORTH">8 <span class="chip-small">System of record</span>' in row
    assert "Promised date" in page
    assert 'data-title="ERP">Mon, Mar 9' in page
    assert "A</span> Price, USD" in page


def test_amounts_and_prices_need_the_prices_permission(blind: Order) -> None:
    integrator = signed_in(UserRole.INTEGRATOR)
    for tab in ("timeline", "lines", "money", "discrepancies"):
        page = fetch(integrator, f"/orders/{blind.pk}?tab={tab}")
        assert "20.00" not in page
        assert "2.50" not in page
    assert "20.00 USD" in fetch(signed_in(UserRole.EXECUTIVE), f"/orders/{blind.pk}?tab=money")


@pytest.mark.calendar
def test_promise_date_history_names_the_source_and_escapes_the_reason(blind: Order) -> None:
    page = fetch(signed_in(UserRole.CUSTOMER_SERVICE), f"/orders/{blind.pk}")
    ledger = page.split('class="promises"')[1].split("</details>")[0]
    assert "Thu, Mar 5" in ledger
    assert "Mon, Mar 9" in ledger
    assert "4 days later" in ledger
    assert "(ERP, " in ledger
    assert HOSTILE not in page


def test_copied_answer_is_the_customer_version(blind: Order) -> None:
    page = fetch(signed_in(UserRole.CUSTOMER_SERVICE), f"/orders/{blind.pk}")
    assert 'data-copy="answer-for-customer"' in page
    customer_answer = page.split('id="answer-for-customer" hidden>')[1].split("</p>")[0]
    assert customer_answer.startswith("Order SO-1: Part of your order has been shipped: 8 of ")
    assert "contradict" not in customer_answer


def test_lines_show_quantities_by_system(blind: Order) -> None:
    page = fetch(signed_in(UserRole.CUSTOMER_SERVICE), f"/orders/{blind.pk}?tab=lines")
    assert "Partially shipped" in page
    assert "NORTH: shipped 8" in page
    assert 'data-title="Ordered"' in page  # a card on a narrow screen


def test_billing_shows_shipped_quantities_without_an_invoice(blind: Order) -> None:
    page = fetch(signed_in(UserRole.CUSTOMER_SERVICE), f"/orders/{blind.pk}?tab=money")
    assert "8 shipped, not invoiced" in page
    assert "No invoices yet." in page


def test_tabs_pass_on_as_known_at(blind: Order) -> None:
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    page = fetch(clerk, f"/orders/{blind.pk}?as_known_at=2026-01-01T00:00:00%2B00:00")
    assert "This page shows the data known on" in page
    assert "?tab=discrepancies&amp;as_known_at=2026-01-01" in page
    assert "No data was known at this time." in page
    assert "No discrepancies" in fetch(
        clerk, f"/orders/{blind.pk}?tab=discrepancies&as_known_at=2026-01-01T00:00:00%2B00:00"
    )


def test_quick_view_counts_orders_with_discrepancies(blind: Order) -> None:
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    page = fetch(clerk, "/orders?state=conflict")
    assert "SO-1" in page
    assert 'Systems disagree <span class="count">1</span>' in page
    assert "discrepancy between systems" in page
    assert "SO-1" not in fetch(clerk, "/orders?state=returned&state=partially_returned")
    assert "SO-1" not in fetch(clerk, "/orders?state=conflict&without=partially_shipped")
    assert fetch(clerk, "/orders?state=nonsense&without=nonsense")


def test_conflict_row_is_deleted_when_systems_agree(blind: Order, now: datetime) -> None:
    (row,) = Conflict.objects.values("field", "line", "owner", "currency", "opened_at", "money")
    assert (row["field"], row["line"], row["owner"], row["currency"]) == (
        "shipped",
        "A",
        "Warehouse",
        "USD",
    )
    assert row["opened_at"] == now - timedelta(days=2) + GRACE_PERIODS[ComparedField.SHIPPED]
    assert (blind.conflict_count, "conflict" in blind.states) == (1, True)
    call_command("rebuild")
    assert Conflict.objects.count() == 1
    send_event("erp", "order.changed", now, {"lines": line_items("shipped", A=8)})
    job_functions.process_messages_and_refold()
    assert not Conflict.objects.exists()
    blind.refresh_from_db()
    assert (blind.conflict_count, "conflict" in blind.states) == (0, False)


def test_conflict_opens_after_the_grace_period(now: datetime) -> None:
    grace, soon = GRACE_PERIODS[ComparedField.SHIPPED], timedelta(seconds=30)
    send_event("erp", "order.received", now - 2 * grace, {"lines": line_items("ordered", A=12)})
    send_event("erp", "order.released", now - 2 * grace, {"lines": line_items("shipped", A=0)})
    at = now - grace + soon
    send_event(
        "north", "shipment.confirmed", at, {"shipment": "S1", "lines": line_items("shipped", A=8)}
    )
    job_functions.process_messages_and_refold()
    assert not Conflict.objects.exists()
    pending_requests = "SELECT object_id, due_at FROM visibility_refoldrequest "
    pending_requests += "WHERE due_at > clock_timestamp()"
    with connection.cursor() as cursor:
        cursor.execute(pending_requests)
        assert cursor.fetchall() == [(Order.objects.get().pk, at + grace)]
    call_command("rebuild")  # refolding does not enqueue a second request
    with connection.cursor() as cursor:
        cursor.execute(pending_requests)
        assert len(cursor.fetchall()) == 1
    early, late = (
        b"".join(dump_lines(as_of=at + grace + wait))
        for wait in (-timedelta(microseconds=1), timedelta(0))
    )
    assert b'"conflicts":[]' in early
    assert b'"owner":"Warehouse"' in late


def test_dump_state_accepts_known_at(blind: Order, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("dump_state", "--known-at", "2026-01-01T00:00:00Z")
    assert capsys.readouterr().out == ""
    call_command("dump_state")
    dump = capsys.readouterr().out
    assert '"kind":"moved"' in dump
    assert '"field":"shipped"' in dump


def test_api_returns_conflicts_and_promises(blind: Order) -> None:
    def get(client: Client, path: str) -> Any:
        return client.get(f"/api/v1/orders/{blind.pk}{path}").json()

    clerk, integrator = signed_in(UserRole.CUSTOMER_SERVICE), signed_in(UserRole.INTEGRATOR)
    for path in ("", "/timeline"):
        response = get(clerk, path)
        (conflict,) = response["conflicts"]
        assert (conflict["field"], conflict["line"], conflict["owner"]) == (
            "shipped",
            "A",
            "Warehouse",
        )
        assert conflict["money_at_risk"] == {"amount": "20", "currency": "USD"}
        assert [p["kind"] for p in response["promises"]] == ["first", "moved"]
        assert "conflict" in response["states"]
        assert "money_at_risk" not in get(integrator, path)["conflicts"][0]
    line = get(clerk, "")["lines"]["items"][0]
    assert (line["state"], line["flags"]) == ("partially_shipped", [])
    assert clerk.get("/api/v1/orders?state=conflict").json()["items"][0]["conflict_count"] == 1
    then = get(clerk, "/timeline?as_known_at=2026-01-01T00:00:00Z")
    assert (then["conflicts"], then["promises"]) == ([], [])


def test_price_conflict_needs_the_prices_permission(now: datetime) -> None:
    day = timedelta(days=1)
    dear = [{"line_id": "A", "sku": "A", "ordered": 12, "price": "3.75"}]
    send_event("shop", "order.received", now - 3 * day, {"lines": dear})
    send_event("erp", "order.received", now - 3 * day, {"lines": line_items("ordered", A=12)})
    job_functions.process_messages_and_refold()
    order = Order.objects.get()
    integrator = signed_in(UserRole.INTEGRATOR)
    assert "3.75" in fetch(signed_in(UserRole.CUSTOMER_SERVICE), f"/orders/{order.pk}")
    for tab in ("timeline", "discrepancies"):
        assert "3.75" not in fetch(integrator, f"/orders/{order.pk}?tab={tab}")
    assert integrator.get(f"/api/v1/orders/{order.pk}").json()["conflicts"] == []
