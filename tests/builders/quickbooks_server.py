"""A QuickBooks Online API on loopback: tokens that rotate, queries, change data capture, limits."""

import base64
import re
from datetime import datetime
from typing import Any

from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

CLIENT = base64.b64encode(b"client:client-secret").decode()
COMPANY = "/v3/company/912000"
STATEMENT = re.compile(
    r"select \* from (\w+)(?: where MetaData\.LastUpdatedTime >= '([^']+)')?"
    r" orderby MetaData\.LastUpdatedTime startposition (\d+) maxresults (\d+)"
)


class QuickBooksServer(VendorServer):
    """Rows by kind. A deleted row is named by change data capture only."""

    def __init__(self) -> None:
        super().__init__([])
        self.authorize = self.has_current_token
        self.stored: dict[str, dict[str, dict[str, Any]]] = {}
        self.capture_limit = 1000
        self.calls_left: int | None = None
        self.answers = {
            "/token": self._answer_client,
            f"{COMPANY}/query": self._answer_query,
            f"{COMPANY}/cdc": self._answer_capture,
        }

    def add(self, kind: str, number: str, at: datetime, **fields: Any) -> None:
        """Add or change a row."""
        row = {"Id": number, "MetaData": {"LastUpdatedTime": at.isoformat()}, **fields}
        self.stored.setdefault(kind, {})[number] = row

    def delete(self, kind: str, number: str, at: datetime) -> None:
        """Delete a row."""
        self.add(kind, number, at, domain="QBO", status="Deleted")

    def _answer_client(self, request: VendorRequest) -> Answer:
        if request.headers.get("authorization") != f"Basic {CLIENT}":
            return Answer(401, {"error": "invalid_client"})
        return self._answer_token(request)

    def _is_limited(self) -> bool:
        if self.calls_left is None:
            return False
        self.calls_left -= 1
        return self.calls_left < 0

    def _rows(self, kind: str, since: str) -> list[dict[str, Any]]:
        rows = sorted(self.stored.get(kind, {}).values(), key=changed_at)
        return [r for r in rows if not since or changed_at(r) >= datetime.fromisoformat(since)]

    def _answer_query(self, request: VendorRequest) -> Answer:
        if self._is_limited():
            return Answer(429, {"fault": {"type": "THROTTLED"}}, {"retry-after": "23"})
        match = STATEMENT.fullmatch(request.query["query"])
        assert match, request.query
        kind, since, start, size = match[1], match[2] or "", int(match[3]), int(match[4])
        rows = [row for row in self._rows(kind, since) if row.get("status") != "Deleted"]
        page = rows[start - 1 : start - 1 + size]
        return Answer(200, {"QueryResponse": {kind: page} if page else {}})

    def _answer_capture(self, request: VendorRequest) -> Answer:
        if self._is_limited():
            return Answer(429, {"fault": {"type": "THROTTLED"}}, {"retry-after": "23"})
        groups, left = [], self.capture_limit
        for kind in request.query["entities"].split(","):
            rows = self._rows(kind, request.query["changedSince"])[:left]
            left -= len(rows)
            groups.append({kind: rows, "startPosition": 1, "maxResults": len(rows)} if rows else {})
        return Answer(200, {"CDCResponse": [{"QueryResponse": groups}]})


def changed_at(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["MetaData"]["LastUpdatedTime"])
