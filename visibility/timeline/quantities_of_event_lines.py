"""The quantities that the lines of one event report, in the counting unit of each line."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from connectors.sdk.events import Measure
from visibility.timeline.interpret_event_lines import InterpretedLine
from visibility.timeline.quantity_claims import ZERO


def line_measure_and_counting_unit_quantity(
    lines: Iterable[InterpretedLine],
) -> Iterator[tuple[InterpretedLine, Measure, Decimal]]:
    """The quantities in the counting unit, or as reported without a conversion.

    A line that an event repeats for several packages or shipments yields the sum once.
    """
    sums: dict[tuple[str, str, Measure], tuple[InterpretedLine, Measure, Decimal]] = {}
    for line in lines:
        for measure, reported in line.quantities.items():
            quantity = reported if line.unit_factor is None else reported * line.unit_factor
            if line.line.package_index >= 0 or line.line.shipment_index >= 0:
                name = (line.key, line.line.line_id, measure)
                known = sums[name][2] if name in sums else ZERO
                sums[name] = (line, measure, known + quantity)
            else:
                yield line, measure, quantity
    yield from sums.values()
