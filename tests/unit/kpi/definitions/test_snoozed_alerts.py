"""The share of snoozes among the actions on alerts."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from visibility.kpi.definitions.snoozed_alerts import SnoozedAlerts
from visibility.kpi.measured_records import ActionRecord

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("action", "snoozed"),
    [("snoozed", 1), ("acknowledged", 0), ("assigned", 0), ("resolved", 0), ("noted", None)],
)
def test_a_snooze_counts_among_the_actions_that_handle_an_alert(
    action: str, snoozed: int | None
) -> None:
    measured = SnoozedAlerts().measure_record(ActionRecord("1", AT, AT, action=action))
    if snoozed is None:
        assert measured is None
    else:
        assert measured is not None
        assert (measured.numerator, measured.denominator) == (Decimal(snoozed), Decimal(1))
