"""Events of `account.invoice`: invoices to customers, their payments, and credit notes."""

from collections.abc import Iterator

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
from connectors.sdk.timestamps import ParsedTime
from connectors.systems.tryton.field_values import (
    TrytonLinkedLines,
    amount_at,
    changed_time,
    related_text,
    revision_of,
    state_time,
    time_of_day_or_date,
)
from connectors.systems.tryton.source_settings import TrytonSettings


class TrytonInvoiceReader:
    """Reader of invoices and credit notes, which are invoices with a negative total."""

    issued = frozenset({"posted", "paid"})

    def __init__(self, settings: TrytonSettings) -> None:
        self.settings = settings

    def read(self, invoice: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the events of an invoice, or none and the reason."""
        state = invoice.required_text("state")
        if invoice.text_at("type", "out") != "out":
            return [], "not an invoice to a customer"
        if not invoice.text_at("number"):
            return [], "an invoice without a number is not issued yet"
        linked = TrytonLinkedLines(invoice.list_at("lines."), self.settings.source)
        if not linked.orders:
            return [], "an invoice without a sale"
        events = list(self._events(invoice, state, linked))
        return events, "" if events else f"an invoice in the state {state}"

    def _events(
        self, invoice: Node, state: str, linked: TrytonLinkedLines
    ) -> Iterator[CanonicalEvent]:
        is_credit = (invoice.decimal_at("total_amount") or 0) < 0
        refs = (
            *linked.orders,
            self._reference(invoice, is_credit=is_credit),
            *linked.credited_invoices,
            *linked.returns,
        )
        if state in self.issued:
            posted = state_time(invoice, "posted")
            at = time_of_day_or_date(
                invoice, "invoice_date", self.settings.zone, reached=posted, reported=None
            )
            kind = EventType.CREDIT_ISSUED if is_credit else EventType.INVOICE_ISSUED
            measure = Measure.CREDITED if is_credit else Measure.INVOICED
            lines = linked.quantities(measure, negative=is_credit)
            yield self._event(invoice, kind, "state", refs, at=at, lines=lines)
            if state == "paid" and not is_credit:
                paid = time_of_day_or_date(
                    invoice,
                    "reconciled",
                    self.settings.zone,
                    reached=state_time(invoice, "paid"),
                    reported=None,
                )
                yield self._event(invoice, EventType.INVOICE_PAID, "paid", refs, at=paid)
        elif state == "cancelled" and not is_credit:
            yield self._event(invoice, EventType.INVOICE_VOID, "state", refs)
        elif state not in {"draft", "validated"}:
            yield self._event(invoice, EventType.UNMAPPED, f"state {state}", refs, raw=state)

    def _reference(self, invoice: Node, *, is_credit: bool) -> ObjectReference:
        scheme = IdentifierScheme.CREDIT_MEMO if is_credit else IdentifierScheme.INVOICE
        source = self.settings.source
        return ObjectReference(
            ObjectKind.INVOICE,
            (
                EventIdentifier(scheme, invoice.required_text("number"), source),
                EventIdentifier(IdentifierScheme.SOURCE_ID, invoice.required_text("id"), source),
            ),
        )

    def _event(
        self,
        invoice: Node,
        kind: EventType,
        fact: str,
        refs: tuple[ObjectReference, ...],
        *,
        at: ParsedTime | None = None,
        lines: list[EventLine] | None = None,
        raw: str = "",
    ) -> CanonicalEvent:
        moment, scope = at or changed_time(invoice), f"invoice {invoice.required_text('id')}"
        return build_event(
            kind,
            f"{scope} {fact}",
            moment,
            *refs,
            lines=lines or (),
            scope=scope,
            attributes={
                Attribute.STATUS: invoice.text_at("state"),
                Attribute.CUSTOMER_NO: related_text(invoice, "party", "code"),
                Attribute.CUSTOMER_NAME: related_text(invoice, "party", "rec_name"),
                Attribute.CURRENCY: related_text(invoice, "currency", "code"),
                Attribute.TOTAL: amount_at(invoice, "total_amount").removeprefix("-"),
            },
            revision=revision_of(invoice),
            raw_type=raw,
            flags=() if at else (Flag.TIME_OF_REPORT if moment else Flag.TIME_RECEIVED,),
        )
