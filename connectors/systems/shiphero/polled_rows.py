"""Rows of the GraphQL API of ShipHero, in the form of the webhooks that report the same facts."""

import base64
from typing import Any

from connectors.sdk.payload import Node, ParkReason, PayloadError

# The stored header with the name of the connection that a polled row is of.
COLLECTION = "x-shiphero-collection"


def as_webhook_body(collection: str, row: Node) -> Node | None:
    """Return the body of the webhook of the same fact, so that both have one event key.

    None: the row reports nothing that a webhook would. `legacy_id` is the id of webhooks.
    """
    if collection == "shipments":
        return _node({"webhook_type": "Shipment Update", "fulfillment": _shipment(row)}, row)
    if row.text_at("fulfillment_status").lower() in {"canceled", "cancelled"}:
        body = _order_numbers(row) | {
            "webhook_type": "Order Canceled",
            "fulfillment-status": row.text_at("fulfillment_status"),
            "updated_at": row.text_at("updated_at"),
        }
        return _node(body, row)
    return None


def _shipment(row: Node) -> dict[str, Any]:
    order, lines = row.required_object("order"), row.get("line_items")
    page = lines.get("pageInfo") if isinstance(lines.value, dict) else lines
    if isinstance(page.value, dict) and page.boolean_at("hasNextPage"):
        detail = "the shipment has more lines than one query reads"
        raise PayloadError(ParkReason.SIZE, lines.path, detail)
    items = [edge.required_object("node") for edge in _edges(row, "line_items")]
    labels = row.list_at("shipping_labels")
    return _order_numbers(order) | {
        "shipment_id": row.required_text("legacy_id"),
        "created_at": row.text_at("created_date"),
        "warehouse_id": _legacy_id(row.text_at("warehouse_id")),
        "line_items": [_line(item) for item in items],
        "packages": [{"shipping_label": label.value, "line_items": []} for label in labels],
        "shipping_method": labels[0].text_at("shipping_method") if labels else "",
    }


def _line(item: Node) -> dict[str, Any]:
    line = item.required_object("line_item")
    return {
        "partner_line_item_id": line.text_at("partner_line_item_id"),
        "id": line.text_at("legacy_id"),
        "sku": line.text_at("sku"),
        "quantity": item.get("quantity").value,
    }


def _order_numbers(order: Node) -> dict[str, Any]:
    return {
        "order_number": order.text_at("order_number"),
        "partner_order_id": order.text_at("partner_order_id"),
        "order_id": order.text_at("legacy_id"),
    }


def _legacy_id(text: str) -> str:
    """Return the id of webhooks in an id of GraphQL, which is base64 of `Warehouse:4`."""
    try:
        decoded = base64.b64decode(text, validate=True).decode("ascii")
    except (ValueError, UnicodeDecodeError):
        return text
    return decoded.partition(":")[2] or text


def _edges(row: Node, name: str) -> list[Node]:
    connection = row.get(name)
    return connection.list_at("edges") if isinstance(connection.value, dict) else []


def _node(body: dict[str, Any], row: Node) -> Node:
    return Node(body, "", [row.was_sanitized])
