"""A stand-in for the module `requests`, for modules of a library that sends with it.

`send_with_guard(module)` replaces the name `requests` in one module. Its functions then send with
the guarded client, and only in a `with guarded_exchange(...)` block: outside, and for everything
that the stand-in does not have, they raise. Other modules of the process keep the real `requests`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import requests

from connectors.sdk.webhook_and_poll_types import HttpResponse
from visibility.outbound.address_guard import is_url_in_outgoing_allowed
from visibility.outbound.request_time_and_count_limits import RequestBudget
from visibility.outbound.requests_session import GuardedRequestsAdapter, mount_on_session

# What a caller may set. Certificates are always checked, and redirects are never followed.
PASSED_OPTIONS = frozenset({"params", "data", "json", "headers", "auth", "files"})
IGNORED_OPTIONS = frozenset({"timeout", "verify", "allow_redirects", "stream"})
NEEDS_HTTPS = (
    "the address must begin with https://. Without https, an administrator must list its host and "
    "port in OUTGOING_ALLOWED"
)


@dataclass(frozen=True, slots=True)
class GuardedExchange:
    """The requests of one block."""

    adapter: GuardedRequestsAdapter
    session: requests.Session

    @property
    def error(self) -> str:
        """The text of the last request that failed without a response."""
        return self.adapter.error

    @property
    def last_response(self) -> HttpResponse | None:
        """The response to the last request that got one."""
        return self.adapter.responses[-1] if self.adapter.responses else None


_exchange: ContextVar[GuardedExchange | None] = ContextVar("guarded_exchange", default=None)


@contextmanager
def guarded_exchange(*, seconds: float, requests_at_most: int) -> Iterator[GuardedExchange]:
    """Let this thread send a few requests, which take so many seconds together."""
    budget = RequestBudget(seconds=seconds, requests=requests_at_most)
    adapter = GuardedRequestsAdapter(budget)
    with mount_on_session(adapter) as session:
        exchange = GuardedExchange(adapter, session)
        token = _exchange.set(exchange)
        try:
            yield exchange
        finally:
            _exchange.reset(token)


class GuardedRequestsModule:
    """The names of `requests` that may be used. Others raise AttributeError."""

    codes = requests.codes
    exceptions = requests.exceptions
    RequestException = requests.RequestException

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send a request with the guarded client. Raises RequestException."""
        exchange = _exchange.get()
        if exchange is None:
            raise RuntimeError("a library sends a request outside of guarded_exchange()")
        unknown = options.keys() - PASSED_OPTIONS - IGNORED_OPTIONS
        if unknown:
            raise TypeError(f"options that the guard does not know: {sorted(unknown)}")
        if urlsplit(url).scheme != "https" and not is_url_in_outgoing_allowed(url):
            exchange.adapter.error = NEEDS_HTTPS
            raise requests.exceptions.ConnectionError(NEEDS_HTTPS)
        passed = {name: options[name] for name in PASSED_OPTIONS & options.keys()}
        return exchange.session.request(method, url, allow_redirects=False, **passed)

    def get(self, url: str, params: Any = None, **options: Any) -> requests.Response:
        """As `requests.get`."""
        return self.request("GET", url, params=params, **options)

    def post(self, url: str, data: Any = None, json: Any = None, **options: Any) -> Any:
        """As `requests.post`."""
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url: str, data: Any = None, **options: Any) -> requests.Response:
        """As `requests.put`."""
        return self.request("PUT", url, data=data, **options)

    def delete(self, url: str, **options: Any) -> requests.Response:
        """As `requests.delete`."""
        return self.request("DELETE", url, **options)


GUARDED_REQUESTS = GuardedRequestsModule()


def send_with_guard(module: ModuleType) -> None:
    """Replace `requests` in a module. Raises RuntimeError if it has another one."""
    used = vars(module).get("requests")
    if used is not requests and used is not GUARDED_REQUESTS:
        raise RuntimeError(f"{module.__name__} does not send with the module `requests`")
    vars(module)["requests"] = GUARDED_REQUESTS
