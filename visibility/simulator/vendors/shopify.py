"""The B2B shop: Shopify webhooks."""

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from visibility.simulator import document_numbers
from visibility.simulator.master_data import CURRENCY, SHOP_DOMAIN
from visibility.simulator.simulated_order import (
    SimulatedLine,
    SimulatedOrder,
    SimulatedStep,
    StepKind,
    format_cents,
    format_rfc3339,
)
from visibility.simulator.vendors.message import SimulatedMessage, hmac_sha256

VERSION = "2026-07"
TOPICS = {
    StepKind.SHOP_CREATED: "orders/create",
    StepKind.SHOP_FULFILLED: "fulfillments/create",
    StepKind.SHOP_EDITED: "orders/updated",
    StepKind.SHOP_CANCELLED: "orders/cancelled",
    StepKind.SHOP_REFUNDED: "refunds/create",
}
LOCATIONS = {"Dallas": 71_200_001, "3PL North": 71_200_002}
URLS = {
    "UPS": "https://www.ups.com/track?tracknum=",
    "FedEx": "https://www.fedex.com/fedextrack/?trknbr=",
    "USPS": "https://tools.usps.com/go/TrackConfirmAction?tLabels=",
}


def build_message(order: SimulatedOrder, step: SimulatedStep) -> SimulatedMessage:
    """The webhook of one step."""
    if step.kind is StepKind.SHOP_FULFILLED:
        body = _fulfillment_body(order, step)
    elif step.kind is StepKind.SHOP_REFUNDED:
        body = _refund_body(order, step)
    else:
        body = _order_body(order, step)
    identity = document_numbers.deterministic_guid("shop", order.n, step.kind, step.shipment)
    headers = {
        "content-type": "application/json",
        "x-shopify-topic": TOPICS[step.kind],
        "x-shopify-webhook-id": identity,
        "x-shopify-event-id": document_numbers.deterministic_guid(
            "shop event", order.n, step.kind, step.shipment
        ),
        "x-shopify-shop-domain": SHOP_DOMAIN,
        "x-shopify-api-version": VERSION,
        "x-shopify-triggered-at": format_rfc3339(step.at),
    }
    return SimulatedMessage("shop", orjson.dumps(body), headers, identity)


def build_signature_headers(
    message: SimulatedMessage, secret: str, _now: float
) -> Mapping[str, str]:
    """`X-Shopify-Hmac-SHA256` over the body."""
    signature = base64.b64encode(hmac_sha256(secret.encode(), message.body)).decode()
    return {"x-shopify-hmac-sha256": signature}


def order_id(order: SimulatedOrder) -> int:
    """The shop's internal order ID."""
    return 5_600_000_000_000 + order.n * 37


def _line_id(order: SimulatedOrder, line: SimulatedLine) -> int:
    return 14_300_000_000_000 + order.n * 100 + line.number


def _line_item(order: SimulatedOrder, line: SimulatedLine, quantity: int) -> dict[str, Any]:
    name = _line_id(order, line)
    return {
        "id": name,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{name}",
        "fulfillment_service": "manual",
        "gift_card": False,
        "grams": 400,
        "name": line.item.title,
        "price": format_cents(line.item.price),
        "product_exists": True,
        "properties": [],
        "quantity": quantity,
        "requires_shipping": True,
        "sku": line.item.sku,
        "taxable": False,
        "title": line.item.title,
        "total_discount": "0.00",
        "variant_title": None,
        "vendor": "Throughline Supply",
    }


def _order_body(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    cancelled = step.kind is StepKind.SHOP_CANCELLED
    edited = step.kind is StepKind.SHOP_EDITED
    dropped = dict([order.dropped]) if edited and order.dropped else {}
    at, name, total = (
        format_rfc3339(step.at),
        document_numbers.web_order_number(order.n),
        order.total_price_cents,
    )
    lines = []
    for index, line in enumerate(order.lines):
        current = 0 if cancelled else line.quantity - dropped.get(index, 0)
        sent = sum(s.quantities[index] for s in order.shipments) if edited else 0
        total -= (line.quantity - current) * line.item.price
        lines.append(
            _line_item(order, line, line.quantity)
            | {
                "current_quantity": current,
                "fulfillable_quantity": max(current - sent, 0),
                "fulfillment_status": "fulfilled" if edited and sent else None,
            }
        )
    customer = order.customer
    address = {
        "company": customer.name,
        "city": customer.city,
        "province_code": customer.state,
        "zip": customer.postcode,
        "country_code": "US",
    }
    return {
        "id": order_id(order),
        "admin_graphql_api_id": f"gid://shopify/Order/{order_id(order)}",
        "cancel_reason": "customer" if cancelled else None,
        "cancelled_at": at if cancelled else None,
        "closed_at": None,
        "confirmed": True,
        "created_at": format_rfc3339(order.created_at),
        "currency": CURRENCY,
        "current_total_price": format_cents(total),
        "financial_status": "voided" if cancelled else "pending",
        "fulfillment_status": "fulfilled" if edited else None,
        "fulfillments": [],
        "name": name,
        "note": None,
        "note_attributes": [{"name": "customer_number", "value": customer.number}],
        "number": order.n,
        "order_number": int(name[1:]),
        "payment_gateway_names": ["Net 30"],
        "po_number": None,
        "processed_at": format_rfc3339(order.created_at),
        "refunds": [],
        "source_name": "web",
        "subtotal_price": format_cents(order.total_price_cents),
        "tags": "b2b",
        "tax_lines": [],
        "taxes_included": False,
        "test": False,
        "total_discounts": "0.00",
        "total_line_items_price": format_cents(order.total_price_cents),
        "total_price": format_cents(order.total_price_cents),
        "total_tax": "0.00",
        "updated_at": at,
        "customer": {
            "id": 8_100_000_000_000 + int(customer.number[1:]),
            "state": "enabled",
            "tags": customer.number,
            "default_address": address,
        },
        "shipping_address": address,
        "line_items": lines,
        "shipping_lines": [
            {
                "id": order_id(order) + 1,
                "title": order.carrier.method,
                "price": "0.00",
                "code": order.carrier.method,
                "source": "shopify",
            }
        ],
    }


def _fulfillment_body(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    shipment = order.shipments[step.shipment]
    name = 5_100_000_000_000 + order.n * 10 + step.shipment
    codes = [package.tracking for package in shipment.packages]
    urls = [URLS[order.carrier.name] + code for code in codes]
    pairs = zip(order.lines, shipment.quantities, strict=True)
    return {
        "id": name,
        "admin_graphql_api_id": f"gid://shopify/Fulfillment/{name}",
        "order_id": order_id(order),
        "name": f"{document_numbers.web_order_number(order.n)}.{step.shipment + 1}",
        "status": "success",
        "service": "manual",
        "shipment_status": None,
        "location_id": LOCATIONS[order.warehouse],
        "created_at": format_rfc3339(step.at),
        "updated_at": format_rfc3339(step.at),
        "tracking_company": order.carrier.name,
        "tracking_number": codes[0],
        "tracking_numbers": codes,
        "tracking_url": urls[0],
        "tracking_urls": urls,
        "receipt": {},
        "line_items": [_line_item(order, line, quantity) for line, quantity in pairs if quantity],
    }


def _refund_body(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    index, quantity = order.returned or (0, 0)
    line, name = order.lines[index], 930_000_000_000 + order.n
    amount = format_cents(line.item.price * quantity)
    return {
        "id": name,
        "order_id": order_id(order),
        "created_at": format_rfc3339(step.at),
        "processed_at": format_rfc3339(step.at),
        "note": "Returned by the customer",
        "restock": True,
        "user_id": 119_976_004,
        "order_adjustments": [],
        "refund_line_items": [
            {
                "id": name * 10,
                "line_item_id": _line_id(order, line),
                "quantity": quantity,
                "restock_type": "return",
                "location_id": LOCATIONS[order.warehouse],
                "subtotal": amount,
                "total_tax": "0.00",
                "line_item": _line_item(order, line, line.quantity),
            }
        ],
        "transactions": [
            {
                "id": name * 10 + 1,
                "order_id": order_id(order),
                "amount": amount,
                "currency": CURRENCY,
                "gateway": "Net 30",
                "kind": "refund",
                "status": "success",
                "created_at": format_rfc3339(step.at),
                "test": False,
            }
        ],
    }
