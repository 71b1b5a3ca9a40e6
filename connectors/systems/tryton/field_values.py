"""Values of Tryton documents: times, dates, references and lines, as the poll stores them."""

from collections.abc import Sequence
from decimal import Decimal

from connectors.sdk.event_codec import format_decimal, format_rfc3339
from connectors.sdk.events import (
    EventIdentifier,
    EventLine,
    Flag,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node
from connectors.sdk.timestamps import ParsedTime, local_to_utc, parse_timestamp
from connectors.sdk.timestamps import parse_date_as_midnight as midnight

UNITS = {"u": "EA", "Unit": "EA"}


def related(node: Node, name: str) -> Node:
    """Return the record that a field refers to: its fields are in `<name>.`."""
    return node.get(f"{name}.")


def related_text(node: Node, name: str, field: str) -> str:
    """Return the text of a field of the record that a field refers to; "" for none."""
    inner = related(node, name)
    return inner.text_at(field) if isinstance(inner.value, dict) else ""


def changed_time(document: Node) -> ParsedTime | None:
    """Return when a document changed: UTC without an offset, empty until the first change."""
    name = "write_date" if document.has_value("write_date") else "create_date"
    return parse_timestamp(document.text_at(name), document.get(name).path, "UTC")


def state_time(document: Node, *states: str) -> ParsedTime | None:
    """Return when a document first reached one of these states, by its log; None if unknown."""
    log = document.get("_states")
    if not isinstance(log.value, dict):
        return None
    times = [
        moment
        for state in states
        if (moment := parse_timestamp(log.text_at(state), log.get(state).path, "UTC"))
    ]
    return min(times, key=lambda moment: moment.time, default=None)


def revision_of(document: Node) -> str:
    """Return the time of change as sortable text."""
    moment = changed_time(document)
    return format_rfc3339(moment.time) if moment else ""


def time_of_day_or_date(
    document: Node,
    date_field: str,
    zone: str,
    *,
    reached: ParsedTime | None,
    reported: ParsedTime | None,
) -> ParsedTime | None:
    """Return the time if it is on that date in the zone, otherwise the date.

    `reached`: when the document reached the state, by its log. `reported`: the time to use
    if the log does not tell that one.
    """
    day, precise = document.text_at(date_field), reached or reported
    if not day:
        return reached
    if precise is None or not _is_on_date(precise, day, zone, document):
        return midnight(day, document.get(date_field).path, zone)
    flags = () if reached else (Flag.TIME_OF_REPORT,)
    return ParsedTime(precise.time, (*precise.flags, *flags))


def _is_on_date(moment: ParsedTime, day: str, zone: str, document: Node) -> bool:
    start = midnight(day, document.path, zone).time
    naive = moment.time.replace(tzinfo=None)
    offset = local_to_utc(naive, zone, document.path).time - moment.time
    return (naive - offset).date().isoformat() == day and moment.time >= start


def amount_at(node: Node, key: str) -> str:
    """Return an amount as text; "" for none."""
    amount = node.decimal_at(key)
    return "" if amount is None else format_decimal(amount)


def unit_of(line: Node) -> str:
    """Return the symbol of the unit of a line."""
    symbol = related_text(line, "unit", "symbol") or "EA"
    return UNITS.get(symbol, symbol)


def sale_reference(sale: Node, issuer: str) -> ObjectReference:
    """Return a reference to a sale by its number and its id."""
    ids = [
        EventIdentifier(scheme, text, issuer)
        for scheme, text in (
            (IdentifierScheme.SALES_ORDER, sale.text_at("number")),
            (IdentifierScheme.SOURCE_ID, sale.text_at("id")),
        )
        if text
    ]
    return ObjectReference(ObjectKind.ORDER, tuple(ids))


def return_reference(sale: Node, issuer: str) -> ObjectReference:
    """Return a reference to a return, which Tryton writes as a sale with negative quantities."""
    number = sale.text_at("number") or sale.required_text("id")
    return ObjectReference(
        ObjectKind.RETURN, (EventIdentifier(IdentifierScheme.RMA, number, issuer),)
    )


class TrytonLinkedLines:
    """Lines of a shipment or an invoice, and the sales and returns that they are about.

    A line of a return is identified by its item, because it has other ids than the returned line.
    """

    def __init__(self, nodes: Sequence[Node], issuer: str) -> None:
        self.orders: list[ObjectReference] = []
        self.returns: list[ObjectReference] = []
        self.credited_invoices: list[ObjectReference] = []
        self._issuer = issuer
        self._links: list[tuple[Node, int, str]] = []
        for node in nodes:
            self._add(node)

    def _add(self, node: Node) -> None:
        invoice = node.get("credited_invoice")
        if isinstance(invoice.value, dict):
            ids = (
                EventIdentifier(IdentifierScheme.INVOICE, invoice.text_at("number"), self._issuer),
            )
            _index_of(self.credited_invoices, ObjectReference(ObjectKind.INVOICE, ids))
        sale_line = node.get("sale_line")
        if not isinstance(sale_line.value, dict):
            return
        sale = related(sale_line, "sale")
        returned, line_id = sale.get("returned_sale"), sale_line.required_text("id")
        if isinstance(returned.value, dict):
            _index_of(self.returns, return_reference(sale, self._issuer))
            sale, line_id = returned, f"item {related_text(node, 'product', 'code')}"
        index = _index_of(self.orders, sale_reference(sale, self._issuer))
        self._links.append((node, index, line_id))

    def quantities(self, measure: Measure, *, negative: bool = False) -> list[EventLine]:
        """Return the lines with the sum of their quantities; `negative`: those below zero."""
        lines: dict[tuple[str, int], EventLine] = {}
        for node, index, line_id in self._links:
            quantity = node.decimal_at("quantity") or Decimal()
            if node.text_at("state") == "cancelled" or (quantity < 0) != negative:
                continue
            known = lines.get((line_id, index))
            total = abs(quantity) + (known.quantities[measure] if known else 0)
            lines[line_id, index] = EventLine(
                line_id=line_id,
                sku=related_text(node, "product", "code"),
                unit=unit_of(node),
                price=node.decimal_at("unit_price"),
                quantities={measure: total},
                order_index=index if len(self.orders) > 1 else -1,
            )
        return list(lines.values())


def _index_of(references: list[ObjectReference], reference: ObjectReference) -> int:
    """Return the index of a reference, which is added if it is new."""
    if reference not in references:
        references.append(reference)
    return references.index(reference)
