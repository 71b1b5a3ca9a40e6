"""The share of parked messages."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from visibility.kpi.definitions.parked_messages import ParkedMessages
from visibility.kpi.kpi import EventMeasurement
from visibility.kpi.measured_records import MessageRecord

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(("reason", "parked"), [("", 0), ("schema", 1), ("parked", 1)])
def test_a_message_counts_as_parked_if_it_has_a_reason(reason: str, parked: int) -> None:
    record = MessageRecord("1", AT, AT, parking_reason=reason)
    expected = EventMeasurement(Decimal(parked), Decimal(1))
    assert ParkedMessages().measure_record(record) == expected
