"""The picture as an EPCIS 2.0 document: what happened to goods and papers, packages in shipments.

Orders are business transactions of type `po`, shipments `desadv`, invoices `inv`, returns `rma`;
packages are EPCs; items are classes with quantities. An event that was taken back or told better
carries an `errorDeclaration`. What EPCIS has no word for stands in `throughline:` fields.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, BinaryIO

import orjson

from connectors.sdk.events import Attribute, EventType, Measure, ObjectKind, Scheme, iso
from visibility.export.epcis_vocabulary import UNITS, WORDS, Action, Form
from visibility.export.reader import Happened, Known, happened
from visibility.export.redaction import Sight
from visibility.export.uris import event_uri, private, uri, uri_of

CONTEXT = [
    "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
    {"throughline": "urn:throughline:vocabulary:"},
]
PAPERS = {
    ObjectKind.ORDER: "po",
    ObjectKind.SHIPMENT: "desadv",
    ObjectKind.INVOICE: "inv",
    ObjectKind.RETURN: "rma",
}
# What an event of a type counts, where it tells several quantities.
COUNTS = {
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
# Events after which packages are in their shipment, and one after which they are not.
JOINED = {
    EventType.PACK_COMPLETED: Action.ADD,
    EventType.SHIPMENT_CONFIRMED: Action.ADD,
    EventType.SHIPMENT_VOID: Action.DELETE,
}
Fields = dict[str, Any]


def write(out: BinaryIO, sight: Sight, *, now: datetime) -> None:
    """The picture as one JSON-LD document, event by event."""
    head = {"@context": CONTEXT, "type": "EPCISDocument", "schemaVersion": "2.0"}
    opening = orjson.dumps(head | {"creationDate": iso(now)})[:-1]
    out.write(opening + b',"epcisBody":{"eventList":[')
    first = True
    for told in happened(superseded=True):
        for fields in events(told, sight):
            out.write((b"\n" if first else b",\n") + orjson.dumps(fields))
            first = False
    out.write(b"]}}\n")


def events(told: Happened, sight: Sight) -> Iterator[Fields]:
    """One event of ours: what happened, and which packages it put into which shipment."""
    said = WORDS[told.event.type]
    papers, packages = _papers(told), [uri_of(p) for p in told.of(ObjectKind.PACKAGE)]
    form = Form.OBJECT if not papers else said.form
    fields = _common(told, form.value) | {"action": said.action.value}
    if said.step:
        fields["bizStep"] = said.step
    if disposition := _disposition(told, said.disposition):
        fields["disposition"] = disposition
    fields["epcList"] = packages
    if quantities := _quantities(told):
        fields["quantityList"] = quantities
    if papers:
        fields["bizTransactionList"] = papers
    yield fields | _places(told) | _own(told, sight)
    yield from _aggregations(told, papers, packages)


def _common(told: Happened, form: str, *, part: str = "") -> Fields:
    fields: Fields = {
        "type": form,
        "eventID": event_uri(told.source, told.event.key, told.content_hash, part=part),
        "eventTime": iso(told.occurred_at),
        "eventTimeZoneOffset": "+00:00",
        "recordTime": iso(told.recorded_at),
    }
    if wrong := told.correction:
        fields["errorDeclaration"] = {
            "declarationTime": iso(wrong.at),
            "reason": "did_not_occur" if wrong.taken_back else "incorrect_data",
            "correctiveEventIDs": [event_uri(wrong.source, wrong.key, wrong.content_hash)],
        }
    return fields


def _papers(told: Happened) -> list[dict[str, str]]:
    """The business transactions an event belongs to, each once."""
    found: dict[str, str] = {}
    for kind, word in PAPERS.items():
        for known in told.of(kind):
            found.setdefault(uri_of(known), word)
            if kind is ObjectKind.ORDER:
                found |= {uri(n): "po" for n in known.numbers if n.scheme is Scheme.CUSTOMER_PO}
            if kind is ObjectKind.SHIPMENT and (bol := known.number(Scheme.BOL)):
                found[uri(bol)] = "bol"
    return [{"type": word, "bizTransaction": name} for name, word in found.items()]


def _disposition(told: Happened, word: str) -> str:
    """A delivery is complete where its receiver counted it."""
    counted = any(Measure.DELIVERED in line.quantities for line in told.lines)
    return "completeness_verified" if told.event.type is EventType.DELIVERED and counted else word


def _quantities(told: Happened) -> list[Fields]:
    """Items with what the event counts of them; of an unknown unit only that they were there."""
    measure = COUNTS.get(told.event.type, Measure.ORDERED)
    found: dict[tuple[str, str], Decimal | None] = defaultdict(lambda: None)
    for line in told.lines:
        if line.sku and (quantity := line.quantities.get(measure)) is not None:
            place = (line.sku, line.unit.upper())
            found[place] = (found[place] or Decimal(0)) + quantity
    return [_quantity(sku, unit, quantity) for (sku, unit), quantity in found.items()]


def _quantity(sku: str, unit: str, quantity: Decimal | None) -> Fields:
    fields: Fields = {"epcClass": private("sku", sku)}
    if unit not in UNITS or quantity is None or quantity < 0:
        return fields
    whole = quantity == quantity.to_integral_value()
    fields["quantity"] = int(quantity) if whole and quantity < 2**53 else float(quantity)
    return fields | ({"uom": UNITS[unit]} if UNITS[unit] else {})


def _places(told: Happened) -> Fields:
    texts, fields = told.event.attributes, {}
    if Attribute.LOCATION in texts:
        fields["readPoint"] = {"id": private("location", texts[Attribute.LOCATION])}
    if Attribute.WAREHOUSE in texts:
        fields["bizLocation"] = {"id": private("warehouse", texts[Attribute.WAREHOUSE])}
    return fields


def _own(told: Happened, sight: Sight) -> Fields:
    """What EPCIS has no word for."""
    texts: Fields = {
        "event": told.event.type.value,
        "word": told.event.raw_type,
        "source": told.source,
        "receivedAt": iso(told.received_at),
        "message": str(told.message_id),
        **{name.value: text for name, text in sight.of(told.event.attributes).items()},
    }
    return {f"throughline:{name}": text for name, text in texts.items() if text}


def _aggregations(
    told: Happened, papers: Sequence[dict[str, str]], packages: Sequence[str]
) -> Iterator[Fields]:
    """Packages in their shipment; of several shipments the event does not say which is in which."""
    shipments: list[Known] = told.of(ObjectKind.SHIPMENT)
    action = JOINED.get(told.event.type)
    if action is None or len(shipments) != 1 or not packages:
        return
    fields = _common(told, "AggregationEvent", part="packages")
    said = WORDS[told.event.type]
    fields |= {
        "parentID": uri_of(shipments[0]),
        "childEPCs": packages,
        "action": action.value,
        "bizStep": said.step,
        "bizTransactionList": list(papers),
    }
    yield fields | ({"disposition": said.disposition} if said.disposition else {})
