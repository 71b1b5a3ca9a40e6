"""The REST API of a Frappe site on loopback: lists with filters, and documents by name.

https://docs.frappe.io/framework/user/en/api/rest
"""

import json
from operator import ge, gt, lt
from typing import Any
from urllib.parse import unquote

from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

PREFIX = "/api/resource/"


class FrappeServer(VendorServer):
    """A site whose API key is `key:secret`. A list without a limit has 20 rows."""

    def __init__(self, documents: dict[str, list[dict[str, Any]]]) -> None:
        super().__init__([])
        self.documents = documents
        self.api_key = "key:secret"
        self.throttled = 0

    def answer(self, request: VendorRequest) -> Answer:
        self.requests.append(request)
        if request.headers.get("authorization") != f"token {self.api_key}":
            return Answer(401, {"exc_type": "AuthenticationError"})
        if self.throttled:
            self.throttled -= 1
            return Answer(429, {"exc_type": "TooManyRequestsError"}, {"retry-after": "31"})
        doctype, _, name = unquote(request.path.removeprefix(PREFIX)).partition("/")
        if doctype not in self.documents:
            return Answer(404, {"exc_type": "DoesNotExistError"})
        rows = self.documents[doctype]
        if name:
            matching = [row for row in rows if row["name"] == name]
            if not matching:
                return Answer(404, {"exc_type": "DoesNotExistError"})
            return Answer(200, {"data": matching[0]})
        return Answer(200, {"data": self._list(rows, request.query)})

    def _list(self, rows: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
        matching = rows
        for field, operator, value in json.loads(query.get("filters", "[]")):
            compare = {">=": ge, "<": lt, ">": gt}[operator]
            matching = [row for row in matching if compare(row[field], value)]
        order = [term.split()[0] for term in query["order_by"].split(",")]
        matching = sorted(matching, key=lambda row: [row[field] for field in order])
        page = matching[: int(query.get("limit_page_length", "20"))]
        return [{name: row[name] for name in json.loads(query["fields"])} for row in page]
