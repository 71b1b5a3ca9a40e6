"""What customers order and what they are answered: 850, 860, 855."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Line,
    Measure,
)
from connectors.sdk.payload import PayloadError, Reason
from connectors.sdk.x12 import Segment
from connectors.systems.x12.document import Document
from connectors.systems.x12.elements import line_number, readable, summed, text_of

# BEG01: 00 original, 06 confirmation, 07 duplicate, 15 re-submission, 22 information copy.
PURCHASES = {
    "00": EventType.ORDER_RECEIVED,
    "01": EventType.ORDER_CANCELLED,
    "03": EventType.ORDER_CANCELLED,
    "04": EventType.ORDER_CHANGED,
    "05": EventType.ORDER_CHANGED,
    "06": EventType.ORDER_RECEIVED,
    "07": EventType.ORDER_RECEIVED,
    "15": EventType.ORDER_RECEIVED,
    "22": EventType.ORDER_RECEIVED,
}
# POC02: an item that is deleted or cancelled; its ordered quantity becomes nothing.
DELETED = frozenset({"DI", "CF"})
# BAK02
ANSWERS = {
    "AC": EventType.ORDER_ACCEPTED,
    "AD": EventType.ORDER_ACCEPTED,
    "AE": EventType.ORDER_ACCEPTED,
    "AH": EventType.ORDER_HELD,
    "AK": EventType.ORDER_ACCEPTED,
    "AT": EventType.ORDER_ACCEPTED,
    "RD": EventType.ORDER_REJECTED,
    "RJ": EventType.ORDER_REJECTED,
}
# ACK01: what an answer to one line says beside "accepted".
LINE_ANSWERS = {
    "IB": EventType.LINE_BACKORDERED,
    "BP": EventType.LINE_BACKORDERED,
    "IS": EventType.LINE_SUBSTITUTED,
    "IH": EventType.ORDER_HELD,
    "IQ": EventType.ORDER_CHANGED,
    "ID": EventType.ORDER_CHANGED,
    "IR": EventType.ORDER_CHANGED,
}
# What ACK02 counts; of a substituted item it counts what is no longer to come.
MEASURES = {
    "IB": Measure.BACKORDERED,
    "BP": Measure.BACKORDERED,
    "IS": Measure.CANCELLED,
    "ID": Measure.CANCELLED,
    "IR": Measure.CANCELLED,
    "IQ": Measure.ORDERED,
}
REASONS = {
    EventType.ORDER_HELD: "item on hold (IH)",
    EventType.ORDER_CHANGED: "changed by the seller's acknowledgement",
}
REQUESTED = {
    "002": Attribute.REQUESTED_AT,
    "010": Attribute.SHIP_BY,
    "067": Attribute.PROMISED_AT,
    "017": Attribute.PROMISED_AT,
    "068": Attribute.SHIP_BY,
}
# ACK04: dates of shipping; every other date of an acknowledged line is a delivery promised.
SHIPPING = frozenset({"010", "011", "037", "038", "068", "069", "079", "118"})


def purchase_order(doc: Document) -> list[CanonicalEvent]:
    """850: the customer's order, or its cancellation or replacement."""
    beg = doc.first("BEG")
    event_type = PURCHASES.get(beg[1], EventType.UNMAPPED)
    word = {EventType.ORDER_RECEIVED: "received", EventType.ORDER_CANCELLED: "cancelled"}
    fact = " ".join(filter(None, (beg[3], beg[4], word.get(event_type, f"purpose {beg[1]}"))))
    cancelled = event_type is EventType.ORDER_CANCELLED
    return [
        doc.event(
            event_type,
            fact,
            at=doc.moment(beg[5], "BEG05"),
            objects=(doc.need_order(beg[3], "BEG03"),),
            lines=() if cancelled else _ordered(doc),
            attributes=_about(doc, doc.head("PO1")),
            raw_type="" if event_type in word else f"850 purpose {beg[1]}",
        )
    ]


def change(doc: Document) -> list[CanonicalEvent]:
    """860: the customer changes or cancels the order; quantities are the new totals."""
    bch = doc.first("BCH")
    cancelled = bch[1] in {"01", "03"}
    number = " ".join(filter(None, (bch[3], bch[4], f"change {bch[5] or bch[6] or '1'}")))
    return [
        doc.event(
            EventType.ORDER_CANCELLED if cancelled else EventType.ORDER_CHANGED,
            number,
            # BCH06 is the day of the order, BCH11 that of the change where the partner sends it.
            at=doc.moment(bch[11] or bch[6], "BCH11" if bch[11] else "BCH06"),
            objects=(doc.need_order(bch[3], "BCH03"),),
            lines=() if cancelled else _changed(doc),
            attributes=_about(doc, doc.head("POC")),
            raw_type=f"860 purpose {bch[1]}",
        )
    ]


def acknowledgement(doc: Document) -> list[CanonicalEvent]:
    """855: the seller's answer, for the order and for each line."""
    bak = doc.first("BAK")
    order = doc.need_order(bak[3], "BAK03", *doc.seller(bak[8]))
    at = doc.moment(bak[9] or bak[4], "BAK09" if bak[9] else "BAK04")
    loops = doc.loops("PO1")
    lines = _lines(doc, loops)
    answer = ANSWERS.get(bak[2], EventType.UNMAPPED)
    attributes = _about(doc, doc.head("PO1")) | _promises(loops)
    events = [
        doc.event(
            answer,
            f"{bak[3]} {answer.value}",
            at=at,
            objects=(order,),
            lines=lines,
            attributes=attributes | {Attribute.STATUS: bak[2]},
            raw_type="" if bak[2] in ANSWERS else f"855 {bak[2]}",
        )
    ]
    told: dict[EventType, list[Line]] = {}
    for line, loop in zip(lines, loops, strict=True):
        for event_type, said in _answers(doc, line, loop):
            told.setdefault(event_type, []).append(said)
    return events + [
        doc.event(
            event_type,
            f"{bak[3]} lines {event_type.value}",
            at=at,
            objects=(order,),
            lines=summed(said_lines),
            attributes={Attribute.REASON: REASONS.get(event_type, "")},
        )
        for event_type, said_lines in told.items()
    ]


def _about(doc: Document, head: Sequence[Segment]) -> dict[Attribute, str]:
    return {
        Attribute.CHANNEL: "edi",
        Attribute.CUSTOMER_NO: doc.customer,
        Attribute.CUSTOMER_NAME: doc.named(head, "BY", "BT", "ST"),
        Attribute.CURRENCY: doc.first("CUR")[2],
        **doc.dated(head, REQUESTED),
    }


def _lines(
    doc: Document,
    loops: Sequence[Sequence[Segment]],
    quantities: Sequence[Mapping[Measure, Decimal]] = (),
) -> list[Line]:
    """PO1 loops; where line numbers are missing or repeated, the place in the document counts."""
    ids = [line_number(loop[0][1]) for loop in loops]
    if "" in ids or len(set(ids)) != len(ids):
        ids = [str(place) for place in range(1, len(ids) + 1)]
    return [
        Line(
            line_id=line_id,
            sku=doc.sku(loop[0], 6),
            description=text_of(loop),
            unit=loop[0][3] or "EA",
            price=doc.money(loop[0][4] or _listed(loop), f"PO1 {line_id} price"),
            quantities=quantities[index] if quantities else {},
        )
        for index, (line_id, loop) in enumerate(zip(ids, loops, strict=True))
    ]


def _listed(loop: Sequence[Segment]) -> str:
    """CTP03, the price of senders that leave PO104 empty."""
    return next((s[3] for s in loop if s.tag == "CTP" and s[3]), "")


def _ordered(doc: Document) -> list[Line]:
    loops = doc.loops("PO1", ("CTT", "AMT"))
    quantities = [_quantity(doc, loop) for loop in loops]
    return _lines(doc, loops, [{Measure.ORDERED: q} if q is not None else {} for q in quantities])


def _quantity(doc: Document, loop: Sequence[Segment]) -> Decimal | None:
    """PO102, the total of all stores; where it is empty, the sum of what SDQ gives each store."""
    total = doc.quantity(loop[0][2], "PO102")
    shares = [
        share
        for segment in loop
        if segment.tag == "SDQ"
        for at in range(4, len(segment.elements) + 1, 2)
        if (share := doc.quantity(segment[at], "SDQ")) is not None
    ]
    return sum(shares, Decimal(0)) if total is None and shares else total


def _changed(doc: Document) -> list[Line]:
    found: dict[str, Line] = {}
    for loop in doc.loops("POC"):
        poc = loop[0]
        line_id = line_number(poc[1])
        if not line_id:
            raise PayloadError(Reason.MAPPING, doc.path("POC01"), "which line is changed?")
        quantity = Decimal(0) if poc[2] in DELETED else doc.quantity(poc[3], "POC03")
        found[line_id] = Line(
            line_id=line_id,
            sku=doc.sku(poc, 8),
            description=text_of(loop),
            unit=poc[5] or "EA",
            price=doc.money(poc[6], "POC06"),
            quantities={} if quantity is None else {Measure.ORDERED: quantity},
        )
    return list(found.values())


def _promises(loops: Sequence[Sequence[Segment]]) -> dict[Attribute, str]:
    """The last date promised for any line: by then the whole order is to be there."""
    found: dict[Attribute, str] = {}
    for ack in (s for loop in loops for s in loop if s.tag == "ACK"):
        # ACK04 and ACK05; some senders put the pair two elements further back.
        for at in (4, 6):
            written = readable(ack[at + 1])
            if len(ack[at]) == 3 and written:
                name = Attribute.SHIP_BY if ack[at] in SHIPPING else Attribute.PROMISED_AT
                found[name] = max(found.get(name, ""), written)
    return found


def _answers(
    doc: Document, line: Line, loop: Sequence[Segment]
) -> Iterator[tuple[EventType, Line]]:
    """What the ACK segments of one line say beside "accepted"."""
    acks = [s for s in loop if s.tag == "ACK" and s[1] in LINE_ANSWERS]
    agreed = next((s[2] for s in acks if s[1] == "IQ" and s[2]), loop[0][2])
    whole = doc.quantity(agreed, "PO102")
    for ack in acks:
        if ack[1] == "BP" and any(s[1] == "IB" for s in acks):
            continue  # IB says how many exactly
        said = doc.quantity(ack[2], "ACK02")
        other = doc.sku(ack, 7) if ack[1] == "IS" else ""
        if ack[1] == "BP":  # ACK02 is what ships, the balance is backordered
            said = None if whole is None or said is None else max(whole - said, Decimal(0))
        elif said is None:
            said = whole
        measure = MEASURES.get(ack[1])
        told = {} if measure is None or said is None else {measure: said}
        if ack[1] != "IS":
            yield LINE_ANSWERS[ack[1]], replace(line, quantities=told)
        elif other and other != line.sku:
            yield LINE_ANSWERS[ack[1]], replace(line, quantities=told)
            instead = {} if said is None else {Measure.ORDERED: said}
            yield (
                LINE_ANSWERS[ack[1]],
                replace(line, sku=other, description="", price=None, quantities=instead),
            )
