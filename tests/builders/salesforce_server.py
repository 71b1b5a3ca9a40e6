"""A Salesforce REST API on loopback: client credentials, SOQL pages, expired sessions, limits."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

API = "/services/data/v60.0/query"
QUERY = re.compile(r"SELECT .* FROM (\w+)(?: WHERE (.*))? ORDER BY SystemModstamp, Id", re.DOTALL)
SINCE = re.compile(r"SystemModstamp >= (\S+)")
PAGE_ROWS = 2


class SalesforceServer(VendorServer):
    """Records by object. A query is a snapshot, which has a locator for its next page."""

    def __init__(self) -> None:
        super().__init__([])
        self.records: dict[str, list[dict[str, Any]]] = {"Order": [], "Opportunity": []}
        self.calls_left: int | None = None
        self.snapshots: list[list[dict[str, Any]]] = []

    def add(self, name: str, number: str, modified: str, **fields: Any) -> None:
        """Add or change a record."""
        rows = self.records[name]
        rows[:] = [row for row in rows if row["Id"] != number]
        own = {"attributes": {"type": name}, "Id": number, "SystemModstamp": modified}
        rows.append({**own, **fields})

    def answer(self, request: VendorRequest) -> Answer:
        """The answer to a request."""
        self.requests.append(request)
        if request.path == "/services/oauth2/token":
            return self._answer_grant(request)
        if not self.has_current_token(request):
            return Answer(401, [{"message": "Session expired", "errorCode": "INVALID_SESSION_ID"}])
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                return Answer(403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "limit"}])
        if request.path == API:
            return self._answer_query(request.query["q"])
        if match := re.fullmatch(rf"{API}/01g-(\d+)-(\d+)", request.path):
            return self._page(int(match[1]), int(match[2]))
        return Answer(404, [{"errorCode": "NOT_FOUND", "message": request.path}])

    def _answer_grant(self, request: VendorRequest) -> Answer:
        form = dict(parse_qsl(request.body.decode()))
        expected = {"grant_type": "client_credentials", "client_id": "key"}
        if form != {**expected, "client_secret": "consumer-secret"}:
            return Answer(400, {"error": "invalid_client_id"})
        self.access_tokens.append(f"access-{len(self.access_tokens) + 1}")
        token = {"access_token": self.access_tokens[-1], "token_type": "Bearer"}
        return Answer(200, {**token, "instance_url": self.url, "issued_at": "1772442902000"})

    def _answer_query(self, soql: str) -> Answer:
        match = QUERY.fullmatch(soql)
        if not match:
            return Answer(400, [{"errorCode": "MALFORMED_QUERY", "message": soql}])
        rows, condition = self.records[match[1]], match[2] or ""
        if "IsWon = true" in condition:
            rows = [row for row in rows if row["IsWon"]]
        if since := SINCE.search(condition):
            start = datetime.fromisoformat(since[1])
            rows = [row for row in rows if modified_at(row) >= start]
        self.snapshots.append(sorted(rows, key=lambda row: (modified_at(row), row["Id"])))
        return self._page(len(self.snapshots) - 1, 0)

    def _page(self, snapshot: int, start: int) -> Answer:
        rows = self.snapshots[snapshot]
        end = start + PAGE_ROWS
        page = {"totalSize": len(rows), "done": end >= len(rows), "records": rows[start:end]}
        if end < len(rows):
            page["nextRecordsUrl"] = f"{API}/01g-{snapshot}-{end}"
        return Answer(200, page)


def modified_at(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["SystemModstamp"])
