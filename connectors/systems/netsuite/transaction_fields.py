"""Values of transactions of NetSuite: status letters, times, references, quantities of lines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connectors.sdk.event_codec import format_decimal, format_rfc3339
from connectors.sdk.events import (
    Attribute,
    EventIdentifier,
    EventLine,
    Flag,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node
from connectors.sdk.timestamps import ParsedTime, parse_timestamp

# Lines that are neither goods nor services.
NO_ITEMS = frozenset(
    {
        *("ShipItem", "TaxItem", "TaxGroup", "Discount", "Markup", "Subtotal", "Description"),
        *("Group", "EndGroup", "Payment"),
    }
)
GOODS = frozenset({"InvtPart", "Assembly", "Kit", "NonInvtPart", ""})
ORDER, INVOICE, RETURN, SHIPMENT = "SalesOrd", "CustInvc", "RtnAuth", "ItemShip"


def status_letter(transaction: Node) -> str:
    """Return the letter of the status: `B`, which some queries return as `SalesOrd:B`."""
    return transaction.text_at("status").rpartition(":")[2].strip()


def time_at(transaction: Node, key: str, zone: str) -> ParsedTime | None:
    """Return a time of the clock of the account; None for none."""
    return parse_timestamp(transaction.text_at(key), transaction.get(key).path, zone)


def date_or_creation(transaction: Node, zone: str) -> ParsedTime | None:
    """Return when the transaction was entered if that is on its date, otherwise its date."""
    day, created = transaction.text_at("trandate"), transaction.text_at("createddate")
    if day and created[:10] != day:
        return time_at(transaction, "trandate", zone)
    return time_at(transaction, "createddate", zone)


def revision_of(transaction: Node, zone: str) -> str:
    """Return when the transaction was changed as sortable text."""
    changed = time_at(transaction, "lastmodifieddate", zone)
    return format_rfc3339(changed.time) if changed else ""


def attributes_of(transaction: Node) -> dict[Attribute, str]:
    """Return the attributes that all transactions have. Totals of credits may be negative."""
    total = transaction.decimal_at("foreigntotal")
    locations = {line.text_at("location") for line in transaction.list_at("lines")}
    return {
        Attribute.STATUS: status_letter(transaction),
        Attribute.CUSTOMER_NO: transaction.text_at("entity"),
        Attribute.CUSTOMER_NAME: transaction.text_at("entityname"),
        Attribute.CURRENCY: transaction.text_at("currency"),
        Attribute.TOTAL: "" if total is None else format_decimal(abs(total)),
        Attribute.SHIP_BY: transaction.text_at("shipdate"),
        Attribute.WAREHOUSE: locations.pop() if len(locations) == 1 else "",
    }


def flags_of(time: ParsedTime | None) -> tuple[Flag, ...]:
    """Return the flag of an event without a time."""
    return () if time else (Flag.TIME_RECEIVED,)


def reference(
    kind: ObjectKind, scheme: IdentifierScheme, number: str, internal_id: str, source: str
) -> ObjectReference:
    """Return a reference by the number that people see and the internal id."""
    ids = [EventIdentifier(scheme, number, source)] if number else []
    ids.append(EventIdentifier(IdentifierScheme.SOURCE_ID, internal_id, source))
    return ObjectReference(kind, tuple(ids))


def own_reference(
    transaction: Node, kind: ObjectKind, scheme: IdentifierScheme, source: str
) -> ObjectReference:
    """Return a reference to the transaction itself."""
    number, internal_id = transaction.text_at("tranid"), transaction.required_text("id")
    return reference(kind, scheme, number, internal_id, source)


PREVIOUS = {
    INVOICE: (ObjectKind.INVOICE, IdentifierScheme.INVOICE),
    RETURN: (ObjectKind.RETURN, IdentifierScheme.RMA),
    SHIPMENT: (ObjectKind.SHIPMENT, IdentifierScheme.SHIPMENT),
}


@dataclass(frozen=True, slots=True)
class _LinkedLine:
    node: Node
    order_index: int
    line_id: str


class NetSuiteLinkedLines:
    """Lines of a transaction, with the orders and other transactions that they continue.

    A line is that of the order if it continues one. Otherwise its item identifies it: the order is
    known by the invoice or the return.
    """

    def __init__(self, nodes: Sequence[Node], source: str) -> None:
        self.orders: list[ObjectReference] = []
        self.others: list[ObjectReference] = []
        self._lines: dict[str, _LinkedLine] = {}
        for node in nodes:
            self._add(node, source)

    def _add(self, node: Node, source: str) -> None:
        kind = node.text_at("previoustype")
        number, internal_id = node.text_at("previoustranid"), node.required_text("previousdoc")
        line, item = node.required_text("line"), node.text_at("itemid")
        if node.text_at("itemtype") in NO_ITEMS:
            return
        if kind == ORDER:
            ref = reference(
                ObjectKind.ORDER, IdentifierScheme.SALES_ORDER, number, internal_id, source
            )
            index = _index_of(self.orders, ref)
            self._lines[line] = _LinkedLine(node, index, node.required_text("previousline"))
        elif kind in PREVIOUS:
            _index_of(self.others, reference(*PREVIOUS[kind], number, internal_id, source))
            self._lines.setdefault(line, _LinkedLine(node, -1, f"item {item}"))

    def quantities(self, measure: Measure, field: str = "quantity") -> list[EventLine]:
        """Return the lines with the sums of a quantity, whose sign NetSuite derives from stock."""
        lines: dict[tuple[int, str], EventLine] = {}
        for known in self._lines.values():
            key, node = (known.order_index, known.line_id), known.node
            quantity = abs(node.decimal_at(field) or Decimal())
            before = lines[key].quantities[measure] if key in lines else Decimal()
            lines[key] = EventLine(
                line_id=known.line_id,
                sku=node.text_at("itemid"),
                price=node.decimal_at("rate"),
                quantities={measure: before + quantity},
                order_index=known.order_index if len(self.orders) > 1 else -1,
                is_goods=node.text_at("itemtype") in GOODS,
            )
        return list(lines.values())


def order_lines(order: Node) -> Iterator[tuple[EventLine, Decimal]]:
    """Yield the lines of an order, each with the quantity that is closed and never shipped."""
    is_closed_order = status_letter(order) == "H"
    for node in order.list_at("lines"):
        if node.text_at("itemtype") in NO_ITEMS:
            continue
        ordered = abs(node.decimal_at("quantity") or Decimal())
        shipped = abs(node.decimal_at("quantityshiprecv") or Decimal())
        is_closed = is_closed_order or node.text_at("isclosed") == "T"
        line = EventLine(
            line_id=node.required_text("line"),
            sku=node.text_at("itemid"),
            description=node.text_at("memo"),
            price=node.decimal_at("rate"),
            quantities={Measure.ORDERED: ordered},
            is_goods=node.text_at("itemtype") in GOODS,
        )
        yield line, max(ordered - shipped, Decimal()) if is_closed else Decimal()


def _index_of(references: list[ObjectReference], ref: ObjectReference) -> int:
    """Return the index of a reference, which is added if it is new."""
    if ref not in references:
        references.append(ref)
    return references.index(ref)
