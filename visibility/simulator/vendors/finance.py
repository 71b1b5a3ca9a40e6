"""Finance: invoices, payments and credits by Standard Webhooks."""

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from visibility.simulator import document_numbers
from visibility.simulator.catalog import CURRENCY
from visibility.simulator.model import Kind, Order, Step, money, rfc3339
from visibility.simulator.vendors.message import Message, digest


def write(order: Order, step: Step) -> Message:
    """One fact of the ledger."""
    writers = {
        Kind.INVOICED: ("invoice.issued", _invoiced),
        Kind.PAID: ("invoice.paid", _paid),
        Kind.CREDITED: ("credit.issued", _credited),
    }
    word, about = writers[step.kind]
    identity = f"msg_{document_numbers.token('finance', order.n, step.kind, step.shipment)[:27]}"
    body = {"type": word, "timestamp": rfc3339(step.at), "data": about(order, step)}
    return Message("finance", orjson.dumps(body), {"content-type": "application/json"}, identity)


def sign(message: Message, secret: str, now: float) -> Mapping[str, str]:
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
        "webhook-signature": f"v1,{base64.b64encode(digest(key, signed)).decode()}",
    }


def _named(order: Order, step: Step) -> dict[str, Any]:
    return {
        "order": {"number": document_numbers.sales_order(order.n)},
        "invoice": {"number": document_numbers.invoice(order.n, step.shipment)},
    }


def _invoiced(order: Order, step: Step) -> dict[str, Any]:
    shipment = order.shipments[step.shipment]
    number = document_numbers.invoice(order.n, step.shipment)
    return {
        **_named(order, step),
        "part": f"invoice {number}",
        "lines": [
            {
                "line_id": str(line.sequence),
                "sku": line.item.sku,
                "invoiced": quantity,
                "price": money(line.item.price),
                "unit": "EA",
            }
            for line, quantity in zip(order.lines, shipment.quantities, strict=True)
            if quantity
        ],
        "attributes": {"total": money(order.billed(shipment)), "currency": CURRENCY},
    }


def _paid(order: Order, step: Step) -> dict[str, Any]:
    total = money(order.billed(order.shipments[step.shipment]))
    return {**_named(order, step), "attributes": {"total": total, "currency": CURRENCY}}


def _credited(order: Order, _step: Step) -> dict[str, Any]:
    place, quantity = order.returned or (0, 0)
    line, number = order.lines[place], f"CM-{700000 + order.n}"
    return {
        "order": {"number": document_numbers.sales_order(order.n)},
        "invoice": {"number": number},
        "return": {"number": f"RMA-{order.n + 40000}"},
        "part": f"credit {number}",
        "lines": [
            {
                "line_id": str(line.sequence),
                "sku": line.item.sku,
                "credited": quantity,
                "price": money(line.item.price),
                "unit": "EA",
            }
        ],
        "attributes": {"total": money(line.item.price * quantity), "currency": CURRENCY},
    }
