"""Which KPI values are provisional: their range is open, or data of it may still arrive.

A value is provisional for any of these reasons, and final without one:

- The range includes today, which has not ended.
- It ended less than `LATE_DATA_WINDOW` ago: sources report with a delay.
- A source is silent, and was so before the range ended; with a filter by source, that one.

KPIs of messages, polls, alerts and actions are recorded by this installation itself: only the
first reason applies to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from visibility.formatting import format_date, format_timestamp, in_zone
from visibility.kpi.filters_and_values import DaySpan, KpiDimensionFilters
from visibility.kpi.kpi import Kpi
from visibility.kpi.measured_records import RecordKpi
from visibility.screens.orders.source_reports import SourceReport, load_source_reports
from visibility.storage.organization import organization_time_zone

LATE_DATA_WINDOW = timedelta(days=2)
MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class ProvisionalRule:
    """The definition at one moment. `source`: the slug that the values are filtered by, or ""."""

    today: date
    zone: str
    reports: Mapping[str, SourceReport]
    source: str = ""

    def reasons(self, kpi: Kpi, span: DaySpan) -> tuple[str, ...]:
        """Why the value of the KPI over the range is provisional; empty if it is final."""
        reasons = []
        if span.start <= self.today <= span.end:
            reasons.append("today has not ended")
        if isinstance(kpi, RecordKpi):
            return tuple(reasons)
        final_on = span.end + LATE_DATA_WINDOW + timedelta(days=1)
        if not reasons and span.end < self.today < final_on:
            reasons.append(f"data may still arrive until {format_date(final_on)}")
        return (*reasons, *self._silent_sources(span))

    def text(self, kpi: Kpi, span: DaySpan) -> str:
        """`Provisional: today has not ended; WMS has sent nothing since Mon 09:12`, or ""."""
        reasons = self.reasons(kpi, span)
        return f"Provisional: {'; '.join(reasons)}" if reasons else ""

    def _silent_sources(self, span: DaySpan) -> list[str]:
        silent = sorted(
            (report.silent_since, report.title)
            for slug, report in self.reports.items()
            if report.silent_since is not None
            and self.source in ("", slug)
            and in_zone(report.silent_since, self.zone).date() <= span.end
        )
        texts = [
            f"{title} has sent nothing since {format_timestamp(since, self.zone)}"
            for since, title in silent[:MAX_NAMED]
        ]
        if len(silent) > MAX_NAMED:
            texts.append(f"{len(silent) - MAX_NAMED} more sources are silent")
        return texts


def load_provisional_rule(now: datetime, filters: KpiDimensionFilters) -> ProvisionalRule:
    """The definition now. Three statements at most."""
    zone = organization_time_zone()
    source = filters.filtered_values_by_dimension().get("source", "")
    return ProvisionalRule(in_zone(now, zone).date(), zone, load_source_reports(now), source)
