"""Parts of a timeline that summarize its events: entries, attributes, claims and numbers."""

from collections.abc import Collection, Sequence

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Flag,
    IdentifierScheme,
    QuantityMode,
)
from visibility.timeline.authoritative_quantities import QuantityLedger
from visibility.timeline.authority import ROLES_BY_AUTHORITY
from visibility.timeline.claim_line_conflict_types import Claim
from visibility.timeline.interpret_event_lines import event_names_only_other_orders
from visibility.timeline.line_quantities_and_flags import round_to_six_decimals
from visibility.timeline.model import RecordedEvent, TimelineEntry
from visibility.timeline.order_state_by_source import SourceStates
from visibility.timeline.quantity_claims import ZERO
from visibility.timeline.shipments import SCANS
from visibility.timeline.sort_events_and_drop_superseded import sort_key_by_time_then_event_type

# Events that report a state. A source may report the same state again with other figures.
STATES = frozenset(
    {
        EventType.ORDER_RECEIVED,
        EventType.ORDER_ACCEPTED,
        EventType.ORDER_HELD,
        EventType.ORDER_RELEASED,
        EventType.INVOICE_ISSUED,
    }
)
# Events whose total is an amount to give back, to charge or paid so far, never that of the order.
CREDITS_AND_DEBITS = frozenset(
    {
        EventType.INVOICE_PAID,
        EventType.INVOICE_PARTLY_PAID,
        EventType.FREIGHT_INVOICED,
        EventType.CREDIT_REQUESTED,
        EventType.CREDIT_ISSUED,
        EventType.RETURN_CREDITED,
        EventType.DEBIT_REQUESTED,
    }
)
# Events that happen at a time, and may happen again just the same.
OCCURRENCES = frozenset(SCANS) | {EventType.PAYMENT_REMINDER_SENT, EventType.INVOICE_PARTLY_PAID}
# Attributes that describe one event, not the order.
EVENT_ATTRIBUTES = (Attribute.STATUS, Attribute.DETAIL, Attribute.REASON, Attribute.LOCATION)
# Roles of systems in which orders are entered, first the closest to the customer.
INTAKE_ROLES = (SourceRole.SHOP, SourceRole.EDI, SourceRole.CRM, SourceRole.ERP)

# The beginnings of the names in `collect_order_numbers`.
CUSTOMER_PO_PREFIX = f"{IdentifierScheme.CUSTOMER_PO.value}:"
WEB_ORDER_PREFIX = f"{IdentifierScheme.WEB_ORDER.value}:"


def build_timeline_entries(
    events: Sequence[RecordedEvent],
    superseded: Sequence[RecordedEvent],
    ineffective: Collection[int] = (),
) -> tuple[TimelineEntry, ...]:
    """The activity list. An unchanged repeat of a state is counted on the entry that it repeats.

    A repeated scan or reminder has an entry of its own, unless its time is only that of the report.
    Events that only say that nothing was removed have one only if they took something back;
    `ineffective`: the indexes of the events that changed no quantity.
    """
    shown: list[tuple[RecordedEvent, list[int], bool]] = []
    last: dict[tuple[str, str, tuple[str, ...]], tuple[object, list[int]]] = {}
    for index, recorded in enumerate(events):
        event = recorded.event
        if index in ineffective and _is_empty_complete_report(event):
            continue
        content = (event.lines, tuple(sorted(event.attributes.items())), event.raw_type)
        subject = (recorded.source, f"{event.type}/{event.scope}", recorded.object_keys)
        previous = last.get(subject)
        if previous and previous[0] == content and _is_same_fact_when_repeated(event):
            previous[1][0] += 1
            continue
        repeats = [0]
        shown.append((recorded, repeats, previous is not None and event.type in STATES))
        last[subject] = (content, repeats)
    result = [
        TimelineEntry(s, repeats=count[0], is_update=is_update) for s, count, is_update in shown
    ]
    result += [
        TimelineEntry(s, superseded=True)
        for s in superseded
        if not _is_empty_complete_report(s.event)
    ]
    return tuple(sorted(result, key=lambda entry: sort_key_by_time_then_event_type(entry.recorded)))


def _is_empty_complete_report(event: CanonicalEvent) -> bool:
    return bool(event.complete_measures) and not event.lines and not event.attributes


def _is_same_fact_when_repeated(event: CanonicalEvent) -> bool:
    """Whether an equal report is the same fact again."""
    if Flag.TIME_OF_REPORT in event.flags:
        return True
    has_increment = any(line.quantity_mode is QuantityMode.DELTA for line in event.lines)
    is_occurrence = event.type in OCCURRENCES or has_increment
    return not is_occurrence and Flag.TIME_RECEIVED not in event.flags


def merge_order_attributes(events: Sequence[RecordedEvent]) -> dict[Attribute, str]:
    """The latest value of each attribute from the most authoritative source that has one."""
    own_events = [s for s in events if s.event.attributes and not event_names_only_other_orders(s)]
    values: dict[Attribute, str] = {}
    for role in ROLES_BY_AUTHORITY:
        for recorded in own_events:
            if recorded.role is role:
                has_credit_total = recorded.event.type in CREDITS_AND_DEBITS
                values.update(
                    (name, text)
                    for name, text in recorded.event.attributes.items()
                    if text and not (has_credit_total and name is Attribute.TOTAL)
                )
    for name in EVENT_ATTRIBUTES:
        values.pop(name, None)
    # The amount of an invoice is the order's only if no event tells the order's own.
    if own_total := _latest_authoritative_order_total(own_events):
        values[Attribute.TOTAL] = own_total
    channel = next(
        (
            s.event.attributes[Attribute.CHANNEL]
            for role in INTAKE_ROLES
            for s in own_events
            if s.role is role and s.event.attributes.get(Attribute.CHANNEL)
        ),
        None,
    )
    if channel:  # the channel where the order was placed, not where it was re-entered
        values[Attribute.CHANNEL] = channel
    return values


def _latest_authoritative_order_total(events: Sequence[RecordedEvent]) -> str:
    """The latest total of the most authoritative source, not of an invoice or a credit."""
    totals = {
        role: text
        for role in ROLES_BY_AUTHORITY
        for s in events
        if s.role is role
        and s.event.type.value.startswith("order.")
        and (text := s.event.attributes.get(Attribute.TOTAL))
    }
    return next(reversed(totals.values()), "")


def build_source_claims(
    events: Sequence[RecordedEvent], ledger: QuantityLedger, source_states: SourceStates
) -> tuple[Claim, ...]:
    """What each source reports about the order, with totals of its quantities."""
    by_source: dict[str, list[RecordedEvent]] = {}
    for recorded in events:
        by_source.setdefault(recorded.source, []).append(recorded)
    result, items = [], ledger.interpretation.items
    for source, source_events in sorted(by_source.items()):
        quantities = {}
        for measure, column in ledger.columns.items():
            figures = [
                figure
                if items[key].scale == 1
                else round_to_six_decimals(figure / items[key].scale)
                for key, cell in column.items()
                if (figure := cell.figures.get(source)) is not None
            ]
            if figures:
                quantities[measure] = sum(figures, ZERO)
        result.append(
            Claim(
                source=source,
                role=source_events[-1].role,
                status_text=_latest_status_text_or_event_type(source_events),
                at=source_events[-1].occurred_at,
                quantities=quantities,
                last_received_at=max(s.received_at for s in source_events),
                order_state=source_states.state(source),
                promised=_latest_attribute(source_events, Attribute.PROMISED_AT),
            )
        )
    return tuple(result)


def _latest_status_text_or_event_type(events: Sequence[RecordedEvent]) -> str:
    return _latest_attribute(events, Attribute.STATUS) or events[-1].event.type.value


def _latest_attribute(events: Sequence[RecordedEvent], name: Attribute) -> str:
    return next((text for s in reversed(events) if (text := s.event.attributes.get(name))), "")


def collect_order_numbers(events: Sequence[RecordedEvent]) -> dict[str, str]:
    """The order's own numbers as written: `scheme:issuer` -> number.

    A customer PO that may be an order name of a shop is one only if that shop reports the order.
    """
    result: dict[str, str] = {}
    for recorded in events:
        if recorded.order_index >= 0:
            for i in recorded.event.objects[recorded.order_index].identifiers:
                if not i.strong and i.scheme is not IdentifierScheme.CUSTOMER_PO:
                    continue  # a weak number helps to find the order but does not identify it
                result.setdefault(f"{i.scheme.value}:{i.issuer}", i.value)
    sources = {recorded.source for recorded in events}
    purchase_orders = {n for name, n in result.items() if name.startswith(CUSTOMER_PO_PREFIX)}
    return {
        name: number
        for name, number in result.items()
        if number not in purchase_orders
        or not name.startswith(WEB_ORDER_PREFIX)
        or name.removeprefix(WEB_ORDER_PREFIX) in sources
    }


def other_currencies(events: Sequence[RecordedEvent], own: str) -> tuple[str, ...]:
    """The currencies that sources use besides the order's own."""
    used = {s.event.attributes.get(Attribute.CURRENCY, "").strip().upper() for s in events}
    return tuple(sorted(used - {"", own.strip().upper()}))
