"""The time until a person acknowledges an alert."""

from datetime import timedelta
from decimal import Decimal

from visibility.kpi.kpi import EventMeasurement, KpiUnit
from visibility.kpi.measured_records import AlertKpi, AlertRecord


class TimeToAcknowledge(AlertKpi):
    """The time from the opening of an alert to its acknowledgment by a person."""

    code = "time_to_acknowledge"
    title = "Time to acknowledge"
    unit = KpiUnit.DURATION
    version = 1
    definition = (
        "Time from the opening of an alert to its acknowledgment. An alert counts on the day when "
        "it was opened, in the organization's time zone, as soon as it is acknowledged; an alert "
        "that is reopened counts again. Shown as the median and the 90th percentile (P90) of the "
        "alerts, accurate to half a percent. Alerts that ended before anybody acknowledged them "
        "are excluded; their number is shown. Alerts that are still open are not included."
    )
    target = Decimal(60 * 60)
    higher_is_better = False
    reasons = {"ended_first": "ended before it was acknowledged"}

    def measure_record(self, record: AlertRecord) -> EventMeasurement | None:
        """Seconds from opening to acknowledgment."""
        if record.acknowledged_at is None:
            return None if record.ended_at is None else EventMeasurement(excluded="ended_first")
        seconds = (record.acknowledged_at - record.started_at) // timedelta(seconds=1)
        return EventMeasurement(Decimal(max(seconds, 0)), Decimal(1))
