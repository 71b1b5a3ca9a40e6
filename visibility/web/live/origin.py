"""The same-origin check of WebSocket handshakes."""

from typing import Any
from urllib.parse import urlsplit

from channels.middleware import BaseMiddleware
from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import validate_host

DEFAULT_PORTS = {"http": 80, "https": 443}


class SameOriginMiddleware(BaseMiddleware):  # type: ignore[misc]  # channels has no stubs
    """Deny a handshake that does not come from a page of this host.

    Channels' `AllowedHostsOriginValidator` compares the origin with `ALLOWED_HOSTS` only. It lets
    in another port of the same host, and every origin if `ALLOWED_HOSTS` has `*`.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if is_same_origin(dict(scope["headers"])):
            await super().__call__(scope, receive, send)
        else:
            await WebsocketDenier()(scope, receive, send)


def is_same_origin(headers: dict[bytes, bytes]) -> bool:
    """Whether `Origin` and `Host` name the same host and port, and the host is an allowed one.

    A missing `Origin`, or `null`, is not the same origin.
    """
    try:
        origin = urlsplit(headers.get(b"origin", b"").decode("latin-1").lower())
        host = urlsplit("//" + headers.get(b"host", b"").decode("latin-1").lower())
        default_port = DEFAULT_PORTS.get(origin.scheme)
        if default_port is None or not origin.hostname:
            return False
        origin_address = (origin.hostname, origin.port or default_port)
        if origin_address != (host.hostname, host.port or default_port):
            return False
    except ValueError:
        return False
    name = f"[{origin.hostname}]" if ":" in origin.hostname else origin.hostname
    return validate_host(name, settings.ALLOWED_HOSTS)
