"""The ERP: rows of Business Central's API v2.0, each as it was at one moment."""

from typing import Any

from visibility.simulator import document_numbers
from visibility.simulator.catalog import CURRENCY
from visibility.simulator.model import Kind, Order, Shipment, Step, when

COLLECTIONS = {
    Kind.ERP_DRAFT: "salesOrders",
    Kind.ERP_REVIEW: "salesOrders",
    Kind.ERP_OPEN: "salesOrders",
    Kind.ERP_SHIPPED: "salesOrders",
    Kind.ERP_INVOICED: "salesOrders",
    Kind.ERP_SHIPMENT: "salesShipments",
    Kind.ERP_INVOICE: "salesInvoices",
}
NONE = "00000000-0000-0000-0000-000000000000"
STATUSES = {Kind.ERP_DRAFT: "Draft", Kind.ERP_REVIEW: "In Review"}
CHANNELS = {"web": "WEB", "edi": "EDI", "inside": "INSIDE"}


def row(order: Order, step: Step) -> dict[str, Any]:
    """The entity with its lines as the step left it."""
    if step.kind is Kind.ERP_SHIPMENT:
        return _shipment(order, step)
    if step.kind is Kind.ERP_INVOICE:
        return _invoice(order, step)
    return _order(order, step)


def _modified(at: float) -> str:
    """`2026-03-04T05:06:07.089Z`, exact to the millisecond."""
    thousandths = round(at * 1000)
    return f"{when(thousandths // 1000):%Y-%m-%dT%H:%M:%S}.{thousandths % 1000:03}Z"


def _named(order: Order, step: Step, identity: str) -> dict[str, Any]:
    customer, modified = order.customer, _modified(step.at)
    tag = document_numbers.token("etag", identity, modified)[:16]
    return {
        "@odata.etag": f'W/"{tag}"',
        "id": identity,
        "externalDocumentNumber": order.po or document_numbers.web_order(order.n),
        "customerId": document_numbers.guid("customer", customer.number),
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
        "currencyId": NONE,
        "currencyCode": CURRENCY,
        "shippingAgentCode": order.carrier.name,
        "lastModifiedDateTime": modified,
    }


def _posted(order: Order, step: Step, kind: Kind) -> list[Shipment]:
    """The shipments that were shipped, or invoiced, by then."""
    done = {s.shipment for s in order.steps if s.kind is kind and s.at <= step.at}
    return [shipment for shipment in order.shipments if shipment.index in done]


def _order(order: Order, step: Step) -> dict[str, Any]:
    identity = document_numbers.guid("erp order", order.n)
    shipped = _posted(order, step, Kind.ERP_SHIPPED)
    invoiced = _posted(order, step, Kind.ERP_INVOICED)
    dropped = dict([order.dropped]) if shipped and order.dropped else {}
    promised = (shipped and order.repromised) or order.promised
    lines, total = [], 0
    for place, line in enumerate(order.lines):
        quantity = line.quantity - dropped.get(place, 0)
        done = sum(s.quantities[place] for s in shipped)
        total += quantity * order.price(place)
        lines.append(
            _line(order, place, quantity, identity, f"order {line.number}")
            | {
                "shippedQuantity": done,
                "invoicedQuantity": sum(s.quantities[place] for s in invoiced),
                "shipQuantity": quantity - done,
                "locationCode": order.warehouse,
                "shipmentDate": _ship_by(order),
            }
        )
    return {
        **_named(order, step, identity),
        "number": document_numbers.sales_order(order.n),
        "orderDate": when(order.created_at).date().isoformat(),
        "postingDate": when(step.at).date().isoformat(),
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


def _ship_by(order: Order) -> str:
    """The day after the order."""
    return when(order.created_at + 86400).date().isoformat()


def _line(order: Order, place: int, quantity: int, document: str, kind: str) -> dict[str, Any]:
    line, price = order.lines[place], order.price(place)
    amount = quantity * price / 100
    return {
        "id": document_numbers.guid("erp line", order.n, kind),
        "documentId": document,
        "sequence": line.sequence,
        "itemId": document_numbers.guid("item", line.item.sku),
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


def _goods(order: Order, step: Step, document: str, kind: str) -> list[dict[str, Any]]:
    shipment = order.shipments[step.shipment]
    return [
        _line(order, place, quantity, document, f"{kind} {step.shipment}.{place + 1}")
        for place, quantity in enumerate(shipment.quantities)
        if quantity
    ]


def _shipment(order: Order, step: Step) -> dict[str, Any]:
    identity = document_numbers.guid("erp shipment", order.n, step.shipment)
    shipment = order.shipments[step.shipment]
    return {
        **_named(order, step, identity),
        "number": f"SHP-{300000 + order.n * 2 + step.shipment}",
        "orderNumber": document_numbers.sales_order(order.n),
        "postingDate": when(step.at).date().isoformat(),
        "shipmentDate": when(shipment.at).date().isoformat(),
        # The distributor's own extension of the page: the standard one has no tracking.
        "packageTrackingNo": ",".join(package.tracking for package in shipment.packages),
        "salesShipmentLines": _goods(order, step, identity, "shipment"),
    }


def _invoice(order: Order, step: Step) -> dict[str, Any]:
    identity = document_numbers.guid("erp invoice", order.n, step.shipment)
    amount = order.billed(order.shipments[step.shipment]) / 100
    day = when(step.at).date().isoformat()
    return {
        **_named(order, step, identity),
        "number": document_numbers.invoice(order.n, step.shipment),
        "invoiceDate": day,
        "postingDate": day,
        "dueDate": when(step.at + 30 * 86400).date().isoformat(),
        "orderId": document_numbers.guid("erp order", order.n),
        "orderNumber": document_numbers.sales_order(order.n),
        "pricesIncludeTax": False,
        "remainingAmount": amount,
        "totalAmountExcludingTax": amount,
        "totalTaxAmount": 0,
        "totalAmountIncludingTax": amount,
        "status": "Open",
        "salesInvoiceLines": _goods(order, step, identity, "invoice"),
    }
