"""Lineage both ways, in the API and on the pages."""

from typing import Any

import orjson
import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from tests.export import cast
from tests.rules import promise
from visibility.alerts.sweep import sweep
from visibility.db.clock import database_now
from visibility.ingest.inbox import Arrival, keep
from visibility.models import Alert, InboundMessage, KpiFact, Order, Source, WorkCalendar
from visibility.pipeline import stages
from visibility.screens.messages import lineage
from visibility.sla.calendar import DAYS
from visibility.web.permissions import Role

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def told(db: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Source]:
    """The story of three orders; a promise that two of its events start and stop."""
    monkeypatch.setattr("visibility.pipeline.stages.nudge", lambda *_: None)
    promise(
        WorkCalendar.objects.create(
            code="always", title="Always", hours={day: [["00:00", "24:00"]] for day in DAYS}
        ),
        code="scan",
        kind="no_tracking_scan",
        title="Scanned in time",
        params={"within": 1},
        team="Carriers",
    )
    sources = cast.tell()
    sweep(now=database_now())
    return sources


def signed_in(role: Role) -> Client:
    user = User.objects.create(username=role.value)
    user.groups.add(Group.objects.get_or_create(name=role.value)[0])
    client = Client()
    client.force_login(user)
    return client


def get(client: Client, path: str) -> Any:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def message_of(word: str, at: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT message_id FROM visibility_event WHERE type = %s AND occurred_at = %s",
            [word, at],
        )
        return int(cursor.fetchone()[0])


def traced(message_id: int) -> None:
    headers = {"content-type": "x", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    InboundMessage.objects.filter(id=message_id).update(headers=headers)


def test_an_event_leads_to_the_clocks_and_alerts_it_moved(told: dict[str, Source]) -> None:
    order = Order.objects.get(number="SO-2")
    found = get(signed_in(Role.OPERATIONS), f"orders/{order.pk}/lineage")
    did = {
        (one["type"], effect["did"], effect["alert_did"])
        for one in found["events"]["items"]
        for effect in one["effects"]
    }
    assert ("shipment.confirmed", "started", "opened") in did
    assert ("shipment.in_transit", "stopped", "closed") in did
    assert not [d for d in did if d[0] in {"order.received", "shipment.delivered"}]
    alerts = {effect["alert"] for one in found["events"]["items"] for effect in one["effects"]}
    assert alerts == {alert["id"] for alert in found["alerts"]}


def test_an_order_says_in_which_numbers_it_counts(told: dict[str, Source]) -> None:
    order = Order.objects.get(number="SO-1")
    facts = get(signed_in(Role.OPERATIONS), f"orders/{order.pk}/lineage")["kpis"]
    assert {"fill_rate", "unit_fill_rate"} <= {fact["kpi"] for fact in facts}
    assert {fact["order"] for fact in facts} == {order.pk}


def test_a_message_leads_to_all_that_it_fed(told: dict[str, Source]) -> None:
    message = message_of("shipment.in_transit", "2026-03-06T08:00:00Z")
    traced(message)
    found = get(signed_in(Role.OPERATIONS), f"messages/{message}/lineage")
    assert {order["number"] for order in found["orders"]} == {"SO-2", "SO-3"}
    (event,) = found["events"]
    assert event["objects"][0]["name"] == "tracking::1ZA4"
    assert len(event["effects"]) == 2  # the parcel's scan, in each of its orders
    assert {fact["order"] for fact in found["kpis"]} == {o["id"] for o in found["orders"]}
    assert {a["order"]["number"] for a in found["alerts"]} == {"SO-2", "SO-3"}
    assert found["traces"] == [{"trace_id": TRACE, "url": ""}]


def test_the_two_ways_agree(told: dict[str, Source]) -> None:
    client = signed_in(Role.OPERATIONS)
    down, up = set(), set()
    for order in Order.objects.all():
        for one in get(client, f"orders/{order.pk}/lineage")["events"]["items"]:
            down.add((one["message"]["id"], one["id"], order.pk))
    for message in InboundMessage.objects.all():
        found = get(client, f"messages/{message.id}/lineage")
        (one,) = found["events"]
        up |= {(found["id"], one["id"], order["id"]) for order in found["orders"]}
    assert down == up
    assert down


def test_alerts_and_numbers_are_for_those_who_may_see_them(told: dict[str, Source]) -> None:
    message = message_of("shipment.in_transit", "2026-03-06T08:00:00Z")
    order = Order.objects.get(number="SO-2")
    assert Alert.objects.exists()
    client = signed_in(Role.INTEGRATOR)
    for path in (f"orders/{order.pk}/lineage", f"messages/{message}/lineage"):
        found = get(client, path)
        events = found["events"]["items"] if "items" in found["events"] else found["events"]
        assert (found["alerts"], found["kpis"]) == ([], [])
        assert not any(one["effects"] for one in events)
    page = client.get(f"/orders/{order.pk}?tab=lineage").content.decode()
    assert "/alerts/" not in page.split('id="order-part"')[1]
    clerk = signed_in(Role.CUSTOMER_SERVICE)
    assert clerk.get(f"/api/v1/messages/{message}/lineage").status_code == 403


def test_the_pages_show_it_with_a_link_to_the_trace(told: dict[str, Source], settings: Any) -> None:
    settings.TRACE_URL = "https://tempo.example/trace/{trace_id}"
    message = message_of("shipment.in_transit", "2026-03-06T08:00:00Z")
    traced(message)
    client = signed_in(Role.OPERATIONS)
    order = Order.objects.get(number="SO-2")
    page = client.get(f"/orders/{order.pk}?tab=lineage").content.decode()
    link = f'href="https://tempo.example/trace/{TRACE}"'
    part = page.split('id="order-part"')[1]
    assert link in part
    assert f'href="/messages/{message}"' in part
    assert "opened an alert" in part
    assert 'tracking number <span class="mono">1ZA4</span>' in part
    assert "Counted in these numbers" in part
    assert "4 d 16 h" in part  # the order cycle time, received to delivered
    page = client.get(f"/messages/{message}").content.decode()
    assert link in page
    assert "What it fed" in page
    assert "SO-3" in page.split("What it fed")[1]


def test_the_pages_call_sources_and_reasons_by_their_words(told: dict[str, Source]) -> None:
    Source.objects.update(title="The people who tell")
    order = Order.objects.get(number="SO-2")
    fact = KpiFact.objects.filter(order_id=order.pk).first()
    assert fact
    KpiFact.objects.filter(pk=fact.pk).update(kpi="fill_rate", excluded="no_lines")
    part = signed_in(Role.OPERATIONS).get(f"/orders/{order.pk}?tab=lineage").content.decode()
    assert '<span class="sub">The people who tell' in part
    assert "not counted: no order lines are known" in part


def test_an_event_that_another_version_replaced_moved_nothing(told: dict[str, Source]) -> None:
    message = message_of("shipment.in_transit", "2026-03-06T08:00:00Z")
    kept = InboundMessage.objects.get(id=message)
    event = orjson.loads(bytes(kept.body))
    event["data"]["revision"] = "2"
    event["time"] = "2026-03-06T09:30:00Z"
    keep([Arrival(kept.source_id, kept.dedupe_key, kept.headers, orjson.dumps(event))])
    stages.advance()
    fed = lineage.of_message(message)
    assert fed is not None
    assert [t.effects for t in fed.threads if t.told.withdrawn] == [[]]
