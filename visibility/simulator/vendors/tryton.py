"""The ERP: records of Tryton 8.0 as its JSON-RPC sends them, each as of one moment.

Fields of related records are in `<name>.`. The distributor has the modules sale_amendment and
stock_package_shipping, and one of its own that adds `sales_channel`, `requested_delivery_date`,
`promised_delivery_date` and `credit_hold` to sales.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from visibility.simulator import document_numbers
from visibility.simulator.master_data import CURRENCY
from visibility.simulator.simulated_order import (
    SimulatedOrder,
    SimulatedStep,
    StepKind,
    to_datetime,
)
from visibility.simulator.vendors.business_central import (
    CHANNELS,
    posted_shipments,
    ship_date_day_after_order,
)

SALES, SALE_LINES, LOG = "sale.sale", "sale.line", "ir.model.log"
SHIPMENTS, RETURNS = "stock.shipment.out", "stock.shipment.out.return"
INVOICES, INVOICE_LINES = "account.invoice", "account.invoice.line"
OWN_FIELDS = (
    *("sales_channel", "requested_delivery_date"),
    *("promised_delivery_date", "credit_hold"),
)
FIELDS: Mapping[str, tuple[str, ...]] = {
    SALES: (
        *("number", "reference", "state", "shipment_state", "sale_date", "origin"),
        *("shipping_date", "total_amount", "currency", "party", "warehouse", "lines"),
        *OWN_FIELDS,
    ),
    SHIPMENTS: (
        *("number", "reference", "state", "effective_date", "planned_date", "warehouse"),
        *("shipping_reference", "carrier", "packages", "outgoing_moves"),
    ),
    RETURNS: ("number", "reference", "state", "effective_date", "incoming_moves"),
    INVOICES: (
        *("number", "reference", "state", "type", "invoice_date", "reconciled"),
        *("total_amount", "currency", "party", "lines"),
    ),
}
# A record has no time of change until its first one, so new ones are read separately.
NEW, CHANGED = "new", "changed"
STREAMS = tuple(
    f"{model} {kind}" for model in (SALES, SHIPMENTS, RETURNS, INVOICES) for kind in (NEW, CHANGED)
)
EACH = {"id": 1, "symbol": "u"}


def stream_of_row(kind: StepKind, *, is_first: bool) -> str:
    """The stream in which a row appears; `is_first`: it creates the record."""
    model = {StepKind.ERP_SHIPMENT: SHIPMENTS, StepKind.ERP_INVOICE: INVOICES}.get(kind, SALES)
    return f"{model} {NEW if is_first else CHANGED}"


def build_record(order: SimulatedOrder, step: SimulatedStep, *, since: float) -> dict[str, Any]:
    """The record as of the step. `since`: when it was migrated from another ERP, 0 for never."""
    if step.kind is StepKind.ERP_SHIPMENT:
        return _shipment_record(order, step, max(order.released_at, since))
    if step.kind is StepKind.ERP_INVOICE:
        return _invoice_record(order, step)
    return _sale_record(order, step, max(_at(order, StepKind.ERP_DRAFT), since))


def build_sale_lines(order: SimulatedOrder) -> Iterator[dict[str, Any]]:
    """The lines of a sale, each with the number of the sale."""
    for line in order.lines:
        number = document_numbers.sales_order_number(order.n)
        sale = {"id": sale_id(order.n), "number": number, "origin": None}
        yield {"id": line_id(order.n, line.number), "sale": sale_id(order.n), "sale.": sale}


def build_log(model: str, order: SimulatedOrder, index: int, *, since: float) -> Iterator[Any]:
    """The log of the states that a record reached. `index`: of the shipment or invoice."""
    if model == SALES:
        identity = sale_id(order.n)
        states = [
            ("quotation", _at(order, StepKind.ERP_DRAFT)),
            ("confirmed", _at(order, StepKind.ERP_DRAFT)),
            ("processing", _at(order, StepKind.ERP_OPEN)),
        ]
    elif model == SHIPMENTS:
        identity, at = document_id(order.n, index), _at(order, StepKind.ERP_SHIPMENT, index)
        # The warehouse reports only what left, so all steps are taken at once.
        states = [(state, at) for state in ("assigned", "picked", "packed", "shipped", "done")]
    else:
        identity, at = document_id(order.n, index), _at(order, StepKind.ERP_INVOICE, index)
        states = [("validated", at), ("posted", at)]
    for number, (state, at) in enumerate(states):
        if at:
            yield {
                "id": identity * 10 + number,
                "create_date": json_time(max(at, since)),
                "target": f"state:{state}",
                "resource": f"{model},{identity}",
            }


def sale_id(n: int) -> int:
    """The database ID of the sale of order `n`."""
    return n + 1


def line_id(n: int, number: int) -> int:
    """The database ID of a line."""
    return sale_id(n) * 100 + number


def document_id(n: int, index: int) -> int:
    """The database ID of a shipment or an invoice."""
    return sale_id(n) * 10 + index


def json_time(at: float) -> dict[str, Any]:
    """A time in UTC, in milliseconds."""
    thousandths = round(at * 1000)
    time = to_datetime(thousandths // 1000)
    names = ("year", "month", "day", "hour", "minute", "second")
    numbers = {name: getattr(time, name) for name in names}
    return {"__class__": "datetime", **numbers, "microsecond": thousandths % 1000 * 1000}


def json_date(day: date) -> dict[str, Any]:
    """A date."""
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


def _json_cents(cents: int) -> dict[str, str]:
    return {"__class__": "Decimal", "decimal": f"{cents // 100}.{cents % 100:02}"}


def _json_day(at: float) -> dict[str, Any]:
    return json_date(to_datetime(at).date())


def _at(order: SimulatedOrder, kind: StepKind, shipment: int = 0) -> float:
    """When the step was taken; 0 if it never is."""
    times = (s.at for s in order.steps if s.kind is kind and s.shipment == shipment)
    return next(times, 0.0)


def _changes(step: SimulatedStep, created: float) -> dict[str, Any]:
    """When the record was created and changed; a new record was never changed."""
    is_new = abs(step.at - created) < 0.0005
    return {
        "create_date": json_time(created),
        "write_date": None if is_new else json_time(step.at),
    }


def _party(order: SimulatedOrder) -> dict[str, Any]:
    customer = order.customer
    return {"id": int(customer.number[1:]), "code": customer.number, "rec_name": customer.name}


def _sale_record(order: SimulatedOrder, step: SimulatedStep, created: float) -> dict[str, Any]:
    shipped = posted_shipments(order, step, StepKind.ERP_SHIPPED)
    dropped = dict([order.dropped]) if shipped and order.dropped else {}
    promised = (shipped and order.repromised) or order.promised
    is_open = step.kind in {StepKind.ERP_DRAFT, StepKind.ERP_REVIEW}
    quantities = [line.quantity - dropped.get(i, 0) for i, line in enumerate(order.lines)]
    total = sum(q * order.erp_unit_price_cents(i) for i, q in enumerate(quantities))
    return {
        "id": sale_id(order.n),
        **_changes(step, created),
        "number": document_numbers.sales_order_number(order.n),
        "reference": order.po or document_numbers.web_order_number(order.n),
        "state": "confirmed" if is_open else "processing",
        "shipment_state": "partially shipped" if shipped else "none" if is_open else "waiting",
        "sale_date": _json_day(_at(order, StepKind.ERP_DRAFT)),
        "origin": None,
        "shipping_date": json_date(date.fromisoformat(ship_date_day_after_order(order))),
        "total_amount": _json_cents(total),
        "currency.": {"id": 1, "code": CURRENCY},
        "party.": _party(order),
        "warehouse.": {"id": 5, "code": order.warehouse},
        "lines.": [
            _sale_line(order, step, index, quantity) for index, quantity in enumerate(quantities)
        ],
        "sales_channel": CHANNELS[order.channel],
        "requested_delivery_date": json_date(order.requested),
        "promised_delivery_date": json_date(promised),
        "credit_hold": step.kind is StepKind.ERP_REVIEW,
    }


def _sale_line(
    order: SimulatedOrder, step: SimulatedStep, index: int, quantity: int
) -> dict[str, Any]:
    line = order.lines[index]
    identity = line_id(order.n, line.number)
    left = posted_shipments(order, step, StepKind.ERP_SHIPPED)
    invoiced = posted_shipments(order, step, StepKind.ERP_INVOICED)
    moves = [(s.index, s.quantities[index], "done") for s in left if s.quantities[index]]
    if remainder := quantity - sum(moved for _, moved, _ in moves):
        moves.append((len(order.shipments), remainder, "draft"))
    return {
        "id": identity,
        "type": "line",
        "quantity": float(quantity),
        "unit.": EACH,
        "unit_price": _json_cents(order.erp_unit_price_cents(index)),
        "description": line.item.title,
        "product.": {"id": identity % 100, "code": line.item.sku, "type": "goods"},
        "moves.": [
            {"id": identity * 10 + number, "quantity": float(moved), "state": state}
            for number, moved, state in moves
        ],
        "invoice_lines.": [
            {
                "id": identity * 10 + s.index,
                "quantity": float(s.quantities[index]),
                "invoice.": {"id": document_id(order.n, s.index), "state": "posted"},
            }
            for s in invoiced
            if s.quantities[index]
        ],
    }


def _document_lines(order: SimulatedOrder, shipment: int) -> Iterator[dict[str, Any]]:
    """What the lines of shipments and invoices have in common."""
    for index, quantity in enumerate(order.shipments[shipment].quantities):
        line = order.lines[index]
        if quantity:
            yield {
                "id": line_id(order.n, line.number) * 10 + shipment,
                "quantity": float(quantity),
                "unit.": EACH,
                "product.": {"id": line.number, "code": line.item.sku},
                "origin": f"{SALE_LINES},{line_id(order.n, line.number)}",
            }


def _shipment_record(order: SimulatedOrder, step: SimulatedStep, created: float) -> dict[str, Any]:
    shipment = order.shipments[step.shipment]
    identity = document_id(order.n, step.shipment)
    moves = [{**line, "state": "done"} for line in _document_lines(order, step.shipment)]
    count = len(shipment.packages)
    return {
        "id": identity,
        **_changes(step, created),
        "number": f"CS{identity}",
        "reference": order.po or document_numbers.web_order_number(order.n),
        "state": "done",
        "effective_date": _json_day(step.at),
        "planned_date": json_date(date.fromisoformat(ship_date_day_after_order(order))),
        "warehouse.": {"id": 5, "code": order.warehouse},
        "shipping_reference": shipment.packages[0].tracking,
        "carrier.": {
            "id": 1,
            "party.": {"id": 2, "rec_name": order.carrier.name},
            "rec_name": f"{order.carrier.name} - [FREIGHT] Freight",
        },
        "packages.": [
            {
                "id": identity * 10 + index,
                "number": package.sscc,
                "shipping_reference": package.tracking,
                "moves": [move["id"] for move in moves[index::count]],
            }
            for index, package in enumerate(shipment.packages)
        ],
        "outgoing_moves.": moves,
    }


def _invoice_record(order: SimulatedOrder, step: SimulatedStep) -> dict[str, Any]:
    lines = [
        {
            **line,
            "type": "line",
            "unit_price": _json_cents(order.erp_unit_price_cents(line["product."]["id"] - 1)),
        }
        for line in _document_lines(order, step.shipment)
    ]
    amount = order.shipment_invoice_cents(order.shipments[step.shipment])
    return {
        "id": document_id(order.n, step.shipment),
        **_changes(step, step.at - 60),
        "number": document_numbers.invoice_number(order.n, step.shipment),
        "reference": order.po or document_numbers.web_order_number(order.n),
        "state": "posted",
        "type": "out",
        "invoice_date": _json_day(step.at),
        "reconciled": None,
        "total_amount": _json_cents(amount),
        "currency.": {"id": 1, "code": CURRENCY},
        "party.": _party(order),
        "lines.": lines,
    }
