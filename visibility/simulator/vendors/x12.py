"""EDI with customers and the 3PL: X12 4010, one transaction set per interchange."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial

from visibility.simulator import document_numbers
from visibility.simulator.master_data import NORTH, OWN_ISA, WAREHOUSE_ISA
from visibility.simulator.simulated_order import (
    STEP_KINDS,
    SimulatedLine,
    SimulatedOrder,
    SimulatedShipment,
    SimulatedStep,
    StepKind,
    format_cents,
    to_datetime,
)
from visibility.simulator.vendors.message import SimulatedMessage, hmac_sha256

HEADERS = {"content-type": "application/edi-x12"}
Segments = list[str]


def build_message(order: SimulatedOrder, step: SimulatedStep) -> SimulatedMessage:
    """The X12 interchange of one step."""
    writers: Mapping[
        StepKind, tuple[str, str, bool, Callable[[SimulatedOrder, SimulatedStep], Segments]]
    ] = {
        StepKind.EDI_ORDER: ("850", "PO", False, _purchase_order_segments),
        StepKind.EDI_CANCEL: ("860", "PC", False, _order_cancellation_segments),
        StepKind.EDI_ACKNOWLEDGMENT: ("855", "PR", True, _order_acknowledgment_segments),
        StepKind.EDI_NOTICE: ("856", "SH", True, _ship_notice_segments),
        StepKind.EDI_INVOICE: ("810", "IN", True, _invoice_segments),
        StepKind.NORTH_ORDER: ("940", "OW", True, partial(_shipping_order_segments, status="N")),
        StepKind.NORTH_CANCEL: ("940", "OW", True, partial(_shipping_order_segments, status="F")),
        StepKind.NORTH_SHIPPED: ("945", "SW", False, _shipping_advice_segments),
    }
    code, group, is_outbound, body = writers[step.kind]
    partner = WAREHOUSE_ISA if step.kind.source == "3pl" else order.customer.isa
    pair = (OWN_ISA, partner) if is_outbound else (partner, OWN_ISA)
    control = order.n * 100 + STEP_KINDS.index(step.kind) * 2 + step.shipment
    text = _wrap_in_interchange((code, group), pair, control, step.at, body(order, step))
    return SimulatedMessage(step.kind.source, text, HEADERS, f"{pair[0]}/{pair[1]}/{control:09d}")


def build_functional_acknowledgment(step: SimulatedStep, index: int) -> SimulatedMessage:
    """A 997 (functional acknowledgment) from the 3PL."""
    control = 900_000_000 + index
    body = [f"AK1*OW*{control}", "AK9*A*1*1*1"]
    pair = (WAREHOUSE_ISA, OWN_ISA)
    text = _wrap_in_interchange(("997", "FA"), pair, control, step.at, body)
    return SimulatedMessage("3pl", text, HEADERS, f"{pair[0]}/{pair[1]}/{control:09d}")


def build_signature_headers(
    message: SimulatedMessage, secret: str, _now: float
) -> Mapping[str, str]:
    """The EDI gateway's signature: `sha256=` and the hexadecimal HMAC-SHA256 of the body."""
    signature = hmac_sha256(secret.encode(), message.body).hex()
    return {"x-throughline-signature": f"sha256={signature}"}


def _wrap_in_interchange(
    kinds: tuple[str, str], pair: tuple[str, str], control: int, at: float, body: Sequence[str]
) -> bytes:
    created, (sender, receiver) = to_datetime(at), pair
    header = (
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{sender:15}*ZZ*{receiver:15}"
        f"*{created:%y%m%d}*{created:%H%M}*U*00401*{control:09d}*0*P*>"
    )
    group = (
        f"GS*{kinds[1]}*{sender}*{receiver}*{created:%Y%m%d}*{created:%H%M%S}*{control}*X*004010"
    )
    segments = [header, group, f"ST*{kinds[0]}*0001", *body]
    segments += [f"SE*{len(body) + 2}*0001", f"GE*1*{control}", f"IEA*1*{control:09d}"]
    return ("~\n".join(segments) + "~\n").encode()


def _date_as_yyyymmdd(day: date) -> str:
    return f"{day:%Y%m%d}"


def _format_utc_date(at: float) -> str:
    return to_datetime(at).strftime("%Y%m%d")


def _replace_delimiters_with_blanks(text: str) -> str:
    """Replace the delimiters of the interchange by blanks."""
    return text.replace("*", " ").replace("~", " ").replace(">", " ")


def _ship_to_segments(order: SimulatedOrder) -> Segments:
    customer = order.customer
    return [
        f"N1*ST*{_replace_delimiters_with_blanks(customer.name)}*92*{customer.number}",
        f"N4*{customer.city}*{customer.state}*{customer.postcode}*US",
    ]


def _shipped_lines(
    order: SimulatedOrder, shipment: SimulatedShipment
) -> list[tuple[SimulatedLine, int]]:
    pairs = zip(order.lines, shipment.quantities, strict=True)
    return [(line, quantity) for line, quantity in pairs if quantity]


def _purchase_order_segments(order: SimulatedOrder, _step: SimulatedStep) -> Segments:
    """850: purchase order."""
    customer = order.customer
    body = [
        f"BEG*00*SA*{order.po}**{_format_utc_date(order.created_at)}",
        "CUR*BY*USD",
        f"DTM*002*{_date_as_yyyymmdd(order.requested)}",
        f"N1*BY*{_replace_delimiters_with_blanks(customer.name)}*92*{customer.number}",
        *_ship_to_segments(order),
    ]
    for line in order.lines:
        price = format_cents(line.item.price)
        body.append(f"PO1*{line.number}*{line.quantity}*EA*{price}**VN*{line.item.sku}")
        body.append(f"PID*F****{_replace_delimiters_with_blanks(line.item.title)}")
    return [*body, f"CTT*{len(order.lines)}"]


def _order_cancellation_segments(order: SimulatedOrder, step: SimulatedStep) -> Segments:
    """860: purchase order change with purpose 01 (cancellation)."""
    ordered = _format_utc_date(order.created_at)
    return [f"BCH*01*SA*{order.po}**1*{ordered}*****{_format_utc_date(step.at)}"]


def _order_acknowledgment_segments(order: SimulatedOrder, step: SimulatedStep) -> Segments:
    """855: purchase order acknowledgment with the promise date."""
    number, ordered = (
        document_numbers.sales_order_number(order.n),
        _format_utc_date(order.created_at),
    )
    body = [
        f"BAK*00*AD*{order.po}*{ordered}****{number}*{_format_utc_date(step.at)}",
        "CUR*SE*USD",
        *_ship_to_segments(order),
    ]
    for line in order.lines:
        price = format_cents(line.item.price)
        body.append(f"PO1*{line.number}*{line.quantity}*EA*{price}**VN*{line.item.sku}")
        body.append(f"ACK*IA*{line.quantity}*EA*067*{_date_as_yyyymmdd(order.promised)}")
    return [*body, f"CTT*{len(order.lines)}"]


def _shipment_number(order: SimulatedOrder, step: SimulatedStep) -> str:
    return f"{'N' if order.warehouse == NORTH else 'D'}{700000 + order.n}-{step.shipment + 1}"


def _ship_notice_segments(order: SimulatedOrder, step: SimulatedStep) -> Segments:
    """856: ship notice with shipment, order, package and item levels."""
    shipment = order.shipments[step.shipment]
    created = to_datetime(step.at)
    body = [
        f"BSN*00*{_shipment_number(order, step)}*{created:%Y%m%d}*{created:%H%M%S}*0001",
        "HL*1**S",
        f"TD5*O***M*{order.carrier.name}",
        f"DTM*011*{_format_utc_date(shipment.at)}",
        *_ship_to_segments(order),
        "HL*2*1*O",
        f"PRF*{order.po}***{_format_utc_date(order.created_at)}",
        f"REF*VN*{document_numbers.sales_order_number(order.n)}",
    ]
    level, goods, count = 2, _shipped_lines(order, shipment), len(shipment.packages)
    for index, package in enumerate(shipment.packages):
        level += 1
        pack = level
        body += [f"HL*{pack}*2*P", f"MAN*GM*{package.sscc}**CP*{package.tracking}"]
        for line, quantity in goods[index::count]:
            level += 1
            body += [
                f"HL*{level}*{pack}*I",
                f"LIN*{line.number}*VN*{line.item.sku}",
                f"SN1*{line.number}*{quantity}*EA",
                f"PID*F****{_replace_delimiters_with_blanks(line.item.title)}",
            ]
    return [*body, f"CTT*{level}"]


def _invoice_segments(order: SimulatedOrder, step: SimulatedStep) -> Segments:
    """810: invoice."""
    shipment = order.shipments[step.shipment]
    goods = _shipped_lines(order, shipment)
    invoice, ordered = (
        document_numbers.invoice_number(order.n, step.shipment),
        _format_utc_date(order.created_at),
    )
    body = [
        f"BIG*{_format_utc_date(step.at)}*{invoice}*{ordered}*{order.po}***DI",
        "CUR*SE*USD",
        f"REF*VN*{document_numbers.sales_order_number(order.n)}",
        f"N1*BT*{_replace_delimiters_with_blanks(order.customer.name)}*92*{order.customer.number}",
    ]
    for line, quantity in goods:
        price = format_cents(line.item.price)
        body.append(f"IT1*{line.number}*{quantity}*EA*{price}**VN*{line.item.sku}")
        body.append(f"PID*F****{_replace_delimiters_with_blanks(line.item.title)}")
    return [*body, f"TDS*{order.shipment_invoice_cents(shipment)}", f"CTT*{len(goods)}"]


def _shipping_order_segments(
    order: SimulatedOrder, _step: SimulatedStep, *, status: str
) -> Segments:
    """940: warehouse shipping order; `status` is W0501: N for new, F for cancel."""
    po = order.po or document_numbers.web_order_number(order.n)
    body = [
        f"W05*{status}*{document_numbers.sales_order_number(order.n)}*{po}",
        f"N1*WH*{NORTH}*9*{WAREHOUSE_ISA}",
        *_ship_to_segments(order),
        f"G62*10*{_date_as_yyyymmdd(to_datetime(order.created_at).date() + timedelta(days=1))}",
        f"G62*02*{_date_as_yyyymmdd(order.requested)}",
        f"W66*PP*M***{order.carrier.name}",
    ]
    if status == "F":
        return body
    for line in order.lines:
        body += [
            f"LX*{line.number}",
            f"W01*{line.quantity}*EA**VN*{line.item.sku}",
            f"G69*{_replace_delimiters_with_blanks(line.item.title)}",
            f"N9*LI*{line.erp_line_number}",
        ]
    return [*body, f"W76*{sum(line.quantity for line in order.lines)}"]


def _shipping_advice_segments(order: SimulatedOrder, step: SimulatedStep) -> Segments:
    """945: warehouse shipping advice with packages and shortages."""
    shipment = order.shipments[step.shipment]
    po = order.po or document_numbers.web_order_number(order.n)
    short = any(
        missing for _, _, missing, _ in _lines_shipped_missing_and_w12_status(order, shipment)
    )
    body = [
        f"W06*{'P' if short else 'F'}*{document_numbers.sales_order_number(order.n)}"
        f"*{_format_utc_date(step.at)}"
        f"*{_shipment_number(order, step)}**{po}",
        f"N1*WH*{NORTH}*9*{WAREHOUSE_ISA}",
        *_ship_to_segments(order),
        f"G62*11*{_format_utc_date(step.at)}",
        f"W27*M**{order.carrier.name}",
    ]
    counted = list(_lines_shipped_missing_and_w12_status(order, shipment))
    count = len(shipment.packages)
    for index, package in enumerate(shipment.packages):
        body += [f"LX*{index + 1}", f"MAN*GM*{package.sscc}**CP*{package.tracking}"]
        for line, shipped, missing, status in counted[index::count]:
            body += [
                f"W12*{status}*{shipped + missing}*{shipped}*{missing}*EA**VN*{line.item.sku}",
                f"G69*{_replace_delimiters_with_blanks(line.item.title)}",
                f"N9*LI*{line.erp_line_number}",
            ]
    return [*body, f"W03*{sum(shipment.quantities)}*{6 * len(shipment.packages)}*LB"]


def _lines_shipped_missing_and_w12_status(
    order: SimulatedOrder, shipment: SimulatedShipment
) -> Iterator[tuple[SimulatedLine, int, int, str]]:
    """Yield (line, shipped, missing, W1201).

    W1201 is CC (complete), BK (remainder back-ordered) or CP (partial, nothing more to come).
    """
    for index, line in enumerate(order.lines):
        shipped = shipment.quantities[index]
        if shipment.index:
            if shipped:
                yield line, shipped, 0, "CC"
            continue
        missing = line.quantity - shipped
        yield line, shipped, missing, "CC" if not missing else "CP" if order.dropped else "BK"
