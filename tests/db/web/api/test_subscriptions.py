"""`/api/v1/subscriptions` and `/api/v1/channels`, over HTTP with a session and CSRF token."""

from typing import Any

import pytest
from django.test import Client

from tests.builders.sink import RecordingServer
from tests.builders.sla_rules import create_rule
from tests.builders.users import signed_in, user_of_role
from visibility.models import AuditEntry, Subscription
from visibility.notify.check_and_encrypt_channel_settings import decrypt_channel_secrets
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
URL = "/api/v1/subscriptions"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the specification


class StrictClient(Client):
    """A client that needs a CSRF token for each write, as a browser does."""

    def __init__(self, role: UserRole) -> None:
        super().__init__(enforce_csrf_checks=True)
        self.force_login(user_of_role(role))
        self.get("/orders")
        self.token = self.cookies["csrftoken"].value

    def send(self, method: str, address: str, body: Any = None, **headers: str) -> Any:
        """Send a JSON request with the token."""
        call = getattr(self, method)
        return call(
            address, body or {}, "application/json", headers={"X-CSRFToken": self.token, **headers}
        )


@pytest.fixture
def ops() -> StrictClient:
    return StrictClient(UserRole.OPERATIONS)


def test_channels_describe_their_settings(ops: StrictClient) -> None:
    items = {item["code"]: item for item in ops.get("/api/v1/channels").json()["items"]}
    assert set(items) == {"apprise", "email", "pagerduty", "slack", "teams", "webhook"}
    (address,) = items["email"]["settings"]
    assert (address["name"], address["required"]) == ("address", True)
    assert [s["type"] for s in items["webhook"]["settings"]] == ["url", "secret", "boolean"]


def test_add_change_try_and_remove(ops: StrictClient, receiver: RecordingServer) -> None:
    rule = create_rule()
    body = {
        "channel": "webhook",
        "settings": {"url": f"{receiver.url}/a", "secret": SECRET},
        "rule": rule.code,
        "severities": ["critical", "high"],
    }
    answer = ops.send("post", URL, body)
    assert answer.status_code == 201
    created = answer.json()
    assert created["settings"] == {"url": f"{receiver.url}/a"}
    assert created["has_secrets"] is True
    assert created["rule"] == {"code": rule.code, "title": rule.title}
    assert created["severities"] == ["high", "critical"]
    address = f"{URL}/{created['id']}"
    assert ops.get(address).json() == created == ops.get(URL).json()["items"][0]
    changed = ops.send("patch", address, {"rule": None, "enabled": False}).json()
    assert (changed["rule"], changed["enabled"]) == (None, False)
    assert changed["settings"] == created["settings"]
    tested = ops.send("post", f"{address}/test")
    detail = "The server accepted the test message. Answer: 202"
    assert tested.json() == {"accepted": True, "detail": detail}
    receiver.respond = lambda _: (403, {})
    assert ops.send("post", f"{address}/test").json()["accepted"] is False
    answers = [answer, tested, ops.get(address), ops.get(URL), ops.send("delete", address)]
    assert not [a for a in answers if SECRET in a.content.decode()]
    assert ops.get(address).status_code == 404
    assert ops.get(URL).json()["items"] == []
    actions = AuditEntry.objects.order_by("pk").values_list("action", "user__username")
    assert [name for _, name in actions] == ["operations"] * 5
    assert [action for action, _ in actions] == [
        "subscription.added",
        "subscription.changed",
        "subscription.tested",
        "subscription.tested",
        "subscription.removed",
    ]
    assert not [entry for entry in AuditEntry.objects.all() if SECRET in str(entry.detail)]


def test_setting_that_is_not_given_stays(ops: StrictClient, receiver: RecordingServer) -> None:
    settings = {"url": f"{receiver.url}/a", "secret": SECRET}
    created = ops.send("post", URL, {"channel": "webhook", "settings": settings}).json()
    address = f"{URL}/{created['id']}"
    ops.send("patch", address, {"settings": {"url": f"{receiver.url}/b"}})
    stored = Subscription.objects.get()
    assert stored.stored_non_secret_settings == {"url": f"{receiver.url}/b"}
    assert decrypt_channel_secrets(stored.sealed_secrets) == {"secret": SECRET}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"channel": "email"}, "settings.address"),
        ({"channel": "email", "settings": {"address": "x"}}, "settings.address"),
        ({"channel": "email", "settings": {"address": "a@b.c", "x": "1"}}, "settings.x"),
        ({"channel": "email", "settings": ["a"]}, "settings"),
        ({"channel": "pigeon", "settings": {}}, "channel"),
        ({"settings": {"address": "a@b.c"}}, "channel"),
        ({"channel": "email", "settings": {"address": "a@b.c"}, "rule": "none"}, "rule"),
        ({"channel": "email", "settings": {"address": "a@b.c"}, "severities": ["x"]}, "severities"),
        ({"channel": "email", "settings": {"address": "a@b.c"}, "user": 1}, "user"),
        (
            {"channel": "webhook", "settings": {"url": "https://e.com", "secret": "s3cret-short"}},
            "settings.secret",
        ),
    ],
)
def test_invalid_field_is_named(ops: StrictClient, body: dict[str, Any], path: str) -> None:
    answer = ops.send("post", URL, body)
    assert answer.status_code == 400
    assert [error["path"] for error in answer.json()["errors"]] == [path]
    assert "s3cret" not in answer.content.decode()
    assert not Subscription.objects.exists()


def test_write_without_token_or_permission_is_refused(ops: StrictClient) -> None:
    body = {"channel": "email", "settings": {"address": "ops@example.com"}}
    assert ops.post(URL, body, "application/json").status_code == 403
    created = ops.send("post", URL, body).json()
    integrator = StrictClient(UserRole.INTEGRATOR)
    address = f"{URL}/{created['id']}"
    assert integrator.get(address).json() == created
    for method, target in (
        ("post", URL),
        ("patch", address),
        ("delete", address),
        ("post", f"{address}/test"),
    ):
        assert integrator.send(method, target, body).status_code == 403
    denied = AuditEntry.objects.filter(action="denied", user__username="integrator")
    assert denied.count() == 4
    assert Client().get(URL).status_code == 401
    assert signed_in(UserRole.EXECUTIVE).get(URL).status_code == 403


def test_repeated_request_adds_one_subscription(ops: StrictClient) -> None:
    body = {"channel": "email", "settings": {"address": "ops@example.com"}}
    first = ops.send("post", URL, body, **{"Idempotency-Key": "one"})
    repeated = ops.send("post", URL, body, **{"Idempotency-Key": "one"})
    assert first.json() == repeated.json()
    assert Subscription.objects.count() == 1


@pytest.mark.parametrize("number", ["0", "9" * 30])
def test_unknown_subscription_is_404(ops: StrictClient, number: str) -> None:
    assert ops.get(f"{URL}/{number}").status_code == 404
    assert ops.send("delete", f"{URL}/{number}").status_code == 404
    assert ops.get(f"/subscriptions/{number}").status_code == 404


def test_list_has_pages(ops: StrictClient) -> None:
    user = user_of_role(UserRole.OPERATIONS)
    for number in range(5):
        Subscription.objects.create(user=user, channel_settings={"address": f"a{number}@b.c"})
    addresses: list[str] = []
    cursor = ""
    while cursor is not None:
        query = f"?page_size=2&cursor={cursor}" if cursor else "?page_size=2"
        content = ops.get(URL + query).json()
        addresses += [item["settings"]["address"] for item in content["items"]]
        cursor = content["next"]
    assert addresses == [f"a{number}@b.c" for number in range(5)]
