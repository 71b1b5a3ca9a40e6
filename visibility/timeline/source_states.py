"""Where each source says an order stands: open, shipped or cancelled."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from connectors.sdk.connector import Role
from connectors.sdk.events import EventType, Measure
from visibility.timeline.authority import CARRIERS, FINANCE
from visibility.timeline.model import Spoken
from visibility.timeline.quantity_claims import ZERO
from visibility.timeline.quantity_ledger import Ledger
from visibility.timeline.shipments import SCANS

OPEN, SHIPPED, CANCELLED = "open", "shipped", "cancelled"
GOES_ON = frozenset(
    {
        EventType.ORDER_RECEIVED,
        EventType.ORDER_ACCEPTED,
        EventType.ORDER_HELD,
        EventType.ORDER_HOLD_RELEASED,
        EventType.ORDER_RELEASED,
        EventType.LINE_ALLOCATED,
        EventType.PICK_STARTED,
        EventType.PICK_COMPLETED,
        EventType.PACK_COMPLETED,
    }
)
LEFT = frozenset(SCANS) | {EventType.SHIPMENT_CONFIRMED}


@dataclass(slots=True)
class Stands:
    """The word of each source and since when it says so."""

    words: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    # When each source last spoke of an order that goes on.
    open_at: dict[str, datetime] = field(default_factory=dict)
    # Sources that say nothing has left.
    nothing: dict[str, datetime] = field(default_factory=dict)
    counted: bool = False

    def hear(self, spoken: Spoken, ledger: Ledger) -> bool:
        """Take what an event says of the order as a whole; whether that may matter."""
        self.roles[spoken.source] = spoken.role
        if spoken.role in FINANCE:
            return False
        told = [
            t.quantities[Measure.SHIPPED]
            for t in ledger.reading.lines(spoken)
            if Measure.SHIPPED in t.quantities
        ]
        self.counted = self.counted or any(q > 0 for q in told)
        word = self._word(spoken, ledger, left=any(q > 0 for q in told))
        if told and not any(told) and self.words.get(spoken.source, ("",))[0] != SHIPPED:
            self.nothing[spoken.source] = spoken.occurred_at
        if not word:
            return bool(told)
        if word == OPEN:
            self.open_at[spoken.source] = spoken.occurred_at
        if word == SHIPPED:
            self.nothing.pop(spoken.source, None)
        old = self.words.get(spoken.source)
        if old is None or old[0] != word:
            self.words[spoken.source] = (word, spoken.occurred_at)
        return True

    def _word(self, spoken: Spoken, ledger: Ledger, *, left: bool) -> str:
        old = self.words.get(spoken.source, ("",))[0]
        kind = spoken.event.type
        if kind is EventType.SHIPMENT_VOID:
            return "" if self._left(spoken.source, ledger) else OPEN
        if left or kind in LEFT:
            return SHIPPED
        if old == SHIPPED:
            return ""
        if kind is EventType.ORDER_CANCELLED and spoken.order >= 0:
            return CANCELLED
        if kind in GOES_ON and spoken.order >= 0 and spoken.role not in CARRIERS:
            return OPEN
        return ""

    def _left(self, source: str, ledger: Ledger) -> bool:
        cells = ledger.columns[Measure.SHIPPED].values()
        return any(cell.figures.get(source, ZERO) > 0 for cell in cells)

    def differing(self) -> Iterator[tuple[str, str, datetime]]:
        """(source, word, since) of a contradiction.

        Cancelled contradicts shipped, and whoever goes on with the order afterwards. Silence
        contradicts nothing. Shipped contradicts "nothing has left" where no quantities tell more.
        """
        gone = {s: at for s, (word, at) in self.words.items() if word == CANCELLED}
        left = {s: at for s, (word, at) in self.words.items() if word == SHIPPED}
        if gone:
            first = min(gone.values())
            going = {
                s: self.open_at[s]
                for s, (word, _) in self.words.items()
                if word == OPEN and self.open_at[s] > first
            }
            if left or going:
                yield from ((s, CANCELLED, at) for s, at in gone.items())
                yield from ((s, SHIPPED, at) for s, at in left.items())
                yield from ((s, OPEN, at) for s, at in going.items())
        elif left and self.nothing and not self.counted:
            yield from ((s, SHIPPED, at) for s, at in left.items())
            yield from ((s, "nothing shipped", at) for s, at in self.nothing.items())

    def word(self, source: str) -> str:
        """What a source says now."""
        return self.words.get(source, ("",))[0]
