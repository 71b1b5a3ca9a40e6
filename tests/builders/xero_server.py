"""A Xero API on loopback: OAuth tokens that rotate, pages, If-Modified-Since and limits."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

TENANT = "7d0a4a2e-54cb-4c4e-8e7a-0000000000aa"
CLIENT = base64.b64encode(b"client:client-secret").decode()


def json_date(at: datetime) -> str:
    return f"/Date({int(at.timestamp() * 1000)}+0000)/"


class XeroServer(VendorServer):
    """Answers Invoices, CreditNotes and Payments as the API documents it."""

    def __init__(self) -> None:
        super().__init__([])
        self.authorize = self.has_current_token
        self.collections: dict[str, list[dict[str, Any]]] = {
            "Invoices": [],
            "CreditNotes": [],
            "Payments": [],
        }
        # How many requests are answered before 429; None: all.
        self.calls_left: int | None = None
        self.changed: dict[str, datetime] = {}
        for name in self.collections:
            self.answers[f"/{name}"] = self._answer_collection
        self.answers["/token"] = self._answer_client

    def add(self, collection: str, document_id: str, at: datetime, **fields: Any) -> None:
        """Add or change a document."""
        key = {"Invoices": "InvoiceID", "CreditNotes": "CreditNoteID", "Payments": "PaymentID"}
        name = key[collection]
        rows = self.collections[collection]
        rows[:] = [row for row in rows if row[name] != document_id]
        rows.append({name: document_id, "UpdatedDateUTC": json_date(at), **fields})
        self.changed[document_id] = at

    def calls(self, collection: str) -> list[VendorRequest]:
        return [request for request in self.requests if request.path == f"/{collection}"]

    def _answer_client(self, request: VendorRequest) -> Answer:
        if request.headers.get("authorization") != f"Basic {CLIENT}":
            return Answer(401, {"error": "invalid_client"})
        return self._answer_token(request)

    def _answer_collection(self, request: VendorRequest) -> Answer:
        if request.headers.get("xero-tenant-id") != TENANT:
            return Answer(403, {"Title": "Forbidden", "Detail": "AuthenticationUnsuccessful"})
        if self.calls_left is not None:
            if self.calls_left == 0:
                limits = {"retry-after": "17", "x-rate-limit-problem": "minute"}
                return Answer(429, {}, limits)
            self.calls_left -= 1
        name, query = request.path.strip("/"), request.query
        assert query["order"] == "UpdatedDateUTC ASC"
        rows = sorted(self.collections[name], key=self._changed_at)
        if where := query.get("where"):
            kind = where.removeprefix('Type=="').removesuffix('"')
            rows = [row for row in rows if row["Type"] == kind]
        if since := request.headers.get("if-modified-since"):
            start = datetime.strptime(since, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
            rows = [row for row in rows if self._changed_at(row) > start]
        size, page = int(query["pageSize"]), int(query["page"])
        return Answer(200, {"Status": "OK", name: rows[size * (page - 1) : size * page]})

    def _changed_at(self, row: Mapping[str, Any]) -> datetime:
        keys = ("InvoiceID", "CreditNoteID", "PaymentID")
        return next(self.changed[row[key]] for key in keys if key in row)
