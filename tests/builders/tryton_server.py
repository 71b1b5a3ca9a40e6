"""Tryton's JSON-RPC on loopback: logins, sessions that end, and searches on tables.

The protocol is that of trytond 8.0; `tests/systems/tryton.py` polls a real server.
"""

import base64
import json
from datetime import datetime
from typing import Any

from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

Row = dict[str, Any]


class FakeTrytonServer(VendorServer):
    """A database `shop` with the user `reader`, whose password is `password-1`."""

    def __init__(self, tables: dict[str, list[Row]]) -> None:
        super().__init__([])
        self.tables = tables
        self.tables.setdefault("ir.model.log", [])
        self.password = "password-1"
        self.sessions: list[str] = []
        self.searches: list[tuple[str, list[Any]]] = []
        self.fields: list[tuple[str, list[str]]] = []
        self.logins = 0
        self.throttled = 0
        self.answers["/shop/rpc/"] = self._answer_call

    def _answer_call(self, request: VendorRequest) -> Answer:
        call = json.loads(request.body)
        assert set(call) == {"id", "method", "params"}
        method, params = call["method"], call["params"]
        if method == "common.db.login":
            self.logins += 1
            user, parameters = params
            if (user, parameters["password"]) != ("reader", self.password):
                return Answer(401, b"<title>401 Unauthorized</title>")
            self.sessions.append(f"token-{self.logins}")
            return Answer(200, {"id": call["id"], "result": [7, self.sessions[-1], None]})
        if self.throttled:
            self.throttled -= 1
            return Answer(429, b"", {"retry-after": "9"})
        token = request.headers.get("authorization", "").removeprefix("Session ")
        if base64.b64decode(token).decode().removeprefix("reader:7:") not in self.sessions:
            return Answer(401, b"", {"www-authenticate": 'Basic realm="Tryton"'})
        return Answer(200, {"id": call["id"], **self._result(method, params)})

    def _result(self, method: str, params: list[Any]) -> Row:
        if method == "model.res.user.get_preferences":
            return {"result": {"company": 1, "language": "en"}}
        assert params[-1] == {"company": 1, "language": "en"}
        model, _, name = method.removeprefix("model.").rpartition(".")
        if model not in self.tables:
            return {"error": [f"'{model}'", "Traceback"]}
        rows = self.tables[model]
        if name == "fields_get":
            return {"result": {key.rstrip("."): {} for row in rows for key in row}}
        assert name == "search_read"
        domain, offset, limit, order, fields, _context = params
        self.searches.append((model, domain))
        self.fields.append((model, fields))
        assert offset == 0
        assert fields
        matching = [row for row in rows if all(_holds(row, term) for term in domain)]
        matching.sort(key=lambda row: [str(row.get(field)) for field, _direction in order])
        return {"result": [_as_sent(row) for row in matching[:limit]]}


def _holds(row: Row, term: list[Any]) -> bool:
    name, operator, limit = term
    value = row.get(name)
    if isinstance(limit, dict):  # a typed time
        numbers = {key: number for key, number in limit.items() if key != "__class__"}
        limit = datetime(**numbers).isoformat()  # noqa: DTZ001  # as the server stores it
    if operator in {"=", "!="}:
        return bool((value == limit) == (operator == "="))
    if operator == "in":
        return bool(value in limit)
    if value is None:
        return False
    return bool({">=": value >= limit, "<": value < limit, ">": value > limit}[operator])


def _as_sent(row: Row) -> Row:
    sent = dict(row)
    for name in ("create_date", "write_date"):
        if sent.get(name):
            at = datetime.fromisoformat(sent[name])
            names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
            sent[name] = {"__class__": "datetime", **{unit: getattr(at, unit) for unit in names}}
    return sent
