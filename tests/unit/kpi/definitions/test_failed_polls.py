"""The share of failed polls."""

from datetime import UTC, datetime
from decimal import Decimal

from visibility.kpi.definitions.failed_polls import FailedPolls
from visibility.kpi.kpi import EventMeasurement
from visibility.kpi.measured_records import PollRecord

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


def test_a_poll_with_an_error_failed() -> None:
    measured = [FailedPolls().measure_record(PollRecord("1", AT, AT, error=e)) for e in ("", "no")]
    assert measured == [EventMeasurement(Decimal(n), Decimal(1)) for n in (0, 1)]


def test_a_poll_that_the_system_postponed_is_excluded() -> None:
    record = PollRecord("1", AT, AT, error="HTTP 429", is_throttled=True)
    assert FailedPolls().measure_record(record) == EventMeasurement(excluded="throttled")
    assert "throttled" in FailedPolls.reasons
