"""Converts orders of the GraphQL Admin API to the form that webhooks have.

A fact that a webhook reported has the same key and the same content when the poll reads it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.sdk.payload import Node

# Amounts of these currencies have no decimals. All others are written with two, as in webhooks.
WITHOUT_DECIMALS = frozenset({"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"})
# `displayFulfillmentStatus`; others are not in webhooks.
FULFILLMENT_STATUSES: Mapping[str, str] = {
    "FULFILLED": "fulfilled",
    "PARTIALLY_FULFILLED": "partial",
    "RESTOCKED": "restocked",
}
# `displayStatus` of a fulfillment without a report of the carrier.
NO_CARRIER_STATUS = frozenset({"", "FULFILLED", "MARKED_AS_FULFILLED", "SUBMITTED", "CANCELED"})
CARRIER_STATUSES: Mapping[str, str] = {"NOT_DELIVERED": "failure"}


def is_graphql_order(document: Node) -> bool:
    """Whether this is an order as the poll stores it."""
    number = document.get("id").value
    return (
        isinstance(number, str)
        and number.startswith("gid://shopify/Order/")
        and document.has_value("updatedAt")
    )


def convert_graphql_order(order: Node) -> Node:
    """Return the order as a webhook has it. Raises PayloadError."""
    lines = {
        line.required_text("id"): _line(line)
        for line in order.required_object("lineItems").list_at("nodes")
    }
    fulfillments = [_fulfillment(node, lines) for node in order.list_at("fulfillments")]
    sent = {
        item["id"]
        for fulfillment in fulfillments
        if fulfillment["status"] == "success"
        for item in fulfillment["line_items"]
    }
    for line_id, line in lines.items():
        if line_id in sent and line["fulfillable_quantity"] == 0:
            line["fulfillment_status"] = "fulfilled"
    total, _ = _money(order, "currentTotalPriceSet")
    return Node(
        {
            "id": order.required_text("id"),
            "name": order.text_at("name"),
            "test": order.boolean_at("test"),
            "po_number": order.text_at("poNumber"),
            "created_at": order.text_at("createdAt"),
            "processed_at": order.text_at("processedAt"),
            "updated_at": order.text_at("updatedAt"),
            "cancelled_at": order.text_at("cancelledAt") or None,
            "cancel_reason": order.text_at("cancelReason").lower(),
            "currency": order.text_at("currencyCode"),
            "current_total_price": total,
            "financial_status": order.text_at("displayFinancialStatus").lower(),
            "fulfillment_status": FULFILLMENT_STATUSES.get(
                order.text_at("displayFulfillmentStatus"), ""
            ),
            "note_attributes": [
                {"name": note.text_at("key"), "value": note.text_at("value")}
                for note in order.list_at("customAttributes")
            ],
            **_names(order),
            "line_items": list(lines.values()),
            "fulfillments": fulfillments,
            "refunds": [_refund(node, lines) for node in order.list_at("refunds")],
        },
        "",
        [order.was_sanitized],
    )


def _names(order: Node) -> dict[str, Any]:
    names: dict[str, Any] = {}
    if order.has_value("shippingAddress"):
        company = order.required_object("shippingAddress").text_at("company")
        names["shipping_address"] = {"company": company}
    if order.has_value("customer"):
        customer = order.required_object("customer")
        names["customer"] = {
            "first_name": customer.text_at("firstName"),
            "last_name": customer.text_at("lastName"),
        }
    return names


def _line(line: Node) -> dict[str, Any]:
    price, _ = _money(line, "originalUnitPriceSet")
    return {
        "id": line.required_text("id"),
        "sku": line.text_at("sku"),
        "title": line.text_at("title"),
        "price": price or None,
        "quantity": line.decimal_at("quantity"),
        "current_quantity": line.decimal_at("currentQuantity"),
        "fulfillable_quantity": line.decimal_at("unfulfilledQuantity"),
        "requires_shipping": line.get("requiresShipping").value,
    }


def _lines_of(node: Node, field: str, lines: Mapping[str, Any]) -> list[tuple[Node, str, Any]]:
    connection = node.get(field)
    rows = connection.list_at("nodes") if isinstance(connection.value, dict) else []
    ids = [row.required_object("lineItem").required_text("id") for row in rows]
    return [(row, line, lines.get(line, {})) for row, line in zip(rows, ids, strict=True)]


def _fulfillment(node: Node, lines: Mapping[str, Any]) -> dict[str, Any]:
    tracking = node.list_at("trackingInfo")
    shown = node.text_at("displayStatus")
    status = node.required_text("status").lower()
    return {
        "id": node.required_text("id"),
        "name": node.text_at("name"),
        "status": status,
        "created_at": node.text_at("createdAt"),
        "updated_at": node.text_at("updatedAt"),
        "tracking_company": next(filter(None, (t.text_at("company") for t in tracking)), ""),
        "tracking_numbers": [t.text_at("number") for t in tracking if t.text_at("number")],
        "shipment_status": ""
        if shown in NO_CARRIER_STATUS
        else CARRIER_STATUSES.get(shown, shown.lower()),
        "line_items": [
            {**line, "id": line_id, "quantity": row.decimal_at("quantity")}
            for row, line_id, line in _lines_of(node, "fulfillmentLineItems", lines)
        ],
    }


def _refund(node: Node, lines: Mapping[str, Any]) -> dict[str, Any]:
    connection = node.get("transactions")
    payments = connection.list_at("nodes") if isinstance(connection.value, dict) else []
    transactions = []
    for payment in payments:
        amount, currency = _money(payment, "amountSet")
        transactions.append(
            {
                "kind": payment.text_at("kind").lower(),
                "status": payment.text_at("status").lower(),
                "amount": amount or None,
                "currency": currency,
            }
        )
    return {
        "id": node.required_text("id"),
        "created_at": node.text_at("createdAt"),
        "note": node.text_at("note"),
        "transactions": transactions,
        "refund_line_items": [
            {
                "line_item_id": line_id,
                "quantity": row.decimal_at("quantity"),
                "restock_type": row.text_at("restockType").lower(),
                **({"line_item": line} if line else {}),
            }
            for row, line_id, line in _lines_of(node, "refundLineItems", lines)
        ],
    }


def _money(node: Node, field: str) -> tuple[str, str]:
    """Return the amount in the currency of the shop, as webhooks write it, and the currency."""
    if not node.has_value(field):
        return "", ""
    money = node.required_object(field).required_object("shopMoney")
    amount, currency = money.decimal_at("amount"), money.text_at("currencyCode")
    if amount is None:
        return "", currency
    unit = Decimal(1) if currency in WITHOUT_DECIMALS else Decimal("0.01")
    exact = amount if amount % unit else amount.quantize(unit)
    return format(exact, "f"), currency
