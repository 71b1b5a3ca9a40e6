"""The quantities that the lines of one event report, in the counting unit of each line."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from connectors.sdk.events import Measure
from visibility.timeline.interpret_event_lines import InterpretedLine
from visibility.timeline.model import RecordedEvent
from visibility.timeline.quantity_claims import ZERO


def sum_line_quantities_in_counting_unit(
    recorded: RecordedEvent, lines: Iterable[InterpretedLine]
) -> Iterator[tuple[InterpretedLine, Measure, Decimal]]:
    """The quantities in the counting unit, or as reported without a conversion.

    A line that an event repeats for several packages or shipments yields the sum once, with the
    quantity in each package.
    """
    repeated: dict[tuple[str, str, Measure], list[tuple[InterpretedLine, Decimal]]] = {}
    for line in lines:
        for measure, reported in line.quantities.items():
            quantity = reported if line.unit_factor is None else reported * line.unit_factor
            if line.line.package_index >= 0 or line.line.shipment_index >= 0:
                name = (line.key, line.line.line_id, measure)
                repeated.setdefault(name, []).append((line, quantity))
            else:
                yield line, measure, quantity
    for (_, _, measure), rows in repeated.items():
        by_package: dict[str, Decimal] = {}
        for line, quantity in rows:
            if line.line.package_index >= 0:
                key = recorded.object_keys[line.line.package_index]
                by_package[key] = by_package.get(key, ZERO) + quantity
        total = sum((quantity for _, quantity in rows), ZERO)
        yield replace(rows[-1][0], quantity_by_package=by_package), measure, total
