"""The delay between the occurrence of an event and its receipt."""

from datetime import timedelta
from decimal import Decimal

from connectors.sdk.events import Flag
from visibility.kpi.kpi import EventMeasurement, KpiUnit, MeasureKpi
from visibility.timeline import RecordedEvent


class EventDelay(MeasureKpi):
    """The time from the occurrence of an event to its receipt from the source."""

    code = "event_delay"
    title = "Event delay"
    unit = KpiUnit.DURATION
    version = 1
    definition = (
        "Time from the occurrence of an event, as its source states it, to the receipt of its "
        "message. Each event of an order counts once, on the day when it occurred, in the "
        "organization's time zone; one that concerns several orders counts for the first of them. "
        "Shown as the median and the 90th percentile (P90) of the events, accurate to half a "
        "percent; delays under one second count as one second. Events without a time of their own, "
        "events with a date only, and events that were received before they occurred are excluded; "
        "their number is shown. Superseded events and events without an order are not included."
    )
    target = Decimal(15 * 60)
    higher_is_better = False
    reasons = {
        "no_event_time": "the source sent no time",
        "date_only": "the source sent a date without a time",
        "reversed_times": "received before it occurred",
    }

    def measure_event(self, recorded: RecordedEvent) -> EventMeasurement:
        """Seconds from occurrence to receipt."""
        if Flag.TIME_RECEIVED in recorded.event.flags:
            return EventMeasurement(excluded="no_event_time")
        if Flag.DATE_ONLY in recorded.event.flags:
            return EventMeasurement(excluded="date_only")
        delay = recorded.received_at - recorded.occurred_at
        if delay < timedelta(0):
            return EventMeasurement(excluded="reversed_times")
        return EventMeasurement(Decimal(delay // timedelta(seconds=1)), Decimal(1))
