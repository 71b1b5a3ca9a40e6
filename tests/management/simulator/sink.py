"""A product that only listens: it keeps what is posted, or answers as it is told."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Post(NamedTuple):
    """One request: header names are lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, dict[str, str]]


class Sink(ThreadingHTTPServer):
    """`answer` is asked for status and headers before a post is kept; only 2xx ones are."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Post], Answer] | None = None, *, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answer = answer or (lambda _: (202, {}))
        self.posts: list[Post] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Sink
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): text for name, text in self.headers.items()}
        post = Post(self.path, headers, body)
        status, more = self.server.answer(post)
        if 200 <= status < 300:
            self.server.posts.append(post)
        self.send_response(status)
        for name, text in more.items():
            self.send_header(name, text)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
        if more.get("connection") == "close":
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""
