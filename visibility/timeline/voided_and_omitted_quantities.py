"""Quantities that a later event takes back: by a void, or by a report that omits them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from connectors.sdk.events import Measure
from visibility.timeline.interpret_event_lines import Interpretation, InterpretedLine
from visibility.timeline.model import RecordedEvent
from visibility.timeline.quantity_claims import QuantityClaims

Columns = Mapping[Measure, Mapping[str, QuantityClaims]]


def claims_by_measure_and_line(
    cells_by_line: Mapping[str, Mapping[Measure, QuantityClaims]],
) -> dict[Measure, dict[str, QuantityClaims]]:
    """{measure: {line: claims}} from {line: {measure: claims}}."""
    columns: dict[Measure, dict[str, QuantityClaims]] = {}
    for key, cells in cells_by_line.items():
        for measure, cell in cells.items():
            columns.setdefault(measure, {})[key] = cell
    return columns


def scopes_of_void(
    recorded: RecordedEvent, scope_objects: Mapping[tuple[str, str], Collection[str]]
) -> set[str]:
    """The scopes that a void names, or else those of its packages and invoices.

    `scope_objects`: (source, scope) -> the keys of the objects that it was reported with.
    """
    voided_keys = recorded.owned_object_keys()
    return {
        scope
        for (source, scope), objects in scope_objects.items()
        if source == recorded.source
        and (
            scope == recorded.event.scope
            or (not recorded.event.scope and voided_keys & set(objects))
        )
    }


def event_keys_of_voided_increments(
    recorded: RecordedEvent, increment_objects: Mapping[tuple[str, str], Collection[str]]
) -> set[str]:
    """The keys of the events whose increments a void takes back, by the objects that both name."""
    voided_keys = recorded.owned_object_keys()
    return {
        key
        for (source, key), objects in increment_objects.items()
        if source == recorded.source and voided_keys & set(objects)
    }


def void_claims(
    columns: Columns, source: str, scopes: Collection[str], increments: Collection[str]
) -> Iterator[tuple[str, Measure]]:
    """Void scopes and increments (event keys) of a source. Yield the (line, measure) changed."""
    for measure, column in columns.items():
        for key, cell in column.items():
            has_scope_changed = cell.void_scopes(source, scopes)
            if cell.void_increments(source, increments) or has_scope_changed:
                yield key, measure


def reset_omitted_quantities(
    tables: Iterable[Columns], recorded: RecordedEvent, lines: Iterable[InterpretedLine]
) -> Iterator[tuple[str, Measure]]:
    """Set what a complete report does not name to zero. Yield the (line, measure) changed.

    Only the quantities that the same source reported earlier for the same scope are affected. An
    event without a scope completes the order that it names, and no other.
    """
    event = recorded.event
    if not event.scope and recorded.order_index < 0:
        return
    named: dict[tuple[str, Measure], set[str]] = {}
    for line in lines:
        for measure in line.quantities:
            named.setdefault((line.key, measure), set()).add(line.line.line_id)
    cells = (
        (key, measure, cell)
        for columns in tables
        for measure in event.complete_measures
        for key, cell in columns.get(measure, {}).items()
    )
    for key, measure, cell in cells:
        if cell.reset_lines_not_named(recorded, named.get((key, measure), set())):
            yield key, measure


def are_reported_quantities_now_zero(
    columns: Columns,
    recorded: RecordedEvent,
    lines: Iterable[InterpretedLine],
    measure: Measure,
) -> bool:
    """Whether an event reported quantities of a measure in `lines`, and they all are zero now."""
    counted = [
        line for line in lines if measure in line.quantities and line.unit_factor is not None
    ]
    cells = columns[measure]
    return bool(counted) and not any(
        cells[line.key].current_quantity_in_scope_of_event(recorded, line) for line in counted
    )


def scopes_last_reported_nothing_shipped(
    events: Sequence[RecordedEvent], reading: Interpretation
) -> set[tuple[str, str]]:
    """(source, scope) of totals of shipped quantities whose last report is zero."""
    last: dict[tuple[str, str], bool] = {}
    for recorded in events:
        shipped = [
            line.quantities[Measure.SHIPPED]
            for line in reading.lines_of_event(recorded)
            if Measure.SHIPPED in line.quantities
        ]
        if shipped:
            last[(recorded.source, recorded.event.scope)] = not any(shipped)
    return {scope for scope, is_undone in last.items() if is_undone}
