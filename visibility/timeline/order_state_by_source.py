"""The state of the order as each source reports it: open, shipped or cancelled."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import EventType, Measure
from visibility.timeline.authoritative_quantities import QuantityLedger
from visibility.timeline.authority import CARRIERS, FINANCE
from visibility.timeline.model import RecordedEvent
from visibility.timeline.quantity_claims import ZERO
from visibility.timeline.shipments import SCANS

OPEN, SHIPPED, CANCELLED = "open", "shipped", "cancelled"
OPEN_EVENTS = frozenset(
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
SHIPPED_EVENTS = frozenset(SCANS) | {EventType.SHIPMENT_CONFIRMED}


@dataclass(slots=True)
class SourceStates:
    """The state that each source reports, and since when."""

    states: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    roles: dict[str, SourceRole] = field(default_factory=dict)
    # When each source last reported an open order.
    open_at: dict[str, datetime] = field(default_factory=dict)
    # Sources that report zero shipped quantities, and since when.
    reports_nothing_shipped: dict[str, datetime] = field(default_factory=dict)
    has_shipped_quantity: bool = False

    def apply(self, recorded: RecordedEvent, ledger: QuantityLedger) -> bool:
        """Apply an event. Return whether it may change a contradiction."""
        self.roles[recorded.source] = recorded.role
        if recorded.role in FINANCE:
            return False
        shipped = [
            line.quantities[Measure.SHIPPED]
            for line in ledger.interpretation.lines_of_event(recorded)
            if Measure.SHIPPED in line.quantities
        ]
        self.has_shipped_quantity = self.has_shipped_quantity or any(q > 0 for q in shipped)
        state = self._state_from_event(
            recorded, ledger, has_shipped=any(shipped) if shipped else None
        )
        if shipped and not any(shipped) and self.states.get(recorded.source, ("",))[0] != SHIPPED:
            self.reports_nothing_shipped[recorded.source] = recorded.occurred_at
        if not state:
            return bool(shipped)
        if state == OPEN:
            self.open_at[recorded.source] = recorded.occurred_at
        if state == SHIPPED:
            self.reports_nothing_shipped.pop(recorded.source, None)
        old = self.states.get(recorded.source)
        if old is None or old[0] != state:
            self.states[recorded.source] = (state, recorded.occurred_at)
        return True

    def _state_from_event(
        self, recorded: RecordedEvent, ledger: QuantityLedger, *, has_shipped: bool | None
    ) -> str:
        """The state by an event. `has_shipped` is None if it reports no shipped quantities."""
        old = self.states.get(recorded.source, ("",))[0]
        event_type = recorded.event.type
        is_undone = has_shipped is False and old == SHIPPED
        if event_type is EventType.SHIPMENT_VOID or is_undone:
            return "" if self._has_shipped(recorded.source, ledger) else OPEN
        if has_shipped or (has_shipped is None and event_type in SHIPPED_EVENTS):
            return SHIPPED
        if old == SHIPPED:
            return ""
        if (recorded.source, recorded.event.key) in ledger.balance_cancellations:
            return ""
        if event_type is EventType.ORDER_CANCELLED and recorded.order_index >= 0:
            return CANCELLED
        if (
            event_type in OPEN_EVENTS
            and recorded.order_index >= 0
            and recorded.role not in CARRIERS
        ):
            return OPEN
        return ""

    def _has_shipped(self, source: str, ledger: QuantityLedger) -> bool:
        cells = ledger.columns[Measure.SHIPPED].values()
        return any(cell.figures.get(source, ZERO) > 0 for cell in cells)

    def contradicting_states(self) -> Iterator[tuple[str, str, datetime]]:
        """(source, state, since) of each side of a contradiction.

        Cancelled contradicts shipped and any later work on the order. No report contradicts
        nothing. Shipped contradicts "nothing shipped" only while no shipped quantity is known.
        """
        cancelled = {s: at for s, (state, at) in self.states.items() if state == CANCELLED}
        shipped = {s: at for s, (state, at) in self.states.items() if state == SHIPPED}
        if cancelled:
            first = min(cancelled.values())
            still_open = {
                s: self.open_at[s]
                for s, (state, _) in self.states.items()
                if state == OPEN and self.open_at[s] > first
            }
            if shipped or still_open:
                yield from ((s, CANCELLED, at) for s, at in cancelled.items())
                yield from ((s, SHIPPED, at) for s, at in shipped.items())
                yield from ((s, OPEN, at) for s, at in still_open.items())
        elif shipped and self.reports_nothing_shipped and not self.has_shipped_quantity:
            yield from ((s, SHIPPED, at) for s, at in shipped.items())
            yield from (
                (s, "nothing shipped", at) for s, at in self.reports_nothing_shipped.items()
            )

    def state(self, source: str) -> str:
        """The state that a source reports, empty if none."""
        return self.states.get(source, ("",))[0]
