"""The share of polls that failed."""

from decimal import Decimal

from visibility.kpi.kpi import EventMeasurement, KpiUnit
from visibility.kpi.measured_records import PollKpi, PollRecord


class FailedPolls(PollKpi):
    """The share of polls of sources that failed."""

    code = "failed_polls"
    title = "Failed polls"
    unit = KpiUnit.PERCENT
    version = 1
    definition = (
        "Failed polls divided by polls. A poll counts on the day when it ended, in the "
        "organization's time zone, whatever the number of its pages. Polls that the system asked "
        "to repeat later are excluded; their number is shown."
    )
    target = Decimal("0.01")
    higher_is_better = False
    reasons = {"throttled": "the system asked to be polled later"}
    outcome_labels = ("Succeeded", "Failed")

    def measure_record(self, record: PollRecord) -> EventMeasurement:
        """1 of 1 if it failed."""
        if record.is_throttled:
            return EventMeasurement(excluded="throttled")
        return EventMeasurement(Decimal(bool(record.error)), Decimal(1))
