"""Numbers, sources and messages over the API."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.web.api.conftest import Installation, tell
from visibility.ingest.inbox import Arrival, keep
from visibility.models import AuditEntry, InboundMessage, KpiFact, MessageState, Source
from visibility.pipeline import stages
from visibility.web.permissions import Role

YEAR = {"from": "2026-01-01", "to": "2026-12-31"}


def get(client: Client, path: str, **asked: str) -> Any:
    """The content of an answer that must be 200."""
    answer = client.get(f"/api/v1/{path}", asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def unreadable(source: Source, count: int) -> list[int]:
    """Messages that end up parked."""
    keep([Arrival(source.pk, f"broken {n}", {}, b"{broken %d" % n) for n in range(count)])
    stages.advance()
    parked = InboundMessage.objects.filter(state=MessageState.PARKED).order_by("id")
    return list(parked.values_list("id", flat=True))


def test_each_number_comes_with_its_definition(told: Installation, operations: Client) -> None:
    found = {one["code"]: one for one in get(operations, "kpis")["items"]}
    assert found["fill_rate"]["target"] == "0.96"
    assert found["fill_rate"]["definition"]
    assert all(one["version"] >= 1 for one in found.values())


def test_a_number_comes_with_what_it_stands_on(told: Installation, operations: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        answer = get(operations, "kpis/fill_rate", **YEAR, by="channel")
    assert len(queries) == 6
    assert answer["number"]["value"] == "1"
    assert (answer["number"]["numerator"], answer["number"]["denominator"]) == ("2", "2")
    assert answer["slices"][0]["name"] == "b2b"
    by_day = get(operations, "kpis/fill_rate", **YEAR, by="day")
    assert by_day["slices"][0]["name"] == "2026-03-03"
    narrowed = get(operations, "kpis/fill_rate", **YEAR, channel="nowhere")
    assert narrowed["number"] == {
        "value": None,
        "numerator": "0",
        "denominator": "0",
        "orders": 0,
        "median_seconds": None,
        "p90_seconds": None,
        "excluded": {},
        "aside": {},
    }


def test_the_orders_behind_a_number_come_in_pages(told: Installation, operations: Client) -> None:
    fact = KpiFact.objects.get(kpi="fill_rate")
    for _ in range(119):
        thing = type(told.order.object).objects.create(kind="order")
        KpiFact.objects.create(
            order=thing,
            kpi=fact.kpi,
            version=fact.version,
            day=fact.day,
            numerator=1,
            denominator=1,
        )
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        page = get(
            operations,
            "kpis/fill_rate/orders",
            **YEAR,
            part="counted",
            page_size="70",
            cursor=cursor,
        )
        seen += [one["id"] for one in page["items"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == 120
    assert get(operations, "kpis/fill_rate/orders", **YEAR)["items"] == []


def test_an_unknown_number_is_404(db: None, operations: Client) -> None:
    for path in ("kpis/happiness", "kpis/happiness/orders", "kpis/__class__"):
        assert operations.get(f"/api/v1/{path}").status_code == 404


def test_a_source_is_told_without_its_secrets_and_settings(
    told: Installation, signed_in: Callable[[Role], Client]
) -> None:
    Source.objects.filter(slug="erp").update(
        sealed_secrets="planted-secret", config={"api_key": "planted-setting"}
    )
    client = signed_in(Role.ADMIN)
    text = orjson.dumps([get(client, "sources"), get(client, "sources/erp/health")]).decode()
    assert "planted" not in text
    assert "sealed" not in text


def test_every_message_has_one_fate_in_the_balance(told: Installation, operations: Client) -> None:
    unreadable(told.sources["erp"], 3)
    tell(
        told.sources["erp"],
        "order.released",
        "2026-03-02T16:00:00Z",
        {"order": "SO-104711"},
        event_id="1",
    )
    health = get(operations, "sources/erp/health")
    assert health["state"] == "live"
    balance = health["balance"]
    assert balance == {"accepted": 6, "applied": 2, "duplicate": 1, "parked": 3, "waiting": 0}
    assert operations.get("/api/v1/sources/nobody/health").status_code == 404


def test_a_list_of_sources_costs_the_same_however_many_there_are(
    told: Installation, operations: Client
) -> None:
    with CaptureQueriesContext(connection) as few:
        get(operations, "sources")
    for number in range(30):
        Source.objects.create(slug=f"s{number}", title="S", connector="cloudevents", role="other")
    with CaptureQueriesContext(connection) as many:
        assert len(get(operations, "sources")["items"]) == 35
    assert len(many) == len(few) <= 12


def test_messages_come_in_pages_without_their_content(
    told: Installation, operations: Client
) -> None:
    parked = unreadable(told.sources["erp"], 7)
    for asked in ({"state": "parked"}, {"state": "parked", "source": "erp"}):
        seen: list[str] = []
        cursor = ""
        while cursor is not None:
            page = get(operations, "messages", page_size="3", cursor=cursor, **asked)
            seen += [one["id"] for one in page["items"]]
            cursor = page["next"]
        assert sorted(seen) == sorted(map(str, parked))
    text = operations.get("/api/v1/messages").content.decode()
    assert "Quist" not in text
    assert '"body"' not in text
    assert '"headers"' not in text


@pytest.mark.parametrize("key", ["", "k-1"])
def test_a_parked_message_is_replayed_once(
    told: Installation, signed_in: Callable[[Role], Client], key: str
) -> None:
    message = unreadable(told.sources["erp"], 1)[0]
    client = signed_in(Role.INTEGRATOR)
    headers = {"Idempotency-Key": key} if key else {}
    path = f"/api/v1/messages/{message}/replay"
    first = client.post(path, {}, "application/json", headers=headers)
    assert (first.status_code, first.json()) == (202, {"id": str(message), "state": "waiting"})
    again = client.post(path, {}, "application/json", headers=headers)
    assert again.status_code == (202 if key else 409)
    assert InboundMessage.objects.get(id=message).state == "waiting"
    assert AuditEntry.objects.filter(what="message.replay", detail__count=1).count() == 1
    assert client.post("/api/v1/messages/999999/replay", {}, "application/json").status_code == 404
    assert (
        client.post(f"/api/v1/messages/{2**70}/replay", {}, "application/json").status_code == 404
    )
