"""A queue above its depth or age is a condition until it is worked off."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.sdk.connector import SourceRole
from visibility.sla.observed_telemetry import ObservedQueue
from visibility.sla.rules.queue_backlog import QueueBacklog, QueueBacklogParams
from visibility.sla.source_snapshot import SourceSnapshot

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULE, PARAMS = QueueBacklog(), QueueBacklogParams()


def source(depth: int, oldest: timedelta | None) -> SourceSnapshot:
    queue = ObservedQueue("orders.in", NOON, depth, oldest)
    return SourceSnapshot("mq", "Broker", SourceRole.OTHER, NOON + HOUR, NOON, queues=(queue,))


@pytest.mark.parametrize(
    ("depth", "oldest", "title"),
    [
        (1_001, None, "1,001 messages in the queue orders.in"),
        (1, 2 * HOUR, "1 message in the queue orders.in"),
        (1_000, HOUR, ""),
        (0, None, ""),
    ],
)
def test_depth_and_age_have_a_limit_each(depth: int, oldest: timedelta | None, title: str) -> None:
    snapshot = source(depth, oldest)
    assert [c.title for c in RULE.conditions(snapshot, PARAMS)] == ([title] if title else [])
    end = RULE.condition_end(snapshot, PARAMS, "orders.in")
    assert (end is None) is bool(title)
    assert end is None or (end.at, end.reason) == (NOON, "The queue is worked off.")


def test_an_old_message_is_due_when_it_reached_the_limit() -> None:
    (condition,) = RULE.conditions(source(1, 3 * HOUR), PARAMS)
    assert (condition.started_at, condition.due_at) == (NOON - 3 * HOUR, NOON - 2 * HOUR)
