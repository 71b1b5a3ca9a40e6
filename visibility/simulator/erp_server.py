"""The ERP's API: OData v4 over HTTP, read-only, with a bearer token and a limit on requests."""

import re
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import compare_digest
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import orjson

from visibility.simulator.erp_feed import Feed

BASE = "/api/v2.0/companies(demo)/"
FILTER = re.compile(r"lastModifiedDateTime (ge|gt) (\S+)")
PAGE, LARGEST = 500, 20_000


class Server(ThreadingHTTPServer):
    """Serves a feed on 127.0.0.1; port 0 takes any."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, feed: Feed, port: int, token: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.feed, self.token = feed, token
        self._refusals, self._wait = 0, 1
        self.asked = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def throttle(self, times: int, *, wait: int) -> None:
        """Answer the next requests with 429 and Retry-After."""
        self._refusals, self._wait = times, wait

    def refuses(self) -> int:
        """The seconds to wait if this request is one too many, else 0."""
        self.asked += 1
        if self._refusals <= 0:
            return 0
        self._refusals -= 1
        return self._wait

    def start(self) -> None:
        """Serve from a thread of its own."""
        threading.Thread(target=self.serve_forever, args=(0.2,), daemon=True).start()

    def stop(self) -> None:
        """Close."""
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def do_GET(self) -> None:
        """A collection, filtered, ordered, paged."""
        given = self.headers.get("authorization", "")
        if not compare_digest(given.encode(), f"Bearer {self.server.token}".encode()):
            self._refuse(401, "Authentication_InvalidCredentials")
            return
        if wait := self.server.refuses():
            self._refuse(429, "Application_TooManyRequests", wait=wait)
            return
        address = urlsplit(self.path)
        path = address.path.replace("%28", "(").replace("%29", ")")
        name = path.removeprefix(BASE)
        if not path.startswith(BASE) or not self.server.feed.knows(name):
            self._refuse(404, "BadRequest_ResourceNotFound")
            return
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        try:
            since = _since(query.get("$filter", ""))
            start = int(query["$skiptoken"]) if "$skiptoken" in query else None
        except ValueError as error:
            self._refuse(400, f"BadRequest: {error}")
            return
        self._page(name, query, since=since, start=start)

    def _page(self, name: str, query: dict[str, str], *, since: float, start: int | None) -> None:
        rows, following = self.server.feed.page(name, since=since, start=start, size=self._size())
        expand = query.get("$expand", "")
        if not expand:
            rows = [{k: v for k, v in row.items() if not k.endswith("Lines")} for row in rows]
        host = self.headers.get("host", f"127.0.0.1:{self.server.port}")
        root = f"http://{host}{BASE}"
        answer: dict[str, Any] = {"@odata.context": f"{root}$metadata#{name}", "value": rows}
        if following is not None:
            kept = {k: v for k, v in query.items() if k != "$skiptoken"}
            pairs = [*kept.items(), ("$skiptoken", str(following))]
            words = "&".join(f"{quote(k, safe='$')}={quote(v)}" for k, v in pairs)
            answer["@odata.nextLink"] = f"{root}{name}?{words}"
        self._answer(200, orjson.dumps(answer), {})

    def _size(self) -> int:
        match = re.search(r"odata\.maxpagesize=(\d{1,6})", self.headers.get("prefer", ""))
        return min(max(int(match[1]), 1), LARGEST) if match else PAGE

    def _refuse(self, status: int, code: str, *, wait: int = 0) -> None:
        body = orjson.dumps({"error": {"code": code, "message": code}})
        self._answer(status, body, {"retry-after": str(wait)} if wait else {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json; odata.metadata=minimal")
        self.send_header("content-length", str(len(body)))
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the poller asks every few seconds."""


def _since(text: str) -> float:
    """The moment of the one filter we know."""
    if not text:
        return 0.0
    match = FILTER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"the filter {text[:80]!r} is not supported")
    at = datetime.fromisoformat(match[2]).timestamp()
    return at + 0.001 if match[1] == "gt" else at
