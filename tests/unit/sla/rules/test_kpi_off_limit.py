"""KPIs that are worse than a limit."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from visibility.sla.kpi_and_alert_snapshots import KpiSnapshot, KpiValueRequest
from visibility.sla.parameter_type import Percent
from visibility.sla.rules.kpi_off_limit import KpiLimitParams, KpiOffLimit

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
RULE = KpiOffLimit()
PARAMS = KpiLimitParams(percent=Percent(Decimal(95)), duration=timedelta(hours=2), least=10)


def snapshot(
    value: str | None, *, duration: bool = False, higher: bool = True, counted: int = 10
) -> KpiSnapshot:
    return KpiSnapshot(
        code="fill_rate",
        title="Fill rate",
        as_of=NOW,
        since=NOW - timedelta(days=7),
        is_duration=duration,
        higher_is_better=higher,
        value=None if value is None else Decimal(value),
        value_text="the value",
        counted=counted,
    )


@pytest.mark.parametrize(
    ("kpi", "alerts"),
    [
        (snapshot("0.9499"), True),
        (snapshot("0.95"), False),
        (snapshot("0.9499", counted=9), False),
        (snapshot(None), False),
        (snapshot("0.96", higher=False), True),
        (snapshot("0.95", higher=False), False),
        (snapshot("7201", duration=True, higher=False), True),
        (snapshot("7200", duration=True, higher=False), False),
    ],
)
def test_a_value_beyond_the_limit_alerts(kpi: KpiSnapshot, alerts: bool) -> None:
    condition = RULE.condition(kpi, PARAMS)
    assert (condition is not None) is alerts
    if condition is not None:
        assert condition.started_at == kpi.since
        assert RULE.alert_title(PARAMS, condition.subject) == "Fill rate is the value over 7 days"


def test_the_request_names_the_kpi_and_its_days() -> None:
    assert RULE.kpi_request(KpiLimitParams(kpi="on_time", days=30)) == KpiValueRequest(
        "on_time", 30
    )
