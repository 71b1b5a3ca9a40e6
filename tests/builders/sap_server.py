"""SAP S/4HANA on loopback: OData v2 services with filters, orders, `$top` and `__next` links."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tests.builders.vendor_server import PAGE_SIZE, Answer, VendorRequest, VendorServer

SERVICES = "/sap/opu/odata/sap/"
CONDITION = re.compile(r"(\w+) (ge|lt|gt) (datetimeoffset|datetime|)'([^']*)'")
MILLISECONDS = re.compile(r"/Date\(([0-9]+)")
INTERNAL_HOST = "https://s4-internal.example.com:44300"


class SapServer(VendorServer):
    """Each collection has its rows. The server divides a result into pages of two rows.

    `__next` names a host inside the network of the system, as behind a reverse proxy.
    """

    def __init__(self) -> None:
        super().__init__([])
        self.tables: dict[str, list[dict[str, Any]]] = {
            "A_SalesOrder": [], "A_BillingDocument": [], "A_OutbDeliveryHeader": [],
        }  # fmt: skip
        self.answers[SERVICES] = self._answer_collection

    @property
    def base_url(self) -> str:
        return f"{self.url}{SERVICES.rstrip('/')}"

    def queries(self, collection: str) -> list[dict[str, str]]:
        """The queries of the requests for a collection, in the order of their arrival."""
        return [r.query for r in self.requests if r.path.endswith(f"/{collection}")]

    def _answer_collection(self, request: VendorRequest) -> Answer:
        query = request.query
        rows = self.tables[request.path.rpartition("/")[2]]
        conditions = query["$filter"].split(" and ")
        rows = [row for row in rows if all(_holds(row, text) for text in conditions)]
        for name in reversed(query["$orderby"].split(",")):
            rows = sorted(rows, key=lambda row: _comparable(row[name]))
        rows = rows[: int(query["$top"])]
        start = int(query.get("$skiptoken", "0"))
        document: dict[str, Any] = {"results": rows[start : start + PAGE_SIZE]}
        if start + PAGE_SIZE < len(rows):
            following: Mapping[str, str] = {**query, "$skiptoken": str(start + PAGE_SIZE)}
            text = "&".join(f"{name}={quote(value)}" for name, value in following.items())
            document["__next"] = f"{INTERNAL_HOST}{request.path}?{text}"
        return Answer(200, {"d": document})


def _comparable(value: Any) -> str:
    """A time as ISO 8601 text, so that times and literals compare."""
    match = MILLISECONDS.match(str(value))
    return _iso(int(match[1])) if match else str(value)


def _iso(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%M:%S.%f}"


def _holds(row: Mapping[str, Any], condition: str) -> bool:
    match = CONDITION.fullmatch(condition)
    assert match, condition
    name, operator, kind, literal = match.groups()
    if row[name] is None:
        return False  # null is neither before nor after anything
    left = _comparable(row[name])
    right = f"{literal.removesuffix('Z')}.000000" if kind else literal
    assert kind != "datetimeoffset" or literal.endswith("Z")
    return {"ge": left >= right, "lt": left < right, "gt": left > right}[operator]
