"""The API of Business Central: read-only OData v4 over HTTP with a bearer token."""

import re
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import compare_digest
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import orjson

from visibility.simulator.erp_rows_by_modification_time import ErpFeed

BASE_PATH = "/api/v2.0/companies(demo)/"
MODIFIED_FILTER = re.compile(r"lastModifiedDateTime (ge|gt) (\S+)")
PAGE_SIZE, MAX_PAGE_SIZE = 500, 20_000


class ErpServer(ThreadingHTTPServer):
    """Serve a feed on 127.0.0.1. Port 0 picks a free port; `handler`: the API of another ERP."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        feed: ErpFeed,
        port: int,
        token: str,
        handler: "type[BaseHTTPRequestHandler] | None" = None,
    ) -> None:
        super().__init__(("127.0.0.1", port), handler or BusinessCentralHandler)
        self.feed, self.token = feed, token
        self.request_count = 0

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Serve requests in a background thread."""
        threading.Thread(target=self.serve_forever, args=(0.2,), daemon=True).start()

    def stop(self) -> None:
        """Stop serving and close the socket."""
        self.shutdown()
        self.server_close()


class BusinessCentralHandler(BaseHTTPRequestHandler):
    """Handles one connection."""

    server: ErpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def do_GET(self) -> None:
        """Serve one page of a collection."""
        authorization = self.headers.get("authorization", "")
        if not compare_digest(authorization.encode(), f"Bearer {self.server.token}".encode()):
            self._send_error(401, "Authentication_InvalidCredentials")
            return
        self.server.request_count += 1
        address = urlsplit(self.path)
        path = address.path.replace("%28", "(").replace("%29", ")")
        name = path.removeprefix(BASE_PATH)
        if not path.startswith(BASE_PATH) or not self.server.feed.has_collection(name):
            self._send_error(404, "BadRequest_ResourceNotFound")
            return
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        try:
            since = _parse_modified_since_filter(query.get("$filter", ""))
            start = int(query["$skiptoken"]) if "$skiptoken" in query else None
        except ValueError as error:
            self._send_error(400, f"BadRequest: {error}")
            return
        self._send_page(name, query, since=since, start=start)

    def _send_page(
        self, name: str, query: dict[str, str], *, since: float, start: int | None
    ) -> None:
        rows, next_start = self.server.feed.read_page(
            name, since=since, start=start, size=self._page_size()
        )
        expand = query.get("$expand", "")
        if not expand:
            rows = [{k: v for k, v in row.items() if not k.endswith("Lines")} for row in rows]
        host = self.headers.get("host", f"127.0.0.1:{self.server.port}")
        root = f"http://{host}{BASE_PATH}"
        document: dict[str, Any] = {"@odata.context": f"{root}$metadata#{name}", "value": rows}
        if next_start is not None:
            parameters = {k: v for k, v in query.items() if k != "$skiptoken"}
            pairs = [*parameters.items(), ("$skiptoken", str(next_start))]
            query_string = "&".join(f"{quote(k, safe='$')}={quote(v)}" for k, v in pairs)
            document["@odata.nextLink"] = f"{root}{name}?{query_string}"
        self._respond(200, orjson.dumps(document))

    def _page_size(self) -> int:
        match = re.search(r"odata\.maxpagesize=(\d{1,6})", self.headers.get("prefer", ""))
        return min(max(int(match[1]), 1), MAX_PAGE_SIZE) if match else PAGE_SIZE

    def _send_error(self, status: int, code: str) -> None:
        self._respond(status, orjson.dumps({"error": {"code": code, "message": code}}))

    def _respond(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json; odata.metadata=minimal")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Do not log requests: the poller sends one every few seconds."""


def _parse_modified_since_filter(text: str) -> float:
    """The timestamp of `lastModifiedDateTime ge ...`, the only supported filter."""
    if not text:
        return 0.0
    match = MODIFIED_FILTER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"the filter {text[:80]!r} is not supported")
    at = datetime.fromisoformat(match[2]).timestamp()
    return at + 0.001 if match[1] == "gt" else at
