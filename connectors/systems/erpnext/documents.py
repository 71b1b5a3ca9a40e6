"""Events of ERPNext documents: Sales Order, Delivery Note and Sales Invoice."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from connectors.sdk.event_builder import build_event
from connectors.sdk.events import (
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
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.systems.erpnext.document_fields import (
    document_attributes,
    line_of_row,
    lines_of_orders,
    package_references,
    undelivered_lines,
)

DRAFT, SUBMITTED, CANCELLED = "0", "1", "2"
ORDER, NOTE, INVOICE = "Sales Order", "Delivery Note", "Sales Invoice"


class ErpNextEventReader:
    """Reader of documents. `zone`: that of the site, in which all its times are."""

    order_statuses: ClassVar[frozenset[str]] = frozenset(
        {
            *("", "Draft", "On Hold", "To Pay", "To Deliver and Bill", "To Bill", "To Deliver"),
            *("Completed", "Cancelled", "Closed"),
        }
    )

    # What the warehouse may deliver, and what it delivered.
    released: ClassVar[frozenset[str]] = frozenset(
        {"To Deliver and Bill", "To Deliver", "To Bill", "Completed"}
    )

    def __init__(self, source: str, zone: str) -> None:
        self.source, self.zone = source, zone

    def read(self, document: Node, doctype: str) -> tuple[list[CanonicalEvent], str]:
        """Return the events of a document, or none and the reason."""
        readers = {
            ORDER: self._order_events,
            NOTE: self._note_events,
            INVOICE: self._invoice_events,
        }
        if doctype not in readers:
            detail = f"{doctype[:60]!r} is not Sales Order, Delivery Note or Sales Invoice"
            raise PayloadError(ParkReason.MAPPING, "doctype", detail)
        state = document.text_at("docstatus") or DRAFT
        if state == DRAFT:
            return [], "a draft is not submitted yet"
        if state not in {SUBMITTED, CANCELLED}:
            raise PayloadError(
                ParkReason.MAPPING, document.get("docstatus").path, "docstatus is not 0, 1 or 2"
            )
        events = list(readers[doctype](document, state == CANCELLED))
        return events, "" if events else f"a {doctype} without a Sales Order"

    def _order_events(self, order: Node, is_cancelled: bool) -> Iterator[CanonicalEvent]:
        name, status = order.required_text("name"), order.text_at("status")
        ref, at = self._order_reference(order), self._date(order, "transaction_date")
        key = f"Sales Order {name}"
        if is_cancelled:
            # The number of the cancelled version is a number of the order that replaces it, too.
            yield self._event(order, EventType.ORDER_CANCELLED, f"{key} state", [ref])
            return
        lines = [
            line_of_row(line, Measure.ORDERED, line.required_text("name"))
            for line in order.list_at("items")
            if line.has_value("name")
        ]
        corrects = self._keys_of_amended_version(order)
        yield self._event(
            order, EventType.ORDER_RECEIVED, f"{key} order", [ref], at=at, lines=lines,
            complete=[Measure.ORDERED] if lines else [],
        )  # fmt: skip
        yield self._event(
            order, EventType.ORDER_ACCEPTED, f"{key} state", [ref], at=at, corrects=corrects
        )
        if status in self.released:
            yield self._event(order, EventType.ORDER_RELEASED, f"{key} released", [ref], at=at)
        if status not in self.order_statuses:
            raw = f"{key} status {status}"
            yield self._event(order, EventType.UNMAPPED, raw, [ref], raw=status)
            return
        # One key: a hold that ended is replaced by the status after it.
        kind = EventType.ORDER_HELD if status == "On Hold" else EventType.ORDER_CHANGED
        cancelled = undelivered_lines(order) if status == "Closed" else []
        yield self._event(order, kind, f"{key} status", [ref], lines=cancelled)

    def _keys_of_amended_version(self, order: Node) -> list[str]:
        """The cancellation of the version that this one replaces does not cancel the order."""
        amended = order.text_at("amended_from")
        return [f"Sales Order {amended} state"] if amended else []

    def _order_reference(self, order: Node) -> ObjectReference:
        """The order by its name, that of the version it amends, and the customer PO.

        An amended document has a new name that ends with -1; both name one order.
        """
        names = [order.required_text("name"), order.text_at("amended_from")]
        ids = [
            EventIdentifier(IdentifierScheme.SALES_ORDER, name, self.source)
            for name in names
            if name
        ]
        po = blank_if_placeholder(order.text_at("po_no"))
        customer = order.text_at("customer")
        if po:
            scheme = IdentifierScheme.CUSTOMER_PO
            ids.append(EventIdentifier(scheme, po, customer, strong=bool(customer)))
        return ObjectReference(ObjectKind.ORDER, tuple(ids))

    def _note_events(self, note: Node, is_cancelled: bool) -> Iterator[CanonicalEvent]:
        name, items = note.required_text("name"), note.list_at("items")
        orders = self._orders_of(items, "against_sales_order")
        if not orders:
            return
        is_return = note.boolean_at("is_return")
        key, ref = f"Delivery Note {name}", self._note_reference(note, is_return=is_return)
        refs = [*orders, ref]
        if is_return:
            against = note.text_at("return_against")
            if against:
                refs.append(
                    self._reference(ObjectKind.SHIPMENT, IdentifierScheme.SHIPMENT, against)
                )
            if is_cancelled:
                yield self._event(
                    note, EventType.UNMAPPED, f"{key} state", refs, raw="return cancelled"
                )
                return
            yield self._event(
                note, EventType.RETURN_RECEIVED, f"{key} state", refs,
                at=self._posting_time(note),
                lines=lines_of_orders(items, orders, Measure.RETURNED, "against_sales_order"),
            )  # fmt: skip
            return
        if is_cancelled:
            yield self._event(note, EventType.SHIPMENT_VOID, f"{key} state", refs)
            return
        yield self._event(
            note, EventType.SHIPMENT_CONFIRMED, f"{key} state", [*refs, *package_references(note)],
            at=self._posting_time(note),
            lines=lines_of_orders(items, orders, Measure.SHIPPED, "against_sales_order"),
            complete=[Measure.SHIPPED],
        )  # fmt: skip

    def _note_reference(self, note: Node, *, is_return: bool) -> ObjectReference:
        kind = ObjectKind.RETURN if is_return else ObjectKind.SHIPMENT
        scheme = IdentifierScheme.RMA if is_return else IdentifierScheme.SHIPMENT
        return self._reference(kind, scheme, note.required_text("name"))

    def _invoice_events(self, invoice: Node, is_cancelled: bool) -> Iterator[CanonicalEvent]:
        name, items = invoice.required_text("name"), invoice.list_at("items")
        orders = self._orders_of(items, "sales_order")
        if not orders:
            return
        is_credit, status = invoice.boolean_at("is_return"), invoice.text_at("status")
        scheme = IdentifierScheme.CREDIT_MEMO if is_credit else IdentifierScheme.INVOICE
        refs = [*orders, self._reference(ObjectKind.INVOICE, scheme, name)]
        against = invoice.text_at("return_against")
        if is_credit and against:
            refs.append(self._reference(ObjectKind.INVOICE, IdentifierScheme.INVOICE, against))
        key, at = f"Sales Invoice {name}", self._posting_time(invoice)
        if is_cancelled:
            kind = EventType.UNMAPPED if is_credit else EventType.INVOICE_VOID
            raw = "credit note cancelled" if is_credit else ""
            yield self._event(invoice, kind, f"{key} state", refs, raw=raw)
            return
        measure = Measure.CREDITED if is_credit else Measure.INVOICED
        yield self._event(
            invoice,
            EventType.CREDIT_ISSUED if is_credit else EventType.INVOICE_ISSUED,
            f"{key} state",
            refs,
            at=at,
            lines=lines_of_orders(items, orders, measure, "sales_order"),
        )
        if status == "Paid" and not is_credit:
            yield self._event(invoice, EventType.INVOICE_PAID, f"{key} paid", refs)

    def _orders_of(self, items: Sequence[Node], field: str) -> list[ObjectReference]:
        names = dict.fromkeys(item.text_at(field) for item in items)
        return [
            self._reference(ObjectKind.ORDER, IdentifierScheme.SALES_ORDER, name)
            for name in names
            if name
        ]

    def _reference(self, kind: ObjectKind, scheme: IdentifierScheme, name: str) -> ObjectReference:
        return ObjectReference(kind, (EventIdentifier(scheme, name, self.source),))

    def _posting_time(self, document: Node) -> ParsedTime | None:
        """The time of posting, which has two fields: `9:05:07.120000` has no leading zero."""
        day, time = document.text_at("posting_date"), document.text_at("posting_time")
        if day and time:
            hour, colon, minutes = time.partition(":")
            time = f"{hour:0>2}{colon}{minutes}"
        path = document.get("posting_time" if time else "posting_date").path
        return parse_timestamp(f"{day} {time}".strip(), path, self.zone)

    def _date(self, document: Node, field: str) -> ParsedTime | None:
        return parse_timestamp(document.text_at(field), document.get(field).path, self.zone)

    def _event(
        self,
        document: Node,
        kind: EventType,
        key: str,
        refs: Sequence[ObjectReference],
        *,
        at: ParsedTime | None = None,
        lines: Sequence[EventLine] = (),
        complete: Sequence[Measure] = (),
        raw: str = "",
        corrects: Sequence[str] = (),
    ) -> CanonicalEvent:
        modified = document.text_at("modified")
        moment = at or self._date(document, "modified")
        scope = "" if key.startswith(ORDER) else key.rpartition(" ")[0]
        return build_event(
            kind,
            key,
            moment,
            *refs,
            lines=lines,
            scope=scope,
            attributes=document_attributes(document),
            revision=modified,
            raw_type=raw,
            flags=() if at else (Flag.TIME_OF_REPORT if moment else Flag.TIME_RECEIVED,),
            corrects=corrects,
            complete_measures=complete if lines else (),
        )
