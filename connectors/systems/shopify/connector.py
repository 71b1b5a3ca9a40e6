"""Shopify: webhooks of orders, fulfilments and refunds."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from connectors.sdk.auth import Unauthentic, check_base64, hmac_sha256
from connectors.sdk.connector import Connector, Message, Parsed, Request, Role
from connectors.sdk.events import CanonicalEvent, EventType, Flag
from connectors.sdk.payload import Node, PayloadError, load_json
from connectors.systems.shopify.fulfillments import Fulfilments
from connectors.systems.shopify.orders import Orders

SIGNATURE = "x-shopify-hmac-sha256"
TOPIC = "x-shopify-topic"


class Shopify(Connector):
    """Orders as snapshots, fulfilments and refunds as facts of their own.

    One change fires several topics in any order, and a retry carries the old payload: every fact is
    keyed by its own id and versioned by `updated_at`.
    """

    slug: ClassVar[str] = "shopify"
    title: ClassVar[str] = "Shopify"
    role: ClassVar[Role] = Role.SHOP
    settings: ClassVar[Mapping[str, str]] = {
        "test_traffic": "yes: read orders and refunds marked test as well.",
        "channel": "Name of the sales channel (default web).",
        "customer_attribute": "The note attribute that carries the ERP's customer number.",
        "zone": "The IANA time zone of times without an offset; without it they are refused.",
    }
    kept_headers: ClassVar[frozenset[str]] = frozenset(
        {
            SIGNATURE,
            TOPIC,
            "x-shopify-webhook-id",
            "x-shopify-event-id",
            "x-shopify-shop-domain",
            "x-shopify-api-version",
            "x-shopify-triggered-at",
        }
    )
    # The key a REST answer wraps its object in -> the topic such an object comes under.
    wraps: ClassVar[Mapping[str, str]] = {
        "order": "orders/updated",
        "fulfillment": "fulfillments/update",
        "fulfillment_event": "fulfillment_events/create",
        "fulfillment_order": "fulfillment_orders/order_routing_complete",
        "refund": "refunds/create",
    }
    silent: ClassVar[Mapping[str, str]] = {
        "order_transactions": "payments are read from the order itself",
        "customers": "customers are read from their orders; nothing else is kept of them",
        **dict.fromkeys(
            ("app", "carts", "checkouts", "collections", "draft_orders", "inventory_items",
             "inventory_levels", "locations", "products", "shop", "themes", "variants"),
            "says nothing of an order",
        ),
    }  # fmt: skip
    # Fulfilment orders say who is to pack what; only their holds are about the order.
    holds: ClassVar[Mapping[str, EventType]] = {
        "placed_on_hold": EventType.ORDER_HELD,
        "hold_released": EventType.ORDER_HOLD_RELEASED,
    }
    # A field only one kind of object has -> its topic, for bodies that come without headers.
    telling: ClassVar[Mapping[str, str]] = {
        "order_edit": "orders/edited",
        "refund_line_items": "refunds/create",
        "happened_at": "fulfillment_events/create",
        "assigned_location_id": "fulfillment_orders/order_routing_complete",
        "tracking_numbers": "fulfillments/update",
        "financial_status": "orders/updated",
        "transactions": "order_transactions/create",
        "gateway": "order_transactions/create",
        "line_items": "orders/updated",
    }

    def verify(self, request: Request, secrets: Sequence[bytes], now: datetime) -> None:
        """HMAC-SHA256 of the raw body, base64; after a rotation the old secret signs an hour."""
        given = request.headers.get(SIGNATURE, "")
        if not given:
            raise Unauthentic("there is no signature")
        check_base64(given, secrets, request.body)

    def sign(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """The inverse of `verify`."""
        made = base64.b64encode(hmac_sha256(secret, body)).decode()
        return {SIGNATURE: made, **self.infer_headers(body)}

    def dedupe_key(self, request: Request) -> str:
        """The webhook id is the same on every retry."""
        return request.headers.get("x-shopify-webhook-id", "")

    def infer_headers(self, body: bytes) -> Mapping[str, str]:
        """The topic from the wrapping key or from the fields."""
        try:
            topic = self._guess(load_json(body))
        except PayloadError:
            return {}
        return {TOPIC: topic} if topic else {}

    def parse(self, message: Message) -> Parsed:
        """By topic; REST answers wrap the object in a key of its name, webhooks do not."""
        document = load_json(message.body)
        guessed = self._guess(document)
        topic = message.headers.get(TOPIC, "").strip().lower() or guessed
        family, _, action = topic.partition("/")
        if family in self.silent:
            return Parsed(ignored=f"{topic}: {self.silent[family]}")
        node = document
        for key, known in self.wraps.items():
            if known.startswith(f"{family}/") and isinstance(document.at(key).value, dict):
                node = document.child(key)
        test = _test(node)
        if test and self.config.get("test_traffic") != "yes":
            return Parsed(ignored=test)
        if topic == "orders/delete":
            return Parsed(ignored="deleting an order in the shop is no cancellation")
        if family == "fulfillment_orders" and not self._hold(node, action):
            return Parsed(ignored=f"{topic}: who packs an order is the shop's own affair")
        events = tuple(self._read(topic, node))
        if not events:
            return Parsed(ignored=f"nothing has left: the fulfilment is {node.text('status')}")
        if document.sanitised:
            events = tuple(replace(e, flags=(*e.flags, Flag.SANITISED)) for e in events)
        return Parsed(events=events)

    def _read(self, topic: str, node: Node) -> Iterable[CanonicalEvent]:
        orders = Orders(self.config, self.source)
        fulfilments = Fulfilments(self.config, self.source)
        family, _, action = topic.partition("/")
        if node.has("order_edit"):
            return orders.edit(node.child("order_edit"))
        if family == "fulfillment_orders":
            return orders.hold(self._hold(node, action) or EventType.UNMAPPED, node)
        if family == "fulfillments":
            return fulfilments.fulfilment(node, orders.named(node, "order_id"))
        if family == "refunds":
            return orders.refund(node, orders.named(node, "order_id"))
        readers = {"orders": orders.order, "fulfillment_events": fulfilments.scan}
        read = readers.get(family)
        return read(node) if read else orders.unknown(node, topic)

    def _hold(self, node: Node, action: str) -> EventType | None:
        held = EventType.ORDER_HELD if node.text("status") == "on_hold" else None
        return self.holds.get(action, held)

    def _guess(self, document: Node) -> str:
        """The topic of a body without headers, as far as its fields tell."""
        names = list(document.keys())
        known = self.wraps if len(names) == 1 and names[0] in self.wraps else self.telling
        return next((topic for name, topic in known.items() if name in names), "")


def _test(node: Node) -> str:
    """Why this is test traffic, or nothing: the order is marked, or all the money of a refund."""
    if node.boolean("test"):
        return "test order (test: true)"
    transactions = node.items("transactions")
    if transactions and all(transaction.boolean("test") for transaction in transactions):
        return "refund of a test order (its transactions have test: true)"
    return ""
