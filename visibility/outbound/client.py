"""The outgoing client: only to allowed addresses, timed, bounded, never redirected."""

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx2
from django.conf import settings

from connectors.sdk.connector import Answer

LARGEST = 10_485_760
SECONDS = 30.0


class Forbidden(ConnectionError):
    """The address is not one an administrator allowed."""


def check_address(url: str) -> None:
    """Public addresses over http(s) pass; others only if OUTGOING_ALLOWED names their host:port."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Forbidden(f"{parts.scheme or 'no'}:// addresses are not called")
    if parts.username or parts.password:
        raise Forbidden("an address must not carry a user name or a password")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if f"{parts.hostname}:{port}" in settings.OUTGOING_ALLOWED:
        return
    if port == 25:
        raise Forbidden("port 25 is not called")
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConnectionError(f"{parts.hostname} is not known: {error}") from error
    for *_, address in found:
        if not ipaddress.ip_address(address[0]).is_global:
            raise Forbidden(
                f"{parts.hostname} is not a public address; an administrator must allow "
                f"{parts.hostname}:{port} in OUTGOING_ALLOWED"
            )


class Client:
    """What a poller is given (connectors.sdk.connector.Http)."""

    def get(self, url: str, *, params: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """One GET; the whole answer within 30 s and 10 MiB. Raises ConnectionError."""
        return self._call("GET", url, params=params, headers=headers)

    def post_form(self, url: str, *, data: Mapping[str, str]) -> Answer:
        """One form post."""
        return self._call("POST", url, data=data)

    def _call(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> Answer:
        check_address(url)
        try:
            with (
                httpx2.Client(timeout=SECONDS, follow_redirects=False) as client,
                client.stream(
                    method,
                    url,
                    params=dict(params) if params else None,
                    headers=dict(headers) if headers else None,
                    data=dict(data) if data else None,
                ) as response,
            ):
                body = bytearray()
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > LARGEST:
                        raise ConnectionError(f"the answer is larger than {LARGEST} bytes")
                lower = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, lower, bytes(body))
        except httpx2.HTTPError as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error
