"""EDI with customers and with the 3PL: X12 4010, one set in one interchange."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial

from visibility.simulator import document_numbers
from visibility.simulator.catalog import NORTH, OWN_ISA, WAREHOUSE_ISA
from visibility.simulator.model import (
    KINDS,
    Kind,
    Line,
    Order,
    Shipment,
    Step,
    money,
    when,
)
from visibility.simulator.vendors.message import Message, digest

HEADERS = {"content-type": "application/edi-x12"}
Segments = list[str]


def write(order: Order, step: Step) -> Message:
    """The interchange of one step."""
    writers: Mapping[Kind, tuple[str, str, bool, Callable[[Order, Step], Segments]]] = {
        Kind.EDI_ORDER: ("850", "PO", False, _order),
        Kind.EDI_CANCEL: ("860", "PC", False, _cancel),
        Kind.EDI_ANSWER: ("855", "PR", True, _answer),
        Kind.EDI_NOTICE: ("856", "SH", True, _notice),
        Kind.EDI_INVOICE: ("810", "IN", True, _invoice),
        Kind.NORTH_ORDER: ("940", "OW", True, partial(_release, word="N")),
        Kind.NORTH_CANCEL: ("940", "OW", True, partial(_release, word="F")),
        Kind.NORTH_SHIPPED: ("945", "SW", False, _advice),
    }
    code, group, ours, body = writers[step.kind]
    partner = WAREHOUSE_ISA if step.kind.source == "3pl" else order.customer.isa
    pair = (OWN_ISA, partner) if ours else (partner, OWN_ISA)
    control = order.n * 100 + KINDS.index(step.kind) * 2 + step.shipment
    text = _enveloped((code, group), pair, control, step.at, body(order, step))
    return Message(step.kind.source, text, HEADERS, f"{pair[0]}/{pair[1]}/{control:09d}")


def pulse(step: Step, index: int) -> Message:
    """A 997 of the 3PL for what it got lately."""
    control = 900_000_000 + index
    body = [f"AK1*OW*{control}", "AK9*A*1*1*1"]
    pair = (WAREHOUSE_ISA, OWN_ISA)
    text = _enveloped(("997", "FA"), pair, control, step.at, body)
    return Message("3pl", text, HEADERS, f"{pair[0]}/{pair[1]}/{control:09d}")


def sign(message: Message, secret: str, _now: float) -> Mapping[str, str]:
    """The gateway's signature: `sha256=` and hexadecimal HMAC-SHA256 of the body."""
    made = digest(secret.encode(), message.body).hex()
    return {"x-throughline-signature": f"sha256={made}"}


def _enveloped(
    kinds: tuple[str, str], pair: tuple[str, str], control: int, at: float, body: Sequence[str]
) -> bytes:
    made, (sender, receiver) = when(at), pair
    header = (
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{sender:15}*ZZ*{receiver:15}"
        f"*{made:%y%m%d}*{made:%H%M}*U*00401*{control:09d}*0*P*>"
    )
    group = f"GS*{kinds[1]}*{sender}*{receiver}*{made:%Y%m%d}*{made:%H%M%S}*{control}*X*004010"
    segments = [header, group, f"ST*{kinds[0]}*0001", *body]
    segments += [f"SE*{len(body) + 2}*0001", f"GE*1*{control}", f"IEA*1*{control:09d}"]
    return ("~\n".join(segments) + "~\n").encode()


def _day(day: date) -> str:
    return f"{day:%Y%m%d}"


def _at(at: float) -> str:
    return when(at).strftime("%Y%m%d")


def _clean(text: str) -> str:
    """Text without our delimiters."""
    return text.replace("*", " ").replace("~", " ").replace(">", " ")


def _address(order: Order) -> Segments:
    customer = order.customer
    return [
        f"N1*ST*{_clean(customer.name)}*92*{customer.number}",
        f"N4*{customer.city}*{customer.state}*{customer.postcode}*US",
    ]


def _goods(order: Order, shipment: Shipment) -> list[tuple[Line, int]]:
    pairs = zip(order.lines, shipment.quantities, strict=True)
    return [(line, quantity) for line, quantity in pairs if quantity]


def _order(order: Order, _step: Step) -> Segments:
    """850."""
    customer = order.customer
    body = [
        f"BEG*00*SA*{order.po}**{_at(order.created_at)}",
        "CUR*BY*USD",
        f"DTM*002*{_day(order.requested)}",
        f"N1*BY*{_clean(customer.name)}*92*{customer.number}",
        *_address(order),
    ]
    for line in order.lines:
        price = money(line.item.price)
        body.append(f"PO1*{line.number}*{line.quantity}*EA*{price}**VN*{line.item.sku}")
        body.append(f"PID*F****{_clean(line.item.title)}")
    return [*body, f"CTT*{len(order.lines)}"]


def _cancel(order: Order, step: Step) -> Segments:
    """860 with the purpose 01."""
    ordered = _at(order.created_at)
    return [f"BCH*01*SA*{order.po}**1*{ordered}*****{_at(step.at)}"]


def _answer(order: Order, step: Step) -> Segments:
    """855: accepted, with the day we promise."""
    number, ordered = document_numbers.sales_order(order.n), _at(order.created_at)
    body = [
        f"BAK*00*AD*{order.po}*{ordered}****{number}*{_at(step.at)}",
        "CUR*SE*USD",
        *_address(order),
    ]
    for line in order.lines:
        price = money(line.item.price)
        body.append(f"PO1*{line.number}*{line.quantity}*EA*{price}**VN*{line.item.sku}")
        body.append(f"ACK*IA*{line.quantity}*EA*067*{_day(order.promised)}")
    return [*body, f"CTT*{len(order.lines)}"]


def _number(order: Order, step: Step) -> str:
    return f"{'N' if order.warehouse == NORTH else 'D'}{700000 + order.n}-{step.shipment + 1}"


def _notice(order: Order, step: Step) -> Segments:
    """856: shipment, order, packages, items."""
    shipment = order.shipments[step.shipment]
    made = when(step.at)
    body = [
        f"BSN*00*{_number(order, step)}*{made:%Y%m%d}*{made:%H%M%S}*0001",
        "HL*1**S",
        f"TD5*O***M*{order.carrier.name}",
        f"DTM*011*{_at(shipment.at)}",
        *_address(order),
        "HL*2*1*O",
        f"PRF*{order.po}***{_at(order.created_at)}",
        f"REF*VN*{document_numbers.sales_order(order.n)}",
    ]
    level, goods, count = 2, _goods(order, shipment), len(shipment.packages)
    for place, package in enumerate(shipment.packages):
        level += 1
        pack = level
        body += [f"HL*{pack}*2*P", f"MAN*GM*{package.sscc}**CP*{package.tracking}"]
        for line, quantity in goods[place::count]:
            level += 1
            body += [
                f"HL*{level}*{pack}*I",
                f"LIN*{line.number}*VN*{line.item.sku}",
                f"SN1*{line.number}*{quantity}*EA",
                f"PID*F****{_clean(line.item.title)}",
            ]
    return [*body, f"CTT*{level}"]


def _invoice(order: Order, step: Step) -> Segments:
    """810."""
    shipment = order.shipments[step.shipment]
    goods = _goods(order, shipment)
    invoice, ordered = document_numbers.invoice(order.n, step.shipment), _at(order.created_at)
    body = [
        f"BIG*{_at(step.at)}*{invoice}*{ordered}*{order.po}***DI",
        "CUR*SE*USD",
        f"REF*VN*{document_numbers.sales_order(order.n)}",
        f"N1*BT*{_clean(order.customer.name)}*92*{order.customer.number}",
    ]
    for line, quantity in goods:
        price = money(line.item.price)
        body.append(f"IT1*{line.number}*{quantity}*EA*{price}**VN*{line.item.sku}")
        body.append(f"PID*F****{_clean(line.item.title)}")
    return [*body, f"TDS*{order.billed(shipment)}", f"CTT*{len(goods)}"]


def _release(order: Order, _step: Step, *, word: str) -> Segments:
    """940: ship (N), or do not (F)."""
    po = order.po or document_numbers.web_order(order.n)
    body = [
        f"W05*{word}*{document_numbers.sales_order(order.n)}*{po}",
        f"N1*WH*{NORTH}*9*{WAREHOUSE_ISA}",
        *_address(order),
        f"G62*10*{_day(when(order.created_at).date() + timedelta(days=1))}",
        f"G62*02*{_day(order.requested)}",
        f"W66*PP*M***{order.carrier.name}",
    ]
    if word == "F":
        return body
    for line in order.lines:
        body += [
            f"LX*{line.number}",
            f"W01*{line.quantity}*EA**VN*{line.item.sku}",
            f"G69*{_clean(line.item.title)}",
            f"N9*LI*{line.sequence}",
        ]
    return [*body, f"W76*{sum(line.quantity for line in order.lines)}"]


def _advice(order: Order, step: Step) -> Segments:
    """945: what left, in which parcels, and what fell short."""
    shipment = order.shipments[step.shipment]
    po = order.po or document_numbers.web_order(order.n)
    short = any(missing for _, _, missing, _ in _counted(order, shipment))
    body = [
        f"W06*{'P' if short else 'F'}*{document_numbers.sales_order(order.n)}*{_at(step.at)}"
        f"*{_number(order, step)}**{po}",
        f"N1*WH*{NORTH}*9*{WAREHOUSE_ISA}",
        *_address(order),
        f"G62*11*{_at(step.at)}",
        f"W27*M**{order.carrier.name}",
    ]
    counted = list(_counted(order, shipment))
    count = len(shipment.packages)
    for place, package in enumerate(shipment.packages):
        body += [f"LX*{place + 1}", f"MAN*GM*{package.sscc}**CP*{package.tracking}"]
        for line, shipped, missing, word in counted[place::count]:
            body += [
                f"W12*{word}*{shipped + missing}*{shipped}*{missing}*EA**VN*{line.item.sku}",
                f"G69*{_clean(line.item.title)}",
                f"N9*LI*{line.sequence}",
            ]
    return [*body, f"W03*{sum(shipment.quantities)}*{6 * len(shipment.packages)}*LB"]


def _counted(order: Order, shipment: Shipment) -> Iterator[tuple[Line, int, int, str]]:
    """Line, shipped, missing, and W1201: complete, on back order, or not to come."""
    for place, line in enumerate(order.lines):
        shipped = shipment.quantities[place]
        if shipment.index:
            if shipped:
                yield line, shipped, 0, "CC"
            continue
        missing = line.quantity - shipped
        yield line, shipped, missing, "CC" if not missing else "CP" if order.dropped else "BK"
