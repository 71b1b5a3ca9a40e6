"""Labels and details of events as people read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from connectors.sdk.event_codec import format_decimal
from connectors.sdk.event_type_descriptions import EVENT_TYPES
from connectors.sdk.events import Attribute, EventType, Flag, IdentifierScheme, Measure, ObjectKind
from visibility.formatting import count_with_noun, format_date
from visibility.timeline import RecordedEvent, Timeline

EVENT_LABELS: Mapping[EventType, str] = {
    event_type: description.label for event_type, description in EVENT_TYPES.items()
}
# Where there is little space; other types have their label.
LANE_LABELS: Mapping[EventType, str] = {
    EventType.ORDER_RECEIVED: "Received",
    EventType.ORDER_ACCEPTED: "Accepted",
    EventType.ORDER_RELEASED: "Released",
    EventType.LINE_ALLOCATED: "Allocated",
    EventType.LINE_BACKORDERED: "Back-ordered",
    EventType.LINE_SHORTED: "Short-shipped",
    EventType.SHIPMENT_CONFIRMED: "Shipped",
    EventType.LABEL_CREATED: "Label",
    EventType.ETA_UPDATED: "Delivery estimate",
    EventType.INVOICE_ISSUED: "Invoiced",
    EventType.INVOICE_PAID: "Paid",
    EventType.RETURN_RECEIVED: "Returned",
    EventType.CREDIT_ISSUED: "Credited",
}
FLAG_LABELS: Mapping[Flag, str] = {
    Flag.DATE_ONLY: "Date sent without a time",
    Flag.TIME_RECEIVED: "No event time sent; time received is shown",
    Flag.TIME_OF_REPORT: "Time of the report; it may have happened earlier",
    Flag.ZONE_ASSUMED: "No time zone sent; the time zone of the source is used",
    Flag.LOCAL_REPEATED: "Ambiguous local time when clocks go back; the earlier time is used",
    Flag.LOCAL_SKIPPED: "Local time skipped when clocks go forward; moved one hour later",
    Flag.FUTURE: "Event time is in the future",
    Flag.SANITIZED: "Unsupported characters were removed",
    Flag.CONFUSABLE: "Number contains look-alike characters",
    Flag.ENVELOPE: "Counts or control numbers of the file do not match",
}
# Times that no source reported are marked wherever they are shown.
INFERRED_TIME_NOTES: Mapping[Flag, str] = {
    Flag.TIME_RECEIVED: "no event time sent: time received",
    Flag.TIME_OF_REPORT: "time of the report",
    Flag.DATE_ONLY: "no time of day sent",
}
FAILURE_EVENTS = {
    EventType.ORDER_REJECTED,
    EventType.LINE_SHORTED,
    EventType.SHIPMENT_EXCEPTION,
    EventType.SHIPMENT_RETURNED,
    EventType.DOCUMENT_REJECTED,
}
DELAY_EVENTS = {
    EventType.ORDER_HELD,
    EventType.LINE_BACKORDERED,
    EventType.DELAYED,
    EventType.ATTEMPTED,
    EventType.LINE_REORDERED,
    EventType.PAYMENT_REMINDER_SENT,
    EventType.CREDIT_REQUESTED,
    EventType.DEBIT_REQUESTED,
}
SUCCESS_EVENTS = {
    EventType.PAYMENT_APPROVED,
    EventType.DELIVERED,
    EventType.INVOICE_PAID,
    EventType.RETURN_CREDITED,
}
NEUTRAL_EVENTS = {EventType.UNMAPPED, EventType.ORDER_CANCELLED, EventType.SHIPMENT_VOID}


@dataclass(frozen=True, slots=True)
class EventTitleAndDetail:
    """`title`: our label; `detail`: quantities, numbers, reasons.

    `source_status`: the source's status.
    """

    title: str
    detail: str
    source_status: str


def event_tone(kind: EventType) -> str:
    """The tone (CSS class suffix) of an event type."""
    if kind in FAILURE_EVENTS:
        return "late"
    if kind in DELAY_EVENTS:
        return "waiting"
    if kind in SUCCESS_EVENTS:
        return "ok"
    return "unknown" if kind in NEUTRAL_EVENTS else "running"


def event_title_and_detail(
    recorded: RecordedEvent, *, is_update: bool = False, contacts: bool = True
) -> EventTitleAndDetail:
    """The label and details of an event. All of it is untrusted text and must be escaped.

    `is_update`: the source had already reported this state; only its figures changed. `contacts`:
    the reader may see personal names, which free text can contain.
    """
    event = recorded.event
    details = [_format_event_totals_by_measure(recorded), *_related_object_numbers(recorded)]
    attribute_names = [Attribute.CARRIER, Attribute.LOCATION, Attribute.REASON]
    attribute_names += [Attribute.DETAIL] if contacts else []
    details += [event.attributes.get(name, "") for name in attribute_names]
    if event.type is EventType.ETA_UPDATED and event.attributes.get(Attribute.ETA):
        details.append(_format_date_else_return_text(event.attributes[Attribute.ETA]))
    source_status = event.raw_type or event.attributes.get(Attribute.STATUS, "")
    title = (
        f"Update (status unchanged): {EVENT_LABELS[event.type].lower()}"
        if is_update
        else EVENT_LABELS[event.type]
    )
    return EventTitleAndDetail(title, " · ".join(p for p in details if p), source_status)


def _format_date_else_return_text(text: str) -> str:
    """A date such as `Tue, Dec 1`; text that is not a date is returned unchanged."""
    try:
        return format_date(date.fromisoformat(text[:10]))
    except ValueError:
        return text


def _format_event_totals_by_measure(recorded: RecordedEvent) -> str:
    totals: dict[Measure, Decimal] = {}
    for line in recorded.event.lines:
        if recorded.does_line_name_this_or_no_order(line):
            for measure, quantity in line.quantities.items():
                totals[measure] = totals.get(measure, Decimal(0)) + quantity
    # A zero is only worth showing if it is all that the event reports, such as "0 allocated".
    totals = {m: q for m, q in totals.items() if q} or totals
    count = len(recorded.event.lines)
    lines = f" in {count_with_noun(count, 'line')}" if totals else ""
    return ", ".join(f"{format_decimal(q)} {m.value}" for m, q in totals.items()) + lines


def _related_object_numbers(recorded: RecordedEvent) -> list[str]:
    numbers = []
    for ref in recorded.event.objects:
        if ref.kind in {ObjectKind.ORDER, ObjectKind.SERIALIZED_ITEM}:
            continue
        for identifier in ref.identifiers:
            if identifier.scheme is not IdentifierScheme.SOURCE_ID:
                numbers.append(identifier.value)
                break
    return numbers[:4]


def inferred_time_note(recorded: RecordedEvent) -> str:
    """Why the time of an event is inferred, "" if its source reported it."""
    flags = recorded.event.flags
    return next((note for flag, note in INFERRED_TIME_NOTES.items() if flag in flags), "")


def inferred_time_notes_by_time(timeline: Timeline) -> dict[datetime, str]:
    """The times that are inferred for every event in effect that occurred at them, and why."""
    notes: dict[datetime, str] = {}
    for entry in timeline.entries:
        if not entry.superseded:
            at, note = entry.recorded.occurred_at, inferred_time_note(entry.recorded)
            notes[at] = note if notes.get(at, note) else ""
    return {at: note for at, note in notes.items() if note}
