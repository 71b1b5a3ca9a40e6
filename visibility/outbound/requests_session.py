"""A session of the `requests` library whose requests are sent by the guarded client.

django-allauth and Apprise send with `requests`. Here each request passes the address
guard and the limits of time and size, and no redirect is followed.
"""

import io
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from connectors.sdk.webhook_and_poll_types import HttpRequest, HttpResponse
from visibility.outbound.http_client import OutgoingHttpClient
from visibility.outbound.request_time_and_count_limits import RequestBudget


class GuardedRequestsAdapter(BaseAdapter):
    """Sends through `OutgoingHttpClient`; its errors become those of `requests`.

    `responses`: those that it received. `error`: the text of the last request that failed.
    """

    def __init__(self, budget: RequestBudget) -> None:
        super().__init__()
        self._client = OutgoingHttpClient(budget)
        self.responses: list[HttpResponse] = []
        self.error = ""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a request. Certificates are always checked, and no proxy is used."""
        # The body of a prepared form is text or bytes.
        body = request.body if isinstance(request.body, str | bytes) else b""
        try:
            answer = self._client.send(
                HttpRequest(
                    method=str(request.method),
                    url=str(request.url),
                    headers={name.lower(): str(text) for name, text in request.headers.items()},
                    body=body.encode() if isinstance(body, str) else body,
                )
            )
        except ConnectionError as error:
            self.error = str(error)
            raise requests.exceptions.ConnectionError(str(error), request=request) from error
        self.responses.append(answer)
        response = requests.Response()
        response.status_code = answer.status
        response.reason = _reason(answer.status)
        # The body is decompressed already.
        response.headers = CaseInsensitiveDict(
            {name: text for name, text in answer.headers.items() if name != "content-encoding"}
        )
        raw: Any = io.BytesIO(answer.body)
        response.raw = raw
        response.url = str(request.url)
        response.request = request
        return response

    def close(self) -> None:
        """The client is shared: nothing to close."""


def build_guarded_session(*, seconds: float, requests_at_most: int) -> requests.Session:
    """A session for a few requests, which take so many seconds together."""
    budget = RequestBudget(seconds=seconds, requests=requests_at_most)
    return mount_on_session(GuardedRequestsAdapter(budget))


def mount_on_session(adapter: GuardedRequestsAdapter) -> requests.Session:
    """A session that sends everything with this adapter."""
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _reason(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
