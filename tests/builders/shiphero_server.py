"""A ShipHero API on loopback: tokens, connections with cursors, and credits."""

import json
from typing import Any

from tests.builders.vendor_server import Answer, VendorRequest, VendorServer


class ShipHeroServer(VendorServer):
    """Rows by connection, in the order in which they were added."""

    def __init__(self) -> None:
        super().__init__([])
        self.authorize = lambda request: (
            request.path.startswith("/auth") or self.has_current_token(request)
        )
        self.connections: dict[str, list[dict[str, Any]]] = {"shipments": [], "orders": []}
        self.queries_left: int | None = None
        self.variables: list[dict[str, Any]] = []
        self.answers = {"/auth/refresh": self._answer_refresh, "/graphql": self._answer_query}

    def _answer_refresh(self, request: VendorRequest) -> Answer:
        if json.loads(request.body)["refresh_token"] != self.refresh_token:
            return Answer(401, {"message": "Invalid refresh token"})
        self.access_tokens.append(f"access-{len(self.access_tokens) + 1}")
        token = {"access_token": self.access_tokens[-1], "token_type": "Bearer"}
        return Answer(200, {**token, "expires_in": 2_419_200, "scope": "openid offline_access"})

    def _answer_query(self, request: VendorRequest) -> Answer:
        if self.queries_left is not None:
            self.queries_left -= 1
            if self.queries_left < 0:
                return Answer(200, {"errors": [NO_CREDITS]})
        document = json.loads(request.body)
        variables = document["variables"]
        self.variables.append(variables)
        name = "shipments" if "shipments(date_from" in document["query"] else "orders"
        field = "created_date" if name == "shipments" else "updated_at"
        rows = [row for row in self.connections[name] if row[field] >= variables["from"]]
        start, size = int(variables.get("after", "0")), variables["first"]
        page = rows[start : start + size]
        info = {"hasNextPage": start + size < len(rows), "endCursor": str(start + len(page))}
        data = {"edges": [{"node": row} for row in page], "pageInfo": info}
        return Answer(200, {"data": {name: {"complexity": 26, "data": data}}})


NO_CREDITS = {
    "code": 30,
    "message": "There are not enough credits to perform the requested operation",
    "operation": "shipments",
    "required_credits": 2102,
    "remaining_credits": 1980,
    "time_remaining": "7 seconds",
}
