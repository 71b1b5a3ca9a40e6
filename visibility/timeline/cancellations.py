"""Cancellations: the customer's, or ours for want of stock; and what takes them back."""

from collections.abc import Sequence

from connectors.sdk.events import Attribute, EventType, Measure
from visibility.timeline.authority import WAREHOUSES
from visibility.timeline.model import Spoken
from visibility.timeline.quantity_ledger import Ledger

# Words in a cancellation's reason that make it ours, whichever system typed it.
SHORT_WORDS = ("stock", "inventory", "short", "discontinued", "unavailable", "backorder")
WORK = frozenset({EventType.LINE_ALLOCATED, EventType.PICK_COMPLETED, EventType.PACK_COMPLETED})


def for_stock(spoken: Spoken) -> bool:
    """Whether an event says outright that stock is what is missing."""
    reason = spoken.event.attributes.get(Attribute.REASON, "").lower()
    short = spoken.event.type is EventType.LINE_SHORTED
    return short or any(word in reason for word in SHORT_WORDS)


def sellers(spoken: Spoken) -> bool:
    """Whether a cancellation is the seller's: short, or said by a warehouse."""
    return spoken.role in WAREHOUSES or for_stock(spoken)


def standing(heard: Sequence[Spoken]) -> list[Spoken]:
    """The cancellations of the whole order that hold."""
    cancels = [s for s in heard if s.event.type is EventType.ORDER_CANCELLED]
    if all(s.role in WAREHOUSES for s in cancels):
        # A warehouse's cancellation holds until a warehouse works on the order again.
        worked = [s.occurred_at for s in heard if s.event.type in WORK] if cancels else []
        cancels = [s for s in cancels if not any(at > s.occurred_at for at in worked)]
    return cancels


def cancelled(heard: Sequence[Spoken], ledger: Ledger) -> bool:
    """Whether nothing of the order is wanted any more."""
    if any(s.event.type is EventType.ORDER_CANCELLED for s in heard):
        return bool(standing(heard))
    told = [
        key
        for key in ledger.main_lines()
        if not ledger.aside(key) and ledger.value(key, Measure.ORDERED)
    ]
    return bool(told) and all(ledger.due(key) == 0 for key in told)
