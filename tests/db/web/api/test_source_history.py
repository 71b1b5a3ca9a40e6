"""What happened to a source, and the stored order of activity lists, over the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from tests.builders.sources import create_source
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.models import (
    AuditEntry,
    OutgoingRequest,
    PollRound,
    Source,
    SourceField,
    SourceFieldChange,
    SourceFieldSample,
)
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Source:
    return create_source("shop")


def get(client: Client, path: str) -> Any:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def all_pages(client: Client, path: str) -> list[Any]:
    items, cursor = [], ""
    while True:
        page = get(client, f"{path}?page_size=2{cursor}")
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = f"&cursor={page['next']}"


def test_polls_and_their_requests_are_paged_newest_first(source: Source) -> None:
    now = database_now()
    other = create_source("other")
    for number in range(5):
        ended_at = now + timedelta(minutes=number)
        PollRound.objects.create(source=source, ended_at=ended_at, new_count=number, page_count=1)
        OutgoingRequest.objects.create(
            source=source, sent_at=ended_at, method="GET", address="/orders", milliseconds=number
        )
    PollRound.objects.create(source=other, ended_at=now)
    client = signed_in(UserRole.OPERATIONS)
    polls = all_pages(client, "sources/shop/polls")
    assert [poll["new_count"] for poll in polls] == [4, 3, 2, 1, 0]
    assert polls[0]["started_at"] is None
    sent = all_pages(client, "sources/shop/outgoing-requests")
    assert [each["milliseconds"] for each in sent] == [4, 3, 2, 1, 0]
    assert (sent[0]["status"], sent[0]["address"]) == (None, "/orders")


def test_changes_are_for_those_who_may_edit_sources(source: Source) -> None:
    integrator = signed_in(UserRole.INTEGRATOR, "ines")
    for title in ("One", "Two", "Three"):
        body = {"title": title}
        changed = integrator.patch("/api/v1/sources/shop", body, content_type="application/json")
        assert changed.status_code == 200
    changes = all_pages(integrator, "sources/shop/changes")
    stored = AuditEntry.objects.filter(object="shop").order_by("-pk")
    assert [change["id"] for change in changes] == [entry.pk for entry in stored]
    assert {change["user"]["name"] for change in changes} == {"ines"}
    refused = signed_in(UserRole.OPERATIONS).get("/api/v1/sources/shop/changes")
    assert refused.status_code == 403


def test_drift_names_what_changed(source: Source) -> None:
    now = database_now()
    long_ago, yesterday = now - timedelta(days=20), now - timedelta(days=1)
    SourceFieldSample.objects.create(
        source=source,
        event_type="order.received",
        first_sampled_at=long_ago,
        last_sampled_at=now,
        message_count=7,
    )
    SourceFieldChange.objects.create(
        source=source,
        event_type="order.received",
        path="color",
        change="appeared",
        kind="string",
        message_id=1,
        seen_at=yesterday,
    )
    fields = (("number", "string", long_ago, now), ("color", "string", yesterday, now))
    for path, kind, first, last in fields:
        SourceField.objects.create(
            source=source,
            event_type="order.received",
            path=path,
            kind=kind,
            first_seen_at=first,
            last_seen_at=last,
        )
    [drift] = get(signed_in(UserRole.OPERATIONS), "sources/shop/drift")["items"]
    assert (drift["event_type"], drift["messages"], drift["fields_known"]) == (
        "order.received",
        7,
        2,
    )
    assert [change["path"] for change in drift["appeared"]] == ["color"]
    assert drift["retyped"] == drift["missing"] == []


@pytest.mark.parametrize("tab", ["polls", "outgoing-requests", "drift", "changes"])
def test_unknown_source_is_404(tab: str) -> None:
    assert signed_in(UserRole.ADMIN).get(f"/api/v1/sources/none/{tab}").status_code == 404


def test_order_of_activity_lists_is_that_of_the_person() -> None:
    client, other = (signed_in(UserRole.OPERATIONS, name) for name in ("olga", "otto"))
    assert get(client, "order-activity") == {"oldest_first": False}
    lanes = {"lanes": [], "hidden": ["@team"]}
    client.put("/api/v1/order-lanes", lanes, content_type="application/json")
    body = {"oldest_first": True}
    chosen = client.put("/api/v1/order-activity", body, content_type="application/json")
    assert (chosen.status_code, chosen.json()) == (200, body)
    assert get(client, "order-activity") == body
    assert get(client, "order-lanes")["hidden"] == ["@team"]
    assert get(other, "order-activity") == {"oldest_first": False}
    wrong = client.put("/api/v1/order-activity", {}, content_type="application/json")
    assert wrong.status_code == 400
