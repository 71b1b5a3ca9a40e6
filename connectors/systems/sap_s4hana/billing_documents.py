"""Events of `A_BillingDocument`: invoices, credit memos, and their cancellations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

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
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.timestamps import ParsedTime
from connectors.systems.sap_s4hana.field_values import (
    amount_at,
    changed_at,
    day_and_time,
    delivery_reference,
    items_of,
    order_reference,
    revision_of,
    unit_price,
    without_leading_zeros,
)

INVOICE, CREDIT, DEBIT = "M", "O", "P"
INVOICE_CANCELLATION, CREDIT_CANCELLATION = "N", "S"
DELIVERY, ORDER = "J", "C"


@dataclass(frozen=True, slots=True)
class BillingDocumentReader:
    """Reader of billing documents. `system_zone`: the zone of times that the system sets."""

    source: str
    system_zone: str

    # What a document without SDDocumentCategory is, by its standard billing type.
    categories: ClassVar[Mapping[str, str]] = {
        "F1": INVOICE, "F2": INVOICE, "FV": INVOICE, "L2": DEBIT, "G2": CREDIT, "RE": CREDIT,
        "S1": INVOICE_CANCELLATION, "S2": CREDIT_CANCELLATION, "F5": "U", "F8": "U",
    }  # fmt: skip
    # Categories without events: what they are.
    others: ClassVar[Mapping[str, str]] = {
        "U": "a pro forma invoice", "3": "an invoice list", "4": "a credit memo list",
        "5": "an intercompany invoice", "6": "an intercompany credit memo", DEBIT: "a debit memo",
    }  # fmt: skip

    def read(self, document: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the events of a billing document, or none and the reason."""
        number = without_leading_zeros(document.required_text("BillingDocument"))
        billing_type = document.text_at("BillingDocumentType")
        category = document.text_at("SDDocumentCategory") or self.categories.get(billing_type, "")
        if document.boolean_at("BillingDocumentIsTemporary"):
            return [], "a preliminary billing document"
        if category in self.others:
            return [], self.others[category]
        if category in {INVOICE_CANCELLATION, CREDIT_CANCELLATION}:
            return [self._cancellation(document, is_credit=category == CREDIT_CANCELLATION)], ""
        if category not in {INVOICE, CREDIT}:
            raw = f"billing type {billing_type or category}"
            key = f"billing {number} {raw}"
            return [self._event(document, EventType.UNMAPPED, key, number, raw=raw)], ""
        is_credit = category == CREDIT
        kind = EventType.CREDIT_ISSUED if is_credit else EventType.INVOICE_ISSUED
        events = [
            self._event(
                document, kind, f"billing {number} issued", number, is_credit=is_credit,
                at=day_and_time(document, "CreationDate", "CreationTime", self.system_zone),
                measure=Measure.CREDITED if is_credit else Measure.INVOICED,
            )
        ]  # fmt: skip
        if document.boolean_at("BillingDocumentIsCancelled"):
            events.append(self._void(document, number, is_credit=is_credit, revision=""))
        return events, ""

    def _cancellation(self, document: Node, *, is_credit: bool) -> CanonicalEvent:
        """The cancellation document is about the document that it cancels."""
        number = without_leading_zeros(document.text_at("CancelledBillingDocument"))
        if not number:
            path = document.get("CancelledBillingDocument").path
            detail = "the cancellation does not name a billing document"
            raise PayloadError(ParkReason.REFERENCE, path, detail)
        at = day_and_time(document, "CreationDate", "CreationTime", self.system_zone)
        return self._void(
            document, number, is_credit=is_credit, revision=f"by {revision_of(at)}", at=at
        )

    def _void(
        self,
        document: Node,
        number: str,
        *,
        is_credit: bool,
        revision: str,
        at: ParsedTime | None = None,
    ) -> CanonicalEvent:
        """The document itself and its cancellation report this; the latter knows the time."""
        moment = at or changed_at(document)
        kind = EventType.CREDIT_ISSUED if is_credit else EventType.INVOICE_ISSUED
        return self._event(
            document, EventType.INVOICE_VOID, f"billing {number} cancelled", number,
            is_credit=is_credit, at=moment, revision=revision or "-",
            takes_back=[kind], flags=() if at else (Flag.TIME_OF_REPORT,),
        )  # fmt: skip

    def _event(
        self,
        document: Node,
        kind: EventType,
        key: str,
        number: str,
        *,
        is_credit: bool = False,
        at: ParsedTime | None = None,
        measure: Measure | None = None,
        revision: str = "",
        takes_back: Sequence[EventType] = (),
        raw: str = "",
        flags: Sequence[Flag] = (),
    ) -> CanonicalEvent:
        scheme = IdentifierScheme.CREDIT_MEMO if is_credit else IdentifierScheme.INVOICE
        own = ObjectReference(ObjectKind.INVOICE, (EventIdentifier(scheme, number, self.source),))
        items = BilledItems(document, self.source)
        moment = at or changed_at(document)
        return build_event(
            kind,
            key,
            moment,
            *items.orders,
            own,
            *items.deliveries,
            lines=items.lines(measure, len(items.orders) + 1) if measure else (),
            scope=f"billing {number}",
            attributes={
                Attribute.STATUS: document.text_at("OverallBillingStatus"),
                Attribute.CUSTOMER_NO: without_leading_zeros(document.text_at("SoldToParty")),
                Attribute.CURRENCY: document.text_at("TransactionCurrency"),
                Attribute.TOTAL: amount_at(document, "TotalGrossAmount")
                or amount_at(document, "TotalNetAmount"),
            },
            revision=revision or revision_of(changed_at(document)),
            raw_type=raw,
            flags=flags if moment else (Flag.TIME_RECEIVED,),
            takes_back=takes_back,
        )


class BilledItems:
    """The items of a billing document, with the orders or deliveries that they are about.

    An item names its sales document. If it does not, it refers to an order (category C) or to a
    delivery (J), whose items have numbers of their own: then the material identifies the line.
    """

    def __init__(self, document: Node, source: str) -> None:
        self.orders: list[ObjectReference] = []
        self.deliveries: list[ObjectReference] = []
        self._links: dict[tuple[int, int, str], list[Node]] = {}
        for item in items_of(document, "to_Item") or []:
            reference = without_leading_zeros(item.text_at("ReferenceSDDocument"))
            category = item.text_at("ReferenceSDDocumentCategory")
            order, line = item.text_at("SalesDocument"), item.text_at("SalesDocumentItem")
            if not order and category == ORDER:
                order, line = reference, item.text_at("ReferenceSDDocumentItem")
            material = without_leading_zeros(item.text_at("Material"))
            line_id = without_leading_zeros(line) if order else ""
            order_index = delivery_index = -1
            if order:
                order_index = _index_of(self.orders, order_reference(order, source))
            if reference and category == DELIVERY:
                delivery = delivery_reference(reference, source)
                delivery_index = _index_of(self.deliveries, delivery)
            key = (order_index, delivery_index, line_id or f"item {material}")
            self._links.setdefault(key, []).append(item)

    def lines(self, measure: Measure, first_delivery: int) -> list[EventLine]:
        """Return the billed quantities. `first_delivery`: the index of the first delivery."""
        lines = []
        for (order, delivery, line_id), nodes in self._links.items():
            quantity = sum((n.decimal_at("BillingQuantity") or Decimal() for n in nodes), Decimal())
            lines.append(
                EventLine(
                    line_id=line_id,
                    sku=without_leading_zeros(nodes[0].text_at("Material")),
                    description=nodes[0].text_at("BillingDocumentItemText"),
                    unit=nodes[0].text_at("BillingQuantityUnit") or "EA",
                    price=unit_price(nodes[0], nodes[0].decimal_at("BillingQuantity")),
                    quantities={measure: quantity},
                    order_index=order if len(self.orders) > 1 else -1,
                    shipment_index=first_delivery + delivery if delivery >= 0 else -1,
                )
            )
        return lines


def _index_of(references: list[ObjectReference], reference: ObjectReference) -> int:
    """Return the index of a reference, which is added if it is new."""
    if reference not in references:
        references.append(reference)
    return references.index(reference)
