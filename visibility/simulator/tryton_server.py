"""The API of Tryton 8.0: JSON-RPC over HTTP within a session of one user.

It answers the calls of a poller: logins, the preferences of the user, the fields of a model, and
searches by time of change or by id.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from secrets import compare_digest, token_hex
from typing import Any

import orjson

from visibility.simulator.erp_rows_by_modification_time import MAX_ROWS, ErpFeed
from visibility.simulator.erp_server import ErpServer
from visibility.simulator.vendors import tryton

DATABASE, USER, USER_ID = "demo", "throughline", 7
PREFERENCES = {"company": 1, "language": "en"}
MAX_BODY = 1_000_000
Term = list[Any]
Records = list[dict[str, Any]]


class TrytonServer(ErpServer):
    """Serves a feed as the database `demo`. `token` is the password of the user."""

    def __init__(self, feed: ErpFeed, port: int, token: str) -> None:
        super().__init__(feed, port, token, TrytonRequestHandler)
        self.sessions: set[str] = set()


class TrytonRequestHandler(BaseHTTPRequestHandler):
    """Handles one connection."""

    server: TrytonServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def do_POST(self) -> None:
        """Answer one call."""
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(min(length, MAX_BODY))
        if self.path != f"/{DATABASE}/rpc/":
            self._respond(404, {})
            return
        try:
            call = orjson.loads(body)
            identity, method, params = call["id"], call["method"], call["params"]
        except (ValueError, KeyError, TypeError):
            self._respond(400, {})
            return
        if method == "common.db.login":
            self._log_in(identity, params)
        elif not self._has_session():
            self._respond(401, {})
        else:
            self.server.request_count += 1
            self._respond(200, {"id": identity, **self._result_or_error(method, params)})

    def _log_in(self, identity: Any, params: list[Any]) -> None:
        user, parameters = params[:2]
        is_password = compare_digest(
            str(parameters.get("password")).encode(), self.server.token.encode()
        )
        if user != USER or not is_password:
            self._respond(401, {})
            return
        session = token_hex(16)
        self.server.sessions.add(session)
        self._respond(200, {"id": identity, "result": [USER_ID, session, None]})

    def _has_session(self) -> bool:
        text = self.headers.get("authorization", "").removeprefix("Session ")
        try:
            user, _, session = base64.b64decode(text).decode().split(":")
        except (binascii.Error, ValueError):
            return False
        return user == USER and session in self.server.sessions

    def _result_or_error(self, method: str, params: list[Any]) -> dict[str, Any]:
        """The result, or an error as the server reports it in the body."""
        if method == "model.res.user.get_preferences":
            return {"result": PREFERENCES}
        model, _, name = method.removeprefix("model.").rpartition(".")
        try:
            if name == "fields_get":
                return {"result": {field: {} for field in ("id", *tryton.FIELDS[model])}}
            if name == "search_read":
                return {"result": search_read(self.server.feed, model, params)}
        except (KeyError, ValueError, TypeError) as error:
            return {"error": [type(error).__name__, str(error)]}
        return {"error": ["AttributeError", f"{method} is not a method"]}

    def _respond(self, status: int, document: Mapping[str, Any]) -> None:
        body = orjson.dumps(document)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Do not log requests: the poller sends some every few seconds."""


def search_read(feed: ErpFeed, model: str, params: list[Any]) -> Records:
    """The records of a domain, each with the fields that were asked for.

    Raises ValueError for a domain that no poller sends, KeyError for an unknown model.
    """
    domain, _offset, limit, _order, fields, _context = params
    if model == tryton.LOG:
        records = _log_of_documents(feed, _values(domain, "resource", "in"))
    elif terms := [term for term in domain if term[:2] == ["id", "in"]]:
        records = _records_by_id(feed, model, terms[0][2])
    else:
        records = _changed_records(feed, model, domain, limit or MAX_ROWS)
    names = {"id", *(name.partition(".")[0] for name in fields)}
    return [
        {name: value for name, value in record.items() if name.rstrip(".") in names}
        for record in records
    ]


def _changed_records(feed: ErpFeed, model: str, domain: list[Term], limit: int) -> Records:
    """Records by time of change, or of one range of time by id."""
    kind = tryton.NEW if ["write_date", "=", None] in domain else tryton.CHANGED
    field = "create_date" if kind == tryton.NEW else "write_date"
    since = _seconds(_values(domain, field, ">="))
    until = _seconds(_values(domain, field, "<")) or None
    after = _values(domain, "id", ">")
    size = MAX_ROWS if after else limit
    records, _ = feed.read_page(f"{model} {kind}", since=since, start=None, size=size, until=until)
    if after:
        records = sorted((r for r in records if r["id"] > after[0]), key=lambda r: r["id"])
    return records[:limit]


def _records_by_id(feed: ErpFeed, model: str, ids: Iterable[int]) -> Records:
    """The lines of sales with these ids. No other record names another by its id here."""
    if model != tryton.SALE_LINES:
        raise ValueError(f"{model} cannot be read by id")
    wanted = set(ids)
    numbers = sorted({identity // 100 - 1 for identity in wanted})
    lines = [line for n in numbers for line in tryton.build_sale_lines(feed.order(n))]
    return [line for line in lines if line["id"] in wanted]


def _log_of_documents(feed: ErpFeed, resources: list[str]) -> Records:
    """The log of the documents, oldest first."""
    records: Records = []
    for resource in resources:
        model, _, text = resource.partition(",")
        identity = int(text)
        n, index = (identity - 1, 0) if model == tryton.SALES else divmod(identity, 10)
        order = feed.order(n if model == tryton.SALES else n - 1)
        since = feed.landscape.starts_at(order)
        records += tryton.build_log(model, order, index, since=since)
    return sorted(records, key=lambda r: (_seconds([r["create_date"]]), r["id"]))


def _values(domain: list[Term], field: str, operator: str) -> list[Any]:
    """The value of a term of the domain, as a list; empty without such a term."""
    values = [term[2] for term in domain if term[:2] == [field, operator]]
    return values[0] if values and isinstance(values[0], list) else values


def _seconds(values: list[Any]) -> float:
    """A time of Tryton as seconds since 1970; 0 without one."""
    if not values:
        return 0.0
    numbers = {name: number for name, number in values[0].items() if name != "__class__"}
    return datetime(**numbers, tzinfo=UTC).timestamp()
