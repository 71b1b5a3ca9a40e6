"""A ShipBob API on loopback: orders by change and by tracking, pages, and limits."""

from datetime import datetime
from typing import Any

from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

TOKEN = "pat-1"
FILTERS = {
    "LastUpdateStartDate": "last_update_at",
    "LastTrackingUpdateStartDate": "last_tracking_update_at",
}


class ShipBobServer(VendorServer):
    """Orders are sorted by their creation."""

    def __init__(self) -> None:
        super().__init__([])
        self.authorize = lambda request: request.headers.get("authorization") == f"Bearer {TOKEN}"
        self.orders: list[dict[str, Any]] = []
        self.calls_left: int | None = None
        self.answers = {"/order": self._answer_orders}

    def add(self, number: int, updated: str, tracked: str | None = None) -> None:
        """Add an order with one shipment."""
        shipment = {"id": number + 900, "last_update_at": updated, "status": "Processing"}
        if tracked:
            shipment["last_tracking_update_at"] = tracked
        self.orders.append({"id": number, "shipments": [shipment]})

    def _answer_orders(self, request: VendorRequest) -> Answer:
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                return Answer(429, {}, {"x-retry-after": "11"})
        query = request.query
        (name,) = FILTERS.keys() & query.keys()
        since = datetime.fromisoformat(query[name])
        rows = [
            order
            for order in self.orders
            if (at := order["shipments"][0].get(FILTERS[name]))
            and datetime.fromisoformat(at) > since
        ]
        size, page = int(query["Limit"]), int(query["Page"])
        return Answer(200, rows[size * (page - 1) : size * page])
