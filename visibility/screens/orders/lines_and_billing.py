"""The lines of an order and their invoicing: quantities, flags, and what is not invoiced yet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from connectors.sdk.event_codec import format_decimal
from connectors.sdk.events import Attribute, Measure
from visibility.screens.orders.claims_and_discrepancies import format_value_with_reported_unit
from visibility.screens.orders.line_units import line_in_order_unit, order_unit
from visibility.timeline import Timeline, TimelineLine
from visibility.timeline.model import parse_timestamp_or_none
from visibility.timeline.state_and_flag_enums import ComparedField, LineFlag, LineState

SourceTitles = Mapping[str, tuple[str, datetime]]
# No system has reported a value.
NO_VALUE = "\N{EN DASH}"
ZERO = Decimal(0)
LINE_STATE_LABELS: Mapping[LineState, tuple[str, str]] = {
    LineState.UNKNOWN: ("Unknown", "unknown"),
    LineState.UNCOUNTABLE: ("Excluded", "unknown"),
    LineState.ORDERED: ("Ordered", "running"),
    LineState.BACKORDERED: ("Back-ordered", "waiting"),
    LineState.ALLOCATED: ("Allocated", "running"),
    LineState.PICKED: ("Picked", "running"),
    LineState.PACKED: ("Packed", "running"),
    LineState.PARTIALLY_SHIPPED: ("Partially shipped", "risk"),
    LineState.SHIPPED: ("Shipped", "running"),
    LineState.PARTIALLY_DELIVERED: ("Partially delivered", "risk"),
    LineState.DELIVERED: ("Delivered", "ok"),
    LineState.RETURNED: ("Returned", "waiting"),
    LineState.CANCELLED: ("Cancelled", "unknown"),
}
LINE_FLAG_LABELS: Mapping[LineFlag, str] = {
    LineFlag.UNIT: "no unit conversion: not counted",
    LineFlag.UNKNOWN_SKU: "item not mapped yet: not counted",
    LineFlag.OVERSHIP: "shipped more than ordered",
    LineFlag.CONTRADICTION: "shipped although cancelled",
    LineFlag.SHORT_CANCELLED: "cancelled by the seller",
    LineFlag.SUBSTITUTED: "filled by a substitute item",
    LineFlag.SUBSTITUTE: "substitute for another line",
    LineFlag.KIT: "kit, counted by component",
    LineFlag.COMPONENT: "kit component",
    LineFlag.NO_COUNTERPART: "matches no line of the other systems: a kit or an unmapped item?",
    LineFlag.NOT_GOODS: "not shipped: a service, tip or digital gift card",
}
# Flags that say why a line is not on the order.
EXPLAINED_FLAGS = frozenset({LineFlag.SUBSTITUTE, LineFlag.COMPONENT, LineFlag.NO_COUNTERPART})
MEASURES = (
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
    """One line: a cell for each measure that was reported, and the figures of each source."""

    line: TimelineLine
    title: str
    tone: str
    flags: tuple[str, ...]
    cells: tuple[tuple[str, str], ...]
    # Percent shipped of the quantity to ship; None if that quantity is unknown.
    percent_shipped: int | None
    sources: tuple[tuple[str, str], ...]
    # The promise of the line, or else that of the order.
    promised_at: datetime | None = None
    is_own_promise: bool = False
    # (label, date) of the other dates that the line has of its own
    dates: tuple[tuple[str, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class LineTable:
    """Lines (rows) by measure (columns). `has_order_units`: some are ordered in another unit."""

    headers: tuple[str, ...]
    rows: tuple[LineRow, ...]
    has_order_units: bool = False


@dataclass(frozen=True, slots=True)
class LineShippedInvoicedComparison:
    """Shipped against invoiced quantity of one line, and the value of the difference."""

    line: TimelineLine
    shipped: str
    invoiced: str
    credited: str
    label: str
    tone: str
    value_at_risk: Decimal | None


def measure_label(measure: Measure) -> str:
    """The label of a measure."""
    return measure.value.replace("backordered", "back-ordered").capitalize()


def line_table(
    timeline: Timeline, names: SourceTitles, *, in_order_unit: bool = False
) -> LineTable:
    """All lines, with the measures that at least one system reported.

    `in_order_unit`: in the unit of the order where it is known, otherwise in the base unit.
    """
    lines = [line_in_order_unit(e, timeline) if in_order_unit else e for e in timeline.lines]
    promised_at = parse_timestamp_or_none(timeline.attributes.get(Attribute.PROMISED_AT))
    measures = [m for m in MEASURES if any(m in line.quantities for line in timeline.lines)]
    return LineTable(
        tuple(measure_label(m) for m in measures),
        tuple(
            replace(
                _line_row(line, measures, names),
                dates=tuple(_own_dates(line, timeline)),
                promised_at=line.promised_at or promised_at,
                is_own_promise=line.promised_at not in {None, promised_at},
            )
            for line in lines
        ),
        any(order_unit(line, timeline) for line in timeline.lines),
    )


def _own_dates(line: TimelineLine, timeline: Timeline) -> Iterator[tuple[str, datetime]]:
    """The ship-by date, and the requested date if it is not that of the order."""
    order_date = parse_timestamp_or_none(timeline.attributes.get(Attribute.REQUESTED_AT))
    if line.requested_at and line.requested_at != order_date:
        yield "Requested", line.requested_at
    if line.ship_by:
        yield "Ship by", line.ship_by


def _line_row(line: TimelineLine, measures: list[Measure], names: SourceTitles) -> LineRow:
    shipped = line.quantity(Measure.SHIPPED)
    by_source: dict[str, list[str]] = {}
    for claim in line.claims:
        if claim.field is not ComparedField.PRICE:
            by_source.setdefault(claim.source, []).append(
                f"{claim.field.value} {format_value_with_reported_unit(claim)}"
            )
    title, tone = LINE_STATE_LABELS[line.state]
    return LineRow(
        line=line,
        title=title,
        tone=tone,
        flags=tuple(_line_remarks(line)),
        cells=tuple(
            (
                measure_label(m),
                format_decimal(line.quantities[m]) if m in line.quantities else NO_VALUE,
            )
            for m in measures
        ),
        percent_shipped=int(min(max(shipped, ZERO) / line.net_ordered_quantity, Decimal(1)) * 100)
        if line.net_ordered_quantity and not line.uncountable
        else None,
        sources=tuple(
            (names[source][0] if source in names else source, ", ".join(figures))
            for source, figures in by_source.items()
        ),
    )


def _line_remarks(line: TimelineLine) -> Iterator[str]:
    """The label of each flag, the substitutes shipped, and whether the line was ordered at all."""
    for flag in line.flags:
        yield LINE_FLAG_LABELS[flag]
    if line.substituted_by:
        yield "substitute: " + ", ".join(
            f"{format_decimal(q)} of {sku}" for sku, q in line.substituted_by
        )
    if line.unexpected and not EXPLAINED_FLAGS & set(line.flags):
        yield "not on the original order"


def compare_shipped_with_invoiced_by_line(
    timeline: Timeline,
) -> tuple[LineShippedInvoicedComparison, ...]:
    """Compare shipped with invoiced, and returned with credited quantities, line by line."""
    return tuple(
        _compare_shipped_with_invoiced_of_line(line)
        for line in timeline.lines
        if line.is_goods and not line.unexpected
    )


def _compare_shipped_with_invoiced_of_line(line: TimelineLine) -> LineShippedInvoicedComparison:
    shipped, invoiced = line.quantity(Measure.SHIPPED), line.quantity(Measure.INVOICED)
    returned, credited = line.quantity(Measure.RETURNED), line.quantity(Measure.CREDITED)
    gap, label, tone = ZERO, "In agreement", "ok"
    if line.uncountable:
        label, tone = "Cannot be counted", "unknown"
    elif shipped > invoiced:
        gap, label, tone = shipped - invoiced, "shipped, not invoiced", "risk"
    elif invoiced > shipped:
        gap, label, tone = invoiced - shipped, "invoiced, not shipped", "late"
    elif returned > credited:
        gap, label, tone = returned - credited, "returned, not credited", "risk"
    elif not shipped:
        label, tone = "Nothing shipped or invoiced yet", "unknown"
    return LineShippedInvoicedComparison(
        line=line,
        shipped=_format_line_quantity_or_dash(line, Measure.SHIPPED),
        invoiced=_format_line_quantity_or_dash(line, Measure.INVOICED),
        credited=_format_line_quantity_or_dash(line, Measure.CREDITED),
        label=f"{format_decimal(gap)} {label}" if gap else label,
        tone=tone,
        value_at_risk=gap * line.price if gap and line.price is not None else None,
    )


def _format_line_quantity_or_dash(line: TimelineLine, measure: Measure) -> str:
    return format_decimal(line.quantities[measure]) if measure in line.quantities else NO_VALUE


def order_currency(timeline: Timeline) -> str:
    """The ISO 4217 code of the order's amounts, empty if unknown."""
    return timeline.attributes.get(Attribute.CURRENCY, "")
