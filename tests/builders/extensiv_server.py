"""An Extensiv API on loopback: JSON token requests, RQL, pages of HAL documents, and limits."""

import base64
import json
import re
from typing import Any

from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

CLIENT = base64.b64encode(b"client:client-secret").decode()
RELATION = "http://api.3plCentral.com/rels/orders/order"
SINCE = re.compile(r"ReadOnly\.LastModifiedDate=ge=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)")


class ExtensivServer(VendorServer):
    """Orders are sorted by their last change. Tokens are valid for an hour."""

    def __init__(self) -> None:
        super().__init__([])
        self.authorize = lambda request: (
            request.path.startswith("/AuthServer") or self.has_current_token(request)
        )
        self.orders: list[dict[str, Any]] = []
        self.calls_left: int | None = None
        self.answers = {"/AuthServer/api/Token": self._answer_grant, "/orders": self._answer_orders}

    def add(self, number: int, modified: str) -> None:
        """Add or change an order."""
        self.orders = [o for o in self.orders if o["readOnly"]["orderId"] != number]
        self.orders.append({"readOnly": {"orderId": number, "lastModifiedDate": modified}})
        self.orders.sort(key=lambda order: order["readOnly"]["lastModifiedDate"])

    def _answer_grant(self, request: VendorRequest) -> Answer:
        assert request.headers["content-type"] == "application/json"
        document = json.loads(request.body)
        is_known = request.headers.get("authorization") == f"Basic {CLIENT}"
        if document.get("grant_type") != "client_credentials" or not is_known:
            return Answer(400, {"error": "invalid_client"})
        if not document.get("user_login") and not document.get("user_login_id"):
            return Answer(400, {"error": "invalid_request"})
        self.access_tokens.append(f"access-{len(self.access_tokens) + 1}")
        token = {"access_token": self.access_tokens[-1], "token_type": "Bearer"}
        return Answer(200, {**token, "expires_in": 3600, "refresh_token": None, "scope": None})

    def _answer_orders(self, request: VendorRequest) -> Answer:
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                return Answer(429, {"errorCode": "LimitReached"}, {"retry-after": "9"})
        query, rows = request.query, self.orders
        if rql := query.get("rql"):
            match = SINCE.search(rql)
            if match:
                rows = [o for o in rows if o["readOnly"]["lastModifiedDate"] >= match[1]]
        size, page = int(query["pgsiz"]), int(query["pgnum"])
        selected = rows[size * (page - 1) : size * page]
        return Answer(200, {"totalResults": len(rows), "_embedded": {RELATION: selected}})
