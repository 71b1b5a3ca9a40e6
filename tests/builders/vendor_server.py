"""A vendor on loopback: order rows by JSON, GraphQL, JSON-RPC, form and file listing, over HTTP.

`authorize` decides about every request except those for a token, from the bytes that arrived.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

PAGE_SIZE = 2


@dataclass(frozen=True)
class VendorRequest:
    """A request as it arrived. Names of headers are lower case; `target` is path and query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))


@dataclass(frozen=True)
class Answer:
    """What the vendor answers: a JSON document, or the bytes of a file."""

    status: int
    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class VendorServer(ThreadingHTTPServer):
    """Rows are answered in the order of their time of change, two on a page."""

    daemon_threads = True

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _VendorHandler)
        self.rows = rows
        self.requests: list[VendorRequest] = []
        self.authorize: Callable[[VendorRequest], bool] = lambda _request: True
        self.answers: dict[str, Callable[[VendorRequest], Answer]] = {
            "/orders": self._answer_list,
            "/graphql": self._answer_graphql,
            "/jsonrpc": self._answer_json_rpc,
            "/search": self._answer_form,
            "/token": self._answer_token,
        }
        self.files: dict[str, bytes] = {}
        # What the next requests get instead of their answer, such as 429. Tokens are still issued.
        self.failures: list[Answer] = []
        # OAuth 2: the refresh token that is valid, and all access tokens; the last one is valid.
        self.refresh_token = "refresh-1"
        self.access_tokens: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def answer(self, request: VendorRequest) -> Answer:
        """The answer to a request."""
        self.requests.append(request)
        if request.path != "/token" and not self.authorize(request):
            return Answer(401, {"error": "not authorized"})
        if request.path.startswith("/files"):
            return self._answer_files(request)
        if self.failures and request.path != "/token":
            return self.failures.pop(0)
        respond = self.answers.get(request.path) or self._longest_prefix(request.path)
        return respond(request) if respond else Answer(404, {})

    def _longest_prefix(self, path: str) -> Callable[[VendorRequest], Answer] | None:
        """What answers the paths below a registered path that ends with a slash."""
        names = [name for name in self.answers if name.endswith("/") and path.startswith(name)]
        return self.answers[max(names, key=len)] if names else None

    def has_current_token(self, request: VendorRequest) -> bool:
        """Whether the request has the access token that was issued last."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return token in self.access_tokens[-1:]

    def _answer_list(self, request: VendorRequest) -> Answer:
        return Answer(200, {"rows": self._rows_since(request.query.get("since", ""))})

    def _rows_since(self, since: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["changed"] >= since]

    def _answer_graphql(self, request: VendorRequest) -> Answer:
        """One connection with cursors (https://relay.dev/graphql/connections.htm)."""
        document = json.loads(request.body)
        assert document["query"].startswith("query")
        variables = document["variables"]
        assert variables["first"] == PAGE_SIZE
        assert "" not in variables.values()
        rows = self._rows_since(variables.get("since", ""))
        start = int(variables.get("after", "0"))
        page = rows[start : start + PAGE_SIZE]
        more = start + PAGE_SIZE < len(rows)
        info = {"hasNextPage": more, "endCursor": str(start + len(page)) if page else None}
        return Answer(200, {"data": {"orders": {"nodes": page, "pageInfo": info}}})

    def _answer_json_rpc(self, request: VendorRequest) -> Answer:
        """https://www.jsonrpc.org/specification"""
        document = json.loads(request.body)
        assert document["jsonrpc"] == "2.0"
        head = {"jsonrpc": "2.0", "id": document["id"]}
        if document["method"] != "orders.list":
            return Answer(200, head | {"error": {"code": -32601, "message": "Method not found"}})
        params = document["params"]
        rows = self._rows_since(params.get("since", ""))
        return Answer(200, head | {"result": rows[params["offset"] :][: params["limit"]]})

    def _answer_form(self, request: VendorRequest) -> Answer:
        content_type = request.headers["content-type"]
        if content_type.startswith("multipart/form-data; boundary="):
            boundary = content_type.partition("boundary=")[2].encode()
            sections = request.body.split(b"--" + boundary)[1:-1]
            assert request.body.endswith(b"--" + boundary + b"--\r\n")
            names = {s.split(b'name="')[1].split(b'"')[0].decode(): s for s in sections}
            fields = {n: s.split(b"\r\n\r\n", 1)[1][:-2].decode() for n, s in names.items()}
        else:
            assert content_type == "application/x-www-form-urlencoded"
            fields = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        return Answer(200, {"rows": [row for row in self.rows if row["id"] == fields["id"]]})

    def _answer_files(self, request: VendorRequest) -> Answer:
        if request.path == "/files":
            names = [
                {"name": n, "link": f"/files/{n}", "size": len(b)} for n, b in self.files.items()
            ]
            return Answer(200, {"files": names})
        body = self.files.get(request.path.removeprefix("/files/"))
        return Answer(404, {}) if not body else Answer(200, body)

    def _answer_token(self, request: VendorRequest) -> Answer:
        """RFC 6749, sections 4.4 and 6. A refresh token is valid once."""
        form = dict(parse_qsl(request.body.decode()))
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] != self.refresh_token:
                return Answer(400, {"error": "invalid_grant"})
            number = int(self.refresh_token.rpartition("-")[2])
            self.refresh_token = f"refresh-{number + 1}"
        self.access_tokens.append(f"access-{len(self.access_tokens) + 1}")
        token = {"access_token": self.access_tokens[-1], "token_type": "bearer", "expires_in": 3600}
        if form["grant_type"] == "refresh_token":
            token["refresh_token"] = self.refresh_token
        return Answer(200, token)


class _VendorHandler(BaseHTTPRequestHandler):
    server: VendorServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): text for name, text in self.headers.items()}
        answer = self.server.answer(VendorRequest(self.command, self.path, headers, body))
        content = answer.content
        sent = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(answer.status)
        for name, value in {"content-length": str(len(sent)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent)

    do_POST = do_GET  # the name that the base class looks for

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""
