"""Events of `account.move`: invoices to customers, their payments, and refunds."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from connectors.sdk.event_builder import build_event
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    Flag,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.systems.odoo.field_values import (
    amount_at,
    order_index_of,
    order_references,
    related_id,
    related_name,
    revision_of,
    source_id_reference,
    text_or_blank,
    time_at,
    unit_of,
)

# A payment that the bank has not confirmed yet is `in_payment`.
KNOWN_PAYMENT_STATES = frozenset(
    {"", "not_paid", "in_payment", "paid", "partial", "reversed", "blocked", "invoicing_legacy"}
)


class OdooInvoiceReader:
    """Reader of invoices and refunds. `zone`: where dates without a time begin and end."""

    def __init__(self, source: str, zone: str) -> None:
        self.source, self.zone = source, zone

    def read(self, invoice: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the events of an invoice, or none and the reason."""
        kind = text_or_blank(invoice, "move_type")
        if kind not in {"out_invoice", "out_refund"}:
            return [], "not an invoice to a customer"
        state, lines = text_or_blank(invoice, "state"), invoice.list_at("lines")
        was_posted = invoice.get("posted_before").value is True
        if state == "draft" and not was_posted:
            return [], "a draft is not an invoice yet"
        origin = "" if lines else text_or_blank(invoice, "invoice_origin")
        none = Node(None, "", [False])
        orders = order_references(lines, origin, none, self.source)
        if not orders:
            return [], "an invoice without a sales order"
        return list(self._events(invoice, kind, state, orders)), ""

    def _events(
        self, invoice: Node, kind: str, state: str, orders: tuple[ObjectReference, ...]
    ) -> Iterator[CanonicalEvent]:
        is_refund = kind == "out_refund"
        issued = EventType.CREDIT_ISSUED if is_refund else EventType.INVOICE_ISSUED
        fact, payment = "state", text_or_blank(invoice, "payment_state")
        day = text_or_blank(invoice, "invoice_date")
        issued_at = parse_timestamp(day, invoice.get("invoice_date").path, self.zone)
        if state == "posted":
            measure = Measure.CREDITED if is_refund else Measure.INVOICED
            lines = _lines(invoice.list_at("lines"), orders, measure)
            yield self._event(invoice, issued, fact, orders, lines=lines, at=issued_at)
            if payment == "paid" and not is_refund:
                yield self._event(invoice, EventType.INVOICE_PAID, "paid", orders)
        elif state in {"cancel", "draft"} and not is_refund:
            yield self._event(invoice, EventType.INVOICE_VOID, fact, orders)
        else:
            yield self._event(invoice, EventType.UNMAPPED, fact, orders, raw=f"{kind} {state}")
        if payment not in KNOWN_PAYMENT_STATES:
            yield self._event(
                invoice, EventType.UNMAPPED, f"payment {payment}", orders, raw=payment
            )

    def _event(
        self,
        invoice: Node,
        kind: EventType,
        fact: str,
        orders: tuple[ObjectReference, ...],
        *,
        lines: Sequence[EventLine] = (),
        at: ParsedTime | None = None,
        raw: str = "",
    ) -> CanonicalEvent:
        number, moment = invoice.required_text("id"), at or time_at(invoice, "write_date")
        is_refund = text_or_blank(invoice, "move_type") == "out_refund"
        scheme = IdentifierScheme.CREDIT_MEMO if is_refund else IdentifierScheme.INVOICE
        ids = (
            EventIdentifier(scheme, invoice.required_text("name"), self.source),
            EventIdentifier(IdentifierScheme.SOURCE_ID, number, self.source),
        )
        corrected = related_id(invoice.get("reversed_entry_id"))
        return build_event(
            kind,
            f"invoice {number} {fact}",
            moment,
            *orders,
            ObjectReference(ObjectKind.INVOICE, ids),
            *(
                [source_id_reference(ObjectKind.INVOICE, corrected, self.source)]
                if corrected
                else []
            ),
            lines=lines,
            scope=f"invoice {number}",
            attributes={
                Attribute.CUSTOMER_NO: related_id(invoice.get("partner_id")),
                Attribute.CUSTOMER_NAME: related_name(invoice.get("partner_id")),
                Attribute.CURRENCY: related_name(invoice.get("currency_id")),
                Attribute.TOTAL: amount_at(invoice, "amount_total"),
                Attribute.STATUS: text_or_blank(invoice, "payment_state")
                or text_or_blank(invoice, "state"),
            },
            revision=revision_of(invoice),
            raw_type=raw,
            flags=() if at else (Flag.TIME_OF_REPORT if moment else Flag.TIME_RECEIVED,),
        )


def _lines(
    nodes: Sequence[Node], orders: tuple[ObjectReference, ...], measure: Measure
) -> list[EventLine]:
    """Add up the lines of each line of an order. Sections, taxes and payments have none."""
    lines: dict[str, EventLine] = {}
    for node in nodes:
        if text_or_blank(node, "display_type") not in {"", "product"}:
            continue
        sale_lines = [line.as_text() for line in node.list_at("sale_line_ids")]
        if not sale_lines:
            continue
        number, quantity = sale_lines[0], node.decimal_at("quantity") or Decimal()
        if number in lines:
            quantity += lines[number].quantities[measure]
        lines[number] = EventLine(
            line_id=number,
            sku=text_or_blank(node, "default_code"),
            description=text_or_blank(node, "name"),
            unit=unit_of(node),
            price=node.decimal_at("price_unit"),
            quantities={measure: quantity},
            order_index=order_index_of(node, orders),
        )
    return list(lines.values())
