"""Pack sizes that events report: how many pieces one unit of a line contains."""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

from visibility.timeline.master_data_dictionary import ItemDefinition
from visibility.timeline.units import canonical_unit, conversion_factor

PIECE = canonical_unit("EA")


class ReportedPackSizes:
    """The pieces per unit that the events of one order report, by line.

    Two events that report different sizes of one unit leave the size unknown.
    """

    def __init__(self) -> None:
        self._sizes: dict[str, dict[str, set[Fraction]]] = {}

    def record(self, key: str, unit: str, pieces_per_unit: Decimal | None) -> None:
        """Record that one `unit` of the line `key` contains so many pieces, if it is known."""
        if pieces_per_unit:
            sizes = self._sizes.setdefault(key, {})
            sizes.setdefault(canonical_unit(unit), set()).add(Fraction(pieces_per_unit))

    def pieces_by_unit(self, key: str) -> Mapping[str, Fraction]:
        """The pieces in one of each unit of the line `key`; of a piece itself, one."""
        sizes = self._sizes.get(key)
        if sizes is None:
            return {}
        known = {unit: next(iter(values)) for unit, values in sizes.items() if len(values) == 1}
        return {**known, PIECE: Fraction(1)}


def unit_factor(
    item: ItemDefinition | None, base_unit: str, unit: str, pieces: Mapping[str, Fraction]
) -> Fraction | None:
    """Base units in one `unit`, None if unknown.

    The master data of the item counts first, then the `pieces` by unit that events report.
    """
    unit, base_unit = canonical_unit(unit), canonical_unit(base_unit)
    if unit == base_unit:
        return Fraction(1)
    factor = conversion_factor(item, unit) if item else None
    if factor is None and unit in pieces and base_unit in pieces:
        return pieces[unit] / pieces[base_unit]
    return factor


def counting_scale(
    item: ItemDefinition | None, base_unit: str, pieces: Mapping[str, Fraction]
) -> int:
    """The smallest `scale` for which all units are whole multiples of 1/`scale` base unit."""
    if item is None and not pieces:
        return 1
    units: Iterable[str] = [*(item.factors if item else ()), *pieces]
    factors = (unit_factor(item, base_unit, unit, pieces) for unit in units)
    return math.lcm(*(factor.denominator for factor in factors if factor is not None))
