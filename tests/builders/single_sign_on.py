"""A stored identity provider, and the steps of a sign-in at it as a browser makes them."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.identity_provider import CLIENT_ID, CLIENT_SECRET, LocalIdentityProvider
from tests.builders.users import signed_in, user_of_role
from visibility.db.database_time import database_now
from visibility.models import AuditEntry, IdentityProvider
from visibility.web.author import Author
from visibility.web.pages import single_sign_on_sign_in
from visibility.web.people.single_sign_on.change_identity_provider import change_identity_provider
from visibility.web.permissions import UserRole
from visibility.web.request_limit import RequestLimit

START, CALLBACK = "/signin/single-sign-on", "/signin/single-sign-on/callback"


def confirmed_session(name: str = "ada") -> Client:
    """An administrator who confirmed just now, without the time that a password takes."""
    client = signed_in(UserRole.ADMIN, name)
    confirm(client, at=time.time())
    return client


def confirm(client: Client, *, at: float) -> None:
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": at}]
    session["account_authentication_methods_user"] = session["_auth_user_id"]
    session.save()


class LocalServer(Protocol):
    """A server of the tests."""

    @property
    def address(self) -> str:
        """Its host and port."""

    def close(self) -> None:
        """Stop it."""


Server = TypeVar("Server", bound=LocalServer)


@contextmanager
def running_provider(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, start: Callable[[], Server]
) -> Iterator[Server]:
    """A provider that the product may call, with no sign-ins counted yet."""
    cache.clear()
    limit = RequestLimit(60, clock=lambda: 0.0)
    monkeypatch.setattr(single_sign_on_sign_in, "requests_per_address", limit)
    running = start()
    settings.OUTGOING_ALLOWED = [running.address]
    settings.PUBLIC_URL = "http://testserver"
    try:
        yield running
    finally:
        running.close()


def signed_in_as(client: Client) -> str:
    """The username of the session; "" if nobody is signed in."""
    number = client.session.get("_auth_user_id")
    return User.objects.get(pk=number).username if number else ""


def refusals() -> list[Any]:
    """The reasons of all refused sign-ins, in their order."""
    rows = AuditEntry.objects.filter(action="session.refused").order_by("pk")
    return [row.detail["reason"] for row in rows]


def provider_values(server: LocalIdentityProvider, **values: Any) -> dict[str, Any]:
    """What an administrator enters, as the API names it."""
    return {
        "name": "Acme",
        "issuer": server.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "is_enabled": True,
        **values,
    }


def store_provider(server: LocalIdentityProvider, **values: Any) -> IdentityProvider:
    """Enter the provider as the administrator `ida`."""
    by = Author(user_of_role(UserRole.ADMIN, "ida"), database_now())
    return change_identity_provider(provider_values(server, **values), version=None, by=by)


def address_on(page: Any) -> str:
    """The address at the provider to which the page leads."""
    match = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.content.decode())
    assert match, page.content.decode()
    return unescape(match[1])


def leave(client: Client, server: LocalIdentityProvider, next_url: str = "") -> str:
    """Click the button on the sign-in page; return where the provider sends the browser."""
    page = client.post(START, {"next": next_url})
    assert page.status_code == 200
    return server.visit(address_on(page))


def come_back(client: Client, location: str) -> Any:
    """Follow the redirect of the provider."""
    target = urlsplit(location)
    assert target.path == CALLBACK
    return client.get(f"{target.path}?{target.query}")


def sign_in_at(client: Client, server: LocalIdentityProvider, next_url: str = "") -> Any:
    """The answer of the callback."""
    return come_back(client, leave(client, server, next_url))


def shown_after(client: Client, answer: Any) -> str:
    """The text of the page to which an answer redirects."""
    assert answer.status_code == 302
    return " ".join(client.get(answer["Location"]).content.decode().split())
