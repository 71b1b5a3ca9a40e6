"""The ERP: rows of the Business Central API v2.0, each as of one moment."""

from typing import Any

from visibility.simulator import document_numbers
from visibility.simulator.master_data import CURRENCY
from visibility.simulator.simulated_order import (
    SimulatedOrder,
    SimulatedShipment,
    SimulatedStep,
    StepKind,
    to_datetime,
)

COLLECTIONS = {
    StepKind.ERP_DRAFT: "salesOrders",
    StepKind.ERP_REVIEW: "salesOrders",
    StepKind.ERP_OPEN: "salesOrders",
    StepKind.ERP_SHIPPED: "salesOrders",
    StepKind.ERP_INVOICED: "salesOrders",
    StepKind.ERP_SHIPMENT: "salesShipments",
    StepKind.ERP_INVOICE: "salesInvoices",
}
EMPTY_GUID = "00000000-0000-0000-0000-000000000000"
STATUSES = {StepKind.ERP_DRAFT: "Draft", StepKind.ERP_REVIEW: "In Review"}
CHANNELS = {"web": "WEB", "edi": "EDI", "inside": "INSIDE"}


def build_entity(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    """The entity with its lines, as of the step."""
    if step.kind is StepKind.ERP_SHIPMENT:
        return _sales_shipment_entity(order, step)
    if step.kind is StepKind.ERP_INVOICE:
        return _sales_invoice_entity(order, step)
    return _sales_order_entity(order, step)


def _format_modified_at(at: float) -> str:
    """`2026-03-04T05:06:07.089Z`, in milliseconds."""
    thousandths = round(at * 1000)
    return f"{to_datetime(thousandths // 1000):%Y-%m-%dT%H:%M:%S}.{thousandths % 1000:03}Z"


def _common_entity_fields(
    order: SimulatedOrder, step: SimulatedStep, identity: str
) -> dict[str, Any]:
    customer, modified = order.customer, _format_modified_at(step.at)
    tag = document_numbers.deterministic_hex_token("etag", identity, modified)[:16]
    return {
        "@odata.etag": f'W/"{tag}"',
        "id": identity,
        "externalDocumentNumber": order.po or document_numbers.web_order_number(order.n),
        "customerId": document_numbers.deterministic_guid("customer", customer.number),
        "customerNumber": customer.number,
        "customerName": customer.name,
        "billToName": customer.name,
        "billToCustomerNumber": customer.number,
        "shipToName": customer.name,
        "shipToCity": customer.city,
        "shipToState": customer.state,
        "shipToPostCode": customer.postcode,
        "shipToCountry": "US",
        "shortcutDimension1Code": CHANNELS[order.channel],
        "currencyId": EMPTY_GUID,
        "currencyCode": CURRENCY,
        "shippingAgentCode": order.carrier.name,
        "lastModifiedDateTime": modified,
    }


def posted_shipments(
    order: SimulatedOrder, step: SimulatedStep, kind: StepKind
) -> list[SimulatedShipment]:
    """The shipments that the ERP posted as shipped or invoiced by the time of the step."""
    done = {s.shipment for s in order.steps if s.kind is kind and s.at <= step.at}
    return [shipment for shipment in order.shipments if shipment.index in done]


def _sales_order_entity(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    identity = document_numbers.deterministic_guid("erp order", order.n)
    shipped = posted_shipments(order, step, StepKind.ERP_SHIPPED)
    invoiced = posted_shipments(order, step, StepKind.ERP_INVOICED)
    dropped = dict([order.dropped]) if shipped and order.dropped else {}
    promised = (shipped and order.repromised) or order.promised
    lines, total = [], 0
    for index, line in enumerate(order.lines):
        quantity = line.quantity - dropped.get(index, 0)
        done = sum(s.quantities[index] for s in shipped)
        total += quantity * order.erp_unit_price_cents(index)
        lines.append(
            _document_line(order, index, quantity, identity, f"order {line.number}")
            | {
                "shippedQuantity": done,
                "invoicedQuantity": sum(s.quantities[index] for s in invoiced),
                "shipQuantity": quantity - done,
                "locationCode": order.warehouse,
                "shipmentDate": ship_date_day_after_order(order),
            }
        )
    return {
        **_common_entity_fields(order, step, identity),
        "number": document_numbers.sales_order_number(order.n),
        "orderDate": to_datetime(order.created_at).date().isoformat(),
        "postingDate": to_datetime(step.at).date().isoformat(),
        "requestedDeliveryDate": order.requested.isoformat(),
        "promisedDeliveryDate": promised.isoformat(),
        "status": STATUSES.get(step.kind, "Open"),
        "fullyShipped": all(x["shipQuantity"] == 0 for x in lines),
        "pricesIncludeTax": False,
        "totalAmountExcludingTax": total / 100,
        "totalTaxAmount": 0,
        "totalAmountIncludingTax": total / 100,
        "salesOrderLines": lines,
    }


def ship_date_day_after_order(order: SimulatedOrder) -> str:
    """The day after the order."""
    return to_datetime(order.created_at + 86400).date().isoformat()


def _document_line(
    order: SimulatedOrder, index: int, quantity: int, document: str, kind: str
) -> dict[str, Any]:
    line, price = order.lines[index], order.erp_unit_price_cents(index)
    amount = quantity * price / 100
    return {
        "id": document_numbers.deterministic_guid("erp line", order.n, kind),
        "documentId": document,
        "sequence": line.erp_line_number,
        "itemId": document_numbers.deterministic_guid("item", line.item.sku),
        "lineType": "Item",
        "lineObjectNumber": line.item.sku,
        "description": line.item.title,
        "unitOfMeasureCode": "EA",
        "quantity": quantity,
        "unitPrice": price / 100,
        "discountAmount": 0,
        "amountExcludingTax": amount,
        "amountIncludingTax": amount,
    }


def _posted_document_lines(
    order: SimulatedOrder, step: SimulatedStep, document: str, kind: str
) -> list[dict[str, Any]]:
    shipment = order.shipments[step.shipment]
    return [
        _document_line(order, index, quantity, document, f"{kind} {step.shipment}.{index + 1}")
        for index, quantity in enumerate(shipment.quantities)
        if quantity
    ]


def _sales_shipment_entity(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    identity = document_numbers.deterministic_guid("erp shipment", order.n, step.shipment)
    shipment = order.shipments[step.shipment]
    return {
        **_common_entity_fields(order, step, identity),
        "number": f"SHP-{300000 + order.n * 2 + step.shipment}",
        "orderNumber": document_numbers.sales_order_number(order.n),
        "postingDate": to_datetime(step.at).date().isoformat(),
        "shipmentDate": to_datetime(shipment.at).date().isoformat(),
        # A custom field of the distributor: the standard API page has no tracking numbers.
        "packageTrackingNo": ",".join(package.tracking for package in shipment.packages),
        "salesShipmentLines": _posted_document_lines(order, step, identity, "shipment"),
    }


def _sales_invoice_entity(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    identity = document_numbers.deterministic_guid("erp invoice", order.n, step.shipment)
    amount = order.shipment_invoice_cents(order.shipments[step.shipment]) / 100
    day = to_datetime(step.at).date().isoformat()
    return {
        **_common_entity_fields(order, step, identity),
        "number": document_numbers.invoice_number(order.n, step.shipment),
        "invoiceDate": day,
        "postingDate": day,
        "dueDate": to_datetime(step.at + 30 * 86400).date().isoformat(),
        "orderId": document_numbers.deterministic_guid("erp order", order.n),
        "orderNumber": document_numbers.sales_order_number(order.n),
        "pricesIncludeTax": False,
        "remainingAmount": amount,
        "totalAmountExcludingTax": amount,
        "totalTaxAmount": 0,
        "totalAmountIncludingTax": amount,
        "status": "Open",
        "salesInvoiceLines": _posted_document_lines(order, step, identity, "invoice"),
    }
