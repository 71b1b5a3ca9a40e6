"""The first message with changed fields opens an alert, which names it; accepting closes it."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import DatabaseError
from django.test import Client

from tests.builders.cloudevents import HEADERS, cloudevent
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.db.database_time import database_now
from visibility.ingest import record_field_changes, record_message_fields
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.ingest.message_shapes import forget_shapes
from visibility.models import (
    Alert,
    AuditEntry,
    InboundMessage,
    Source,
    SourceField,
    SourceFieldChange,
    SourceFieldSample,
)
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def wms() -> Source:
    return create_source("wms", title="Dallas", connector="cloudevents")


def order_received(number: str, **data: Any) -> dict[str, Any]:
    order = {"number": f"SO-{number}"}
    return cloudevent(
        "order.received", {"order": order, **data}, event_id=number, at="2026-03-04T10:00:00Z"
    )


def receive(source: Source, *documents: Any) -> list[int]:
    before = InboundMessage.objects.count()
    for document in documents:
        body = orjson.dumps(document)
        store_messages([IncomingMessage(source.pk, str(hash(body)), HEADERS, body)])
    job_functions.process_messages_and_refold()
    return list(InboundMessage.objects.order_by("pk").values_list("pk", flat=True)[before:])


def settle() -> None:
    """Let the learned schemas be a week old and rest on many messages."""
    SourceFieldSample.objects.update(first_sampled_at=database_now() - 7 * DAY, message_count=100)


def changes() -> list[tuple[str, str, str, str]]:
    rows = SourceFieldChange.objects.order_by("change", "path")
    return [(row.event_type, row.change, row.path, row.kind) for row in rows]


def event_type_of_first_sample() -> str:
    return SourceFieldSample.objects.values_list("event_type", flat=True)[0]


def test_the_first_message_with_another_field_opens_an_alert(wms: Source) -> None:
    receive(wms, order_received("1", color="red", weight=5))
    settle()
    [first, _] = receive(
        wms, order_received("2", color=7, size="L"), order_received("3", color=8, size="M")
    )
    kind = event_type_of_first_sample()
    assert changes() == [
        (kind, "appeared", "data.size", "text"),
        (kind, "missing", "data.weight", ""),
        (kind, "retyped", "data.color", "number"),
    ]
    assert set(SourceFieldChange.objects.values_list("message_id", flat=True)) == {first}
    sweep(now=database_now())
    alert = Alert.objects.get(kind="changed_fields")
    assert (alert.state, alert.title) == (
        "open",
        f"Changed fields in {kind} messages from Dallas",
    )
    assert alert.source == wms
    page = signed_in(UserRole.OPERATIONS).get(f"/alerts/{alert.pk}").content.decode()
    assert 'href="/sources/wms?tab=drift"' in page


def test_a_person_accepts_the_changes_that_the_page_shows(wms: Source) -> None:
    receive(wms, order_received("1"))
    settle()
    [first] = receive(wms, order_received("2", size="L"))
    sweep(now=database_now())
    integrator = signed_in(UserRole.INTEGRATOR, "ines")
    page = integrator.get("/sources/wms?tab=drift").content.decode()
    assert "1 change to check" in page
    assert f'href="/messages/{first}"' in page
    seen = SourceFieldChange.objects.latest("pk").pk
    receive(wms, order_received("3", color="red"))  # after the page was loaded
    answer = integrator.post("/sources/wms/drift/accept", {"up_to": seen}, follow=True)
    assert "Accepted 1 change." in answer.content.decode()
    [accepted, still_open] = SourceFieldChange.objects.order_by("pk")
    assert accepted.accepted_by is not None
    assert accepted.accepted_by.username == "ines"
    assert still_open.accepted_at is None
    assert AuditEntry.objects.latest("pk").detail == {"count": 1, "fields": ["data.size"]}
    integrator.post("/sources/wms/drift/accept", {"up_to": still_open.pk})
    sweep(now=database_now())
    alert = Alert.objects.get(kind="changed_fields")
    assert (alert.state, alert.resolution) == ("resolved", "The changes were accepted.")
    repeated = integrator.post("/sources/wms/drift/accept", {"up_to": "x"}, follow=True)
    assert "Nothing changed" in repeated.content.decode()


def test_the_api_lists_and_accepts_the_changes(wms: Source) -> None:
    receive(wms, order_received("1"))
    settle()
    [first] = receive(wms, order_received("2", size="L"))
    integrator = signed_in(UserRole.INTEGRATOR)
    drift = integrator.get("/api/v1/sources/wms/drift").json()
    [change] = drift["open_changes"]
    assert (change["path"], change["change"], change["message"]) == ("data.size", "appeared", first)
    accept(integrator, change["id"], 1)
    accept(integrator, change["id"], 0)
    assert integrator.get("/api/v1/sources/wms/drift").json()["open_changes"] == []


def accept(client: Client, up_to: int, count: int) -> None:
    answer = client.post("/api/v1/sources/wms/drift/accept", {"up_to": up_to}, "application/json")
    assert (answer.status_code, answer.json()) == (200, {"accepted": count})


def test_a_schema_that_has_not_settled_learns_without_alerts(wms: Source) -> None:
    receive(wms, order_received("1", weight=5))
    receive(wms, order_received("2", size="L"))
    assert changes() == []
    settle()
    # Both fields are known, and neither is in every message.
    receive(wms, order_received("3", size="M"), order_received("4", weight=3), order_received("5"))
    assert changes() == []


def test_a_field_is_missing_once(wms: Source) -> None:
    receive(wms, order_received("1", weight=5))
    settle()
    receive(wms, order_received("2"))
    forget_shapes()  # as in another process
    receive(wms, order_received("3"), order_received("4", size="L"))
    assert [(change, path) for _, change, path, _ in changes()] == [
        ("appeared", "data.size"),
        ("missing", "data.weight"),
    ]


def test_a_parked_message_is_compared_with_those_that_it_resembles(wms: Source) -> None:
    receive(wms, order_received("1", weight=5, color="red"))
    settle()
    broken = order_received("2", weight=5, color="red")
    del broken["id"]
    [message] = receive(wms, broken)
    assert InboundMessage.objects.get(pk=message).state == "parked"
    assert [(change, path) for _, change, path, _ in changes()] == [("missing", "id")]
    receive(wms, {"quite": "different"})
    assert len(changes()) == 1


def test_the_sample_of_each_minute_finds_what_was_not_compared(
    wms: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(wms, order_received("1"))
    settle()

    def fail(*_: object) -> None:
        raise DatabaseError("the connection is lost")

    with monkeypatch.context() as patch:
        patch.setattr(record_field_changes, "_record_shape", fail)
        [message] = receive(wms, order_received("2", size="L"))
    assert InboundMessage.objects.get(pk=message).state == "applied"
    assert changes() == []
    record_message_fields.record_message_fields(database_now())
    assert [path for _, _, path, _ in changes()] == ["data.size"]


def test_messages_that_are_no_json_are_not_compared(wms: Source) -> None:
    receive(wms, "not an object", 7)
    assert not SourceField.objects.exists()


def test_a_known_shape_is_not_compared_again(wms: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    receive(wms, order_received("1", size="L"))
    compared: list[object] = []
    monkeypatch.setattr(record_field_changes, "_record_shape", compared.append)
    receive(wms, order_received("2", size="M"), order_received("3", size="S"))
    assert compared == []
    receive(wms, order_received("4", color="red"), order_received("5", color="blue"))
    assert len(compared) == 1
