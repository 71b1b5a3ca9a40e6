"""Load the value of a KPI as rules about KPIs evaluate it."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from visibility.formatting import format_duration, format_percent, in_zone
from visibility.kpi.filters_and_values import DaySpan, KpiDimensionFilters
from visibility.kpi.kpi import KpiUnit
from visibility.kpi.query import summary
from visibility.kpi.registry import kpi_registry
from visibility.sla.kpi_and_alert_snapshots import KpiSnapshot, KpiValueRequest, UnknownKpi
from visibility.storage.organization import organization_time_zone


def load_kpi_snapshot(request: KpiValueRequest, now: datetime) -> KpiSnapshot:
    """Return the value of a KPI over the last days, today included.

    Raises UnknownKpi, TooManyFacts.
    """
    kpi = kpi_registry().get(request.kpi)
    if kpi is None:
        known = ", ".join(sorted(kpi_registry()))
        raise UnknownKpi(f"no KPI is called {request.kpi!r}; the KPIs are {known}")
    if missing := sorted(set(request.filters) - set(kpi.dimensions)):
        raise UnknownKpi(f"{kpi.code} cannot be filtered by {missing[0]}")
    today = in_zone(now, organization_time_zone()).date()
    span = DaySpan(today - timedelta(days=request.days - 1), today)
    current = summary(kpi, span, KpiDimensionFilters(**dict(request.filters)), now=now)
    value = current.median_seconds_or_fraction(kpi)
    is_duration = kpi.unit is KpiUnit.DURATION
    text = ""
    if value is not None:
        text = format_duration(timedelta(seconds=value)) if is_duration else format_percent(value)
    return KpiSnapshot(
        code=kpi.code,
        title=kpi.title,
        as_of=now,
        since=datetime.combine(span.start, time(), ZoneInfo(organization_time_zone())),
        is_duration=is_duration,
        higher_is_better=kpi.higher_is_better,
        value=None if value is None else Decimal(str(value)),
        value_text=text,
        counted=current.orders,
    )
