"""What the pages and the API say of payloads that retention removed or will remove."""

from datetime import timedelta

import pytest
from django.test import Client

from tests.builders.alerts import order
from tests.builders.message_months import OLD, old_message, remove_old_bodies
from tests.builders.sources import create_source, event
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.ingest.message_body_retention import check_partitions
from visibility.models import AuditEntry, InboundMessage, MessageBodyPartition, Source
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PAGE, API = "/messages/retention", "/api/v1/messages/retention"


@pytest.fixture
def source() -> Source:
    return create_source()


@pytest.fixture
def removed(source: Source) -> int:
    """A parked message of which another version is used, and whose payload was removed."""
    stored = old_message(source, state="parked", reason="conflict", body=b"gone")
    assert remove_old_bodies()
    MessageBodyPartition.objects.filter(removed_at__isnull=False).update(
        removed_at="2026-11-01T12:00:00Z"
    )
    return stored


def text(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status
    return answer.content.decode()


def checked_client() -> Client:
    """Signed in, with the check of cross-site requests that browsers get."""
    client = signed_in(UserRole.INTEGRATOR)
    client.handler.enforce_csrf_checks = True
    client.get("/sources")
    return client


def csrf_token(client: Client, address: str) -> str:
    client.get(address)
    return client.cookies["csrftoken"].value


def test_page_of_a_message_says_when_its_payload_was_removed(removed: int) -> None:
    sentence = "The payload was removed by the retention policy on Nov 1, 2026."
    page = text(signed_in(UserRole.INTEGRATOR), f"/messages/{removed}")
    assert sentence in page
    assert "Show payload" not in page
    assert "Replay this message" not in page
    assert sentence in text(signed_in(UserRole.ADMIN), f"/messages/{removed}?body=1", 410)
    assert not AuditEntry.objects.filter(action="message.read").exists()


def test_replay_of_a_message_without_payload_is_refused_with_the_reason(removed: int) -> None:
    client = checked_client()
    token = csrf_token(client, "/subscriptions")
    answer = client.post(f"/messages/{removed}/replay", {"csrfmiddlewaretoken": token}, follow=True)
    assert "The message cannot be processed again" in answer.content.decode()
    answer = client.post(
        f"/api/v1/messages/{removed}/replay",
        {},
        "application/json",
        headers={"X-CSRFToken": token},
    )
    assert answer.status_code == 409
    assert "removed by the retention policy on Nov 1, 2026" in answer.json()["detail"]
    assert InboundMessage.objects.get(pk=removed).state == "parked"


def test_page_and_api_list_the_months_with_what_keeps_them(source: Source, removed: int) -> None:
    needed = old_message(source, age=OLD - timedelta(days=62), state="parked", reason="schema")
    received_at = InboundMessage.objects.get(pk=needed).received_at
    of = order("SO-1")
    event(needed, source, of.object, received_at=received_at)
    old_message(source, age=OLD + timedelta(days=62), body=b"x" * 10)
    check_partitions(now=database_now(), days=400)
    admin = signed_in(UserRole.ADMIN)
    months = {row["month"]: row for row in admin.get(API).json()["months"]}
    assert admin.get(API).json()["days"] == 400
    by_state = {row["state"]: row for row in months.values()}
    assert by_state["needed"]["explanation"] == "Needed by 1 parked message and 1 open order"
    assert by_state["needed"]["open_order_ids"] == [of.pk]
    assert by_state["removed"]["explanation"] == "Removed on Nov 1, 2026"
    assert by_state["removable"]["messages"] == 1
    assert by_state["removable"]["removal_due_at"]
    assert by_state["removable"]["age_days"] > 400
    assert by_state["stored"]["explanation"].startswith("Stored until ")
    page = text(admin, PAGE)
    for row in by_state.values():
        assert row["explanation"] in page
    assert f'href="/orders/{of.pk}"' in page
    assert 'href="/messages/retention"' in text(admin, "/sources")


@pytest.mark.parametrize("role", [UserRole.INTEGRATOR, UserRole.OPERATIONS])
def test_only_administrators_see_the_retention(role: UserRole) -> None:
    client = signed_in(role)
    assert [client.get(address).status_code for address in (PAGE, API)] == [403, 403]
    assert PAGE not in text(client, "/sources")


def test_page_says_that_nothing_was_checked_yet() -> None:
    assert "Not checked yet" in text(signed_in(UserRole.ADMIN), PAGE)
