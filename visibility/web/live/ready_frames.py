"""Write one encoded frame to many sockets: a broadcast is encoded once, not once per socket."""

from typing import Any

from channels.middleware import BaseMiddleware
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

SCOPE_KEY = "throughline.ready_frame_writer"


def encode_text_frame(text: str) -> bytes:
    """A WebSocket text frame of a server: not masked, so the same for every socket (RFC 6455)."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False, extensions=[])


class ReadyFrameWriter:
    """Writes encoded frames to one socket of uvicorn.

    ASGI has no call for it. `send` of uvicorn's `websockets-sansio` protocol is a method of the
    protocol, which has the transport. This class is the only place that knows it.
    """

    def __init__(self, protocol: WebSocketsSansIOProtocol) -> None:
        self._protocol = protocol

    def write(self, frame: bytes) -> bool:
        """Write a frame if the socket is open and its buffer has room; return whether it did."""
        protocol = self._protocol
        if (
            not protocol.handshake_complete
            or protocol.close_sent
            or protocol.disconnected
            or not protocol.writable.is_set()
            or protocol.transport.is_closing()
        ):
            return False
        protocol.transport.write(frame)
        return True


def ready_frame_writer(send: Any) -> ReadyFrameWriter | None:
    """The writer of the socket whose ASGI `send` this is.

    None behind another server or with compression: then each message takes the way of ASGI.
    """
    protocol = getattr(send, "__self__", None)
    if not isinstance(protocol, WebSocketsSansIOProtocol) or protocol.conn.extensions:
        return None
    return ReadyFrameWriter(protocol)


class ReadyFrameMiddleware(BaseMiddleware):  # type: ignore[misc]  # channels has no stubs
    """Puts the writer of the socket into the scope, before other middleware wraps `send`."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await super().__call__({**scope, SCOPE_KEY: ready_frame_writer(send)}, receive, send)
