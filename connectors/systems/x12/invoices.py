"""What is billed and credited: 810."""

from decimal import Decimal

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Identifier,
    Line,
    Measure,
    ObjectKind,
    Ref,
    Scheme,
    identifying,
)
from connectors.sdk.payload import PayloadError, Reason
from connectors.systems.x12.document import Document
from connectors.systems.x12.elements import line_number, summed, text_of

# BIG07: CR credit memo, CN credit invoice; everything else is money we want.
CREDITS = frozenset({"CR", "CN"})
# BIG08: 01 cancellation, 03 deletion.
CANCELLED = frozenset({"01", "03"})


def invoice(doc: Document) -> list[CanonicalEvent]:
    """810: an invoice, a credit memo, or the cancellation of an invoice.

    Numbers repeat, also within one group: the day and the order belong to the name of the fact.
    """
    big = doc.first("BIG")
    number = identifying(big[2])
    if not number:
        raise PayloadError(Reason.REFERENCE, doc.path("BIG02"), "the invoice has no number")
    credit, void = big[7] in CREDITS, big[8] in CANCELLED
    event_type = EventType.CREDIT_ISSUED if credit else EventType.INVOICE_ISSUED
    event_type = EventType.INVOICE_VOID if void and not credit else event_type
    orders = _orders(doc)
    return [
        doc.event(
            event_type,
            " ".join(filter(None, (number, big[1], big[4], "void" if void else ""))),
            at=doc.moment(big[1], "BIG01"),
            objects=(*orders.values(), _invoice(doc, number, credit=credit)),
            lines=() if void else _lines(doc, list(orders), credit=credit),
            part=f"{'credit' if credit else 'invoice'} {number}",
            attributes={
                Attribute.CUSTOMER_NO: doc.customer,
                Attribute.CURRENCY: doc.first("CUR")[2],
                Attribute.TOTAL: _total(doc),
            },
        )
    ]


def _total(doc: Document) -> str:
    """TDS01 has two implied decimals: 5770 is 57.70."""
    cents = doc.money(doc.first("TDS")[1], "TDS01")
    return "" if cents is None else format(cents.scaleb(-2), "f")


def _invoice(doc: Document, number: str, *, credit: bool) -> Ref:
    scheme, issuer = (Scheme.INVOICE, doc.issuer)
    if doc.sent and doc.profile.invoice_number:
        scheme, issuer = doc.profile.invoice_number
    if credit and scheme is Scheme.INVOICE:
        scheme = Scheme.CREDIT_MEMO
    return Ref(ObjectKind.INVOICE, (Identifier(scheme, number, issuer),))


def _po(doc: Document) -> str:
    """BIG04, else REF*PO of the heading."""
    heading = (s[2] for s in doc.head("IT1") if s.tag == "REF" and s[1] == "PO")
    return identifying(doc.first("BIG")[4]) or next(heading, "")


def _orders(doc: Document) -> dict[str, Ref]:
    """The orders billed, each once: that of the heading and those that only lines name."""
    seller = next((s[2] for s in doc.head("IT1") if s.tag == "REF" and s[1] == "VN"), "")
    named = [_po(doc)]
    named += [s[2] for loop in doc.loops("IT1") for s in loop if s.tag == "REF" and s[1] == "PO"]
    found: dict[str, Ref] = {}
    for po in map(identifying, named):
        known = doc.profile.seller_order is not None and po == identifying(_po(doc))
        ref = doc.order(po, *(doc.seller(seller) if known else ()))
        if po and ref is not None:
            found.setdefault(po, ref)
    return found


def _lines(doc: Document, orders: list[str], *, credit: bool) -> tuple[Line, ...]:
    lines = []
    heading = identifying(_po(doc))
    for loop in doc.loops("IT1", ("TDS", "CTT")):
        it1 = loop[0]
        quantity = doc.money(it1[2], "IT102")
        sku = doc.sku(it1, 6)
        po = next((s[2] for s in loop if s.tag == "REF" and s[1] == "PO"), heading)
        measure = Measure.CREDITED if credit else Measure.INVOICED
        if quantity is not None and quantity < 0 and not credit:
            raise PayloadError(Reason.QUANTITY, doc.path("IT102"), f"{quantity} is negative")
        lines.append(
            Line(
                line_id=line_number(it1[1]) or sku,
                sku=sku,
                description=text_of(loop),
                unit=it1[3] or "EA",
                price=doc.money(it1[4], "IT104"),
                quantities={} if quantity is None else {measure: abs(Decimal(quantity))},
                order=orders.index(po) if po in orders else -1,
            )
        )
    return summed(lines)
