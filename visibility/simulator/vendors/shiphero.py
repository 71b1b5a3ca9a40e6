"""The Dallas warehouse: ShipHero webhooks. Their timestamps have no time zone and are UTC."""

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from visibility.simulator import document_numbers
from visibility.simulator.simulated_order import (
    SimulatedLine,
    SimulatedOrder,
    SimulatedShipment,
    SimulatedStep,
    StepKind,
    to_datetime,
)
from visibility.simulator.vendors.message import SimulatedMessage, hmac_sha256

WAREHOUSE = {"warehouse": "Dallas", "warehouse_id": 11790, "warehouse_uuid": "V2FyZWhvdXNlOjExNzkw"}


def build_message(order: SimulatedOrder, step: SimulatedStep) -> SimulatedMessage:
    """The webhook of one step."""
    writers = {
        StepKind.WMS_ALLOCATED: _order_allocated_body,
        StepKind.WMS_PICKED: _tote_complete_body,
        StepKind.WMS_PACKED: _order_packed_out_body,
        StepKind.WMS_SHIPPED: _shipment_update_body,
        StepKind.WMS_CANCELLED: _order_cancelled_body,
        StepKind.WMS_UNKNOWN: _undocumented_webhook_body,
        StepKind.WMS_RETURN: _return_update_body,
    }
    identity = document_numbers.deterministic_guid("wms", order.n, step.kind, step.shipment)
    headers = {"content-type": "application/json", "x-shiphero-message-id": identity}
    return SimulatedMessage("wms", orjson.dumps(writers[step.kind](order, step)), headers, identity)


def build_signature_headers(
    message: SimulatedMessage, secret: str, _now: float
) -> Mapping[str, str]:
    """`x-shiphero-hmac-sha256` over the body."""
    signature = base64.b64encode(hmac_sha256(secret.encode(), message.body)).decode()
    return {"x-shiphero-hmac-sha256": signature}


def _format_utc_without_zone(at: float) -> str:
    return to_datetime(at).strftime("%Y-%m-%d %H:%M:%S")


def _base64_of_kind_and_number(kind: str, number: int) -> str:
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def _order_number_and_ids(order: SimulatedOrder) -> dict[str, Any]:
    name, number = 204_000_000 + order.n, document_numbers.sales_order_number(order.n)
    return {
        "order_number": number,
        "order_id": name,
        "order_uuid": _base64_of_kind_and_number("Order", name),
        "partner_order_id": number,
    }


def _line_id(order: SimulatedOrder, line: SimulatedLine) -> int:
    return 550_000_000 + order.n * 10 + line.number


def _order_number_dash_erp_line_number(order: SimulatedOrder, line: SimulatedLine) -> str:
    return f"{document_numbers.sales_order_number(order.n)}-{line.erp_line_number}"


def _lines_and_quantities_in_shipment(
    order: SimulatedOrder, step: SimulatedStep
) -> list[tuple[SimulatedLine, int]]:
    quantities = order.shipments[step.shipment].quantities
    return [(line, q) for line, q in zip(order.lines, quantities, strict=True) if q]


def _order_allocated_body(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    at = to_datetime(step.at).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "webhook_type": "Order Allocated",
        "allocation_reference": 362_000_000 + order.n * 2 + step.shipment,
        "account_id": 6334,
        "account_uuid": "QWNjb3VudDo2MzM0",
        **WAREHOUSE,
        "allocated_at": at,
        **_order_number_and_ids(order),
        "line_items": [
            {
                "id": _line_id(order, line),
                "item_uuid": _base64_of_kind_and_number("LineItem", _line_id(order, line)),
                "partner_line_item_id": _order_number_dash_erp_line_number(order, line),
                "quantity": quantity,
                "sku": line.item.sku,
                "is_kit_component": False,
                "created_at": at,
            }
            for line, quantity in _lines_and_quantities_in_shipment(order, step)
        ],
        "ready_to_ship": 1,
    }


def _tote_id(order: SimulatedOrder, step: SimulatedStep) -> int:
    return 14_000_000 + order.n * 2 + step.shipment


def _tote_complete_body(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    tote = _tote_id(order, step)
    return {
        "webhook_type": "Tote Complete",
        "completed_at": _format_utc_without_zone(step.at),
        "totes": [
            {
                "tote_id": str(tote),
                "tote_name": f"Tote-{tote}",
                "tote_uuid": _base64_of_kind_and_number("Tote", tote),
                "tote_barcode": str(tote),
                "orders": [
                    {
                        **_order_number_and_ids(order),
                        "gift_note": "",
                        "items": [
                            {
                                "quantity": quantity,
                                "sku": line.item.sku,
                                "line_item_id": _line_id(order, line),
                                "weight": "0.50 lb",
                                "height": "4.00 in",
                                "width": "6.00 in",
                                "length": "8.00 in",
                            }
                            for line, quantity in _lines_and_quantities_in_shipment(order, step)
                        ],
                    }
                ],
            }
        ],
    }


def _order_packed_out_body(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    tote, named = _tote_id(order, step), _order_number_and_ids(order)
    return {
        "webhook_type": "Order Packed Out",
        "tote_id": str(tote),
        "tote_uuid": _base64_of_kind_and_number("Tote", tote),
        "tote_name": f"Tote-{tote}",
        **named,
        "packed_at": _format_utc_without_zone(step.at),
        "created_at": _format_utc_without_zone(step.at),
        "items": [
            {
                "order_id": named["order_id"],
                "order_uuid": named["order_uuid"],
                "line_item_id": _line_id(order, line),
                "pick_id": _line_id(order, line) * 2 + step.shipment,
                "quantity": quantity,
                "sku": line.item.sku,
            }
            for line, quantity in _lines_and_quantities_in_shipment(order, step)
        ],
    }


def _lines_by_package(
    order: SimulatedOrder, shipment: SimulatedShipment
) -> list[list[tuple[SimulatedLine, int]]]:
    """The lines in each package, dealt round-robin."""
    pairs = zip(order.lines, shipment.quantities, strict=True)
    goods = [(line, q) for line, q in pairs if q]
    count = len(shipment.packages)
    return [goods[index::count] for index in range(count)]


def _shipment_update_body(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    shipment = order.shipments[step.shipment]
    name = 263_000_000 + order.n * 2 + step.shipment
    named = _order_number_and_ids(order)

    def item(line: SimulatedLine, quantity: int, index: int) -> dict[str, Any]:
        return {
            "id": _order_number_dash_erp_line_number(order, line),
            "shiphero_id": _line_id(order, line),
            "partner_line_item_id": _order_number_dash_erp_line_number(order, line),
            "quantity": quantity,
            "sku": line.item.sku,
            "serial_numbers": [],
            "package": f"Package #{index + 1}",
            "lot_id": None,
        }

    boxes = [
        [item(line, quantity, index) for line, quantity in goods]
        for index, goods in enumerate(_lines_by_package(order, shipment))
    ]
    carrier, method = order.carrier.name, order.carrier.method
    size = {"length": 12, "width": 10, "height": 8, "weight": 6.5}
    packages = [
        {
            "name": f"Package #{index + 1}",
            **size,
            "line_items": boxes[index],
            "shipping_label": {
                "tracking_number": package.tracking,
                "carrier": carrier,
                "shipping_method": method,
                "created_at": _format_utc_without_zone(shipment.scans[0].at),
                "status": "valid",
            },
        }
        for index, package in enumerate(shipment.packages)
    ]
    customer = order.customer
    return {
        "test": "0",
        "webhook_type": "Shipment Update",
        "fulfillment": {
            "shipment_id": name,
            "shipment_uuid": _base64_of_kind_and_number("Shipment", name),
            **WAREHOUSE,
            "webhook_type": "Shipment Update",
            **named,
            "tracking_number": shipment.packages[0].tracking,
            "line_items": [entry for box in boxes for entry in box],
            "packages": packages,
            "custom_tracking_url": "",
            "shipping_method": method,
            "shipping_carrier": carrier,
            "shipping_address": {
                "name": customer.name,
                "address_city": customer.city,
                "address_zip": customer.postcode,
                "address_state": customer.state,
                "address_country": "US",
            },
            "package": size,
            "completed": step.shipment == len(order.shipments) - 1,
            "created_at": _format_utc_without_zone(step.at),
            "order_gift_note": "",
        },
    }


def _order_cancelled_body(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    return {
        "webhook_type": "Order Canceled",
        **_order_number_and_ids(order),
        "fulfillment-status": "canceled",
        "shop_name": "public-api",
        "shop_order_number": document_numbers.sales_order_number(order.n),
        "updated_at": _format_utc_without_zone(step.at),
    }


def _undocumented_webhook_body(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    """A webhook type that ShipHero does not document."""
    return {
        "webhook_type": "Order Quarantined",
        **_order_number_and_ids(order),
        **WAREHOUSE,
        "reason": "awaiting inspection",
        "created_at": _format_utc_without_zone(step.at),
    }


def _return_update_body(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    index, quantity = order.returned or (0, 0)
    line, name = order.lines[index], 3_300_000 + order.n
    return {
        "test": "0",
        "webhook_type": "Return Update",
        "return_id": name,
        "return_uuid": _base64_of_kind_and_number("Return", name),
        "status": "complete",
        "reason": "Ordered by mistake",
        "items": [
            {
                "id": name * 2,
                "uuid": _base64_of_kind_and_number("ReturnItem", name * 2),
                "quantity": quantity,
                "quantity_received": quantity,
                "sku": line.item.sku,
                "item_reason": "Ordered by mistake",
                "restock": quantity,
                "partner_line_item_id": _order_number_dash_erp_line_number(order, line),
                "warehouse_id": WAREHOUSE["warehouse_id"],
            }
        ],
        **_order_number_and_ids(order),
        "shop_name": "public-api",
        "created_at": _format_utc_without_zone(step.at),
        "label_type": "Self Return",
        "label_cost": "0.00",
        "picked_up": True,
        "tracking_number": None,
        "date_used": None,
    }
