"""Cancellations by the customer or by the seller (short on stock), and what revokes them."""

from collections.abc import Sequence

from connectors.sdk.events import Attribute, EventType, Measure
from visibility.timeline.authoritative_quantities import QuantityLedger
from visibility.timeline.authority import WAREHOUSES
from visibility.timeline.model import RecordedEvent

# A cancellation with one of these in its reason is the seller's, whichever system reported it.
SHORTAGE_TERMS = ("stock", "inventory", "short", "discontinued", "unavailable", "backorder")
REJECTED_TERM = "rejected"
WAREHOUSE_WORK = frozenset(
    {EventType.LINE_ALLOCATED, EventType.PICK_COMPLETED, EventType.PACK_COMPLETED}
)


def is_caused_by_shortage(recorded: RecordedEvent) -> bool:
    """Whether an event names missing stock as its cause.

    A short line does, unless its reason says that the seller rejected it for another one, such as
    an invalid item number.
    """
    reason = recorded.event.attributes.get(Attribute.REASON, "").lower()
    if any(term in reason for term in SHORTAGE_TERMS):
        return True
    return recorded.event.type is EventType.LINE_SHORTED and REJECTED_TERM not in reason


def is_seller_cancellation(recorded: RecordedEvent) -> bool:
    """Whether a cancellation is the seller's: of a short or rejected line, or by a warehouse."""
    return (
        recorded.role in WAREHOUSES
        or recorded.event.type is EventType.LINE_SHORTED
        or is_caused_by_shortage(recorded)
    )


def active_cancellations(events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """The cancellations of the whole order that are still in force."""
    cancellations = [s for s in events if s.event.type is EventType.ORDER_CANCELLED]
    if all(s.role in WAREHOUSES for s in cancellations):
        # A warehouse's cancellation is in force until a warehouse works on the order again.
        worked_at = (
            [s.occurred_at for s in events if s.event.type in WAREHOUSE_WORK]
            if cancellations
            else []
        )
        cancellations = [
            s for s in cancellations if not any(at > s.occurred_at for at in worked_at)
        ]
    return cancellations


def is_order_cancelled(events: Sequence[RecordedEvent], ledger: QuantityLedger) -> bool:
    """Whether nothing of the order is wanted anymore."""
    if any(s.event.type is EventType.ORDER_CANCELLED for s in events):
        return bool(active_cancellations(events))
    keys = [
        key
        for key in ledger.keys_of_countable_goods_lines()
        if ledger.authoritative_quantity(key, Measure.ORDERED)
    ]
    return bool(keys) and all(ledger.net_ordered_quantity(key) == 0 for key in keys)
