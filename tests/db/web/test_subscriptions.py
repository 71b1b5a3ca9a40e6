"""The pages of subscriptions: form from the declarations, secrets, test messages and roles."""

import re

import pytest
from django.core import mail
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.alerts import alert, statements
from tests.builders.sink import RecordingServer
from tests.builders.sla_rules import create_rule
from tests.builders.users import signed_in, user_of_role
from visibility.alerts.queue_notifications import queue_notifications_of_alert
from visibility.models import AuditEntry, Notification, Subscription
from visibility.notify.mail import FILE_BACKEND
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
LIST = "/subscriptions"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the specification


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS)


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return " ".join(answer.content.decode().split())


def add_email(address: str = "ops@example.com") -> Subscription:
    user = user_of_role(UserRole.OPERATIONS)
    return Subscription.objects.create(user=user, channel_settings={"address": address})


def add_webhook(client: Client, receiver: RecordingServer) -> Subscription:
    values = {"setting.url": f"{receiver.url}/a", "setting.secret": SECRET, "enabled": "on"}
    assert client.post(f"{LIST}/new/webhook", values).status_code == 302
    return Subscription.objects.get()


def test_added_email_subscription_receives_a_new_alert(ops: Client) -> None:
    rule = create_rule()
    assert "No subscriptions yet" in page(ops, LIST)
    form = page(ops, f"{LIST}/new/email")
    assert "Email address (required)" in form
    values = {
        "setting.address": "ops@example.com",
        "severities": ["high"],
        "rule": rule.code,
        "enabled": "on",
    }
    answer = ops.post(f"{LIST}/new/email", values)
    created = Subscription.objects.get()
    assert (answer.status_code, answer.headers["location"]) == (302, f"{LIST}/{created.pk}")
    assert created.user.username == "operations"
    listed = page(ops, LIST)
    assert "ops@example.com" in listed
    assert f"Alerts of severity high of the rule {rule.title}" in listed
    assert "Never" in listed
    queue_notifications_of_alert(alert(severity="low"), "opened")
    queue_notifications_of_alert(alert("SO-2", severity="high"), "opened")
    assert job_functions.deliver_notifications() == 1
    assert [message.to for message in mail.outbox] == [["ops@example.com"]]
    assert "Never" not in page(ops, LIST)


def test_every_form_shows_a_field_for_each_declared_setting(ops: Client) -> None:
    form = page(ops, f"{LIST}/new/webhook")
    assert 'name="setting.url"' in form
    assert re.search('masked"[^>]*name="setting.secret"', form)
    assert ops.get(f"{LIST}/new/pigeon").status_code == 404


def test_secret_is_never_shown_again(ops: Client, receiver: RecordingServer) -> None:
    created = add_webhook(ops, receiver)
    for address in (LIST, f"{LIST}/{created.pk}"):
        assert SECRET not in page(ops, address)
    assert "They can be replaced but not shown." in page(ops, f"{LIST}/{created.pk}")
    invalid = {"setting.url": "nothing", "setting.secret": SECRET}
    for address in (f"{LIST}/{created.pk}/save", f"{LIST}/new/webhook"):
        answer = ops.post(address, invalid)
        assert answer.status_code == 422
        assert SECRET not in answer.content.decode()
    assert not [entry for entry in AuditEntry.objects.all() if SECRET in str(entry.detail)]


def test_setting_that_a_later_release_declares_as_secret_is_not_shown(
    ops: Client, receiver: RecordingServer
) -> None:
    created = add_webhook(ops, receiver)
    Subscription.objects.update(channel_settings={"url": receiver.url, "secret": SECRET})
    for address in (LIST, f"{LIST}/{created.pk}", f"/api/v1{LIST}", f"/api/v1{LIST}/{created.pk}"):
        assert SECRET not in page(ops, address)


def test_invalid_values_are_shown_at_their_field_and_not_saved(ops: Client) -> None:
    created = add_email()
    values = {"setting.address": "no<b>body", "severities": ["low"], "rule": ""}
    answer = ops.post(f"{LIST}/{created.pk}/save", values)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "is not an email address" in text
    assert 'value="no&lt;b&gt;body"' in text
    assert text.count('aria-invalid="true"') == 1
    created.refresh_from_db()
    assert (created.stored_non_secret_settings, created.severities) == (
        {"address": "ops@example.com"},
        [],
    )
    reloaded = ops.get(f"{LIST}/{created.pk}/save")
    assert (reloaded.status_code, reloaded.headers["location"]) == (302, f"{LIST}/{created.pk}")


def test_edit_disable_enable_and_delete(ops: Client) -> None:
    created = add_email()
    address = f"{LIST}/{created.pk}"
    ops.post(f"{address}/save", {"setting.address": "dock@example.com", "enabled": "on"})
    assert "dock@example.com" in page(ops, LIST)
    ops.post(f"{address}/disable")
    assert "Disabled" in page(ops, LIST)
    queue_notifications_of_alert(alert(), "opened")
    assert not Notification.objects.exists()
    ops.post(f"{address}/enable")
    text = page(ops, address)
    for expected in ("Changed: address", "Changed: disabled", "Changed: enabled"):
        assert expected in text
    ops.post(f"{address}/delete")
    assert "No subscriptions yet" in page(ops, LIST)
    assert ops.get(address).status_code == 404
    assert ops.post(f"{address}/test").status_code == 404


def test_test_message_says_whether_a_server_accepted_it(
    ops: Client, receiver: RecordingServer
) -> None:
    created = add_webhook(ops, receiver)
    address = f"{LIST}/{created.pk}"
    text = " ".join(ops.post(f"{address}/test", follow=True).content.decode().split())
    assert "The server accepted the test message." in text
    assert "Test message: accepted" in text
    assert len(receiver.posts) == 1
    receiver.respond = lambda _: (500, {})
    text = " ".join(ops.post(f"{address}/test", follow=True).content.decode().split())
    assert "The test message was not sent. The receiver answered with status 500." in text
    assert "Failing" in page(ops, LIST)


def test_missing_mail_server_is_shown(ops: Client, settings: Settings, tmp_path: object) -> None:
    created = add_email()
    assert "No mail server" not in page(ops, LIST)
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = FILE_BACKEND, str(tmp_path)
    for address in (LIST, f"{LIST}/new/email", f"{LIST}/{created.pk}"):
        assert "No mail server is configured, so" in page(ops, address)
    text = ops.post(f"{LIST}/{created.pk}/test", follow=True).content.decode()
    assert "The test message was not sent. No mail server is configured" in text
    assert "No server" in page(ops, LIST)


def test_subscription_of_a_removed_channel_breaks_no_page(ops: Client) -> None:
    created = add_email()
    Subscription.objects.update(channel="pigeon", channel_settings=["x"], severities=7)
    assert "pigeon" in page(ops, LIST)
    text = page(ops, f"{LIST}/{created.pk}")
    assert "This version has no channel “pigeon”." in text
    assert "Not enabled" not in text
    ops.post(f"{LIST}/{created.pk}/disable")
    created.refresh_from_db()
    assert not created.enabled
    text = ops.post(f"{LIST}/{created.pk}/enable", follow=True).content.decode()
    assert "Not enabled. There is no channel" in text


def test_list_has_pages_and_a_constant_number_of_statements(ops: Client) -> None:
    add_email("first@example.com")
    few = statements(ops, LIST)
    for number in range(60):
        add_email(f"n{number:02}@example.com")
    assert statements(ops, LIST) == few
    first = page(ops, LIST)
    assert "n48@example.com" in first
    assert "n49@example.com" not in first
    after = Subscription.objects.order_by("pk")[49].pk
    assert f"/subscriptions?after={after}" in first
    assert "n59@example.com" in page(ops, f"{LIST}?after={after}")


@pytest.mark.parametrize("role", list(UserRole))
def test_roles_see_and_change_subscriptions(role: UserRole) -> None:
    created = add_email()
    client = signed_in(role)
    sees = role in {UserRole.OPERATIONS, UserRole.INTEGRATOR, UserRole.ADMIN}
    edits = role in {UserRole.OPERATIONS, UserRole.ADMIN}
    address = f"{LIST}/{created.pk}"
    assert client.get(LIST).status_code == (200 if sees else 403)
    assert client.get(address).status_code == (200 if sees else 403)
    assert client.get(f"{LIST}/new/email").status_code == (200 if edits else 403)
    for action in ("save", "test", "enable", "disable", "delete"):
        status = client.post(f"{address}/{action}", {"setting.address": "a@b.c"}).status_code
        assert status == (302 if edits else 403), action
    if sees and not edits:
        assert "Send a test message" not in page(client, address)


def test_writes_need_a_csrf_token(ops: Client) -> None:
    created = add_email()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user_of_role(UserRole.OPERATIONS))
    address = f"{LIST}/{created.pk}"
    assert strict.post(f"{address}/delete").status_code == 403
    strict.get(address)
    token = strict.cookies["csrftoken"].value
    answer = strict.post(f"{address}/delete", {"csrfmiddlewaretoken": token})
    assert answer.status_code == 302
    assert strict.get(f"{address}/delete").status_code == 405
