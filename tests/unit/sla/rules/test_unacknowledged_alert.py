"""Alerts that nobody acknowledges."""

from datetime import UTC, datetime, timedelta

import pytest

from visibility.sla.kpi_and_alert_snapshots import AlertSnapshot
from visibility.sla.rules.unacknowledged_alert import EscalationParams, UnacknowledgedAlert

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
RULE, PARAMS = UnacknowledgedAlert(), EscalationParams()
LIMIT = timedelta(minutes=30)


@pytest.mark.parametrize(
    ("age", "acknowledged", "alerts"),
    [
        (LIMIT, False, True),
        (LIMIT - timedelta(seconds=1), False, False),
        (LIMIT * 9, True, False),
    ],
)
def test_an_alert_escalates_at_its_time_limit(
    age: timedelta, acknowledged: bool, alerts: bool
) -> None:
    opened = NOW - age
    alert = AlertSnapshot(7, "Late", NOW, opened, "high", "Warehouse", "late", acknowledged)
    condition = RULE.condition(alert, PARAMS)
    assert (condition is not None) is alerts
    if condition is not None:
        assert (condition.started_at, condition.due_at) == (opened, opened + LIMIT)
        assert RULE.alert_title(PARAMS, condition.subject) == "Not acknowledged: Late"
