"""How an order counts in KPIs that compare its delivery with its promise date."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from visibility.kpi.kpi import KpiMeasurement
from visibility.timeline import Status, Timeline
from visibility.timeline.kpi_inputs import promise_deadline_and_day


def measure_against_promise(
    timeline: Timeline, delivered: datetime | None, zone: str
) -> KpiMeasurement | None:
    """1 of 1 if `delivered` is on or before the promise date in `zone`, else 0 of 1.

    None while it is too early: neither delivered, nor past the promise date.
    """
    time_zone = ZoneInfo(zone)
    if timeline.status in {Status.CANCELLED, Status.REJECTED}:
        since = timeline.status_since or timeline.as_of
        return KpiMeasurement(since.astimezone(time_zone).date(), None, None, "cancelled")
    promised = promise_deadline_and_day(timeline, zone)
    if promised is None:
        if delivered is None:
            return None
        return KpiMeasurement(delivered.astimezone(time_zone).date(), None, None, "no_promise")
    moment, day = promised
    if delivered is None and timeline.as_of < moment:
        return None
    is_on_time = delivered is not None and delivered.astimezone(time_zone).date() <= day
    return KpiMeasurement(day, Decimal(int(is_on_time)), Decimal(1))
