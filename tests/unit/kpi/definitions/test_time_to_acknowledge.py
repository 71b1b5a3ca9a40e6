"""The time until an alert is acknowledged."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from visibility.kpi.definitions.time_to_acknowledge import TimeToAcknowledge
from visibility.kpi.kpi import EventMeasurement
from visibility.kpi.measured_records import AlertRecord

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def measure(ended: datetime | None, acknowledged: datetime | None) -> EventMeasurement | None:
    record = AlertRecord("1:1", AT, ended, acknowledged_at=acknowledged)
    return TimeToAcknowledge().measure_record(record)


def test_the_time_from_opening_to_acknowledgment_counts() -> None:
    expected = EventMeasurement(Decimal(90), Decimal(1))
    assert measure(None, AT + 1.5 * MINUTE) == expected
    assert measure(AT + 5 * MINUTE, AT + 1.5 * MINUTE) == expected
    # Two servers may disagree by a moment.
    assert measure(None, AT - MINUTE) == EventMeasurement(Decimal(0), Decimal(1))


def test_an_alert_that_ended_first_is_excluded_and_an_open_one_does_not_count_yet() -> None:
    assert measure(None, None) is None
    assert measure(AT + MINUTE, None) == EventMeasurement(excluded="ended_first")
    assert "ended_first" in TimeToAcknowledge.reasons
