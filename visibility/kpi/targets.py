"""The target of a KPI: the stored one that applies to filters on a day, or that of the definition.

Pages, tiles, charts, exports and the API all get targets here.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Q

from visibility.kpi.dimensions import Dimension
from visibility.kpi.filters_and_values import DaySpan, KpiDimensionFilters
from visibility.kpi.kpi import Kpi
from visibility.models.kpi_targets import KpiTarget

# The first one wins if targets of several filters apply.
MOST_SPECIFIC_FIRST: tuple[Dimension, ...] = (
    "item",
    "customer",
    "supplier",
    "carrier",
    "source",
    "customer_group",
    "warehouse",
    "channel",
)


def default_target(kpi: Kpi) -> Decimal | None:
    """The target of the definition, which applies while none is stored."""
    return kpi.target


@dataclass(frozen=True, slots=True)
class TargetStep:
    """The target from a day on: a fraction of 1, or seconds; None without a target."""

    first_day: date
    target: Decimal | None


class KpiTargets:
    """The stored targets of some KPIs, loaded once for all values of a page."""

    def __init__(self, stored: Iterable[KpiTarget]) -> None:
        self._stored: dict[tuple[str, str, str], list[KpiTarget]] = {}
        for row in stored:
            key = (row.kpi, row.dimension, row.dimension_value)
            self._stored.setdefault(key, []).append(row)

    def target_for(self, kpi: Kpi, filters: KpiDimensionFilters, day: date) -> Decimal | None:
        """The target of a value with these filters on a day.

        That of the most specific filter, else the one of the whole KPI, else the definition's.
        """
        values = filters.filtered_values_by_dimension()
        scopes = [(name, values[name]) for name in MOST_SPECIFIC_FIRST if name in values]
        for scope in (*scopes, ("", "")):
            for row in self._stored.get((kpi.code, *scope), ()):
                if _applies(row, day):
                    return row.value
        return default_target(kpi)

    def target_of_slice(
        self,
        kpi: Kpi,
        filters: KpiDimensionFilters,
        dimensions: Sequence[Dimension],
        names: Sequence[str],
        day: date,
    ) -> Decimal | None:
        """The target of a slice, which has these values of the dimensions besides the filters."""
        own = dict(zip(dimensions, names, strict=True))
        return self.target_for(kpi, replace(filters, **own), day)

    def scopes(self, kpi: Kpi, day: date) -> set[tuple[str, str]]:
        """The dimension and value of each stored target of a KPI that applies on a day."""
        return {
            (dimension, value)
            for (code, dimension, value), rows in self._stored.items()
            if code == kpi.code and any(_applies(row, day) for row in rows)
        }

    def steps(self, kpi: Kpi, filters: KpiDimensionFilters, span: DaySpan) -> list[TargetStep]:
        """The target on the first day, and each change up to the last day."""
        days = {span.start}
        for rows in self._stored.values():
            for row in rows:
                if row.kpi == kpi.code:
                    days.add(row.first_day)
                    if row.last_day is not None:
                        days.add(row.last_day + timedelta(days=1))
        steps: list[TargetStep] = []
        for day in sorted(day for day in days if span.start <= day <= span.end):
            target = self.target_for(kpi, filters, day)
            if not steps or steps[-1].target != target:
                steps.append(TargetStep(day, target))
        return steps


def _applies(row: KpiTarget, day: date) -> bool:
    return row.first_day <= day and (row.last_day is None or day <= row.last_day)


def load_kpi_targets(kpis: Collection[Kpi], span: DaySpan) -> KpiTargets:
    """The targets of these KPIs that apply within a date range. One statement."""
    return KpiTargets(
        KpiTarget.objects.filter(
            Q(last_day__isnull=True) | Q(last_day__gte=span.start),
            kpi__in=[kpi.code for kpi in kpis],
            first_day__lte=span.end,
        )
    )


def target_for(kpi: Kpi, filters: KpiDimensionFilters, day: date) -> Decimal | None:
    """The target of one value: a fraction of 1, or seconds; None without a target."""
    return load_kpi_targets([kpi], DaySpan(day, day)).target_for(kpi, filters, day)
