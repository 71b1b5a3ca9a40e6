"""The holds of an order: since when it is on hold, and why."""

from collections.abc import Sequence
from datetime import datetime

from connectors.sdk.events import Attribute, EventType
from visibility.timeline.model import RecordedEvent

# A hold with one of these in its reason is a credit hold.
CREDIT_TERMS = ("credit", "payment", "overdue", "limit", "prepay", "dunning")
ENDS_HOLD = frozenset(
    {
        EventType.ORDER_HOLD_RELEASED,
        EventType.ORDER_RELEASED,
        EventType.ORDER_CANCELLED,
    }
)
ENDS_UNSCOPED_HOLD = frozenset({EventType.SHIPMENT_CONFIRMED})


def hold_start_and_reasons(events: Sequence[RecordedEvent]) -> tuple[datetime | None, str]:
    """Since when the order is on hold and why, by all its holds.

    Each source has one hold per scope. An event without a scope ends all holds of its source, and
    so do the events of `ENDS_UNSCOPED_HOLD` for its hold without a scope.
    """
    holds: dict[tuple[str, str], tuple[datetime, str]] = {}
    for recorded in events:
        event, name = recorded.event, (recorded.source, recorded.event.scope)
        if event.type is EventType.ORDER_HELD:
            reason = event.attributes.get(Attribute.REASON, "")
            holds.setdefault(name, (recorded.occurred_at, reason))
        elif event.type in ENDS_HOLD and event.scope:
            holds.pop(name, None)
        elif event.type in ENDS_HOLD:
            holds = {n: hold for n, hold in holds.items() if n[0] != recorded.source}
        elif event.type in ENDS_UNSCOPED_HOLD:
            holds.pop((recorded.source, ""), None)
    reasons = dict.fromkeys(reason for _, reason in sorted(holds.values()) if reason)
    return min((since for since, _ in holds.values()), default=None), ", ".join(reasons)


def is_credit_hold_reason(reason: str) -> bool:
    """Whether the reason of a hold is about credit."""
    return any(term in reason.lower() for term in CREDIT_TERMS)
