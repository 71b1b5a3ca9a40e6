"""Data lineage from messages to orders and back, in the API and on the pages."""

from typing import Any

import orjson
import pytest
from django.db import connection
from django.test import Client

from tests.builders import exported_order
from tests.builders.sla_rules import always_open, create_rule
from tests.builders.users import signed_in
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import Alert, InboundMessage, KpiFact, Order, Source
from visibility.pipeline import job_functions
from visibility.screens.messages import order_and_message_lineage
from visibility.web.permissions import UserRole

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def sources(db: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Source]:
    """Three orders, and an SLA rule whose timer two of their events start and stop."""
    monkeypatch.setattr(
        "visibility.pipeline.job_functions.ask_worker_to_run_job_now", lambda *_: None
    )
    create_rule(
        always_open(),
        code="scan",
        kind="no_tracking_scan",
        title="Scanned in time",
        params={"within": 1},
        team="Carriers",
    )
    sources = exported_order.receive_story()
    sweep(now=database_now())
    return sources


def get(client: Client, path: str) -> Any:
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 200, response.content
    return response.json()


def message_of(event_type: str, at: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT message_id FROM visibility_event WHERE type = %s AND occurred_at = %s",
            [event_type, at],
        )
        return int(cursor.fetchone()[0])


def set_trace_header(message_id: int) -> None:
    headers = {"content-type": "x", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    InboundMessage.objects.filter(id=message_id).update(headers=headers)


def test_event_lists_its_sla_timers_and_alerts(sources: dict[str, Source]) -> None:
    order = Order.objects.get(number="SO-2")
    result = get(signed_in(UserRole.OPERATIONS), f"orders/{order.pk}/lineage")
    actions = {
        (event["type"], effect["clock_action"], effect["alert_action"])
        for event in result["events"]["items"]
        for effect in event["effects"]
    }
    assert ("shipment.confirmed", "started", "opened") in actions
    assert ("shipment.in_transit", "stopped", "closed") in actions
    assert not [d for d in actions if d[0] in {"order.received", "shipment.delivered"}]
    alerts = {effect["alert"] for event in result["events"]["items"] for effect in event["effects"]}
    assert alerts == {alert["id"] for alert in result["alerts"]}


def test_order_lists_the_kpis_that_include_it(sources: dict[str, Source]) -> None:
    order = Order.objects.get(number="SO-1")
    facts = get(signed_in(UserRole.OPERATIONS), f"orders/{order.pk}/lineage")["kpis"]
    assert {"fill_rate", "unit_fill_rate"} <= {fact["kpi"] for fact in facts}
    assert {fact["order"] for fact in facts} == {order.pk}


def test_message_lists_its_results(sources: dict[str, Source]) -> None:
    message = message_of("shipment.in_transit", "2026-03-06T08:00:00Z")
    set_trace_header(message)
    result = get(signed_in(UserRole.OPERATIONS), f"messages/{message}/lineage")
    assert {order["number"] for order in result["orders"]} == {"SO-2", "SO-3"}
    (event,) = result["events"]
    assert event["objects"][0]["name"] == "tracking::1ZA4"
    assert len(event["effects"]) == 2  # the scan of the package, for each of its orders
    assert {fact["order"] for fact in result["kpis"]} == {o["id"] for o in result["orders"]}
    assert {a["order"]["number"] for a in result["alerts"]} == {"SO-2", "SO-3"}
    assert result["traces"] == [{"trace_id": TRACE, "url": ""}]


def test_both_directions_agree(sources: dict[str, Source]) -> None:
    client = signed_in(UserRole.OPERATIONS)
    down, up = set(), set()
    for order in Order.objects.all():
        for event in get(client, f"orders/{order.pk}/lineage")["events"]["items"]:
            down.add((event["message"]["id"], event["id"], order.pk))
    for message in InboundMessage.objects.all():
        result = get(client, f"messages/{message.id}/lineage")
        (event,) = result["events"]
        up |= {(result["id"], event["id"], order["id"]) for order in result["orders"]}
    assert down == up
    assert down


def test_alerts_and_kpis_need_permissions(sources: dict[str, Source]) -> None:
    message = message_of("shipment.in_transit", "2026-03-06T08:00:00Z")
    order = Order.objects.get(number="SO-2")
    assert Alert.objects.exists()
    client = signed_in(UserRole.INTEGRATOR)
    for path in (f"orders/{order.pk}/lineage", f"messages/{message}/lineage"):
        result = get(client, path)
        events = result["events"]["items"] if "items" in result["events"] else result["events"]
        assert (result["alerts"], result["kpis"]) == ([], [])
        assert not any(event["effects"] for event in events)
    page = client.get(f"/orders/{order.pk}?tab=lineage").content.decode()
    assert "/alerts/" not in page.split('id="order-tab"')[1]
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    assert clerk.get(f"/api/v1/messages/{message}/lineage").status_code == 403


def test_pages_link_to_the_trace(sources: dict[str, Source], settings: Any) -> None:
    settings.TRACE_URL = "https://tempo.example/trace/{trace_id}"
    message = message_of("shipment.in_transit", "2026-03-06T08:00:00Z")
    set_trace_header(message)
    client = signed_in(UserRole.OPERATIONS)
    order = Order.objects.get(number="SO-2")
    page = client.get(f"/orders/{order.pk}?tab=lineage").content.decode()
    link = f'href="https://tempo.example/trace/{TRACE}"'
    tab = page.split('id="order-tab"')[1]
    assert link in tab
    assert f'href="/messages/{message}"' in tab
    assert "Opened the SLA alert" in tab
    assert 'tracking number <span class="mono">1ZA4</span>' in tab
    assert "KPIs that include these orders" in tab
    assert "4 d 16 h" in tab  # the order cycle time, received to delivered
    page = client.get(f"/messages/{message}").content.decode()
    assert link in page
    assert "SLA timers and KPIs" in page
    assert "SO-3" in page.split("SLA timers and KPIs")[1]


def test_pages_show_source_titles_and_exclusion_reasons(sources: dict[str, Source]) -> None:
    Source.objects.update(title="Source title")
    order = Order.objects.get(number="SO-2")
    fact = KpiFact.objects.filter(order_id=order.pk).first()
    assert fact
    KpiFact.objects.filter(pk=fact.pk).update(kpi="fill_rate", excluded="no_lines")
    page = signed_in(UserRole.OPERATIONS).get(f"/orders/{order.pk}?tab=lineage").content.decode()
    assert '<span class="sub">Source title' in page
    assert "excluded: no order lines received" in page


def test_superseded_event_has_no_effects(sources: dict[str, Source]) -> None:
    message = message_of("shipment.in_transit", "2026-03-06T08:00:00Z")
    message_row = InboundMessage.objects.get(id=message)
    event = orjson.loads(bytes(message_row.body))
    event["data"]["revision"] = "2"
    event["time"] = "2026-03-06T09:30:00Z"
    store_messages(
        [
            IncomingMessage(
                message_row.source_id,
                message_row.dedupe_key,
                message_row.headers,
                orjson.dumps(event),
            )
        ]
    )
    job_functions.process_messages_and_refold()
    message_lineage = order_and_message_lineage.message_lineage(message)
    assert message_lineage is not None
    assert [t.effects for t in message_lineage.events if t.event.superseded] == [[]]
