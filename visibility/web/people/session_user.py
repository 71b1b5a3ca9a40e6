"""The person of a session, also when the session was opened under an older SECRET_KEY.

Django would give such a session another key: of several requests that a page sends at once, only
the first finds the session. Here only the keyed hash in the session is renewed.
"""

from typing import Any

from channels.auth import AuthMiddleware
from channels.db import database_sync_to_async
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.middleware import AuthenticationMiddleware, get_user
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject


class SessionUserMiddleware(AuthenticationMiddleware):
    """Django's, for sessions of every secret key."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        if settings.SECRET_KEY_FALLBACKS:
            lazy: Any = SimpleLazyObject(lambda: _user_of(request))
            request.user = lazy


class SocketUserMiddleware(AuthMiddleware):  # type: ignore[misc]  # channels has no types
    """That of Channels, which knows no fallback keys."""

    async def resolve_scope(self, scope: Any) -> None:
        if settings.SECRET_KEY_FALLBACKS:
            await database_sync_to_async(renew_auth_hash)(scope["session"])
        await super().resolve_scope(scope)


def socket_user_stack(inner: Any) -> Any:
    """Cookies, the session and the user of a socket."""
    return CookieMiddleware(SessionMiddleware(SocketUserMiddleware(inner)))


def renew_auth_hash(session: Any) -> None:
    """Set the hash of the session to that of SECRET_KEY, if a fallback key made it."""
    stored = session.get(HASH_SESSION_KEY)
    user = User.objects.filter(pk=session.get(SESSION_KEY)).first() if stored else None
    if user is not None and is_hash_of_fallback_key(stored, user):
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()


def is_hash_of_fallback_key(stored: str, user: User) -> bool:
    """Whether an older key made the hash, and the person's password is still the same."""
    if constant_time_compare(stored, user.get_session_auth_hash()):
        return False
    hashes = user.get_session_auth_fallback_hash()
    return any(constant_time_compare(stored, older) for older in hashes)


def _user_of(request: HttpRequest) -> Any:
    if not hasattr(request, "_cached_user"):
        renew_auth_hash(request.session)
    return get_user(request)
