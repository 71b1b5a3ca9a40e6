"""References to invoices and credit memos, by the number range of their seller."""

from connectors.sdk.events import EventIdentifier, IdentifierScheme, ObjectKind, ObjectReference
from connectors.systems.x12.document import X12Document


def issuer_of_receiver_numbers(doc: X12Document) -> str:
    """Return the issuer of the receiver's own numbers: this source or the receiver.

    It is the issuer of the same company's numbers in the documents that it sends.
    """
    if doc.is_outbound:
        return doc.partner_id or doc.settings.source
    if doc.receiver_id in doc.settings.own_ids:
        return doc.settings.source
    return doc.receiver_id or doc.settings.source


def invoice_reference(
    doc: X12Document, number: str, *, is_credit: bool = False, is_of_sender: bool = True
) -> ObjectReference:
    """Reference an invoice or credit memo that the sender of the document, or its receiver, issued.

    Invoices of this company have the number range of the setting `invoice_number`.
    """
    is_own = doc.is_outbound is is_of_sender
    if is_own and doc.settings.invoice_number:
        scheme, issuer = doc.settings.invoice_number
    elif is_of_sender:
        scheme, issuer = IdentifierScheme.INVOICE, doc.issuer_of_sender_numbers
    else:
        scheme, issuer = IdentifierScheme.INVOICE, issuer_of_receiver_numbers(doc)
    if is_credit and scheme is IdentifierScheme.INVOICE:
        scheme = IdentifierScheme.CREDIT_MEMO
    return ObjectReference(ObjectKind.INVOICE, (EventIdentifier(scheme, number, issuer),))
