"""Application advices (824): a receiver accepts or rejects a document that it could read."""

from collections.abc import Iterator

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventType,
    IdentifierScheme,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.invoice_references import invoice_reference, issuer_of_receiver_numbers
from connectors.systems.x12.order_and_package_references import order_reference
from connectors.systems.x12.read_line_loops_and_errors import (
    Loop,
    read_line_loops_and_errors,
    required_loops,
)

# OTI01, element 110: the last letter is the result (accepted, with changes, with errors, rejected).
RESULT_TYPES = {
    "A": EventType.DOCUMENT_ACKNOWLEDGED,
    "C": EventType.DOCUMENT_ACKNOWLEDGED,
    "E": EventType.DOCUMENT_ACKNOWLEDGED,
    "R": EventType.DOCUMENT_REJECTED,
}
INVOICE_SETS = frozenset({"810", "880"})
SHIPMENT_SETS = frozenset({"856", "857", "945"})


def read_application_advice(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 824: one event per document (OTI).

    OTI02 and OTI03 are a qualified number of the document, OTI10 its set. REF in its loop may name
    the purchase order. TED describes errors. A rejected document also parks the message, so that a
    person sends it again.
    """

    def read_document(loop: Loop) -> CanonicalEvent:
        return _answer_event(doc, loop)

    loops = required_loops(doc, doc.loops_starting_with_tag("OTI", ("SE",)), "OTI")
    return read_line_loops_and_errors(doc, loops, read_document)


def _answer_event(doc: X12Document, loop: Loop) -> CanonicalEvent:
    oti, bgn = loop[0], doc.first_segment("BGN")
    number = blank_if_placeholder(oti[3])
    objects = list(_document_objects(doc, loop))
    event_type = RESULT_TYPES.get(oti[1][-1:], EventType.UNMAPPED)
    name = " ".join(filter(None, (f"set {oti[10]}" if oti[10] else "document", number)))
    reasons = [s[2] or f"error {s[1]}" for s in loop if s.tag == "TED"]
    reasons += [s[2] for s in loop if s.tag == "NTE" and s[2]]
    if not objects:
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path("OTI03"), f"{name} is no known kind of document"
        )
    if event_type is EventType.DOCUMENT_REJECTED:
        text = f"{doc.sender_id} rejected {name}: {'; '.join(reasons)}".rstrip(": ")
        doc.line_errors.append(
            PayloadError(ParkReason.DOCUMENT_REJECTED, doc.element_path("OTI"), text[:200])
        )
    return doc.build_event(
        event_type,
        " ".join(filter(None, (bgn[2], oti[1], oti[2], number, oti[9]))),
        time=doc.event_time(bgn[3], "BGN03", bgn[4]),
        objects=objects,
        attributes={
            Attribute.STATUS: oti[1],
            Attribute.REASON: "; ".join(reasons)[:500],
            Attribute.DETAIL: name,
        },
        raw_type=f"824 {oti[1]}" if event_type is EventType.UNMAPPED else "",
    )


def _document_objects(doc: X12Document, loop: Loop) -> Iterator[ObjectReference]:
    oti = loop[0]
    number = blank_if_placeholder(oti[3])
    named_po = number if oti[2] == "PO" else ""
    po = named_po or next((s[2] for s in loop if s.tag == "REF" and s[1] == "PO"), "")
    order = order_reference(doc, po) if po else None
    if order is not None:
        yield order
    if not number:
        return
    if oti[2] == "IV" or oti[10] in INVOICE_SETS:
        yield invoice_reference(doc, number, is_of_sender=False)
    elif oti[2] in {"SI", "MA"} or oti[10] in SHIPMENT_SETS:
        issuer = issuer_of_receiver_numbers(doc)
        identifier = EventIdentifier(IdentifierScheme.SHIPMENT, number, issuer)
        yield ObjectReference(ObjectKind.SHIPMENT, (identifier,))
