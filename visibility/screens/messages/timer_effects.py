"""What events did to SLA timers and their alerts: timers that started or stopped at their time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

CLOCKS_OF_ORDERS = """
SELECT clock.order_id, clock.started_at, clock.stopped_at, clock.due_at, clock.state, rule.code,
    rule.title, clock.subject_key, alert.id, alert.state
FROM visibility_slaclock clock
JOIN visibility_slarule rule ON rule.id = clock.rule_id
LEFT JOIN visibility_alert alert ON alert.order_id = clock.order_id
    AND alert.rule_id = clock.rule_id AND alert.subject_key = clock.subject_key
WHERE clock.order_id = ANY(%s) ORDER BY clock.due_at, clock.id LIMIT 1000
"""
CLOSED_STATES = frozenset({"resolved", "withdrawn"})


@dataclass(frozen=True, slots=True)
class EventClockEffect:
    """An SLA timer that an event `started` or `stopped`, and the alert of that timer."""

    clock_action: str
    rule: str
    title: str
    subject_key: str
    due_at: datetime
    state: str
    alert_id: int | None
    alert_state: str | None

    @property
    def alert_action(self) -> str:
        """`opened`, `closed` or empty: the effect on the alert."""
        if self.alert_id is None:
            return ""
        if self.clock_action == "started":
            return "opened"
        return "closed" if self.alert_state in CLOSED_STATES else ""


def load_timer_effects_at(order_id: int, at: datetime) -> list[EventClockEffect]:
    """What the events of an order at this time did to its SLA timers and their alerts."""
    return load_timer_effects_of_orders([order_id])[(order_id, at)]


def load_timer_effects_of_orders(
    order_ids: Sequence[int],
) -> dict[tuple[int, datetime], list[EventClockEffect]]:
    """The effects by order and time. At most one statement."""
    effects: dict[tuple[int, datetime], list[EventClockEffect]] = defaultdict(list)
    if not order_ids:
        return effects
    with connection.cursor() as cursor:
        cursor.execute(CLOCKS_OF_ORDERS, [list(order_ids)])
        rows = cursor.fetchall()
    for order_id, started_at, stopped_at, *clock in rows:
        due_at, state, rule, title, subject_key, alert_id, alert_state = clock
        for action, at in (("started", started_at), ("stopped", stopped_at)):
            if at is not None:
                effect = EventClockEffect(
                    action, rule, title, subject_key, due_at, state, alert_id, alert_state
                )
                effects[(order_id, at)].append(effect)
    return effects
