"""A pooled HTTP transport with a deadline for the whole exchange and checked addresses.

The timeouts of httpx2 apply to each read, so a response that arrives byte by byte never ends. Here
every operation on the socket gets what is left until the deadline of its thread.
"""

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore2
import httpx2

from visibility.outbound.address_guard import resolve_to_allowed_ip_addresses

# How long a connection is used after its address was checked, in seconds.
CHECKED_FOR = 30.0
_deadline: ContextVar[float | None] = ContextVar("outgoing_deadline", default=None)


@contextmanager
def limit_network_time_in_block(seconds: float) -> Iterator[None]:
    """Limit everything that this thread sends and receives in the block."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def is_deadline_over() -> bool:
    """Whether the deadline of this thread has passed."""
    deadline = _deadline.get()
    return deadline is not None and time.monotonic() >= deadline


def _timeout_capped_by_deadline(timeout: float | None) -> float | None:
    """Return the shorter of the timeout and the time until the deadline. Raises ReadTimeout."""
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("the deadline has passed")
    return left if timeout is None else min(timeout, left)


class _DeadlineStream(httpcore2.NetworkStream):
    """A connection whose operations end at the deadline.

    It is not used again after `CHECKED_FOR` seconds, so that a removed permission takes effect.
    """

    def __init__(
        self, stream: httpcore2.NetworkStream, reusable_until: float | None = None
    ) -> None:
        self._stream = stream
        self._reusable_until = reusable_until or time.monotonic() + CHECKED_FOR

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _timeout_capped_by_deadline(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _timeout_capped_by_deadline(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        return _DeadlineStream(
            self._stream.start_tls(
                ssl_context, server_hostname, _timeout_capped_by_deadline(timeout)
            ),
            self._reusable_until,
        )

    def get_extra_info(self, info: str) -> Any:
        # The pool closes an idle connection that has something to read.
        if info == "is_readable" and time.monotonic() >= self._reusable_until:
            return True
        return self._stream.get_extra_info(info)


class _GuardedBackend(httpcore2.NetworkBackend):
    """Connects to checked addresses only."""

    def __init__(self) -> None:
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        last_error: Exception | None = None
        for address in resolve_to_allowed_ip_addresses(host, port):
            try:
                return _DeadlineStream(
                    self._backend.connect_tcp(
                        address,
                        port,
                        _timeout_capped_by_deadline(timeout),
                        local_address,
                        socket_options,
                    )
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last_error = error
        raise last_error or ConnectionError(f"{host} has no address")


class DeadlineTransport(httpx2.HTTPTransport):
    """httpx2's transport over a pool of connections that observe the deadline and the guard."""

    def __init__(self, limits: httpx2.Limits) -> None:
        super().__init__(limits=limits)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_GuardedBackend(),
        )
