"""Everybody sets which alerts are emailed to them, and receives only what they may see."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from tests.builders.alerts import alert, source_alert
from tests.builders.sources import create_source
from tests.builders.users import signed_in, user_of_role
from visibility.alerts.queue_notifications import queue_notifications_of_alert
from visibility.db.database_time import database_now
from visibility.models import Subscription
from visibility.notify import outbox
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PAGE, API = "/account/notifications", "/api/v1/notifications"


def person(role: UserRole, email: str = "person@example.com") -> Client:
    client = signed_in(role)
    user = user_of_role(role)
    user.email = email
    user.save()
    return client


def text_of(client: Client) -> str:
    answer = client.get(PAGE)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.mark.parametrize("role", list(UserRole))
def test_everybody_sets_their_own_notifications(role: UserRole) -> None:
    client = person(role)
    assert "No alerts are sent to person@example.com." in text_of(client)
    values: dict[str, Any] = {"enabled": "on", "severities": ["high"], "digest": "hourly"}
    # Neither another address nor a team can be entered.
    values |= {"setting.address": "other@example.com", "address": "x@y.z", "team": "everyone"}
    assert client.post(PAGE, values).status_code == 302
    stored = Subscription.objects.get()
    assert (stored.user, stored.team) == (user_of_role(role), None)
    assert stored.channel_settings == {"address": "person@example.com"}
    shown = text_of(client)
    assert "Alerts of severity high are sent to person@example.com. Hourly digest (UTC)." in shown
    client.post(f"{PAGE}/test")
    assert [message.to for message in mail.outbox] == [["person@example.com"]]
    assert "The server accepted the test message." in text_of(client)
    client.post(PAGE, {})
    stored.refresh_from_db()
    assert (stored.enabled, stored.severities, stored.digest) == (False, [], "")


def test_without_an_address_the_page_says_so(client: Client) -> None:
    ops = person(UserRole.OPERATIONS, "")
    assert "Your account has no email address." in text_of(ops)
    assert ops.post(PAGE, {"enabled": "on"}).status_code == 422
    assert ops.patch(API, {"enabled": True}, "application/json").status_code == 400
    assert client.get(PAGE).status_code == 302


def test_invalid_values_are_shown_at_their_fields() -> None:
    answer = person(UserRole.EXECUTIVE).post(PAGE, {"quiet_from": "22:00", "enabled": "on"})
    content = answer.content.decode()
    assert (answer.status_code, content.count('aria-invalid="true"')) == (422, 1)
    assert "Quiet hours need a start and an end." in content


def test_integrator_receives_alerts_about_sources_only() -> None:
    person(UserRole.INTEGRATOR).post(PAGE, {"enabled": "on"})
    queue_notifications_of_alert(alert(), "opened")
    queue_notifications_of_alert(source_alert(create_source()), "opened")
    assert outbox.send_due_notifications(now=database_now() + timedelta(seconds=1)) == 1
    assert "SO-1" not in str(mail.outbox[0].body)


def test_the_api_does_the_same() -> None:
    client = person(UserRole.CUSTOMER_SERVICE)
    assert client.get(API).json() == {"subscription": None}
    assert client.post(f"{API}/test", {}, "application/json").status_code == 409
    body = {"severities": ["critical"], "quiet_from": "22:00", "quiet_until": "06:00"}
    changed = client.patch(API, body, "application/json").json()["subscription"]
    assert {name: changed[name] for name in body} == body
    assert changed["settings"] == {"address": "person@example.com"}
    refused = client.patch(API, {"settings": {"address": "a@b.c"}}, "application/json")
    assert refused.status_code == 400
    assert client.post(f"{API}/test", {}, "application/json").json()["accepted"] is True
