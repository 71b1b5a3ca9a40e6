"""The finance system: invoices, payments and credits as Standard Webhooks."""

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from visibility.simulator import document_numbers
from visibility.simulator.document_numbers import deterministic_hex_token
from visibility.simulator.master_data import CURRENCY
from visibility.simulator.simulated_order import (
    SimulatedOrder,
    SimulatedStep,
    StepKind,
    format_cents,
    format_rfc3339,
)
from visibility.simulator.vendors.message import SimulatedMessage, hmac_sha256


def build_standard_webhooks_message(order: SimulatedOrder, step: SimulatedStep) -> SimulatedMessage:
    """The webhook of an invoice, payment or credit."""
    writers = {
        StepKind.INVOICED: ("invoice.issued", _invoice_issued_data),
        StepKind.PAID: ("invoice.paid", _invoice_paid_data),
        StepKind.CREDITED: ("credit.issued", _credit_issued_data),
    }
    event_type, write_data = writers[step.kind]
    identity = f"msg_{deterministic_hex_token('finance', order.n, step.kind, step.shipment)[:27]}"
    body = {
        "type": event_type,
        "timestamp": format_rfc3339(step.at),
        "data": write_data(order, step),
    }
    return SimulatedMessage(
        "finance", orjson.dumps(body), {"content-type": "application/json"}, identity
    )


def build_signature_headers(
    message: SimulatedMessage, secret: str, now: float
) -> Mapping[str, str]:
    """`webhook-id`, `-timestamp` (of the sending) and `-signature` (v1)."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        text = secret.removeprefix("whsec_")
        key = base64.b64decode(text + "=" * (-len(text) % 4))
    stamp = str(int(now))
    signed = b".".join((message.identity.encode(), stamp.encode(), message.body))
    return {
        "webhook-id": message.identity,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(hmac_sha256(key, signed)).decode()}",
    }


def _order_and_invoice_numbers(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    return {
        "order": {"number": document_numbers.sales_order_number(order.n)},
        "invoice": {"number": document_numbers.invoice_number(order.n, step.shipment)},
    }


def _invoice_issued_data(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    shipment = order.shipments[step.shipment]
    number = document_numbers.invoice_number(order.n, step.shipment)
    return {
        **_order_and_invoice_numbers(order, step),
        "part": f"invoice {number}",
        "lines": [
            {
                "line_id": str(line.erp_line_number),
                "sku": line.item.sku,
                "invoiced": quantity,
                "price": format_cents(line.item.price),
                "unit": "EA",
            }
            for line, quantity in zip(order.lines, shipment.quantities, strict=True)
            if quantity
        ],
        "attributes": {
            "total": format_cents(order.shipment_invoice_cents(shipment)),
            "currency": CURRENCY,
        },
    }


def _invoice_paid_data(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    total = format_cents(order.shipment_invoice_cents(order.shipments[step.shipment]))
    return {
        **_order_and_invoice_numbers(order, step),
        "attributes": {"total": total, "currency": CURRENCY},
    }


def _credit_issued_data(order: SimulatedOrder, _step: SimulatedStep) -> dict[str, Any]:
    index, quantity = order.returned or (0, 0)
    line, number = order.lines[index], f"CM-{700000 + order.n}"
    return {
        "order": {"number": document_numbers.sales_order_number(order.n)},
        "invoice": {"number": number},
        "return": {"number": f"RMA-{order.n + 40000}"},
        "part": f"credit {number}",
        "lines": [
            {
                "line_id": str(line.erp_line_number),
                "sku": line.item.sku,
                "credited": quantity,
                "price": format_cents(line.item.price),
                "unit": "EA",
            }
        ],
        "attributes": {"total": format_cents(line.item.price * quantity), "currency": CURRENCY},
    }
