"""The invoices and credits of an order: each once, with every system that reported it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from connectors.sdk.event_type_descriptions import EVENT_TYPES
from connectors.sdk.events import Attribute, EventType, IdentifierScheme, ObjectKind
from visibility.screens.orders.lines_and_billing import SourceTitles
from visibility.timeline import RecordedEvent, Timeline, TimelineEntry

INVOICE_EVENT_LABELS = {
    event_type: EVENT_TYPES[event_type].label
    for event_type in (
        EventType.PAYMENT_APPROVED,
        EventType.INVOICE_ISSUED,
        EventType.PAYMENT_REMINDER_SENT,
        EventType.INVOICE_PARTLY_PAID,
        EventType.INVOICE_PAID,
        EventType.INVOICE_VOID,
        EventType.CREDIT_REQUESTED,
        EventType.DEBIT_REQUESTED,
        EventType.CREDIT_ISSUED,
        EventType.RETURN_CREDITED,
    )
}
BILLING_KINDS = frozenset(
    {
        ObjectKind.INVOICE,
        ObjectKind.RETURN,
        ObjectKind.CREDIT_MEMO_REQUEST,
        ObjectKind.DEBIT_MEMO_REQUEST,
    }
)


@dataclass(frozen=True, slots=True)
class InvoiceOrCreditReport:
    """What one system reported; `total` is None if it sent none, or the reader may not see it."""

    source: str
    total: Decimal | None
    currency: str
    at: datetime
    event_id: int


@dataclass(frozen=True, slots=True)
class InvoiceOrCredit:
    """One invoice or credit, with the systems that reported it, the first one first."""

    title: str
    number: str
    reports: tuple[InvoiceOrCreditReport, ...]

    @property
    def amounts(self) -> tuple[tuple[Decimal, str], ...]:
        """The different totals with their currencies; more than one if the systems disagree."""
        totals = ((r.total, r.currency) for r in self.reports if r.total is not None)
        return tuple(dict.fromkeys(totals))


def list_invoices_and_credits(
    timeline: Timeline, names: SourceTitles, *, prices: bool
) -> tuple[InvoiceOrCredit, ...]:
    """Invoices and credits, newest first. `prices`: the reader may see amounts.

    Reports of the same kind that name the same invoice, return or memo are one.
    """
    groups: list[tuple[set[str], list[TimelineEntry]]] = []
    for entry in timeline.entries:
        if entry.superseded or entry.recorded.event.type not in INVOICE_EVENT_LABELS:
            continue
        numbers = _billing_numbers(entry.recorded)
        kind = entry.recorded.event.type
        group = next(
            (
                each
                for each in groups
                if each[1][0].recorded.event.type is kind and each[0] & numbers
            ),
            None,
        )
        if group is None:
            groups.append((numbers, [entry]))
        else:
            group[0].update(numbers)
            group[1].append(entry)
    invoices = [_invoice_or_credit(entries, names, prices=prices) for _, entries in groups]
    return tuple(sorted(invoices, key=lambda each: each.reports[0].at, reverse=True))


def _billing_numbers(recorded: RecordedEvent) -> set[str]:
    """The keys and numbers of the invoices, returns and memos that an event names."""
    named = [
        (reference, key)
        for reference, key in zip(recorded.event.objects, recorded.object_keys, strict=True)
        if reference.kind in BILLING_KINDS
    ]
    values = {
        identifier.value
        for reference, _ in named
        for identifier in reference.identifiers
        if identifier.scheme is not IdentifierScheme.SOURCE_ID
    }
    return values | {key for _, key in named}


def _invoice_or_credit(
    entries: list[TimelineEntry], names: SourceTitles, *, prices: bool
) -> InvoiceOrCredit:
    first = entries[0].recorded
    number = next(
        (
            reference.identifiers[0].value
            for entry in entries
            for reference in entry.recorded.event.objects
            if reference.kind in BILLING_KINDS
        ),
        first.event.scope,
    )
    return InvoiceOrCredit(
        INVOICE_EVENT_LABELS[first.event.type],
        number,
        tuple(
            InvoiceOrCreditReport(
                source=names.get(entry.recorded.source, (entry.recorded.source,))[0],
                total=_total(entry.recorded) if prices else None,
                currency=entry.recorded.event.attributes.get(Attribute.CURRENCY, ""),
                at=entry.recorded.occurred_at,
                event_id=entry.recorded.event_id,
            )
            for entry in entries
        ),
    )


def _total(recorded: RecordedEvent) -> Decimal | None:
    total = recorded.event.attributes.get(Attribute.TOTAL, "")
    return Decimal(total) if total else None
