"""Labels and descriptions of object kinds, identifier schemes, measures and attributes.

Screens, exports, the JSON Schemas and docs/events.md take the texts from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.sdk.events import Attribute, IdentifierScheme, Measure, ObjectKind


@dataclass(frozen=True, slots=True)
class TermDescription:
    """A label in lower case, as inside a sentence, and the meaning of the term."""

    label: str
    meaning: str


_T = TermDescription

OBJECT_KINDS: Mapping[ObjectKind, TermDescription] = {
    ObjectKind.CUSTOMER: _T("customer", "who orders"),
    ObjectKind.ITEM: _T("item", "a product that is sold; one per SKU"),
    ObjectKind.ORDER: _T("order", "a customer's order; a timeline belongs to it"),
    ObjectKind.ORDER_LINE: _T(
        "order line", "one line or piece of one order, if the sender gives it an id of its own"
    ),
    ObjectKind.SHIPMENT: _T("shipment", "goods that leave together, or a delivery document"),
    ObjectKind.PACKAGE: _T("package", "one box or pallet of a shipment"),
    ObjectKind.INVOICE: _T("invoice", "an invoice or a credit memo"),
    ObjectKind.RETURN: _T("return", "an authorized return"),
    ObjectKind.RETURN_DELIVERY: _T("return delivery", "the delivery document of a return"),
    ObjectKind.QUOTATION: _T("quotation", "an offer that orders can refer to"),
    ObjectKind.CONTRACT: _T("contract", "an agreement that many orders can refer to"),
    ObjectKind.GOODS_MOVEMENT: _T(
        "goods movement document", "the ERP's posting of an issue or receipt of goods"
    ),
    ObjectKind.CREDIT_MEMO_REQUEST: _T(
        "credit memo request", "a sales document that asks for a credit memo"
    ),
    ObjectKind.DEBIT_MEMO_REQUEST: _T(
        "debit memo request", "a sales document that asks for a debit memo"
    ),
    ObjectKind.LOAD: _T("load", "shipments that one vehicle carries together"),
    ObjectKind.VEHICLE: _T("vehicle", "a truck or trailer that carries shipments"),
    ObjectKind.CONTAINER: _T("container", "a freight container that holds shipments"),
    ObjectKind.TRANSPORT_DOCUMENT: _T(
        "transport document", "a waybill or consignment note of shipments"
    ),
    ObjectKind.SERIALIZED_ITEM: _T("serialized item", "one piece with its serial number"),
}
SCHEMES: Mapping[IdentifierScheme, TermDescription] = {
    IdentifierScheme.SALES_ORDER: _T("sales order", "the ERP's order number"),
    IdentifierScheme.WEB_ORDER: _T("web order", "the shop's order number or name"),
    IdentifierScheme.ORDER_NUMBER: _T("order number", "another system's order number"),
    IdentifierScheme.CUSTOMER_PO: _T(
        "customer PO", "the customer's purchase order number; the issuer is the customer number"
    ),
    IdentifierScheme.SOURCE_ID: _T("system ID", "a system's technical id"),
    IdentifierScheme.SHIPMENT: _T("shipment", "the number of a shipment"),
    IdentifierScheme.DELIVERY: _T("delivery", "the number of a delivery document"),
    IdentifierScheme.BOL: _T("bill of lading", "the number of a bill of lading"),
    IdentifierScheme.PRO: _T("PRO number", "the number that a freight carrier assigns"),
    IdentifierScheme.SSCC: _T("SSCC", "the GS1 number of a package or pallet"),
    IdentifierScheme.TRACKING: _T("tracking number", "the carrier's number of a package"),
    IdentifierScheme.INVOICE: _T("invoice", "the number of an invoice"),
    IdentifierScheme.CREDIT_MEMO: _T("credit memo", "the number of a credit memo"),
    IdentifierScheme.RMA: _T("RMA", "the number of an authorized return"),
    IdentifierScheme.CUSTOMER: _T("customer", "a customer number"),
    IdentifierScheme.SKU: _T("item", "an item number"),
    IdentifierScheme.REFERENCE: _T("reference", "any other number"),
    IdentifierScheme.RETURN_DELIVERY: _T("return delivery", "the number of a return delivery"),
    IdentifierScheme.QUOTATION: _T("quotation", "the number of a quotation"),
    IdentifierScheme.CONTRACT: _T("contract", "the number of a contract"),
    IdentifierScheme.GOODS_MOVEMENT: _T(
        "goods movement document", "the number of a goods movement document"
    ),
    IdentifierScheme.CREDIT_MEMO_REQUEST: _T(
        "credit memo request", "the number of a credit memo request"
    ),
    IdentifierScheme.DEBIT_MEMO_REQUEST: _T(
        "debit memo request", "the number of a debit memo request"
    ),
    IdentifierScheme.LOAD: _T("load", "the number of a load"),
    IdentifierScheme.VEHICLE: _T("vehicle", "the registration of a vehicle"),
    IdentifierScheme.CONTAINER: _T("container", "the ISO 6346 code of a container"),
    IdentifierScheme.TRANSPORT_DOCUMENT: _T(
        "transport document", "the number of a transport document"
    ),
    IdentifierScheme.SERIAL: _T("serial number", "the number of one piece; the issuer is the SKU"),
}
MEASURES: Mapping[Measure, TermDescription] = {
    Measure.ORDERED: _T("ordered", "what the customer ordered"),
    Measure.ALLOCATED: _T("allocated", "stock that is reserved"),
    Measure.BACKORDERED: _T("back-ordered", "what waits for stock"),
    Measure.PICKED: _T("picked", "what was taken from the shelf"),
    Measure.PACKED: _T("packed", "what was packed"),
    Measure.SHIPPED: _T("shipped", "what left the location"),
    Measure.DELIVERED: _T("delivered", "what arrived"),
    Measure.INVOICED: _T("invoiced", "what was invoiced"),
    Measure.RETURNED: _T("returned", "what came back"),
    Measure.CREDITED: _T("credited", "what was credited"),
    Measure.CANCELLED: _T("cancelled", "what is no longer wanted"),
}
ATTRIBUTES: Mapping[Attribute, TermDescription] = {
    Attribute.CHANNEL: _T("channel", "the sales channel of the order"),
    Attribute.CUSTOMER_NO: _T("customer number", "the number of the customer"),
    Attribute.CUSTOMER_NAME: _T("customer name", "the name of the customer"),
    Attribute.CUSTOMER_GROUP: _T("customer group", "the group of the customer"),
    Attribute.CURRENCY: _T("currency", "the ISO 4217 code of the amounts"),
    Attribute.TOTAL: _T("total", "the amount of the order or invoice"),
    Attribute.REQUESTED_AT: _T("requested", "the delivery date that the customer requested"),
    Attribute.PROMISED_AT: _T("promised", "the delivery date that was promised to the customer"),
    Attribute.SHIP_BY: _T("ship by", "when the order must be shipped"),
    Attribute.ETA: _T("expected", "when delivery, or the missing stock, is expected"),
    Attribute.WAREHOUSE: _T("warehouse", "the location that ships"),
    Attribute.CARRIER: _T("carrier", "who transports the goods"),
    Attribute.SERVICE: _T("service", "the carrier's service"),
    Attribute.LOCATION: _T("location", "where the event took place"),
    Attribute.REASON: _T("reason", "the reason of a hold, a cancellation or a change"),
    Attribute.STATUS: _T("status", "the status text of the source"),
    Attribute.DETAIL: _T("detail", "free text for people"),
}
