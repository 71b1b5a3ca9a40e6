"""Systems to poll on loopback: they speak OData, and some of them misbehave."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DRIP_SECONDS = 2.0


@dataclass
class PolledSystem:
    """A running system: its address, and when it received each request."""

    port: int = 0
    requested_at: list[float] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        """The URL of its API."""
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def address(self) -> str:
        """Its host and port, as OUTGOING_ALLOWED lists it."""
        return f"127.0.0.1:{self.port}"


Respond = Callable[[BaseHTTPRequestHandler, PolledSystem], None]


@contextmanager
def running_system(respond: Respond) -> Iterator[PolledSystem]:
    """Start a system that answers every GET by `respond`."""
    system = PolledSystem()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            system.requested_at.append(time.monotonic())
            with suppress(BrokenPipeError, ConnectionResetError):
                respond(self, system)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    system.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield system
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send_json(
    handler: BaseHTTPRequestHandler,
    document: object,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Send a complete JSON response."""
    body = json.dumps(document).encode()
    handler.send_response(status)
    for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def send_order(handler: BaseHTTPRequestHandler, system: PolledSystem) -> None:
    """A healthy system: one order in the collection of orders, and nothing in the others."""
    rows = []
    if "/salesOrders" in handler.path:
        rows = [{"id": f"order-{system.port}", "lastModifiedDateTime": "2026-03-04T10:00:00Z"}]
    send_json(handler, {"value": rows})


def drip_body(handler: BaseHTTPRequestHandler, _system: PolledSystem) -> None:
    """Send one byte of the body every two seconds."""
    handler.send_response(200)
    handler.send_header("content-length", "1000000")
    handler.end_headers()
    _drip(handler, b" ")


def drip_headers(handler: BaseHTTPRequestHandler, _system: PolledSystem) -> None:
    """Send one byte of the headers every two seconds."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
    _drip(handler, b"x")


def _drip(handler: BaseHTTPRequestHandler, byte: bytes) -> None:
    for _ in range(60):
        handler.wfile.write(byte)
        handler.wfile.flush()
        time.sleep(DRIP_SECONDS)


def send_endless_pages(handler: BaseHTTPRequestHandler, system: PolledSystem) -> None:
    """Send empty pages, each with a link to another one."""
    number = len(system.requested_at)
    link = f"{system.base_url}/salesOrders?$skiptoken={number}"
    send_json(handler, {"value": [], "@odata.nextLink": link})


def send_endless_orders(handler: BaseHTTPRequestHandler, system: PolledSystem) -> None:
    """Send a newer order on every page, each with a link to another page."""
    number = len(system.requested_at)
    at = f"2026-03-04T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
    row = {"id": f"order-{number}", "lastModifiedDateTime": at}
    link = f"{system.base_url}/salesOrders?$skiptoken={number}"
    send_json(handler, {"value": [row], "@odata.nextLink": link})
