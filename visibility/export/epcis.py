"""Write the export snapshot as an EPCIS 2.0 document (JSON-LD).

Orders are business transactions of type `po`, shipments `desadv`, invoices `inv`, returns `rma`.
Packages are EPCs, items are EPC classes with quantities. An event that was corrected or replaced
carries an `errorDeclaration`. Values without an EPCIS field go to `throughline:` extension fields.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, BinaryIO

import orjson

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import Attribute, EventType, IdentifierScheme, Measure, ObjectKind
from visibility.export.epcis_vocabulary import (
    EPCIS_MAPPINGS,
    UNIT_CODES,
    EpcisAction,
    EpcisEventType,
)
from visibility.export.read_snapshot_in_chunks import ExportedEvent, ExportedObject, exported_events
from visibility.export.redaction import Redaction
from visibility.export.uris import event_uri, identifier_uri, object_uri, private_urn

CONTEXT = [
    "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
    {"throughline": "urn:throughline:vocabulary:"},
]
TRANSACTION_TYPES = {
    ObjectKind.ORDER: "po",
    ObjectKind.SHIPMENT: "desadv",
    ObjectKind.INVOICE: "inv",
    ObjectKind.RETURN: "rma",
    ObjectKind.RETURN_DELIVERY: "desadv",
    ObjectKind.TRANSPORT_DOCUMENT: "bol",
    # The Core Business Vocabulary has no word for these.
    **{
        kind: f"urn:throughline:btt:{kind}"
        for kind in (
            ObjectKind.QUOTATION,
            ObjectKind.CONTRACT,
            ObjectKind.GOODS_MOVEMENT,
            ObjectKind.CREDIT_MEMO_REQUEST,
            ObjectKind.DEBIT_MEMO_REQUEST,
        )
    },
}
# Kinds that are exported as extension fields.
TRANSPORT_KINDS = (ObjectKind.LOAD, ObjectKind.VEHICLE, ObjectKind.CONTAINER)
# The measure to export for an event type that reports several measures.
MEASURE_BY_EVENT = {
    EventType.LINE_ALLOCATED: Measure.ALLOCATED,
    EventType.LINE_SHORTED: Measure.BACKORDERED,
    EventType.LINE_BACKORDERED: Measure.BACKORDERED,
    EventType.PICK_COMPLETED: Measure.PICKED,
    EventType.PACK_COMPLETED: Measure.PACKED,
    EventType.SHIPMENT_CONFIRMED: Measure.SHIPPED,
    EventType.SHIPMENT_VOID: Measure.SHIPPED,
    EventType.DELIVERED: Measure.DELIVERED,
    EventType.RETURN_RECEIVED: Measure.RETURNED,
    EventType.INVOICE_ISSUED: Measure.INVOICED,
    EventType.CREDIT_ISSUED: Measure.CREDITED,
    EventType.RETURN_CREDITED: Measure.CREDITED,
    EventType.ORDER_CANCELLED: Measure.CANCELLED,
}
# Events that add packages to their shipment, and the one that removes them.
AGGREGATION_ACTIONS = {
    EventType.PACK_COMPLETED: EpcisAction.ADD,
    EventType.SHIPMENT_CONFIRMED: EpcisAction.ADD,
    EventType.SHIPMENT_VOID: EpcisAction.DELETE,
}
Fields = dict[str, Any]


def write_epcis_document(out: BinaryIO, sight: Redaction, *, now: datetime) -> None:
    """Stream the snapshot as one JSON-LD document, event by event."""
    head = {"@context": CONTEXT, "type": "EPCISDocument", "schemaVersion": "2.0"}
    opening = orjson.dumps(head | {"creationDate": format_rfc3339(now)})[:-1]
    out.write(opening + b',"epcisBody":{"eventList":[')
    first = True
    for event in exported_events(superseded=True):
        for fields in epcis_events(event, sight):
            out.write((b"\n" if first else b",\n") + orjson.dumps(fields))
            first = False
    out.write(b"]}}\n")


def epcis_events(event: ExportedEvent, sight: Redaction) -> Iterator[Fields]:
    """The EPCIS events of one canonical event: the event itself and its aggregations."""
    mapping = EPCIS_MAPPINGS[event.event.type]
    transactions, packages = (
        _business_transactions(event),
        [object_uri(p) for p in event.objects_of_kind(ObjectKind.PACKAGE)],
    )
    form = EpcisEventType.OBJECT if not transactions else mapping.event_type
    fields = _id_time_and_error_declaration_fields(event, form.value) | {
        "action": mapping.action.value
    }
    if mapping.step:
        fields["bizStep"] = mapping.step
    if disposition := _disposition_or_verified_delivery(event, mapping.disposition):
        fields["disposition"] = disposition
    items = [object_uri(item) for item in event.objects_of_kind(ObjectKind.SERIALIZED_ITEM)]
    fields["epcList"] = [*packages, *items]
    if quantities := _quantity_elements(event):
        fields["quantityList"] = quantities
    if transactions:
        fields["bizTransactionList"] = transactions
    yield fields | _location_fields(event) | _extension_fields(event, sight)
    yield from _shipment_package_aggregation_events(event, transactions, packages)


def _id_time_and_error_declaration_fields(
    event: ExportedEvent, form: str, *, suffix: str = ""
) -> Fields:
    fields: Fields = {
        "type": form,
        "eventID": event_uri(event.source, event.event.key, event.content_hash, suffix=suffix),
        "eventTime": format_rfc3339(event.occurred_at),
        "eventTimeZoneOffset": "+00:00",
        "recordTime": format_rfc3339(event.recorded_at),
    }
    if correction := event.correction:
        fields["errorDeclaration"] = {
            "declarationTime": format_rfc3339(correction.recorded_at),
            "reason": "did_not_occur" if correction.taken_back else "incorrect_data",
            "correctiveEventIDs": [
                event_uri(correction.source, correction.key, correction.content_hash)
            ],
        }
    return fields


def _business_transactions(event: ExportedEvent) -> list[dict[str, str]]:
    """The distinct business transactions of an event."""
    types: dict[str, str] = {}
    for kind, type_code in TRANSACTION_TYPES.items():
        for obj in event.objects_of_kind(kind):
            types.setdefault(object_uri(obj), type_code)
            if kind is ObjectKind.ORDER:
                types |= {
                    identifier_uri(n): "po"
                    for n in obj.identifiers
                    if n.scheme is IdentifierScheme.CUSTOMER_PO
                }
            if kind is ObjectKind.SHIPMENT and (
                bol := obj.identifier_with_scheme(IdentifierScheme.BOL)
            ):
                types[identifier_uri(bol)] = "bol"
    return [
        {"type": kind, "bizTransaction": transaction_uri} for transaction_uri, kind in types.items()
    ]


def _disposition_or_verified_delivery(event: ExportedEvent, default: str) -> str:
    """The disposition; a delivery with reported quantities is `completeness_verified`."""
    has_quantities = any(
        Measure.DELIVERED in line.quantities for line in event.lines_of_exported_orders
    )
    return (
        "completeness_verified"
        if event.event.type is EventType.DELIVERED and has_quantities
        else default
    )


def _quantity_elements(event: ExportedEvent) -> list[Fields]:
    """Items with their quantities; an unknown unit exports the item without a quantity."""
    measure = MEASURE_BY_EVENT.get(event.event.type, Measure.ORDERED)
    totals: dict[tuple[str, str], Decimal | None] = defaultdict(lambda: None)
    for line in event.lines_of_exported_orders:
        if line.sku and (quantity := line.quantities.get(measure)) is not None:
            item = (line.sku, line.unit.upper())
            totals[item] = (totals[item] or Decimal(0)) + quantity
    return [_quantity_element(sku, unit, quantity) for (sku, unit), quantity in totals.items()]


def _quantity_element(sku: str, unit: str, quantity: Decimal | None) -> Fields:
    fields: Fields = {"epcClass": private_urn("sku", sku)}
    if unit not in UNIT_CODES or quantity is None or quantity < 0:
        return fields
    is_integer = quantity == quantity.to_integral_value()
    fields["quantity"] = int(quantity) if is_integer and quantity < 2**53 else float(quantity)
    return fields | ({"uom": UNIT_CODES[unit]} if UNIT_CODES[unit] else {})


def _location_fields(event: ExportedEvent) -> Fields:
    attributes, fields = event.event.attributes, {}
    if Attribute.LOCATION in attributes:
        fields["readPoint"] = {"id": private_urn("location", attributes[Attribute.LOCATION])}
    if Attribute.WAREHOUSE in attributes:
        fields["bizLocation"] = {"id": private_urn("warehouse", attributes[Attribute.WAREHOUSE])}
    return fields


def _extension_fields(event: ExportedEvent, sight: Redaction) -> Fields:
    """Extension fields for values without an EPCIS field."""
    values: Fields = {
        "eventType": event.event.type.value,
        "rawType": event.event.raw_type,
        "source": event.source,
        "receivedAt": format_rfc3339(event.received_at),
        "messageId": str(event.message_id),
        **{
            kind.value: [object_uri(obj) for obj in event.objects_of_kind(kind)]
            for kind in TRANSPORT_KINDS
        },
        **{
            name.value: text
            for name, text in sight.redact_attributes(event.event.attributes).items()
        },
    }
    return {f"throughline:{name}": text for name, text in values.items() if text}


def _shipment_package_aggregation_events(
    event: ExportedEvent, transactions: Sequence[dict[str, str]], packages: Sequence[str]
) -> Iterator[Fields]:
    """Packages in their shipment. With several shipments the assignment is unknown: none."""
    shipments: list[ExportedObject] = event.objects_of_kind(ObjectKind.SHIPMENT)
    action = AGGREGATION_ACTIONS.get(event.event.type)
    if action is None or len(shipments) != 1 or not packages:
        return
    fields = _id_time_and_error_declaration_fields(event, "AggregationEvent", suffix="packages")
    mapping = EPCIS_MAPPINGS[event.event.type]
    fields |= {
        "parentID": object_uri(shipments[0]),
        "childEPCs": packages,
        "action": action.value,
        "bizStep": mapping.step,
        "bizTransactionList": list(transactions),
    }
    yield fields | ({"disposition": mapping.disposition} if mapping.disposition else {})
