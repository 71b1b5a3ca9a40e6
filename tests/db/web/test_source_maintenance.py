"""Planned maintenance of a source, on its page and over the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from django.test import Client

from connectors.sdk.event_codec import format_rfc3339
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.models import AuditEntry, Source, SourceMaintenance
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PAGE, API = "/sources/wms/maintenance", "/api/v1/sources/wms/maintenance"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def wms() -> Source:
    return create_source(title="Dallas")


@pytest.fixture
def session() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def values(start: datetime, end: datetime, why: str = "ERP upgrade") -> dict[str, str]:
    form = "%Y-%m-%dT%H:%M"
    return {"starts_at": start.strftime(form), "ends_at": end.strftime(form), "why": why}


def test_it_is_planned_listed_and_ended_on_the_page(session: Client) -> None:
    now = database_now().astimezone(UTC).replace(second=0, microsecond=0)
    answer = session.post(PAGE, values(now - HOUR, now + HOUR), follow=True)
    assert "Maintenance planned. It ends by itself." in text(answer)
    window = SourceMaintenance.objects.get()
    assert (window.starts_at, window.ends_at) == (now - HOUR, now + HOUR)
    assert window.planned_by.username == "ines"
    assert "Running" in text(answer)
    assert "ERP upgrade" in text(answer)
    ended = session.post(f"{PAGE}/{window.pk}/end", follow=True)
    assert "Maintenance ended." in text(ended)
    assert "No maintenance is planned." in text(ended)
    assert "Earlier" in text(ended)
    actions = AuditEntry.objects.filter(object="wms").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == [
        "source.maintenance_planned",
        "source.maintenance_ended",
    ]
    assert "ERP upgrade" in text(session.get("/sources/wms?tab=history"))
    assert "has ended" in text(session.post(f"{PAGE}/{window.pk}/end", follow=True))


@pytest.mark.parametrize(
    ("start", "end", "why", "sentence"),
    [
        (1, 1, "x", "The end must be after the start."),
        (-2, -1, "x", "The end must be in the future."),
        (1, 1 + 32 * 24, "x", "At most 31 days."),
        (367 * 24, 368 * 24, "x", "At most a year ahead."),
        (1, 2, " ", "Enter a reason."),
    ],
)
def test_what_cannot_be_planned_is_explained_at_the_field(
    session: Client, start: int, end: int, why: str, sentence: str
) -> None:
    now = database_now().astimezone(UTC)
    answer = session.post(PAGE, values(now + start * HOUR, now + end * HOUR, why))
    assert (answer.status_code, sentence in text(answer)) == (422, True)
    assert not SourceMaintenance.objects.exists()


def test_a_time_that_is_none_is_refused(session: Client) -> None:
    answer = session.post(PAGE, {"starts_at": "soon", "ends_at": "later", "why": "x"})
    assert (answer.status_code, "Enter a date and a time." in text(answer)) == (422, True)


def test_operations_see_it_and_cannot_plan_it() -> None:
    client = signed_in(UserRole.OPERATIONS, "otto")
    assert "Plan maintenance" not in text(client.get(PAGE))
    now = database_now().astimezone(UTC)
    assert client.post(PAGE, values(now, now + HOUR)).status_code == 403
    body = {"starts_at": format_rfc3339(now), "ends_at": format_rfc3339(now + HOUR), "why": "x"}
    answer = client.post(API, orjson.dumps(body), content_type="application/json")
    assert answer.status_code == 403
    assert client.get(API).json() == {"items": []}


def test_it_is_planned_and_ended_over_the_api(session: Client) -> None:
    now = database_now()
    body = {"starts_at": format_rfc3339(now), "ends_at": format_rfc3339(now + HOUR), "why": "x"}
    planned = session.post(API, orjson.dumps(body), content_type="application/json")
    assert planned.status_code == 201, planned.content
    assert [each["id"] for each in session.get(API).json()["items"]] == [planned.json()["id"]]
    url = f"{API}/{planned.json()['id']}/end"
    ended = session.post(url, b"{}", content_type="application/json")
    assert (ended.status_code, bool(ended.json()["ended_at"])) == (200, True)
    assert session.get(API).json() == {"items": []}
    assert session.post(url, b"{}", content_type="application/json").status_code == 409
    body["ends_at"] = body["starts_at"]
    refused = session.post(API, orjson.dumps(body), content_type="application/json")
    assert refused.status_code == 400
    assert "after the start" in refused.content.decode()


def test_maintenance_of_another_source_is_not_ended(session: Client) -> None:
    now = database_now()
    body = {"starts_at": format_rfc3339(now), "ends_at": format_rfc3339(now + HOUR), "why": "x"}
    planned = session.post(API, orjson.dumps(body), content_type="application/json").json()
    create_source("other")
    url = f"/api/v1/sources/other/maintenance/{planned['id']}/end"
    assert session.post(url, b"{}", content_type="application/json").status_code == 404
    session.post(f"/sources/other/maintenance/{planned['id']}/end")
    assert SourceMaintenance.objects.get().ended_at is None


def test_a_source_has_a_limited_number_of_plans(session: Client) -> None:
    now = database_now().astimezone(UTC)
    for hours in range(11):
        answer = session.post(PAGE, values(now + hours * HOUR, now + (hours + 1) * HOUR))
    assert (answer.status_code, SourceMaintenance.objects.count()) == (422, 10)
