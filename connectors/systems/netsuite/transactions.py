"""Events of transactions of NetSuite: orders, fulfillments, invoices, credit memos, returns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from connectors.sdk.event_builder import build_event, revision_of_earliest_report
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
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.timestamps import ParsedTime
from connectors.systems.netsuite.transaction_fields import (
    NetSuiteLinkedLines,
    attributes_of,
    date_or_creation,
    flags_of,
    order_lines,
    own_reference,
    revision_of,
    status_letter,
    time_at,
)

NumberRange = tuple[IdentifierScheme, str]


@dataclass(frozen=True, slots=True)
class NetSuiteTransactionReader:
    """Reader of transactions. `zone`: the zone of the account.

    `purchase_order`: the number range of otherrefnum, if it is not the customer's.
    """

    source: str
    zone: str
    purchase_order: NumberRange | None = None

    # A pending approval, B pending fulfillment, C cancelled, D partially fulfilled, E pending
    # billing and partially fulfilled, F pending billing, G billed, H closed.
    accepted: ClassVar[frozenset[str]] = frozenset("BDEFGH")
    shipment_states: ClassVar[Mapping[str, tuple[EventType, Measure, str]]] = {
        "A": (EventType.PICK_COMPLETED, Measure.PICKED, "picked"),
        "B": (EventType.PACK_COMPLETED, Measure.PACKED, "packed"),
        "C": (EventType.SHIPMENT_CONFIRMED, Measure.SHIPPED, "shipped"),
    }
    # B pending receipt, D partially received, E pending refund and partially received, F pending
    # refund, G refunded, H closed.
    authorized: ClassVar[frozenset[str]] = frozenset("BDEFGH")

    def read(self, transaction: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the events of a transaction, or none and the reason. Raises PayloadError."""
        readers: Mapping[str, Callable[[Node], Iterator[CanonicalEvent]]] = {
            "SalesOrd": self._order,
            "ItemShip": self._shipment,
            "CustInvc": self._invoice,
            "CustCred": self._credit,
            "RtnAuth": self._return,
        }
        kind = transaction.required_text("type")
        if kind not in readers:
            detail = f"{kind[:60]!r} is not a type of transaction that is read"
            raise PayloadError(ParkReason.MAPPING, transaction.get("type").path, detail)
        events = list(readers[kind](transaction))
        letter = status_letter(transaction)
        return events, "" if events else f"{kind} in the status {letter} without an order"

    def _order(self, order: Node) -> Iterator[CanonicalEvent]:
        letter, base = status_letter(order), f"order {order.required_text('id')}"
        refs = (self._order_reference(order),)
        created, changed = (time_at(order, f"{n}date", self.zone) for n in CREATED_AND_CHANGED)
        pairs = list(order_lines(order))
        lines = [line for line, _ in pairs]
        closed = [
            replace(line, quantities={Measure.CANCELLED: quantity})
            for line, quantity in pairs
            if quantity
        ]
        yield self._event(order, EventType.ORDER_RECEIVED, base, refs, created, lines=lines)
        seen = f"seen {revision_of(order, self.zone)}"
        if changed and created and changed.time > created.time:
            still_wanted = {"A", *self.accepted}
            takes_back = [
                *([EventType.ORDER_HELD] if letter in {"C", *self.accepted} else []),
                *([EventType.ORDER_CANCELLED] if letter in still_wanted and not closed else []),
            ]
            yield self._event(
                order, EventType.ORDER_CHANGED, f"{base} {seen}", refs, changed, lines=lines,
                takes_back=takes_back,
            )  # fmt: skip
        if letter == "A":
            yield self._event(
                order, EventType.ORDER_HELD, f"{base} held {seen}", refs, changed,
                reason="pending approval",
            )  # fmt: skip
        elif letter in self.accepted:
            yield self._event(
                order, EventType.ORDER_ACCEPTED, f"{base} accepted", refs, changed,
                revision=revision_of_earliest_report(changed), flags=(Flag.TIME_OF_REPORT,),
            )  # fmt: skip
        if letter == "C" or closed:
            yield self._event(
                order, EventType.ORDER_CANCELLED, f"{base} cancelled {seen}", refs, changed,
                lines=[] if letter == "C" else closed,
                takes_back=[] if letter == "C" else [EventType.ORDER_CANCELLED],
            )  # fmt: skip
        if letter not in {"A", "C", *self.accepted}:
            yield self._unmapped(order, base, refs)

    def _order_reference(self, order: Node) -> ObjectReference:
        ref = own_reference(order, ObjectKind.ORDER, IdentifierScheme.SALES_ORDER, self.source)
        text = blank_if_placeholder(order.text_at("otherrefnum"))
        if not text:
            return ref
        default = IdentifierScheme.CUSTOMER_PO, order.text_at("entity")
        scheme, issuer = self.purchase_order or default
        number = EventIdentifier(scheme, text, issuer, strong=bool(issuer))
        return ObjectReference(ref.kind, (*ref.identifiers, number))

    def _shipment(self, shipment: Node) -> Iterator[CanonicalEvent]:
        linked = NetSuiteLinkedLines(shipment.list_at("lines"), self.source)
        if not linked.orders:
            return
        own = own_reference(shipment, ObjectKind.SHIPMENT, IdentifierScheme.SHIPMENT, self.source)
        refs, letter = (*linked.orders, own), status_letter(shipment)
        base = f"shipment {shipment.required_text('id')}"
        if letter not in self.shipment_states:
            yield self._unmapped(shipment, base, refs)
            return
        kind, measure, fact = self.shipment_states[letter]
        lines = linked.quantities(measure)
        if kind is EventType.SHIPMENT_CONFIRMED:
            at = date_or_creation(shipment, self.zone)
            refs = (*refs, *tracking_references(shipment))
            yield self._event(shipment, kind, f"{base} {fact}", refs, at, lines=lines)
            return
        at = time_at(shipment, "lastmodifieddate", self.zone)
        yield self._event(
            shipment, kind, f"{base} {fact}", refs, at, lines=lines,
            revision=revision_of_earliest_report(at), flags=(Flag.TIME_OF_REPORT,),
        )  # fmt: skip

    def _invoice(self, invoice: Node) -> Iterator[CanonicalEvent]:
        linked = NetSuiteLinkedLines(invoice.list_at("lines"), self.source)
        own = own_reference(invoice, ObjectKind.INVOICE, IdentifierScheme.INVOICE, self.source)
        refs, letter = (*linked.orders, own), status_letter(invoice)
        base, changed = (
            f"invoice {invoice.required_text('id')}",
            time_at(invoice, "lastmodifieddate", self.zone),
        )
        # D and E are invoices that are pending approval or rejected.
        if not linked.orders or letter in {"D", "E"}:
            return
        if letter == "V" or invoice.text_at("voided") == "T":
            yield self._event(invoice, EventType.INVOICE_VOID, f"{base} void", refs, changed)
        elif letter in {"A", "B"}:
            yield self._event(
                invoice, EventType.INVOICE_ISSUED, f"{base} issued", refs,
                date_or_creation(invoice, self.zone), lines=linked.quantities(Measure.INVOICED),
            )  # fmt: skip
            if letter == "B":
                yield self._event(
                    invoice, EventType.INVOICE_PAID, f"{base} paid", refs, changed,
                    revision=revision_of_earliest_report(changed), flags=(Flag.TIME_OF_REPORT,),
                )  # fmt: skip
        else:
            yield self._unmapped(invoice, base, refs)

    def _credit(self, credit: Node) -> Iterator[CanonicalEvent]:
        linked = NetSuiteLinkedLines(credit.list_at("lines"), self.source)
        own = own_reference(credit, ObjectKind.INVOICE, IdentifierScheme.CREDIT_MEMO, self.source)
        refs, letter = (*linked.orders, own, *linked.others), status_letter(credit)
        base = f"credit {credit.required_text('id')}"
        if not linked.orders and not linked.others:
            return
        if letter == "V" or credit.text_at("voided") == "T":
            yield self._event(
                credit, EventType.INVOICE_VOID, f"{base} void", (*linked.orders, own),
                time_at(credit, "lastmodifieddate", self.zone),
                takes_back=[EventType.CREDIT_ISSUED],
            )  # fmt: skip
        elif letter in {"A", "B"}:
            yield self._event(
                credit, EventType.CREDIT_ISSUED, f"{base} issued", refs,
                date_or_creation(credit, self.zone), lines=linked.quantities(Measure.CREDITED),
            )  # fmt: skip
        else:
            yield self._unmapped(credit, base, refs)

    def _return(self, returned: Node) -> Iterator[CanonicalEvent]:
        linked = NetSuiteLinkedLines(returned.list_at("lines"), self.source)
        own = own_reference(returned, ObjectKind.RETURN, IdentifierScheme.RMA, self.source)
        refs, letter = (*linked.orders, own, *linked.others), status_letter(returned)
        base = f"return {returned.required_text('id')}"
        # A is pending approval, C is cancelled.
        if letter in {"A", "C"} or not (linked.orders or linked.others):
            return
        if letter not in self.authorized:
            yield self._unmapped(returned, base, refs)
            return
        yield self._event(
            returned, EventType.RETURN_AUTHORIZED, f"{base} authorized", refs,
            date_or_creation(returned, self.zone),
        )  # fmt: skip
        lines = linked.quantities(Measure.RETURNED, "quantityshiprecv")
        received = [line for line in lines if line.quantities[Measure.RETURNED]]
        if received:
            changed = time_at(returned, "lastmodifieddate", self.zone)
            yield self._event(
                returned, EventType.RETURN_RECEIVED, f"{base} received", refs, changed,
                lines=received, flags=(Flag.TIME_OF_REPORT,),
            )  # fmt: skip

    def _unmapped(
        self, transaction: Node, base: str, refs: Sequence[ObjectReference]
    ) -> CanonicalEvent:
        raw = f"{transaction.text_at('type')} {status_letter(transaction)}"
        at = time_at(transaction, "lastmodifieddate", self.zone)
        return self._event(transaction, EventType.UNMAPPED, f"{base} {raw}", refs, at, raw=raw)

    def _event(
        self,
        transaction: Node,
        kind: EventType,
        key: str,
        refs: Sequence[ObjectReference],
        at: ParsedTime | None,
        *,
        lines: Sequence[EventLine] = (),
        revision: str = "",
        flags: Sequence[Flag] = (),
        takes_back: Sequence[EventType] = (),
        reason: str = "",
        raw: str = "",
    ) -> CanonicalEvent:
        scope = " ".join(key.split(" ")[:2])
        return build_event(
            kind,
            key,
            at,
            *refs,
            lines=lines,
            scope="" if scope.startswith("order ") else scope,
            attributes={**attributes_of(transaction), Attribute.REASON: reason},
            revision=revision or revision_of(transaction, self.zone),
            raw_type=raw,
            flags=(*flags_of(at), *(flags if at else ())),
            complete_measures=sorted({m for line in lines for m in line.quantities}),
            takes_back=takes_back,
        )


CREATED_AND_CHANGED = ("created", "lastmodified")


def tracking_references(shipment: Node) -> list[ObjectReference]:
    """Return the packages of a fulfillment, by their tracking numbers."""
    numbers = (blank_if_placeholder(node.as_text()) for node in shipment.list_at("tracking"))
    return [
        ObjectReference(ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.TRACKING, number),))
        for number in dict.fromkeys(numbers)
        if number
    ]
