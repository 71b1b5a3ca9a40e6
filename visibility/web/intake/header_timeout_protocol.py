"""uvicorn's HTTP protocol with a timeout for request headers, and an end for unread bodies."""

import asyncio
from typing import Any

from django.conf import settings
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)

TIMEOUT_RESPONSE = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)
# How much of a body is discarded after the response, and for how long: more than proxies pass on.
DISCARDED_BYTES = 16_777_216
DISCARD_SECONDS = 5


class TransportOfRequest(asyncio.Transport):
    """The transport on which a response is written. `close()` first discards an unread body."""

    def __init__(self, protocol: "HeaderTimeoutProtocol", cycle: RequestResponseCycle) -> None:
        super().__init__()
        self._protocol = protocol
        self._cycle = cycle

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._protocol.transport.write(data)

    def is_closing(self) -> bool:
        return self._protocol.is_ending or self._protocol.transport.is_closing()

    def close(self) -> None:
        if self._cycle.more_body:
            self._protocol.end_after_unread_body()
        else:
            self._protocol.transport.close()


class HeaderTimeoutProtocol(HttpToolsProtocol):
    """Closes a connection if the headers of a request take longer than `BODY_TIMEOUT` seconds.

    The time starts with the connection, and again with each further request on it.

    A response may be complete before the request is, such as 413 for a large body. Closing the
    connection then would reset it: the client, or the proxy before it, loses the response. So what
    still arrives is discarded, up to `DISCARDED_BYTES` and `DISCARD_SECONDS`, without storing it.
    https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    """

    # The response was the last one: the connection ends when the client closes it, or at a limit.
    is_ending = False
    _timer: asyncio.TimerHandle | None = None
    _discard_timer: asyncio.TimerHandle | None = None
    _discarded = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        if self._discard_timer is not None:
            self._discarded += len(data)
            if self._discarded > DISCARDED_BYTES:
                self.transport.abort()
                return
            if self.is_ending:
                return
        elif self._timer is None and (self.cycle is None or self.cycle.response_complete):
            self._start_timer()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._cancel_timer()
        self._unset_keepalive_if_required()
        previous = self.cycle
        super().on_headers_complete()
        if self.cycle is not previous:
            self.cycle.transport = TransportOfRequest(self, self.cycle)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._discard_timer is not None:  # the connection can be used for another request
            self._cancel_discard_timer()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        if self.is_ending:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._start_to_discard()

    def end_after_unread_body(self) -> None:
        """Tell the client that the connection ends, and discard what it still sends."""
        if self.is_ending or self.transport.is_closing():
            return
        self.is_ending = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._start_to_discard()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        self._cancel_discard_timer()
        super().connection_lost(exc)

    def _start_to_discard(self) -> None:
        if self._discard_timer is None and not self.transport.is_closing():
            self._discarded = 0
            self._discard_timer = self.loop.call_later(DISCARD_SECONDS, self.transport.abort)

    def _cancel_discard_timer(self) -> None:
        if self._discard_timer is not None:
            self._discard_timer.cancel()
            self._discard_timer = None

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(settings.BODY_TIMEOUT, self._send_timeout_and_close)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send_timeout_and_close(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.write(TIMEOUT_RESPONSE)
            self.transport.close()
