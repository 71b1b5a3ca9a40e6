"""The mail server: entered in the browser or over the API, tested, and used by all email."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.alerts import alert
from tests.builders.smtp_server import RecordingMailServer
from tests.builders.users import signed_in, user_of_role
from visibility.alerts.queue_notifications import queue_notifications_of_alert
from visibility.db.database_time import database_now
from visibility.models import AccountLinkPurpose, AuditEntry, MailServer, Notification, Subscription
from visibility.notify.account_links import create_account_link, send_due_account_mails
from visibility.notify.mail import FILE_BACKEND
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PAGE, API = "/mail-server", "/api/v1/mail-server"
PASSWORD = "correct horse"  # of a test


@pytest.fixture
def smtp(settings: Settings) -> Iterator[RecordingMailServer]:
    server = RecordingMailServer()
    settings.EMAIL_BACKEND = FILE_BACKEND
    settings.OUTGOING_ALLOWED = [f"127.0.0.1:{server.port}"]
    yield server
    server.close()


@pytest.fixture
def admin() -> Client:
    return signed_in(UserRole.ADMIN)


def form(smtp: RecordingMailServer | None = None, /, **values: str) -> dict[str, str]:
    return {
        "host": "127.0.0.1" if smtp else "smtp.example.com",
        "port": str(smtp.port) if smtp else "587",
        "security": "none" if smtp else "starttls",
        "username": "",
        "password": "",
        "sender": "Throughline <throughline@example.com>",
        "version": "0",
    } | values


def text_of(client: Client, address: str = PAGE) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_entered_server_is_tested_and_its_answer_shown(
    admin: Client, smtp: RecordingMailServer
) -> None:
    assert "No email leaves this server" in text_of(admin)
    assert admin.post(PAGE, form(smtp)).status_code == 302
    assert "No test message was accepted since the last change" in text_of(admin)
    admin.post(f"{PAGE}/test", {"to": "ada@example.com"})
    shown = text_of(admin)
    assert "Test message accepted. 250 2.0.0 queued as 7" in shown
    assert "Last accepted" in shown
    (text,) = smtp.texts
    assert "From: Throughline <throughline@example.com>" in text
    assert "To: ada@example.com" in text
    tested = AuditEntry.objects.get(action="mail_server.tested")
    assert (tested.detail, tested.user) == ({"accepted": True}, user_of_role(UserRole.ADMIN))


def test_refusal_of_the_server_is_shown_and_is_no_test(
    admin: Client, smtp: RecordingMailServer
) -> None:
    admin.post(PAGE, form(smtp))
    smtp.refused = "RCPT"
    admin.post(f"{PAGE}/test", {"to": "ada@example.com"})
    shown = text_of(admin)
    assert "The test message was not sent." in shown
    assert "no such mailbox" in shown
    assert MailServer.objects.get().tested_at is None
    answer = admin.post(f"{PAGE}/test", {"to": "nobody"})
    assert (answer.status_code, "is not an email address" in answer.content.decode()) == (422, True)


def test_alerts_and_invitations_use_it(admin: Client, smtp: RecordingMailServer) -> None:
    olga = user_of_role(UserRole.OPERATIONS)
    olga.email = "olga@example.com"
    olga.save()
    now = database_now()
    purpose = AccountLinkPurpose.INVITATION
    link = create_account_link(olga, purpose, by=None, now=now, send_mail=True)
    assert link.mail_state == "none"
    admin.post(PAGE, form(smtp))
    create_account_link(olga, purpose, by=None, now=now, send_mail=True)
    assert send_due_account_mails(now) == 1
    Subscription.objects.create(user=olga, channel_settings={"address": "ops@example.com"})
    queue_notifications_of_alert(alert(), "opened")
    assert job_functions.deliver_notifications() == 1
    assert Notification.objects.get().state == "sent"
    invitation, message = smtp.texts
    assert "To: olga@example.com" in invitation
    assert "SO-1" in message
    assert 'name="account"' in Client().get("/signin/forgot").content.decode()


def test_password_is_stored_encrypted_and_never_shown(admin: Client) -> None:
    values = form(username="ada", password=PASSWORD)
    assert admin.post(PAGE, values).status_code == 302
    stored = MailServer.objects.get()
    assert stored.sealed_password
    assert PASSWORD not in stored.sealed_password
    for address in (PAGE, API):
        assert PASSWORD not in admin.get(address).content.decode()
    answer = admin.post(PAGE, values | {"port": "x", "version": "1"})
    assert answer.status_code == 422
    assert PASSWORD not in answer.content.decode()
    assert not [entry for entry in AuditEntry.objects.all() if PASSWORD in str(entry.detail)]
    admin.post(PAGE, form(username="ada", port="465", security="tls", version="1"))
    assert MailServer.objects.get().sealed_password == stored.sealed_password


def test_password_does_not_go_to_another_host(admin: Client) -> None:
    admin.post(PAGE, form(username="ada", password=PASSWORD))
    answer = admin.post(PAGE, form(username="ada", host="smtp.example.net", version="1"))
    assert answer.status_code == 422
    assert "Enter the password again" in answer.content.decode()
    assert MailServer.objects.get().host == "smtp.example.com"
    assert admin.post(PAGE, form(host="smtp.example.net", version="1")).status_code == 302
    assert MailServer.objects.get().sealed_password == ""


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"host": "169.254.169.254", "port": "25"}, "This address is refused"),
        ({"host": "127.0.0.1", "port": "25"}, "This address is refused"),
        ({"host": "smtp.example.com/x"}, "Enter a host name"),
        ({"port": "70000"}, "Enter a port from 1 to 65535"),
        ({"security": "rot13"}, "Choose none, starttls, tls"),
        ({"sender": "nobody"}, "is not an email address"),
        ({"password": "x"}, "Enter the username of the password"),
        ({"username": "a", "password": "x", "security": "none"}, "readable on the network"),
    ],
)
def test_invalid_value_is_refused_at_its_field(
    admin: Client, values: dict[str, str], sentence: str
) -> None:
    answer = admin.post(PAGE, form(**values))
    assert answer.status_code == 422
    content = answer.content.decode()
    assert sentence in content
    assert content.count('aria-invalid="true"') == 1
    assert not MailServer.objects.exists()


def test_address_is_checked_again_when_it_connects(
    admin: Client, smtp: RecordingMailServer, settings: Settings
) -> None:
    admin.post(PAGE, form(smtp))
    settings.OUTGOING_ALLOWED = []
    admin.post(f"{PAGE}/test", {"to": "ada@example.com"})
    assert "is this server itself" in text_of(admin)
    assert smtp.texts == []


def test_environment_wins_and_the_page_says_so(admin: Client, settings: Settings) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "mail.internal", 25
    settings.HAS_MAIL_SERVER = True
    admin.post(PAGE, form())
    assert "The server of the environment sends all email (mail.internal:25" in text_of(admin)
    assert admin.get(API).json()["is_overridden"] is True


def test_concurrent_change_is_refused(admin: Client) -> None:
    admin.post(PAGE, form())
    answer = admin.post(PAGE, form(host="other.example.com"))
    assert answer.status_code == 409
    assert "<td>other.example.com</td>" in answer.content.decode()


def test_the_api_does_the_same(admin: Client, smtp: RecordingMailServer) -> None:
    def call(method: str, address: str = API, **body: Any) -> tuple[int, Any]:
        send = getattr(admin, method)
        answer = send(address, body, content_type="application/json")
        return answer.status_code, answer.json()

    assert call("get")[1]["version"] == 0
    assert call("patch", host="smtp.example.com")[0] == 400
    status, stored = call(
        "patch", host="127.0.0.1", port=smtp.port, security="none", sender="a@example.com"
    )
    assert (status, stored["version"], stored["has_password"]) == (200, 1, False)
    tested = call("post", f"{API}/test", to="ada@example.com")
    assert tested == (200, {"accepted": True, "detail": "250 2.0.0 queued as 7"})
    assert call("get")[1]["tested_at"]
    assert call("patch", version=0, port=26)[0] == 409
    assert call("delete")[1]["version"] == 0
    assert not MailServer.objects.exists()


def test_only_administrators_see_it() -> None:
    for role in set(UserRole) - {UserRole.ADMIN}:
        client = signed_in(role)
        assert client.get(PAGE).status_code == 403
        assert client.post(PAGE, form()).status_code == 403
        assert client.get(API).status_code == 403
