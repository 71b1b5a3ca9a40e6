"""Who may open each socket: every role, a person with a scope, and nobody without a session."""

from collections.abc import Callable

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.builders.live_client import HOST, ORIGIN, LiveTestClient
from tests.builders.users import create_user, signed_in
from tests.db.web.api.test_api_tokens import new_token
from visibility.db.database_time import database_now
from visibility.models import PersonScope, ScreenLink
from visibility.web.live.consumer import LiveConsumer
from visibility.web.live.hub import hub_of_this_process
from visibility.web.live.routing import websocket_application
from visibility.web.permissions import ROLES_WITH_SCOPE, Permission, UserRole
from visibility.web.screen_links import screen_link_path

pytestmark = pytest.mark.django_db
# The path of each consumer, and the permission that its people need.
SOCKETS = {"ws/live": (LiveConsumer, Permission.BOARDS)}


@pytest.fixture(autouse=True)
def _own_hub(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)
    hub_of_this_process.cache_clear()


def connects(client: Client | None, path: str, *headers: tuple[bytes, bytes]) -> bool:
    async def run() -> bool:
        page = LiveTestClient(client, ORIGIN, HOST, *headers, path=f"/{path}")
        accepted = await page.connect()
        if accepted:
            await page.disconnect()
        return accepted

    return async_to_sync(run)()


def test_every_consumer_has_a_line() -> None:
    """A route without a consumer refuses everything else; it comes last."""
    *routes, last = websocket_application.inner.inner.routes
    consumers = {str(route.pattern): _consumer(route.callback) for route in routes}
    assert consumers == {path: consumer for path, (consumer, _) in SOCKETS.items()}
    assert str(last.pattern) == ""
    assert last.callback.consumer_class.__name__ == "WebsocketDenier"


def _consumer(application: object) -> object:
    """The consumer inside the middleware that reads the session."""
    while inner := getattr(application, "inner", None):
        application = inner
    return getattr(application, "consumer_class", None)


@pytest.mark.parametrize("path", SOCKETS)
def test_every_role_connects_with_and_without_a_scope(path: str) -> None:
    for role in UserRole:
        assert connects(signed_in(role), path), role
    for role in ROLES_WITH_SCOPE:
        limited = signed_in(role, f"limited_{role}")
        user = User.objects.get(username=f"limited_{role}")
        PersonScope.objects.create(user=user, channels=["b2b"], changed_at=database_now())
        assert connects(limited, path), role


def _nobody() -> Client:
    return Client()


def _without_role() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("new"))
    return client


def _deactivated() -> Client:
    client = signed_in(UserRole.ADMIN, "gone")
    User.objects.filter(username="gone").update(is_active=False)
    return client


def _signed_out() -> Client:
    client = signed_in(UserRole.ADMIN, "left")
    cookie = client.cookies["sessionid"].value
    client.post("/signout")
    client.cookies["sessionid"] = cookie
    return client


def _wall_screen() -> Client:
    """A browser that shows a screen link; the page of it says nothing about a person."""
    now = database_now()
    link = ScreenLink.objects.create(
        title="Wall",
        boards=["operations"],
        every=30,
        expires_at=now.replace(year=now.year + 1),
        created_by=create_user(UserRole.OPERATIONS, "wall"),
        created_at=now,
    )
    client = Client()
    assert client.get(screen_link_path(link)).status_code == 200
    return client


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize("who", [_nobody, _without_role, _deactivated, _signed_out, _wall_screen])
def test_nobody_else_connects(who: Callable[[], Client], path: str) -> None:
    assert not connects(who(), path)


@pytest.mark.parametrize("path", SOCKETS)
def test_api_tokens_and_screen_links_open_no_socket(path: str) -> None:
    text = new_token(create_user(UserRole.ADMIN, "ada"), *Permission)[1]
    assert not connects(None, path, (b"authorization", f"Bearer {text}".encode()))
    assert not connects(None, path, (b"authorization", f"Token {text}".encode()))
