"""The delivery log, messages that are sent again, and subscriptions that fail for days."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core import mail
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.alerts import alert
from tests.builders.sink import RecordingServer
from tests.builders.users import signed_in, user_of_role
from visibility.alerts.channel_alerts import update_channel_alerts
from visibility.alerts.queue_notifications import queue_notifications_of_alert
from visibility.db.database_time import database_now
from visibility.models import (
    Alert,
    AuditEntry,
    DeliveryAttempt,
    Notification,
    Subscription,
)
from visibility.notify import delivery_log, outbox
from visibility.notify.mail import FILE_BACKEND
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the specification


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS)


@pytest.fixture
def server(settings: Settings) -> Iterator[RecordingServer]:
    running = RecordingServer()
    settings.OUTGOING_ALLOWED = [running.url.removeprefix("http://")]
    yield running
    running.close()


@pytest.fixture
def subscription(ops: Client, server: RecordingServer) -> Subscription:
    values = {"setting.url": f"{server.url}/a", "setting.secret": SECRET, "enabled": "on"}
    assert ops.post("/subscriptions/new/webhook", values).status_code == 302
    return Subscription.objects.get()


def send(hours: float = 0) -> int:
    return outbox.send_due_notifications(now=database_now() + timedelta(hours=hours, seconds=1))


def page(client: Client, row: Subscription) -> str:
    answer = client.get(f"/subscriptions/{row.pk}")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_log_shows_each_attempt_with_code_answer_and_next_attempt(
    ops: Client, server: RecordingServer, subscription: Subscription
) -> None:
    assert "Nothing was sent yet" in page(ops, subscription)
    server.respond, server.body = (lambda _: (503, {})), b"down for repair"
    queue_notifications_of_alert(alert(), "opened")
    assert send() == 0
    shown = page(ops, subscription)
    assert "503" in shown
    assert "down for repair" in shown
    assert "Waiting to be sent: 1. Next attempt" in shown
    server.respond, server.body = (lambda _: (202, {})), b"queued"
    assert send(3) == 1
    shown = page(ops, subscription)
    assert "202 queued" in shown
    assert "1 alert, attempt 2" in shown
    assert "Waiting to be sent" not in shown
    answer = ops.get(f"/api/v1/subscriptions/{subscription.pk}/deliveries").json()
    assert [(row["accepted"], row["code"]) for row in answer["items"]] == [
        (True, "202"),
        (False, "503"),
    ]
    assert len({row["message_id"] for row in answer["items"]}) == 1


def test_test_message_is_in_the_log_and_its_answer_is_shown(
    ops: Client, server: RecordingServer, subscription: Subscription
) -> None:
    server.body = b"thanks"
    ops.post(f"/subscriptions/{subscription.pk}/test")
    shown = page(ops, subscription)
    assert "Answer: 202 thanks" in shown
    assert "Test message" in shown


def test_log_has_pages_and_old_attempts_are_deleted(
    ops: Client, subscription: Subscription
) -> None:
    now = database_now()
    DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(
            subscription=subscription,
            message_id="00000000-0000-4000-8000-000000000000",
            at=now - timedelta(days=number),
            number=1,
            alerts=1,
            is_accepted=False,
            answer=f"answer {number:02}",
        )
        for number in range(40, 0, -1)
    )
    assert delivery_log.delete_old_attempts(now) == 10
    shown = page(ops, subscription)
    assert "answer 20" in shown
    assert "answer 21" not in shown
    older = DeliveryAttempt.objects.get(answer="answer 20").pk
    second = ops.get(f"/subscriptions/{subscription.pk}?before={older}").content.decode()
    assert "answer 21" in second
    assert "Newest attempts" in second


def test_message_is_sent_again_with_the_same_id(
    ops: Client, server: RecordingServer, subscription: Subscription
) -> None:
    for number in range(2):
        queue_notifications_of_alert(alert(f"SO-{number}"), "opened")
    assert send() == 2
    attempt = DeliveryAttempt.objects.get()
    address = f"/subscriptions/{subscription.pk}/deliveries/{attempt.pk}/resend"
    assert ops.post(address).status_code == 302
    assert "2 notifications will be sent again" in page(ops, subscription)
    assert ops.post(f"/api/v1{address}", {}, content_type="application/json").status_code == 409
    assert send(1) == 2
    first, second = server.posts
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    answer = ops.post(f"/api/v1{address}", {}, content_type="application/json")
    assert (answer.status_code, answer.json()) == (200, {"notifications": 2})
    assert AuditEntry.objects.filter(action="subscription.resent").count() == 2
    Subscription.objects.update(enabled=False)
    ops.post(address)
    assert "The subscription is disabled. Enable it first." in page(ops, subscription)


def test_only_those_who_change_subscriptions_send_again(subscription: Subscription) -> None:
    address = f"/subscriptions/{subscription.pk}/deliveries/1/resend"
    for role in (UserRole.INTEGRATOR, UserRole.CUSTOMER_SERVICE):
        client = signed_in(role)
        assert client.post(address).status_code == 403
        assert client.post(f"/api/v1{address}", {}, "application/json").status_code == 403


def test_subscription_that_fails_for_days_is_disabled_with_an_alert_and_an_email(
    ops: Client, server: RecordingServer, subscription: Subscription, settings: Settings
) -> None:
    settings.HAS_MAIL_SERVER = True
    olga = user_of_role(UserRole.OPERATIONS)
    olga.email = "olga@example.com"
    olga.save()
    server.respond, server.body = (lambda _: (500, {})), b""
    queue_notifications_of_alert(alert(), "opened")
    send()
    send(24)
    subscription.refresh_from_db()
    assert subscription.enabled
    send(73)
    subscription.refresh_from_db()
    assert not subscription.enabled
    assert "have failed for 3 days" in subscription.disabled_reason
    assert Notification.objects.get().state == "failed"
    (message,) = mail.outbox
    assert (message.to, "status 500" in str(message.body)) == (["olga@example.com"], True)
    assert "It was disabled because its messages failed" in page(ops, subscription)

    now = database_now()
    assert update_channel_alerts(now=now) == 1
    assert update_channel_alerts(now=now) == 0
    opened = Alert.objects.get(kind="channel_failed")
    assert (opened.owner, opened.state) == (olga, "open")
    shown = ops.get(f"/alerts/{opened.pk}").content.decode()
    assert "Closes automatically when it is enabled again or deleted." in shown
    assert ops.get(f"/api/v1/alerts/{opened.pk}").json()["kind"] == "channel_failed"
    assert ops.get("/alerts").status_code == 200

    ops.post(f"/subscriptions/{subscription.pk}/enable")
    subscription.refresh_from_db()
    assert (subscription.disabled_reason, subscription.failing_since) == ("", None)
    assert update_channel_alerts(now=now) == 1
    opened.refresh_from_db()
    assert opened.state == "resolved"


def test_receiver_that_no_longer_exists_disables_at_once_but_not_for_a_test(
    ops: Client, server: RecordingServer, subscription: Subscription
) -> None:
    server.respond = lambda _: (410, {})
    ops.post(f"/subscriptions/{subscription.pk}/test")
    subscription.refresh_from_db()
    assert (subscription.enabled, subscription.failing_since) == (True, None)
    queue_notifications_of_alert(alert(), "opened")
    send()
    subscription.refresh_from_db()
    assert not subscription.enabled
    assert subscription.disabled_reason.startswith("The receiver no longer exists.")


def test_accepted_message_ends_the_failure(
    server: RecordingServer, subscription: Subscription
) -> None:
    server.respond = lambda _: (500, {})
    queue_notifications_of_alert(alert(), "opened")
    send()
    subscription.refresh_from_db()
    assert subscription.failing_since
    server.respond = lambda _: (202, {})
    send(3)
    after = Subscription.objects.get()
    assert (after.failing_since, after.enabled) == (None, True)


def test_message_that_was_only_written_to_a_file_is_not_accepted(
    ops: Client, settings: Settings, tmp_path: Path
) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = FILE_BACKEND, str(tmp_path)
    ops.post("/subscriptions/new/email", {"setting.address": "a@example.com", "enabled": "on"})
    row = Subscription.objects.get()
    queue_notifications_of_alert(alert(), "opened")
    assert send() == 1
    assert (DeliveryAttempt.objects.get().is_accepted, row.accepted_at) == (False, None)
    shown = page(ops, row)
    assert "Not sent" in shown
    assert "Accepted" not in shown


def test_retry_waits_as_long_as_the_server_asks(
    server: RecordingServer, subscription: Subscription
) -> None:
    server.respond = lambda _: (429, {"retry-after": "3600"})
    queue_notifications_of_alert(alert(), "opened")
    send()
    server.respond = lambda _: (202, {})
    assert send(0.9) == 0
    assert send(1.1) == 1
