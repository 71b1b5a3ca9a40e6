"""The HTTP client for outgoing requests.

It calls allowed addresses only, limits time and size, and follows no redirects.
"""

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx2
from django.conf import settings

from connectors.sdk.http import HttpResponse

MAX_RESPONSE_BYTES = 10_485_760
TIMEOUT_SECONDS = 30.0


class ForbiddenAddress(ConnectionError):
    """The address is neither public nor allowed by an administrator."""


def check_address_allowed(url: str) -> None:
    """Check that the URL may be called. Raises ForbiddenAddress or ConnectionError.

    Public addresses are allowed over http and https. Other addresses are allowed only if
    OUTGOING_ALLOWED lists their host:port.
    """
    components = urlsplit(url)
    if components.scheme not in {"http", "https"} or not components.hostname:
        raise ForbiddenAddress("only http:// and https:// addresses with a host name are allowed")
    if components.username or components.password:
        raise ForbiddenAddress("the address must not contain a user name or a password")
    port = components.port or (443 if components.scheme == "https" else 80)
    if f"{components.hostname}:{port}" in settings.OUTGOING_ALLOWED:
        return
    if port == 25:
        raise ForbiddenAddress("port 25 is not allowed")
    try:
        addresses = socket.getaddrinfo(components.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConnectionError(f"{components.hostname} cannot be resolved: {error}") from error
    for *_, address in addresses:
        if not ipaddress.ip_address(address[0]).is_global:
            raise ForbiddenAddress(
                f"{components.hostname} is not a public address; an administrator must allow "
                f"{components.hostname}:{port} in OUTGOING_ALLOWED"
            )


class OutgoingHttpClient:
    """The HTTP client that pollers use; implements `connectors.sdk.http.HttpClient`."""

    def get(
        self, url: str, *, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> HttpResponse:
        """Send a GET request. The response is limited to 30 s, 10 MiB. Raises ConnectionError."""
        return self._send_request("GET", url, params=params, headers=headers)

    def post_json(
        self, url: str, *, content: bytes, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> HttpResponse:
        """Send a POST request with a JSON document. Limits and errors as for `get`."""
        return self._send_request("POST", url, params=params, headers=headers, content=content)

    def post_form(self, url: str, *, data: Mapping[str, str]) -> HttpResponse:
        """Send a POST request with form data. Limits and errors as for `get`."""
        return self._send_request("POST", url, data=data)

    def _send_request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> HttpResponse:
        check_address_allowed(url)
        try:
            with (
                httpx2.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client,
                client.stream(
                    method,
                    url,
                    params=dict(params) if params else None,
                    headers=dict(headers) if headers else None,
                    data=dict(data) if data else None,
                    content=content,
                ) as response,
            ):
                body = bytearray()
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > MAX_RESPONSE_BYTES:
                        raise ConnectionError(
                            f"the response is larger than {MAX_RESPONSE_BYTES} bytes"
                        )
                lower = {name.lower(): value for name, value in response.headers.items()}
                return HttpResponse(response.status_code, lower, bytes(body))
        except httpx2.HTTPError as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error
