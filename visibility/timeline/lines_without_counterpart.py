"""Ordered lines that the shipping systems list under other items, such as a kit by its components.

Without master data about the kit, nothing matches the lines of one system to those of the other.
The lines of the systems that ship then count in place of the ordered ones.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from connectors.sdk.events import EventType, Measure, ObjectKind
from visibility.timeline.model import RecordedEvent
from visibility.timeline.quantity_claims import QuantityClaims

Columns = Mapping[Measure, Mapping[str, QuantityClaims]]
BILLING_MEASURES = (Measure.INVOICED,)
SHIPMENT_KINDS = frozenset({ObjectKind.SHIPMENT, ObjectKind.PACKAGE})


@dataclass(frozen=True, slots=True)
class LinesWithoutCounterpart:
    """The lines of two groups of systems that do not match each other.

    `ordered`: lines of the order that no system works on. `replacements`: lines that are worked on
    and are not on the order; they count in place of `ordered`.
    """

    ordered: frozenset[str] = frozenset()
    replacements: frozenset[str] = frozenset()


ALL_MATCHED = LinesWithoutCounterpart()


def find_lines_without_counterpart(
    columns: Columns,
    measures: Collection[Measure],
    *,
    open_lines: Collection[str],
    other_lines: Collection[str],
) -> LinesWithoutCounterpart:
    """Find the lines that do not match, if there are some on both sides.

    `measures`: those of the work to compare. `open_lines`: the lines of the order that count and
    are still wanted. `other_lines`: countable lines that are not on the order.
    """
    worked_on = [key for key in other_lines if _is_worked_on(columns, key, measures)]
    if not worked_on:
        return ALL_MATCHED
    listed_by = (*measures, Measure.ORDERED)
    # A warehouse order, such as a 940, may come from another source than the shipments.
    sources = {source for key in worked_on for source in _sources(columns, key, listed_by)}
    ordered = frozenset(
        key
        for key in open_lines
        if not _is_worked_on(columns, key, measures)
        and sources.isdisjoint(_sources(columns, key, listed_by))
    )
    if not ordered:
        return ALL_MATCHED
    return LinesWithoutCounterpart(
        ordered,
        frozenset(
            key for key in other_lines if not sources.isdisjoint(_sources(columns, key, listed_by))
        ),
    )


def _is_worked_on(columns: Columns, key: str, measures: Collection[Measure]) -> bool:
    """Whether a source reports a quantity of one of the measures; an ERP may report zero."""
    return any(
        any(cell.figures.values()) for measure in measures if (cell := columns[measure].get(key))
    )


def _sources(columns: Columns, key: str, measures: Collection[Measure]) -> Iterator[str]:
    """The sources that report one of the measures for a line."""
    for measure in measures:
        cell = columns[measure].get(key)
        if cell:
            yield from cell.figures


def concerns_shipping_of_entire_order(recorded: RecordedEvent) -> bool:
    """Whether an event confirms or voids that the order itself was shipped, not one shipment."""
    event = recorded.event
    return (
        event.type in {EventType.SHIPMENT_CONFIRMED, EventType.SHIPMENT_VOID}
        and recorded.order_index >= 0
        and not event.scope
        and not any(Measure.SHIPPED in line.quantities for line in event.lines)
        and not any(ref.kind in SHIPMENT_KINDS for ref in event.objects)
    )


def known_demand(
    measure: Measure,
    *,
    ordered: Decimal | None,
    shipped: Decimal | None,
    reached: Decimal | None,
    is_everything_shipped: bool,
) -> Decimal | None:
    """How much of a replacement line is wanted, None if that is unknown.

    `ordered`: as its system reports it. Without that, the shipped quantity is all that is wanted
    once a system stated that the whole order was shipped, and all that can be invoiced.
    """
    if ordered is not None:
        return ordered
    if measure is Measure.INVOICED:
        return shipped if shipped is not None else reached
    return shipped if is_everything_shipped else None
