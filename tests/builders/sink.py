"""An HTTP server that stores the posted requests or gives a configured response."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from visibility.simulator.vendors import VENDORS


class RecordedPost(NamedTuple):
    """One request: header names are lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


StatusAndHeaders = tuple[int, dict[str, str]]


class RecordingServer(ThreadingHTTPServer):
    """Stores every post that `answer` accepts; `answer` returns the status and headers."""

    daemon_threads = True

    def __init__(
        self, answer: Callable[[RecordedPost], StatusAndHeaders] | None = None, *, port: int = 0
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.respond = answer or (lambda _: (202, {}))
        self.posts: list[RecordedPost] = []
        self.body = b"{}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def write_setup(self, folder: Path) -> None:
        """Write the simulator's setup that names this server as the product."""
        sources: dict[str, Any] = {
            slug: {"hook": f"/hooks/{slug}", "secret": f"secret of {slug}"} for slug in VENDORS
        }
        sources["erp"] = {"secret": "token"}
        text = {"url": self.url, "erp_port": 0, "sources": sources}
        (folder / "run").mkdir()
        (folder / "run" / "demo.json").write_text(json.dumps(text))

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: RecordingServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): text for name, text in self.headers.items()}
        post = RecordedPost(self.path, headers, body)
        status, more = self.server.respond(post)
        if 200 <= status < 300:
            self.server.posts.append(post)
        self.send_response(status)
        for name, text in more.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)
        if more.get("connection") == "close":
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Do not log requests."""
