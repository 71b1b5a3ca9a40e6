"""API tests of KPIs, sources and messages."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.builders.sources import create_source
from tests.db.web.api.conftest import Installation, receive_event
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.kpi import select_cells_or_facts
from visibility.models import (
    AuditEntry,
    InboundMessage,
    KpiFact,
    MessageReplay,
    MessageState,
    Source,
)
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

YEAR = {"from": "2026-01-01", "to": "2026-12-31"}


def get(client: Client, path: str, **asked: str) -> Any:
    """Send a GET request that must succeed; return the JSON content."""
    answer = client.get(f"/api/v1/{path}", asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def create_parked_messages(source: Source, count: int) -> list[int]:
    """Store messages that cannot be parsed; return the ids of all parked messages."""
    store_messages(
        [IncomingMessage(source.pk, f"broken {n}", {}, b"{broken %d" % n) for n in range(count)]
    )
    job_functions.process_messages_and_refold()
    parked = InboundMessage.objects.filter(state=MessageState.PARKED).order_by("id")
    return list(parked.values_list("id", flat=True))


def test_kpi_list_contains_definitions(installation: Installation, operations: Client) -> None:
    kpis_by_code = {item["code"]: item for item in get(operations, "kpis")["items"]}
    assert kpis_by_code["fill_rate"]["target"] == "0.96"
    assert kpis_by_code["fill_rate"]["definition"]
    assert all(item["version"] >= 1 for item in kpis_by_code.values())


def test_kpi_value_has_numerator_denominator_and_slices(
    installation: Installation, operations: Client
) -> None:
    with CaptureQueriesContext(connection) as queries:
        answer = get(operations, "kpis/fill_rate", **YEAR, by="channel")
    # Three for the compared days, one for the targets, three for why the values are provisional.
    assert len(queries) == 13
    assert answer["total"]["value"] == "1"
    assert (answer["total"]["numerator"], answer["total"]["denominator"]) == ("2", "2")
    assert answer["slices"][0]["name"] == "b2b"
    by_day = get(operations, "kpis/fill_rate", **YEAR, by="day")
    assert by_day["slices"][0]["name"] == "2026-03-03"
    narrowed = get(operations, "kpis/fill_rate", **YEAR, channel="nowhere")
    assert narrowed["total"] == {
        "value": None,
        "numerator": "0",
        "denominator": "0",
        "orders": 0,
        "median_seconds": None,
        "p90_seconds": None,
        "oldest_seconds": None,
        "excluded": {},
        "uncountable": {},
    }


def test_stock_kpi_has_the_open_orders_and_their_ages(
    installation: Installation, operations: Client
) -> None:
    day = {"from": "2026-03-02", "to": "2026-03-02"}
    total = get(operations, "kpis/undelivered_orders", **day)["total"]
    assert total["orders"] == 1
    assert 0 < total["median_seconds"] == total["oldest_seconds"] <= 86_400
    rows = get(operations, "kpis/undelivered_orders/orders", **day)["items"]
    assert [row["id"] for row in rows] == [installation.order.object_id]
    assert rows[0]["started_at"].startswith("2026-03-02")


def test_measure_kpi_has_the_events_of_each_source(
    installation: Installation, operations: Client
) -> None:
    answer = get(operations, "kpis/event_delay", **YEAR, by="source")
    assert answer["total"]["orders"] == sum(s["orders"] for s in answer["slices"])
    for source in answer["slices"]:
        rows = [
            row
            for outcome in ("counted", "missed")
            for row in get(
                operations,
                "kpis/event_delay/orders",
                **YEAR,
                outcome=outcome,
                source=source["name"],
            )["items"]
        ]
        assert len(rows) == source["orders"] > 0
        assert {row["event_source"] for row in rows} == {source["name"]}
        assert all(row["event_type"] and row["message_id"] for row in rows)


def test_dimension_that_a_kpi_lacks_is_refused(
    installation: Installation, operations: Client
) -> None:
    for query in ({"by": "source"}, {"item": "A"}):
        answer = operations.get("/api/v1/kpis/fill_rate", query)
        assert answer.status_code == 400
        assert "fill_rate has the dimensions carrier, channel" in answer.content.decode()


def test_combination_with_too_many_facts_is_refused(
    installation: Installation, operations: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select_cells_or_facts, "MAX_FACTS", 0)
    query = {**YEAR, "channel": "b2b", "customer": installation.order.customer_no}
    for path in ("kpis/fill_rate", "kpis/undelivered_orders/orders"):
        answer = operations.get(f"/api/v1/{path}", query)
        assert answer.status_code == 400, path
        assert "choose a shorter range" in answer.content.decode()
    assert get(operations, "kpis/fill_rate", **YEAR, channel="b2b")["total"]["orders"] == 1
    monkeypatch.setattr(select_cells_or_facts, "MAX_FACTS", 1)
    assert get(operations, "kpis/fill_rate", **query)["total"]["orders"] == 1


def test_orders_behind_a_kpi_are_paginated(installation: Installation, operations: Client) -> None:
    fact = KpiFact.objects.get(kpi="fill_rate")
    for _ in range(119):
        obj = type(installation.order.object).objects.create(kind="order")
        KpiFact.objects.create(
            order=obj,
            kpi=fact.kpi,
            version=fact.version,
            day=fact.day,
            numerator=1,
            denominator=1,
        )
    ids: list[int] = []
    cursor = ""
    while cursor is not None:
        page = get(
            operations,
            "kpis/fill_rate/orders",
            **YEAR,
            outcome="counted",
            page_size="70",
            cursor=cursor,
        )
        ids += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert len(ids) == len(set(ids)) == 120
    assert get(operations, "kpis/fill_rate/orders", **YEAR)["items"] == []


def test_unknown_kpi_is_404(db: None, operations: Client) -> None:
    for path in ("kpis/happiness", "kpis/happiness/orders", "kpis/__class__"):
        assert operations.get(f"/api/v1/{path}").status_code == 404


def test_source_response_omits_secrets_and_settings(
    installation: Installation, signed_in: Callable[[UserRole], Client]
) -> None:
    Source.objects.filter(slug="erp").update(
        sealed_secrets="planted-secret", config={"api_key": "planted-setting"}
    )
    client = signed_in(UserRole.ADMIN)
    text = orjson.dumps([get(client, "sources"), get(client, "sources/erp/health")]).decode()
    assert "planted" not in text
    assert "sealed" not in text


def test_message_counts_add_up(installation: Installation, operations: Client) -> None:
    create_parked_messages(installation.sources["erp"], 3)
    receive_event(
        installation.sources["erp"],
        "order.released",
        "2026-03-02T16:00:00Z",
        {"order": "SO-104711"},
        event_id="1",
    )
    health = get(operations, "sources/erp/health")
    assert health["state"] == "live"
    counts = health["message_counts"]
    assert counts == {
        "accepted": 6,
        "applied": 2,
        "duplicate": 1,
        "parked": 3,
        "discarded": 0,
        "waiting": 0,
    }
    assert operations.get("/api/v1/sources/nobody/health").status_code == 404


def test_source_list_query_count_is_constant(
    installation: Installation, operations: Client
) -> None:
    with CaptureQueriesContext(connection) as few:
        get(operations, "sources")
    for number in range(30):
        create_source(f"s{number}", role="other")
    with CaptureQueriesContext(connection) as many:
        assert len(get(operations, "sources")["items"]) == 35
    assert len(many) == len(few) <= 13


def test_messages_are_paginated_and_omit_content(
    installation: Installation, operations: Client
) -> None:
    parked = create_parked_messages(installation.sources["erp"], 7)
    for params in ({"state": "parked"}, {"state": "parked", "source": "erp"}):
        ids: list[str] = []
        cursor = ""
        while cursor is not None:
            page = get(operations, "messages", page_size="3", cursor=cursor, **params)
            ids += [item["id"] for item in page["items"]]
            cursor = page["next"]
        assert sorted(ids) == sorted(map(str, parked))
    text = operations.get("/api/v1/messages").content.decode()
    assert "Quist" not in text
    assert '"body"' not in text
    assert '"headers"' not in text


@pytest.mark.parametrize("key", ["", "k-1"])
def test_parked_message_is_replayed_once(
    installation: Installation, signed_in: Callable[[UserRole], Client], key: str
) -> None:
    message = create_parked_messages(installation.sources["erp"], 1)[0]
    client = signed_in(UserRole.INTEGRATOR)
    headers = {"Idempotency-Key": key} if key else {}
    path = f"/api/v1/messages/{message}/replay"
    first = client.post(path, {}, "application/json", headers=headers)
    replay = MessageReplay.objects.get().pk
    assert first.status_code == 202
    assert first.json() == {"id": str(message), "state": "waiting", "replay": str(replay)}
    repeated = client.post(path, {}, "application/json", headers=headers)
    assert repeated.status_code == (202 if key else 409)
    assert MessageReplay.objects.count() == 1
    assert InboundMessage.objects.get(id=message).state == "waiting"
    assert AuditEntry.objects.filter(action="message.replay", detail__count=1).count() == 1
    assert client.post("/api/v1/messages/999999/replay", {}, "application/json").status_code == 404
    assert (
        client.post(f"/api/v1/messages/{2**70}/replay", {}, "application/json").status_code == 404
    )
