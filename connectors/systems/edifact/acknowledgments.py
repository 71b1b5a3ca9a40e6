"""Acknowledgments: of interchanges (CONTRL) and of documents (APERAK)."""

from connectors.sdk.events import Attribute, CanonicalEvent, EventType
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.systems.edifact.document import EdifactDocument, reference_numbers
from connectors.systems.edifact.references import (
    invoice_reference,
    order_reference,
    shipment_reference,
)

# 0083, action: 4 and 6 reject what is named and all in it, 7 and 8 acknowledge.
ACTION_TEXTS = {
    "1": "acknowledged in all levels",
    "2": "acknowledged, with errors in lower levels",
    "3": "one or more levels rejected",
    "4": "rejected",
    "5": "rejected in part",
    "6": "rejected with what is in it",
    "7": "acknowledged",
    "8": "received",
}
REJECTING_ACTIONS = frozenset({"3", "4", "5", "6"})
# APERAK BGM 1001 and 1225: 313 application error, 27 not accepted.
ERROR_DOCUMENTS = frozenset({"313", "963"})
REJECTED_FUNCTIONS = frozenset({"27", "55"})


def summarize_control_message(doc: EdifactDocument) -> str:
    """Summarize a CONTRL: the interchange (UCI) and each message (UCM) that was not accepted.

    There is no event, because a control reference identifies no order. A rejection is an error of
    the document: it parks the message, so that a person sends the interchange again.
    """
    texts = []
    for segment in doc.segments:
        if segment.tag == "UCI":
            action, name = segment.text(4), f"interchange {segment.text(1)}"
        elif segment.tag == "UCF":
            action, name = segment.text(4), f"group {segment.text(1)}"
        elif segment.tag == "UCM":
            action, name = segment.text(3), f"{segment.text(2)} {segment.text(1)}"
        else:
            continue
        text = f"{name} {ACTION_TEXTS.get(action, f'action {action}')}"
        texts.append(text)
        if action in REJECTING_ACTIONS:
            detail = f"{doc.sender_id} reports: {text}"
            doc.line_errors.append(
                PayloadError(ParkReason.DOCUMENT_REJECTED, doc.path(segment.tag), detail[:200])
            )
    return "CONTRL: " + ("; ".join(texts) or "without a result")


def read_application_error(doc: EdifactDocument) -> list[CanonicalEvent]:
    """Convert APERAK: the receiver accepts or rejects a document.

    The document is named by RFF+ON (order), IV (invoice) or AAK (despatch advice). ERC is an error,
    FTX its text. A rejection also parks the message, so that a person sends the document again.
    """
    errors = [s.text(1) for s in doc.segments if s.tag == "ERC" and s.text(1)]
    texts = [s.text(4) for s in doc.segments if s.tag == "FTX" and s.text(4)]
    bgm = doc.first("BGM")
    is_rejected = bool(
        errors or bgm.text(1) in ERROR_DOCUMENTS or doc.function in REJECTED_FUNCTIONS
    )
    orders = [order_reference(doc, n) for n in reference_numbers(doc.segments, "ON")]
    invoices = [
        invoice_reference(doc, n, is_of_sender=False) for n in reference_numbers(doc.segments, "IV")
    ]
    shipments = [
        shipment_reference(doc, n, is_of_sender=False)
        for n in reference_numbers(doc.segments, "AAK", "DQ")
    ]
    objects = [ref for ref in (*orders, *invoices, *shipments) if ref is not None]
    reason = "; ".join(texts or [f"error {code}" for code in errors])
    if is_rejected:
        numbers = ", ".join(i.value for ref in objects for i in ref.identifiers[:1])
        detail = f"{doc.sender_id} rejected {numbers or doc.number}: {reason}".rstrip(": ")
        doc.line_errors.append(
            PayloadError(ParkReason.DOCUMENT_REJECTED, doc.path("APERAK"), detail[:200])
        )
    if not objects:
        if not is_rejected:
            doc.not_understood.append(f"APERAK {doc.number} names no order, invoice or shipment")
        return []
    return [
        doc.build_event(
            EventType.DOCUMENT_REJECTED if is_rejected else EventType.DOCUMENT_ACKNOWLEDGED,
            f"{doc.number} {doc.content_digest}".strip(),
            time=doc.time_of(doc.segments, "137"),
            objects=objects,
            attributes={Attribute.STATUS: doc.function, Attribute.REASON: reason[:500]},
        )
    ]
