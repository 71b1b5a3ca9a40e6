"""One measure of one line: what each source claims of it, in parts."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal

from visibility.timeline.interpretation import Told
from visibility.timeline.model import Spoken

ZERO = Decimal(0)


class Cell:
    """Parts add up, a whole-order claim stands beside them.

    A source that tells whole-order totals and parts of them is counted by the larger of the two.
    """

    __slots__ = ("arrived", "cached", "counting", "figures", "parts", "told", "units")

    def __init__(self) -> None:
        # source -> the source's line id -> part -> quantity
        self.parts: dict[str, dict[str, dict[str, Decimal]]] = {}
        # source -> the sum of the above: what that source claims
        self.figures: dict[str, Decimal] = {}
        self.told: dict[str, datetime] = {}
        self.units: dict[str, tuple[str, Decimal]] = {}
        # What follows from the figures, until they change: the sum, and whose it is.
        self.cached: Decimal | None = None
        self.counting: tuple[str, ...] = ()
        # When parts of it arrived, and the sums up to then.
        self.arrived: tuple[list[datetime], list[Decimal]] | None = None

    def put(self, spoken: Spoken, told: Told, quantity: Decimal) -> bool:
        """Take a claim; whether it changed the source's figure or is its first."""
        source = spoken.source
        self.told[source] = spoken.occurred_at
        self.units[source] = (told.unit, told.times or Decimal(1))
        parts = self.parts.setdefault(source, {}).setdefault(told.line.line_id, {})
        old = parts.get(spoken.event.part)
        if old == quantity:
            return False
        parts[spoken.event.part] = quantity
        if "" in parts:
            self.sum(source)
        else:
            self._set(source, self.figures.get(source, ZERO) + quantity - (old or ZERO))
        return True

    def void(self, source: str, parts: Collection[str]) -> bool:
        """A part did not happen."""
        gone = False
        for quantities in self.parts.get(source, {}).values():
            for part in parts:
                if quantities.get(part):
                    quantities[part] = ZERO
                    gone = True
        if gone:
            self.sum(source)
        return gone

    def sum(self, source: str) -> None:
        """Add up what a source claims."""
        self._set(source, sum(map(_total, self.parts[source].values()), ZERO))

    def _set(self, source: str, figure: Decimal) -> None:
        self.figures[source] = figure
        self.cached, self.counting, self.arrived = None, (), None


def _total(parts: Mapping[str, Decimal]) -> Decimal:
    if len(parts) == 1:
        (only,) = parts.values()
        return only
    whole = parts.get("")
    if whole is None:
        return sum(parts.values(), ZERO)
    return max(whole, sum((q for p, q in parts.items() if p), ZERO))
