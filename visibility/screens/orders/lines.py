"""An order's lines and its money as tables: figures, flags, and what has left without a bill."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from connectors.sdk.events import Attribute, EventType, Measure, ObjectKind, plain
from visibility.screens.orders.claims import figure
from visibility.timeline import Line, Timeline
from visibility.timeline.enums import Field, LineFlag, LineState

Names = Mapping[str, tuple[str, datetime]]
# Nobody has said anything.
NOBODY = "\N{EN DASH}"
ZERO = Decimal(0)
STATES: Mapping[LineState, tuple[str, str]] = {
    LineState.UNKNOWN: ("Not known", "unknown"),
    LineState.ASIDE: ("Set aside", "unknown"),
    LineState.ORDERED: ("Ordered", "running"),
    LineState.BACKORDERED: ("Waits for stock", "waiting"),
    LineState.ALLOCATED: ("Allocated", "running"),
    LineState.PICKED: ("Picked", "running"),
    LineState.PACKED: ("Packed", "running"),
    LineState.PARTIALLY_SHIPPED: ("Partly shipped", "risk"),
    LineState.SHIPPED: ("Shipped", "running"),
    LineState.PARTIALLY_DELIVERED: ("Partly delivered", "risk"),
    LineState.DELIVERED: ("Delivered", "ok"),
    LineState.RETURNED: ("Returned", "waiting"),
    LineState.CANCELLED: ("Cancelled", "unknown"),
}
FLAGS: Mapping[LineFlag, str] = {
    LineFlag.UNIT: "units that nobody has related: not counted",
    LineFlag.UNKNOWN_SKU: "article not mapped yet: not counted",
    LineFlag.OVERSHIP: "more left than was ordered",
    LineFlag.CONTRADICTION: "more left than is still wanted",
    LineFlag.SHORT_CANCELLED: "cancelled for want of stock",
    LineFlag.SUBSTITUTED: "filled by another article",
    LineFlag.SUBSTITUTE: "sent in place of another line",
    LineFlag.KIT: "kit, counted by its components",
    LineFlag.COMPONENT: "component of a kit",
}
COLUMNS = (
    Measure.ORDERED,
    Measure.ALLOCATED,
    Measure.BACKORDERED,
    Measure.PICKED,
    Measure.PACKED,
    Measure.SHIPPED,
    Measure.DELIVERED,
    Measure.INVOICED,
    Measure.RETURNED,
    Measure.CREDITED,
    Measure.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line: a cell for each measure somebody spoke of, and what each source says."""

    line: Line
    title: str
    tone: str
    flags: tuple[str, ...]
    cells: tuple[tuple[str, str], ...]
    # Of what is due, in percent; None where nobody said how much that is.
    share: int | None
    sources: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Lines x measures."""

    heads: tuple[str, ...]
    rows: tuple[LineRow, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """How one line's shipped and invoiced quantities match, and the money between them."""

    line: Line
    shipped: str
    invoiced: str
    credited: str
    words: str
    tone: str
    money: Decimal | None


@dataclass(frozen=True, slots=True)
class Bill:
    """One invoice or credit as it was told."""

    title: str
    number: str
    at: datetime
    source: str
    event_id: int


def head(measure: Measure) -> str:
    """A measure as people say it."""
    return measure.value.replace("backordered", "back-ordered").capitalize()


def table(timeline: Timeline, names: Names) -> Table:
    """Lines with the measures anybody spoke of."""
    told = [m for m in COLUMNS if any(m in line.quantities for line in timeline.lines)]
    return Table(
        tuple(head(m) for m in told),
        tuple(_row(line, told, names) for line in timeline.lines),
    )


def _row(line: Line, told: list[Measure], names: Names) -> LineRow:
    shipped = line.get(Measure.SHIPPED)
    by_source: dict[str, list[str]] = {}
    for said in line.said:
        if said.field is not Field.PRICE:
            by_source.setdefault(said.source, []).append(f"{said.field.value} {figure(said)}")
    title, tone = STATES[line.state]
    return LineRow(
        line=line,
        title=title,
        tone=tone,
        flags=tuple(_flags(line)),
        cells=tuple(
            (head(m), plain(line.quantities[m]) if m in line.quantities else NOBODY) for m in told
        ),
        share=int(min(max(shipped, ZERO) / line.due, Decimal(1)) * 100)
        if line.due and not line.aside
        else None,
        sources=tuple(
            (names[source][0] if source in names else source, ", ".join(figures))
            for source, figures in by_source.items()
        ),
    )


def _flags(line: Line) -> Iterator[str]:
    """Each flag in words; what it was filled by; whether the order itself has it."""
    for flag in line.flags:
        yield FLAGS[flag]
    if line.filled:
        yield "sent: " + ", ".join(f"{plain(q)} of {sku}" for sku, q in line.filled)
    if line.extra and not {LineFlag.SUBSTITUTE, LineFlag.COMPONENT} & set(line.flags):
        yield "not on the order as its source has it"


def matches(timeline: Timeline) -> tuple[Match, ...]:
    """Shipped against invoiced, line by line; returned against credited where goods came back."""
    return tuple(_match(line) for line in timeline.lines if not line.extra)


def _match(line: Line) -> Match:
    shipped, invoiced = line.get(Measure.SHIPPED), line.get(Measure.INVOICED)
    returned, credited = line.get(Measure.RETURNED), line.get(Measure.CREDITED)
    gap, words, tone = ZERO, "matches", "ok"
    if line.aside:
        words, tone = "can't be counted", "unknown"
    elif shipped > invoiced:
        gap, words, tone = shipped - invoiced, "shipped, not invoiced", "risk"
    elif invoiced > shipped:
        gap, words, tone = invoiced - shipped, "invoiced, not shipped", "late"
    elif returned > credited:
        gap, words, tone = returned - credited, "returned, not credited", "risk"
    elif not shipped:
        words, tone = "nothing yet", "unknown"
    return Match(
        line=line,
        shipped=_figure(line, Measure.SHIPPED),
        invoiced=_figure(line, Measure.INVOICED),
        credited=_figure(line, Measure.CREDITED),
        words=f"{plain(gap)} {words}" if gap else words,
        tone=tone,
        money=gap * line.price if gap and line.price is not None else None,
    )


def _figure(line: Line, measure: Measure) -> str:
    return plain(line.quantities[measure]) if measure in line.quantities else NOBODY


BILLS = {
    EventType.INVOICE_ISSUED: "Invoice issued",
    EventType.INVOICE_PAID: "Invoice paid",
    EventType.INVOICE_VOID: "Invoice voided",
    EventType.CREDIT_ISSUED: "Credit issued",
    EventType.RETURN_CREDITED: "Return credited",
}


def bills(timeline: Timeline, names: Names) -> tuple[Bill, ...]:
    """Invoices and credits, newest first."""
    return tuple(
        Bill(
            title=BILLS[entry.spoken.event.type],
            number=next(
                (
                    ref.identifiers[0].value
                    for ref in entry.spoken.event.objects
                    if ref.kind in {ObjectKind.INVOICE, ObjectKind.RETURN}
                ),
                entry.spoken.event.part,
            ),
            at=entry.spoken.occurred_at,
            source=names.get(entry.spoken.source, (entry.spoken.source,))[0],
            event_id=entry.spoken.event_id,
        )
        for entry in reversed(timeline.entries)
        if not entry.superseded and entry.spoken.event.type in BILLS
    )


def currency(timeline: Timeline) -> str:
    """What the order's amounts are in."""
    return timeline.attributes.get(Attribute.CURRENCY, "")
