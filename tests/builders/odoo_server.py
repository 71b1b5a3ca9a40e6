"""Odoo's external API on loopback: JSON-RPC and JSON-2 over HTTP, with searches on tables.

https://www.odoo.com/documentation/18.0/developer/reference/external_api.html
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

Row = dict[str, Any]
OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": lambda value, limit: value >= limit,
    ">": lambda value, limit: value > limit,
    "<": lambda value, limit: value < limit,
    "=": lambda value, other: value == other,
    "in": lambda value, others: value in others,
}


class OdooServer(VendorServer):
    """A database `shop` with the user `reader`, whose API key is `key-1`."""

    def __init__(self, tables: dict[str, list[Row]]) -> None:
        super().__init__([])
        self.tables = tables
        self.api_key = "key-1"
        self.throttled = 0
        self.searches: list[tuple[str, Row]] = []
        self.after_search: Callable[[], None] = lambda: None
        self.answers["/jsonrpc"] = self._answer_call
        for model in tables:
            for method in ("search_read", "fields_get"):
                self.answers[f"/json/2/{model}/{method}"] = self._answer_json_2

    def _answer_call(self, request: VendorRequest) -> Answer:
        if self.throttled:
            self.throttled -= 1
            return Answer(429, {}, {"retry-after": "17"})
        call = json.loads(request.body)
        assert (call["jsonrpc"], call["method"]) == ("2.0", "call")
        params, head = call["params"], {"jsonrpc": "2.0", "id": call["id"]}
        if params["service"] == "common":
            database, login, key, _ = params["args"]
            is_valid = (database, login, key) == ("shop", "reader", self.api_key)
            return Answer(200, head | {"result": 7 if is_valid else False})
        database, user, key, model, method, positional, arguments = params["args"]
        assert positional == []
        if (database, user, key) != ("shop", 7, self.api_key):
            return Answer(200, head | _odoo_error("odoo.exceptions.AccessDenied", "Access Denied"))
        try:
            return Answer(200, head | {"result": self._call(model, method, arguments)})
        except KeyError as error:
            return Answer(200, head | _odoo_error("builtins.KeyError", f"Invalid field {error}"))

    def _answer_json_2(self, request: VendorRequest) -> Answer:
        assert request.headers["x-odoo-database"] == "shop"
        if request.headers["authorization"] != f"Bearer {self.api_key}":
            return Answer(401, {"name": "werkzeug.exceptions.Unauthorized"})
        _, _, _, model, method = request.path.split("/")
        return Answer(200, self._call(model, method, json.loads(request.body)))

    def _call(self, model: str, method: str, arguments: Row) -> Any:
        rows = self.tables[model]
        if method == "fields_get":
            return {name: {"type": "char"} for row in rows for name in row}
        assert method == "search_read"
        self.searches.append((model, arguments))
        rows_of_domain = [
            row
            for row in rows
            if all(OPERATORS[op](_id_of(row[name]), value) for name, op, value in _terms(arguments))
        ]
        names = [name.strip() for name in arguments["order"].split(",")]
        rows_of_domain.sort(key=lambda row: [row[name] for name in names])
        page = rows_of_domain[: arguments.get("limit")]
        result = [_as_sent(row, arguments["fields"]) for row in page]
        self.after_search()
        return result


def _terms(arguments: Row) -> list[Any]:
    return [term for term in arguments["domain"] if term[0] != "active"]


def _id_of(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 2 else value


def _as_sent(row: Row, fields: list[str]) -> Row:
    """The columns; a time without its microseconds, which the database stores and compares."""
    sent = {"id": row["id"], **{name: row[name] for name in fields}}
    if "write_date" in sent:
        sent["write_date"] = sent["write_date"][:19]
    return sent


def _odoo_error(name: str, message: str) -> Row:
    data = {"name": name, "message": message, "debug": "Traceback", "arguments": []}
    return {"error": {"code": 200, "message": "Odoo Server Error", "data": data}}
