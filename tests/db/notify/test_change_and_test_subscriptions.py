"""Subscriptions: checked settings, encrypted secrets, audit, and what was accepted."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from pytest_django.fixtures import Settings

from connectors.sdk.standard_webhooks import verify_signature
from tests.builders.alerts import alert
from tests.builders.sink import RecordingServer
from visibility.db.database_time import database_now
from visibility.models import AuditEntry, Notification, NotificationState, Subscription
from visibility.notify import change_and_test_subscriptions, outbox
from visibility.notify.change_and_test_subscriptions import (
    InvalidSubscription,
    UnknownSubscription,
)
from visibility.notify.check_and_encrypt_channel_settings import decrypt_channel_secrets
from visibility.notify.check_selection import SubscriptionChange
from visibility.notify.mail import FILE_BACKEND

pytestmark = pytest.mark.django_db
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the specification


@pytest.fixture
def olga(db: None) -> User:
    return User.objects.create(username="olga")


def add(olga: User, channel: str = "email", **values: str) -> Subscription:
    entered = values or {"address": "ops@example.com"}
    return change_and_test_subscriptions.add_subscription(
        channel, SubscriptionChange(settings=entered), by=olga, now=database_now()
    )


def change(to: Subscription, olga: User, **values: Any) -> None:
    change_and_test_subscriptions.change_subscription(
        to.pk, SubscriptionChange(**values), by=olga, now=database_now()
    )
    to.refresh_from_db()


def notify(to: Subscription) -> Notification:
    return Notification.objects.create(
        alert=alert(f"SO-{Notification.objects.count()}"),
        episode=1,
        transition="opened",
        subscription=to,
    )


def send_due(after: timedelta = timedelta(seconds=1)) -> int:
    return outbox.send_due_notifications(now=database_now() + after)


def test_secret_is_stored_encrypted_only_and_is_not_in_the_audit_log(
    olga: User, receiver: RecordingServer
) -> None:
    created = add(olga, "webhook", url=f"{receiver.url}/a", secret=SECRET)
    assert decrypt_channel_secrets(created.sealed_secrets) == {"secret": SECRET}
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(s)::text FROM visibility_subscription s")
        assert SECRET not in cursor.fetchone()[0]
    (entry,) = AuditEntry.objects.all()
    assert (entry.action, entry.user) == ("subscription.added", olga)
    assert entry.detail == {"channel": "webhook", "settings": ["secret", "url"]}


def test_alert_reaches_the_receiver_signed_and_counts_as_sent(
    olga: User, receiver: RecordingServer
) -> None:
    created = add(olga, "webhook", url=f"{receiver.url}/a", secret=SECRET)
    notification = notify(created)
    assert send_due() == 1
    (post,) = receiver.posts
    verify_signature(post.headers, post.body, [SECRET.encode()], database_now())
    assert post.headers["webhook-id"] == str(notification.message_id)
    assert json.loads(post.body)["data"]["alerts"][0]["order"] == "SO-0"
    notification.refresh_from_db()
    created.refresh_from_db()
    assert notification.state == NotificationState.SENT
    assert (created.accepted_at, created.delivery_error) == (notification.sent_at, "")


def test_refused_webhook_is_retried_by_the_outbox_with_the_same_id(
    olga: User, receiver: RecordingServer
) -> None:
    created = add(olga, "webhook", url=f"{receiver.url}/a", secret=SECRET)
    notification = notify(created)
    receiver.respond = lambda _: (503, {})
    assert send_due() == 0
    notification.refresh_from_db()
    created.refresh_from_db()
    assert (notification.state, notification.sent_at) == (NotificationState.PENDING, None)
    assert created.delivery_error == "The receiver answered with status 503."
    assert created.accepted_at is None
    receiver.respond = lambda _: (200, {})
    assert send_due(timedelta(minutes=2)) == 1
    assert receiver.posts[0].headers["webhook-id"] == str(notification.message_id)
    created.refresh_from_db()
    assert created.delivery_error == ""


def test_secret_in_the_text_of_an_error_is_hidden(
    olga: User,
    receiver: RecordingServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    created = add(olga, "webhook", url=f"{receiver.url}/a", secret=SECRET)
    channel = outbox.channel_registry()["webhook"]

    def fail(_: object, values: Any) -> None:
        raise KeyError(values.text("secret"))

    monkeypatch.setattr(channel, "send", fail)
    notification = notify(created)
    with caplog.at_level(logging.DEBUG):
        send_due()
        result = change_and_test_subscriptions.send_test_message(
            created.pk, by=olga, now=database_now()
        )
    notification.refresh_from_db()
    created.refresh_from_db()
    assert "KeyError" in notification.error
    for text in (notification.error, created.delivery_error, result.detail, caplog.text):
        assert SECRET not in text


def test_blank_secret_stays_and_a_new_one_replaces_it(
    olga: User, receiver: RecordingServer
) -> None:
    created = add(olga, "webhook", url=f"{receiver.url}/a", secret=SECRET)
    change(created, olga, settings={"url": f"{receiver.url}/b", "secret": ""})
    assert created.stored_non_secret_settings == {"url": f"{receiver.url}/b"}
    assert decrypt_channel_secrets(created.sealed_secrets) == {"secret": SECRET}
    other = "whsec_" + "A" * 40
    change(created, olga, settings={"secret": other})
    assert decrypt_channel_secrets(created.sealed_secrets) == {"secret": other}
    details = AuditEntry.objects.filter(action="subscription.changed").order_by("pk")
    assert [entry.detail["settings"] for entry in details] == [["url"], ["secret"]]


def test_unchanged_values_write_nothing(olga: User) -> None:
    created = add(olga)
    change(created, olga, settings={"address": "ops@example.com"}, severities=[], enabled=True)
    assert AuditEntry.objects.count() == 1


def test_secrets_of_another_key_fail_with_a_sentence_and_can_be_entered_again(
    olga: User, receiver: RecordingServer
) -> None:
    created = add(olga, "webhook", url=f"{receiver.url}/a", secret=SECRET)
    Subscription.objects.update(sealed_secrets="of another key")
    notification = notify(created)
    assert send_due() == 0
    notification.refresh_from_db()
    assert "enter them again" in notification.error
    with pytest.raises(InvalidSubscription, match="secret: This setting is required"):
        change(created, olga, settings={"url": f"{receiver.url}/b"})
    change(created, olga, settings={"secret": SECRET})
    assert send_due(timedelta(minutes=2)) == 1


@pytest.mark.parametrize(
    ("channel", "values", "name"),
    [
        ("email", {"settings": {"address": "nobody"}}, "address"),
        ("email", {"settings": {}}, "address"),
        ("email", {"settings": {"address": "a@b.c", "color": "red"}}, "color"),
        ("pigeon", {"settings": {}}, "channel"),
        ("email", {"settings": {"address": "a@b.c"}, "rule": "none"}, "rule"),
        ("email", {"settings": {"address": "a@b.c"}, "severities": ["loud"]}, "severities"),
    ],
)
def test_invalid_values_are_refused_and_nothing_is_stored(
    olga: User, channel: str, values: dict[str, Any], name: str
) -> None:
    with pytest.raises(InvalidSubscription) as refused:
        change_and_test_subscriptions.add_subscription(
            channel, SubscriptionChange(**values), by=olga, now=database_now()
        )
    assert [error.name for error in refused.value.errors] == [name]
    assert not Subscription.objects.exists()
    assert not AuditEntry.objects.exists()


def test_disabled_subscription_gets_nothing_more(olga: User) -> None:
    created = add(olga)
    notification = notify(created)
    change(created, olga, enabled=False)
    assert send_due() == 0
    notification.refresh_from_db()
    assert notification.state == NotificationState.CANCELLED
    assert notification.error == "The subscription was disabled before this was sent."
    assert mail.outbox == []


def test_alert_that_is_queued_while_a_subscription_is_disabled_is_not_sent(olga: User) -> None:
    created = add(olga)
    change(created, olga, enabled=False)
    notify(created)
    assert send_due() == 0
    assert mail.outbox == []


def test_removed_subscription_loses_its_secrets_and_keeps_its_history(
    olga: User, receiver: RecordingServer
) -> None:
    created = add(olga, "webhook", url=f"{receiver.url}/a", secret=SECRET)
    sent, waiting = notify(created), notify(created)
    Notification.objects.filter(pk=sent.pk).update(state=NotificationState.SENT)
    change_and_test_subscriptions.remove_subscription(created.pk, by=olga, now=database_now())
    created.refresh_from_db()
    assert (created.enabled, created.sealed_secrets) == (False, "")
    states = dict(Notification.objects.values_list("pk", "state"))
    assert states == {sent.pk: "sent", waiting.pk: "cancelled"}
    with pytest.raises(UnknownSubscription):
        change(created, olga, enabled=True)
    assert AuditEntry.objects.filter(action="subscription.removed").count() == 1


def test_without_a_mail_server_nothing_counts_as_sent(
    olga: User, settings: Settings, tmp_path: Any
) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = FILE_BACKEND, str(tmp_path)
    created = add(olga)
    notification = notify(created)
    assert send_due() == 1
    notification.refresh_from_db()
    created.refresh_from_db()
    assert notification.state == NotificationState.WRITTEN
    assert created.accepted_at is None
    assert len(list(tmp_path.iterdir())) == 1
    result = change_and_test_subscriptions.send_test_message(
        created.pk, by=olga, now=database_now()
    )
    assert not result.is_accepted
    assert "No mail server is configured, so" in result.detail


def test_test_message_is_sent_at_once_and_audited(olga: User, receiver: RecordingServer) -> None:
    created = add(olga, "webhook", url=f"{receiver.url}/a", secret=SECRET)
    result = change_and_test_subscriptions.send_test_message(
        created.pk, by=olga, now=database_now()
    )
    detail = "The server accepted the test message. Answer: 202"
    assert (result.is_accepted, result.detail) == (True, detail)
    assert json.loads(receiver.posts[0].body)["type"] == "test"
    receiver.respond = lambda _: (401, {})
    result = change_and_test_subscriptions.send_test_message(
        created.pk, by=olga, now=database_now()
    )
    assert (result.is_accepted, "status 401" in result.detail) == (False, True)
    entries = AuditEntry.objects.filter(action="subscription.tested").order_by("pk")
    assert [entry.detail["accepted"] for entry in entries] == [True, False]


def test_what_waits_for_a_slow_server_is_not_claimed(
    olga: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first message is sent, another worker can send the second one."""
    slow, other = add(olga), add(olga, address="second@example.com")
    waiting = [notify(slow), notify(other)]
    attempts: list[int] = []

    def send(_: object, __: object) -> None:
        attempts.append(Notification.objects.get(pk=waiting[1].pk).attempts)

    monkeypatch.setattr(outbox.channel_registry()["email"], "send", send)
    assert send_due() == 2
    assert attempts == [0, 1]
