"""Messages of the cases of real use, as trading partners, a shop, an ERP and others send them."""

import itertools
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.builders.x12 import interchange, transaction_set

BUYER, SELLER, WAREHOUSE = "MERIDIAN", "TOOLCO", "NORDWH"
GROUPS = {
    "810": "IN",
    "850": "PO",
    "855": "PR",
    "856": "SH",
    "860": "PC",
    "940": "OW",
    "945": "SW",
    "997": "FA",
}
control_numbers = itertools.count(41_001)


@dataclass(frozen=True)
class CaseMessage:
    """A message to a source, without its signature."""

    source: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class UseCase:
    """A situation of real use: its messages, what becomes of each, and what it is about.

    `orders`: for each order, values of its summary. `outcomes`: for each message, its state and
    detail; empty if all are applied without a detail.
    """

    name: str
    messages: tuple[CaseMessage, ...]
    orders: Mapping[str, Mapping[str, Any]]
    outcomes: tuple[str, ...] = ()


def x12_text(
    text: str, sent: str, *, sender: str = BUYER, receiver: str = SELLER, control: int = 0
) -> str:
    """An interchange with one set; `sent` is the date and time of its ISA and GS."""
    date, time = sent.split()
    result = interchange(
        transaction_set(text),
        sender=sender,
        receiver=receiver,
        control=control or next(control_numbers),
    )
    for old, new in (
        ("*260304*0915*", f"*{date[2:]}*{time}*"),
        ("GS*PO*", f"GS*{GROUPS[text[:3]]}*"),
        ("*20260304*0915*", f"*{date}*{time}*"),
    ):
        result = result.replace(old, new, 1)
    return result


def x12(text: str, sent: str, *, source: str = "edi", **envelope: Any) -> CaseMessage:
    """A message with one X12 set from the buyer."""
    return x12_file(x12_text(text, sent, **envelope), source)


def x12_file(text: str, source: str = "edi") -> CaseMessage:
    """A message with this X12 file."""
    return CaseMessage(source, text.encode(), {"content-type": "application/edi-x12"})


def from_seller(text: str, sent: str) -> CaseMessage:
    """A message with one X12 set from the seller to the buyer."""
    return x12(text, sent, sender=SELLER, receiver=BUYER)


def to_warehouse(text: str, sent: str) -> CaseMessage:
    """A message with one X12 set from the seller to the warehouse."""
    return x12(text, sent, sender=SELLER, receiver=WAREHOUSE)


def from_warehouse(text: str, sent: str) -> CaseMessage:
    """A message with one X12 set from the warehouse to the seller."""
    return x12(text, sent, sender=WAREHOUSE, receiver=SELLER)


def shop(topic: str, document: Mapping[str, Any]) -> CaseMessage:
    """A Shopify webhook."""
    body = orjson.dumps(document)
    webhook_id = str(uuid.uuid5(uuid.NAMESPACE_OID, topic + body.decode()))
    headers = {"x-shopify-topic": topic, "x-shopify-webhook-id": webhook_id}
    return CaseMessage("shop", body, headers)


def shop_line(line_id: int, sku: str, quantity: int, **fields: Any) -> dict[str, Any]:
    """A line of a Shopify order; `fields` override the defaults of a line without shipments."""
    return {
        "id": line_id,
        "sku": sku,
        "title": f"Article {sku}",
        "quantity": quantity,
        "current_quantity": quantity,
        "fulfillable_quantity": quantity,
        "fulfillment_status": None,
        "price": "8.50",
        "requires_shipping": True,
    } | fields


def shop_order(
    order_id: int, name: str, lines: Sequence[Mapping[str, Any]], *, updated: str, **fields: Any
) -> dict[str, Any]:
    """A Shopify order of Feb 3; `updated` is the time of the snapshot."""
    return {
        "id": order_id,
        "name": name,
        "created_at": "2026-02-03T16:00:00Z",
        "processed_at": "2026-02-03T16:00:00Z",
        "updated_at": updated,
        "currency": "USD",
        "total_price": "85.00",
        "financial_status": "paid",
        "fulfillment_status": None,
        "line_items": lines,
        "fulfillments": [],
        "refunds": [],
    } | fields


def shop_fulfillment(
    number: int, order_id: int, lines: Sequence[Mapping[str, Any]], *, at: str, **fields: Any
) -> dict[str, Any]:
    """A Shopify fulfillment with a package of its own."""
    return {
        "id": number,
        "order_id": order_id,
        "status": "success",
        "created_at": at,
        "updated_at": at,
        "name": f"F{number}",
        "tracking_company": "UPS",
        "tracking_numbers": [shop_tracking(number)],
        "line_items": lines,
    } | fields


def shop_tracking(number: int) -> str:
    """The tracking number of the fulfillment with this id."""
    return f"1ZT44E{number:012}"


def shop_refund(
    number: int, order_id: int, lines: Sequence[tuple[int, int, str]], *, at: str, **fields: Any
) -> dict[str, Any]:
    """A Shopify refund of lines: line id, quantity and restock type."""
    return {
        "id": number,
        "order_id": order_id,
        "created_at": at,
        "processed_at": at,
        "refund_line_items": [
            {
                "id": number * 10 + index,
                "line_item_id": line_id,
                "quantity": quantity,
                "restock_type": restock_type,
                "subtotal": 8.5 * quantity,
                "line_item": {"id": line_id, "sku": "", "quantity": quantity},
            }
            for index, (line_id, quantity, restock_type) in enumerate(lines)
        ],
        "transactions": [],
    } | fields


def tracker(number: int, event: str, *, status: str, at: str, scans: Sequence[str]) -> CaseMessage:
    """An EasyPost webhook of the package of a fulfillment; a scan is `time status message`."""
    details = [scan.split(" ", 2) for scan in scans]
    result = {
        "id": f"trk_{number}",
        "object": "Tracker",
        "mode": "production",
        "tracking_code": shop_tracking(number),
        "status": status,
        "carrier": "UPS",
        "updated_at": at,
        "is_return": False,
        "tracking_details": [
            {"object": "TrackingDetail", "datetime": time, "status": code, "message": text}
            for time, code, text in details
        ],
    }
    document = {
        "id": event,
        "object": "Event",
        "mode": "production",
        "description": "tracker.updated",
        "result": result,
    }
    return CaseMessage("carrier", orjson.dumps(document))


def warehouse_return(
    number: int, order: str, quantities: Mapping[str, int], *, at: str
) -> CaseMessage:
    """A ShipHero webhook of a return that was received, by item."""
    document = {
        "webhook_type": "Return Update",
        "return_id": number,
        "status": "complete",
        "order_number": order,
        "items": [
            {"id": index, "sku": sku, "quantity": quantity, "quantity_received": quantity}
            for index, (sku, quantity) in enumerate(quantities.items())
        ],
        "created_at": at,
    }
    return CaseMessage("wms", orjson.dumps(document), {"x-shiphero-message-id": f"return-{number}"})


def erp(collection: str, number: str, modified: str, **fields: Any) -> CaseMessage:
    """A sales document of Business Central, modified at this time of February 2026."""
    document = {
        "id": erp_id(number),
        "number": number,
        "externalDocumentNumber": "",
        "orderDate": "2026-02-03",
        "postingDate": "2026-02-03",
        "customerNumber": "K550",
        "customerName": "Meridian Supply",
        "currencyCode": "USD",
        "lastModifiedDateTime": f"2026-02-{modified}:00Z",
    } | fields
    return CaseMessage("erp", orjson.dumps(document), {"x-bc-entity": collection})


def erp_order(number: str, modified: str, *lines: Mapping[str, Any], **fields: Any) -> CaseMessage:
    """A sales order, released unless `status` is another."""
    values = {"status": "Open", "totalAmountIncludingTax": 120, "salesOrderLines": lines} | fields
    return erp("salesOrders", number, modified, **values)


def erp_shipment(
    number: str, order: str, modified: str, *lines: Mapping[str, Any], **fields: Any
) -> CaseMessage:
    """A posted shipment of an order."""
    values = {
        "orderNumber": order,
        "shippingAgentCode": "DHL",
        "salesShipmentLines": lines,
    } | fields
    return erp("salesShipments", number, modified, **values)


def erp_id(number: str) -> str:
    """The id of the document with this number."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, number))


def erp_line(sequence: int, sku: str, quantity: int, **fields: Any) -> dict[str, Any]:
    """A line of a posted document."""
    return {
        "id": erp_id(f"{sequence} {sku}"),
        "sequence": sequence,
        "lineType": "Item",
        "lineObjectNumber": sku,
        "description": f"Article {sku}",
        "unitOfMeasureCode": "PCS",
        "unitPrice": 12,
        "quantity": quantity,
    } | fields


def erp_order_line(sequence: int, sku: str, quantity: int, *, shipped: int = 0) -> dict[str, Any]:
    """A line of an order."""
    return erp_line(
        sequence,
        sku,
        quantity,
        shippedQuantity=shipped,
        shipQuantity=quantity - shipped,
        invoicedQuantity=0,
        invoiceQuantity=quantity,
    )
