"""An event in the trade's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from connectors.sdk.events import Attribute, EventType, Flag, Measure, ObjectKind, Scheme, plain
from visibility.timeline import Spoken

TITLES: Mapping[EventType, str] = {
    EventType.ORDER_RECEIVED: "Order received",
    EventType.ORDER_ACCEPTED: "Order accepted",
    EventType.ORDER_REJECTED: "Order rejected",
    EventType.ORDER_CHANGED: "Order changed",
    EventType.ORDER_CANCELLED: "Order cancelled",
    EventType.ORDER_HELD: "Put on hold",
    EventType.ORDER_HOLD_RELEASED: "Hold released",
    EventType.ORDER_RELEASED: "Released to the warehouse",
    EventType.LINE_ALLOCATED: "Stock allocated",
    EventType.LINE_DEALLOCATED: "Allocation taken back",
    EventType.LINE_SHORTED: "Line came up short",
    EventType.LINE_BACKORDERED: "Line back-ordered",
    EventType.LINE_SUBSTITUTED: "Line substituted",
    EventType.PICK_STARTED: "Picking started",
    EventType.PICK_COMPLETED: "Picked",
    EventType.PACK_COMPLETED: "Packed",
    EventType.LABEL_CREATED: "Label created",
    EventType.SHIPMENT_CONFIRMED: "Shipment confirmed",
    EventType.SHIPMENT_VOID: "Shipment voided",
    EventType.PICKED_UP: "Picked up by the carrier",
    EventType.IN_TRANSIT: "In transit",
    EventType.OUT_FOR_DELIVERY: "Out for delivery",
    EventType.ATTEMPTED: "Delivery attempted",
    EventType.AVAILABLE_FOR_PICKUP: "Waiting for pick-up",
    EventType.DELIVERED: "Delivered",
    EventType.DELAYED: "Delayed",
    EventType.SHIPMENT_EXCEPTION: "Trouble on the way",
    EventType.SHIPMENT_RETURNED: "Returned to sender",
    EventType.ETA_UPDATED: "Arrival expected",
    EventType.INVENTORY_SNAPSHOT: "Stock reported",
    EventType.INVOICE_ISSUED: "Invoice issued",
    EventType.INVOICE_PAID: "Invoice paid",
    EventType.INVOICE_VOID: "Invoice voided",
    EventType.CREDIT_ISSUED: "Credit issued",
    EventType.RETURN_AUTHORISED: "Return authorised",
    EventType.RETURN_RECEIVED: "Return received",
    EventType.RETURN_CREDITED: "Return credited",
    EventType.DOCUMENT_ACKNOWLEDGED: "Document acknowledged",
    EventType.DOCUMENT_REJECTED: "Document rejected",
    EventType.UNMAPPED: "Not yet mapped",
}
FLAGS: Mapping[Flag, str] = {
    Flag.DATE_ONLY: "told as a day without a time",
    Flag.TIME_RECEIVED: "told without a time: when we heard it stands in",
    Flag.ZONE_ASSUMED: "told without a time zone: the source's is taken",
    Flag.LOCAL_REPEATED: "an hour that the clocks show twice: the earlier is taken",
    Flag.LOCAL_SKIPPED: "an hour that the clocks leave out: moved on by it",
    Flag.FUTURE: "told ahead of its time",
    Flag.SANITISED: "characters that can't be kept were taken out",
    Flag.UNKNOWN_SKU: "an article that is not mapped",
    Flag.UNIT: "a unit that nobody has related to the line's",
    Flag.CURRENCY: "a currency that is unknown, or differs",
    Flag.OVERSHIP: "more than was ordered",
    Flag.CONFUSABLE: "a number that could be read as another one",
    Flag.ENVELOPE: "counts or control numbers of the file do not agree",
}
BAD = {
    EventType.ORDER_REJECTED,
    EventType.LINE_SHORTED,
    EventType.SHIPMENT_EXCEPTION,
    EventType.SHIPMENT_RETURNED,
    EventType.DOCUMENT_REJECTED,
}
WAITING = {EventType.ORDER_HELD, EventType.LINE_BACKORDERED, EventType.DELAYED, EventType.ATTEMPTED}
GOOD = {EventType.DELIVERED, EventType.INVOICE_PAID, EventType.RETURN_CREDITED}
NEUTRAL = {EventType.UNMAPPED, EventType.ORDER_CANCELLED, EventType.SHIPMENT_VOID}


@dataclass(frozen=True, slots=True)
class Words:
    """`title`: our word; `detail`: how much of what; `theirs`: the source's own word."""

    title: str
    detail: str
    theirs: str


def tone(kind: EventType) -> str:
    """The status tone of a kind of event."""
    if kind in BAD:
        return "late"
    if kind in WAITING:
        return "waiting"
    if kind in GOOD:
        return "ok"
    return "unknown" if kind in NEUTRAL else "running"


def words(spoken: Spoken, *, again: bool = False, contacts: bool = True) -> Words:
    """An event in words; every part of them is outside text and must be escaped.

    `again`: the state was told before; now only its figures differ. `contacts`: whoever reads it
    may see people's names, which free text may tell.
    """
    event = spoken.event
    parts = [_quantities(spoken), *_numbers(spoken)]
    told = [Attribute.CARRIER, Attribute.LOCATION, Attribute.REASON]
    told += [Attribute.DETAIL] if contacts else []
    parts += [event.attributes.get(name, "") for name in told]
    if event.type is EventType.ETA_UPDATED and event.attributes.get(Attribute.ETA):
        parts.append(event.attributes[Attribute.ETA][:10])
    theirs = event.raw_type or event.attributes.get(Attribute.STATUS, "")
    title = f"Updated, still: {TITLES[event.type].lower()}" if again else TITLES[event.type]
    return Words(title, " · ".join(p for p in parts if p), theirs)


def _quantities(spoken: Spoken) -> str:
    sums: dict[Measure, Decimal] = {}
    for line in spoken.event.lines:
        if line.order in (-1, spoken.order):
            for measure, quantity in line.quantities.items():
                sums[measure] = sums.get(measure, Decimal(0)) + quantity
    # A zero says nothing beside figures that do; "allocation 0" alone is the news.
    sums = {m: q for m, q in sums.items() if q} or sums
    count = len(spoken.event.lines)
    lines = f" in {count} line{'s' if count != 1 else ''}" if sums else ""
    return ", ".join(f"{plain(q)} {m.value}" for m, q in sums.items()) + lines


def _numbers(spoken: Spoken) -> list[str]:
    found = []
    for ref in spoken.event.objects:
        if ref.kind is ObjectKind.ORDER:
            continue
        for identifier in ref.identifiers:
            if identifier.scheme is not Scheme.SOURCE_ID:
                found.append(identifier.value)
                break
    return found[:4]
