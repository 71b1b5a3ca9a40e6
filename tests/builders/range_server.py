"""The range API of Pwned Passwords on loopback, over HTTP.

As documented: `GET /range/{first 5 of SHA-1}` answers with `ENDING:COUNT` for each hash, separated
by CRLF; with `Add-Padding: true` also endings with the count 0
(https://haveibeenpwned.com/API/v3#PwnedPasswordsPadding).
"""

import hashlib
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class RangeServer(ThreadingHTTPServer):
    """Knows some breached passwords. `answer`: another status and body for every request."""

    daemon_threads = True

    def __init__(self, *breached: str, padding: tuple[str, ...] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _RangeHandler)
        self.counts = {_sha1(password): 37 for password in breached}
        self.padding = [_sha1(password) for password in padding]
        self.requests: list[tuple[str, Mapping[str, str]]] = []
        self.answer: tuple[int, bytes] | None = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """What an administrator enters."""
        return f"http://{self.address}/range/"

    def lines(self, prefix: str, *, is_padded: bool) -> list[str]:
        """The endings of one range; at least one other, as each range has hundreds."""
        counts = {"0" * 40: 4, **self.counts}
        if is_padded:
            counts |= dict.fromkeys(self.padding, 0)
        return [
            f"{digest[5:]}:{count}"
            for digest, count in counts.items()
            if digest.startswith(prefix) or digest == "0" * 40
        ]

    def close(self) -> None:
        """Stop, and free the port."""
        self.shutdown()
        self.server_close()


class _RangeHandler(BaseHTTPRequestHandler):
    server: RangeServer

    def do_GET(self) -> None:
        self.server.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        prefix = self.path.removeprefix("/range/")
        is_padded = self.headers.get("Add-Padding") == "true"
        lines = self.server.lines(prefix, is_padded=is_padded)
        status, body = self.server.answer or (200, "\r\n".join(lines).encode())
        if self.server.answer is None and len(prefix) != 5:
            status, body = 400, b"The hash prefix was not in a valid format"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""


def _sha1(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
