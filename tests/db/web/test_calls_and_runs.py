"""Calls and runs on the page of an order, on the page of the source, and over the API."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import transaction
from django.test import Client

from tests.builders.cloudevents import cloudevent
from tests.builders.sources import ERP_NUMBERS, create_source
from tests.builders.telemetry import call, queue, receive, run
from tests.builders.users import create_user, signed_in
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.db.data_scope import DataScope, limited_to
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import (
    Alert,
    Order,
    PersonScope,
    Source,
    TelemetryHour,
    TelemetryNumber,
    TelemetrySample,
)
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
Event = Callable[[], dict[str, Any]]
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def gateway() -> Source:
    return create_source("gateway", title="API gateway", config=dict(ERP_NUMBERS))


def receive_order(source: Source, number: str, channel: str, **headers: str) -> Order:
    data = {"order": {"number": number, "channel": channel}}
    event = cloudevent("order.received", data, event_id=number, at=database_now())
    stored = {"content-type": "application/cloudevents+json", **headers}
    store_messages([IncomingMessage(source.pk, number, stored, orjson.dumps(event))])
    job_functions.process_messages_and_refold()
    return Order.objects.get(number=number)


def page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def items(client: Client, address: str) -> list[dict[str, Any]]:
    return list(client.get(f"/api/v1/{address}").json()["items"])


def test_calls_and_runs_that_came_before_the_order_are_on_its_page(gateway: Source) -> None:
    receive(
        gateway,
        call("1", "SO-1", latency_ms=2_100, result="timeout", detail="no answer <b>"),
        call("2", "SO-1"),
        call("3", "SO-2", detail="of another order"),
        run("4", "SO-1", error="No route to WMS", url="https://ipaas.example/runs/4711"),
    )
    order = receive_order(gateway, "SO-1", "web")
    client = signed_in(UserRole.CUSTOMER_SERVICE)
    overview = page(client, f"/orders/{order.pk}")
    assert "Calls and runs <span" in overview
    shown = page(client, f"/orders/{order.pk}?tab=calls")
    assert "2 calls, 1 failed, slowest 2.1 s" in shown
    assert "1 run, 1 failed" in shown
    assert 'href="https://ipaas.example/runs/4711"' in shown
    assert "No route to WMS" in shown
    assert "no answer &lt;b&gt;" in shown
    assert "of another order" not in shown
    rows = items(client, f"orders/{order.pk}/calls")
    assert [(row["name"], row["result"]) for row in rows] == [
        ("orders to WMS", "error"),
        ("atp", "ok"),
        ("atp", "timeout"),
    ]


def test_the_trace_of_a_message_joins_calls_without_a_number(gateway: Source) -> None:
    receive(gateway, call("1", trace_id=TRACE), call("2", trace_id="f" * 32))
    order = receive_order(gateway, "SO-1", "web", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
    client = signed_in(UserRole.OPERATIONS)
    (row,) = items(client, f"orders/{order.pk}/calls")
    assert (row["trace_id"], row["is_named"]) == (TRACE, False)
    assert "Same trace as a message" in page(client, f"/orders/{order.pk}?tab=calls")


def test_a_page_of_an_order_without_calls_has_no_tab(gateway: Source) -> None:
    receive(gateway, call("1", "SO-2"))
    order = receive_order(gateway, "SO-1", "web")
    assert "Calls and runs <span" not in page(signed_in(UserRole.OPERATIONS), f"/orders/{order.pk}")


def test_a_person_with_a_scope_sees_only_calls_of_orders_in_it(gateway: Source) -> None:
    receive(gateway, call("1", "SO-1"), call("2", "SO-1", "SO-2"), run("3", "SO-2"))
    inside, outside = receive_order(gateway, "SO-1", "b2b"), receive_order(gateway, "SO-2", "web")
    user = create_user(UserRole.OPERATIONS, "limited")
    PersonScope.objects.create(user=user, changed_at=database_now(), channels=["b2b"])
    client = Client()
    client.force_login(user)
    assert len(items(client, f"orders/{inside.pk}/calls")) == 1
    assert client.get(f"/api/v1/orders/{outside.pk}/calls").status_code == 404
    everything = items(signed_in(UserRole.OPERATIONS), f"orders/{inside.pk}/calls")
    assert len(everything) == 2
    assert client.get("/api/v1/sources/gateway/telemetry").status_code == 403
    assert client.get("/sources/gateway?tab=calls").status_code == 403
    with transaction.atomic(), limited_to(DataScope(user_id=user.pk, channels=("b2b",))):
        assert TelemetrySample.objects.count() == 1
        assert TelemetryNumber.objects.count() == 1
        assert not TelemetryHour.objects.exists()


def test_each_figure_of_a_source_leads_to_its_rows(gateway: Source) -> None:
    now = database_now()
    receive(
        gateway,
        *(call(str(n), f"SO-{n}", latency_ms=100) for n in range(3)),
        call("slow", "SO-9", latency_ms=4_000, result="error", sample_rate="0.5"),
        queue("q1", depth=120, oldest_age_seconds=7_200, at=now - timedelta(minutes=1)),
        queue("q2", depth=7, oldest_age_seconds=60, at=now),
    )
    client = signed_in(UserRole.INTEGRATOR)
    assert "Calls and queues" in page(client, "/sources/gateway")
    shown = page(client, "/sources/gateway?tab=calls")
    body = client.get("/api/v1/sources/gateway/telemetry").json()
    (figures,) = body["calls"]
    assert (figures["calls"], figures["records"], figures["failed"]) == (5, 4, 2)
    assert figures["error_share"] == 0.4
    assert 100 <= figures["p50_ms"] <= 125
    assert 4_000 <= figures["p95_ms"] <= 5_000
    assert "40.0%" in shown
    link = f"/sources/gateway?tab=calls&series={figures['series']}"
    assert link.replace("&", "&amp;").removeprefix("/sources/gateway") in shown
    assert "SO-1" in page(client, link)
    failed = page(client, f"{link}&failed=1")
    assert "SO-9" in failed
    assert "SO-1" not in failed
    samples = f"sources/gateway/telemetry/{figures['series']}/samples"
    assert len(items(client, samples)) == 4
    assert len(items(client, f"{samples}?failed=1")) == 1
    (read,) = body["queues"]
    assert (read["depth"], read["greatest_depth"], read["oldest_seconds"]) == (7, 120, 60)
    hours = items(client, f"sources/gateway/telemetry/{read['series']}/queue-hours")
    assert sum(hour["readings"] for hour in hours) == 2
    assert "120" in page(client, f"/sources/gateway?tab=calls&series={read['series']}")
    create_source("other", title="Other")
    assert client.get(f"/sources/other?tab=calls&series={read['series']}").status_code in {200, 404}
    other = f"/api/v1/sources/other/telemetry/{read['series']}/queue-hours"
    assert client.get(other).status_code == 404


def test_rows_have_pages(gateway: Source) -> None:
    receive(gateway, *(call(str(n), detail=f"answer {n}.") for n in range(60)))
    client = signed_in(UserRole.OPERATIONS)
    (figures,) = client.get("/api/v1/sources/gateway/telemetry").json()["calls"]
    address = f"/sources/gateway?tab=calls&series={figures['series']}"
    first = page(client, address)
    assert "answer 59." in first
    assert "answer 9." not in first
    before = first.partition("&amp;before=")[2].partition('"')[0]
    older = page(client, f"{address}&before={before}")
    assert "answer 9." in older
    assert "answer 10." not in older


@pytest.mark.parametrize(
    ("kind", "event", "title", "end"),
    [
        (
            "run_failed",
            lambda: run("1", "SO-1", error="No route to WMS"),
            "Run 4711 of orders to WMS failed: No route to WMS",
            lambda: run("2", run_id="4712", status="succeeded"),
        ),
        (
            "queue_backlog",
            lambda: queue("1", depth=5_000),
            "5,000 messages in the queue orders.in",
            lambda: queue("2", depth=1),
        ),
        (
            "call_errors",
            lambda: call("1", result="error", sample_rate="0.02"),
            "100.0% of the calls of atp check fail",
            lambda: call("2", sample_rate="0.001"),
        ),
    ],
)
def test_an_alert_names_the_observation_and_leads_to_it(
    gateway: Source, kind: str, event: Event, title: str, end: Event
) -> None:
    receive(gateway, event())
    sweep(now=database_now())
    alert = Alert.objects.get(kind=kind)
    assert (alert.state, alert.title, alert.source) == ("open", title, gateway)
    client = signed_in(UserRole.OPERATIONS)
    link = page(client, f"/alerts/{alert.pk}").partition('href="/sources/gateway?tab=calls')[2]
    address = "/sources/gateway?tab=calls" + link.partition('"')[0].replace("&amp;", "&")
    assert alert.subject_key in page(client, address)
    receive(gateway, end())
    sweep(now=database_now())
    assert Alert.objects.get(kind=kind).state == "resolved"


def test_source_that_only_sends_telemetry_reports(gateway: Source) -> None:
    client = signed_in(UserRole.OPERATIONS)
    assert "Waiting for first message" in page(client, "/sources/gateway")
    receive(gateway, call("1", "SO-1"))
    shown = page(client, "/sources/gateway")
    assert "Reporting normally" in shown
    assert "Waiting for first message" not in shown
