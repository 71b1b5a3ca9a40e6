"""Subscriptions through Apprise: in the browser and over the API, with and without the package."""

import pytest
from django.utils.html import escape

from tests.builders.sink import RecordingServer
from tests.db.web.api.test_subscriptions import StrictClient
from visibility.models import AuditEntry, Subscription
from visibility.models.deliveries import DeliveryAttempt
from visibility.notify import apprise_services
from visibility.notify.check_and_encrypt_channel_settings import decrypt_channel_secrets
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
URL, API = "/subscriptions", "/api/v1/subscriptions"
INSTALL = "pip install 'apprise>=2.3,<2.4'"


@pytest.fixture
def ops() -> StrictClient:
    return StrictClient(UserRole.OPERATIONS)


def apprise_url(receiver: RecordingServer) -> str:
    return f"json://{receiver.url.removeprefix('http://')}/s3cret-token"


def uninstall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apprise_services, "installed_version", lambda: "")


def post(client: StrictClient, address: str, values: dict[str, str]) -> str:
    """Submit a form, and return the page that follows."""
    answer = client.post(address, values, follow=True, headers={"X-CSRFToken": client.token})
    return answer.content.decode()


def test_subscription_is_added_and_tried_in_the_browser(
    ops: StrictClient, receiver: RecordingServer
) -> None:
    assert 'href="/subscriptions/new/apprise"' in ops.get(URL).content.decode()
    url = apprise_url(receiver)
    values = {"setting.place": "Orders", "setting.url": url, "enabled": "on"}
    pages = [post(ops, f"{URL}/new/apprise", values)]
    stored = Subscription.objects.get()
    assert stored.stored_non_secret_settings == {"place": "Orders"}
    assert decrypt_channel_secrets(stored.sealed_secrets) == {"url": url}
    pages.append(post(ops, f"{URL}/{stored.pk}/test", {}))
    assert "The server accepted the test message. Answer: 202" in pages[-1]
    assert [b"Test message from Throughline" in post.body for post in receiver.posts] == [True]
    receiver.respond, receiver.body = (lambda _: (403, {})), b"s3cret-token is blocked"
    pages.append(post(ops, f"{URL}/{stored.pk}/test", {}))
    assert "The test message was not sent. The receiver answered with status 403." in pages[-1]
    attempts = DeliveryAttempt.objects.order_by("pk")
    assert [(a.is_accepted, a.code) for a in attempts] == [(True, "202"), (False, "403")]
    pages += [attempt.answer for attempt in attempts]
    pages += [str(entry.detail) for entry in AuditEntry.objects.all()]
    pages.append(ops.get(f"{API}/{stored.pk}").content.decode())
    assert [page for page in pages if "s3cret" in page] == []


def test_refused_url_is_explained_at_its_field_and_not_shown(ops: StrictClient) -> None:
    body = {
        "channel": "apprise",
        "settings": {"place": "x", "url": "jsons://169.254.169.254/s3cret"},
    }
    answer = ops.send("post", API, body)
    (error,) = answer.json()["errors"]
    assert error["path"] == "settings.url"
    assert "This address is refused: 169.254.169.254" in answer.content.decode()
    assert "s3cret" not in answer.content.decode()
    assert not Subscription.objects.exists()


def test_without_the_package_it_is_not_offered_and_the_page_says_how_to_install_it(
    ops: StrictClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninstall(monkeypatch)
    page = ops.get(URL).content.decode()
    assert "/subscriptions/new/apprise" not in page
    assert escape(INSTALL) in page
    assert ops.get(f"{URL}/new/apprise").status_code == 404
    codes = {item["code"] for item in ops.get("/api/v1/channels").json()["items"]}
    assert "apprise" not in codes
    body = {"channel": "apprise", "settings": {"place": "x", "url": "jsons://example.com/a"}}
    answer = ops.send("post", API, body)
    assert answer.status_code == 400
    errors = {error["path"]: error for error in answer.json()["errors"]}
    assert set(errors) == {"channel"}
    assert INSTALL in str(errors["channel"])


def test_subscription_whose_package_was_removed_says_so_and_can_be_disabled(
    ops: StrictClient, receiver: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"channel": "apprise", "settings": {"place": "x", "url": apprise_url(receiver)}}
    address = f"{API}/{ops.send('post', API, body).json()['id']}"
    uninstall(monkeypatch)
    assert INSTALL in ops.get(address).json()["problem"]
    tested = ops.send("post", f"{address}/test").json()
    assert tested["accepted"] is False
    assert INSTALL in tested["detail"]
    assert receiver.posts == []
    assert ops.send("patch", address, {"enabled": False}).json()["enabled"] is False
