"""The share of messages that were parked."""

from decimal import Decimal

from visibility.kpi.kpi import EventMeasurement, KpiUnit
from visibility.kpi.measured_records import MessageKpi, MessageRecord


class ParkedMessages(MessageKpi):
    """The share of processed messages that are parked, because they could not be applied."""

    code = "parked_messages"
    title = "Parked messages"
    unit = KpiUnit.PERCENT
    version = 1
    definition = (
        "Parked messages divided by processed messages. A message counts on the day of its "
        "receipt, in the organization's time zone, as soon as it is processed. One that is "
        "replayed successfully no longer counts as parked; one that was discarded still does. "
        "Repeated deliveries of the same message and rejected requests are not included."
    )
    target = Decimal("0.01")
    higher_is_better = False
    outcome_labels = ("Applied", "Parked")

    def measure_record(self, record: MessageRecord) -> EventMeasurement:
        """1 of 1 if it is parked."""
        return EventMeasurement(Decimal(bool(record.parking_reason)), Decimal(1))
