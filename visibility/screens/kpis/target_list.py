"""The page of KPI targets: which one each KPI has today, and the stored ones of one KPI."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from visibility.kpi.dimensions import DIMENSIONS
from visibility.kpi.kpi import Kpi
from visibility.kpi.query import NO_FILTERS, DaySpan, dimension_values_with_most_orders
from visibility.kpi.targets import load_kpi_targets
from visibility.models.kpi_targets import KpiTarget
from visibility.screens.kpis.overview import kpis_in_order
from visibility.screens.kpis.value_and_comparison_texts import (
    NO_VALUE,
    dimension_value_label,
    format_target,
)
from visibility.screens.save_conflicts import fingerprint_of_values

PAGE_SIZE = 50
LAST_DAY = "Last day"
SCOPES_OF_LAST_DAYS = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class KpiWithTarget:
    """A KPI and its target today. `scoped_count`: how many targets of slices apply besides."""

    kpi: Kpi
    target: str
    is_default: bool
    scoped_count: int


@dataclass(frozen=True, slots=True)
class StoredTargetRow:
    """A stored target in words. `status`: whether it applies today."""

    row: KpiTarget
    value: str
    scope: str
    status: str
    may_end: bool
    # The fingerprint of what the form for ending it shows.
    seen: str


@dataclass(frozen=True, slots=True)
class StoredTargetPage:
    """Targets of one KPI, the latest first. `next_after`: the cursor of the next page, or ""."""

    rows: Sequence[StoredTargetRow]
    next_after: str


def load_kpis_with_targets(today: date) -> list[KpiWithTarget]:
    """Every KPI with its target today. One statement."""
    kpis = kpis_in_order()
    targets = load_kpi_targets(kpis, DaySpan(today, today))
    shown = []
    for kpi in kpis:
        own = targets.scopes(kpi, today)
        text = format_target(kpi, targets.target_for(kpi, NO_FILTERS, today)) or NO_VALUE
        shown.append(KpiWithTarget(kpi, text, ("", "") not in own, len(own - {("", "")})))
    return shown


def load_stored_targets(kpi: Kpi, today: date, after: int | None) -> StoredTargetPage:
    """A page of the targets of a KPI, past ones included. One statement."""
    stored = KpiTarget.objects.filter(kpi=kpi.code).select_related("created_by", "ended_by")
    if after is not None:
        stored = stored.filter(pk__lt=after)
    rows = list(stored.order_by("-pk")[: PAGE_SIZE + 1])
    shown = rows[:PAGE_SIZE]
    has_next = len(rows) > PAGE_SIZE
    return StoredTargetPage(
        [_describe(kpi, row, today) for row in shown], str(shown[-1].pk) if has_next else ""
    )


def scope_text(dimension: str, value: str) -> str:
    """`Warehouse: Dallas`, or `Whole KPI`."""
    if not dimension:
        return "Whole KPI"
    title = next((t for name, t in DIMENSIONS.items() if name == dimension), dimension)
    return f"{title}: {dimension_value_label(value)}"


def load_scope_choices(
    kpi: Kpi, today: date, chosen: tuple[str, str]
) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """What a target can apply to: by title of a dimension, each dimension, value and label.

    The values of the last 13 months, and the chosen one. One statement.
    """
    values = dimension_values_with_most_orders(
        DaySpan(today - SCOPES_OF_LAST_DAYS, today), kpi.dimensions
    )
    choices: list[tuple[str, list[tuple[str, str, str]]]] = []
    for name in kpi.dimensions:
        known = [value for value in values[name] if value]
        if chosen[0] == name and chosen[1] and chosen[1] not in known:
            known.append(chosen[1])
        if known:
            choices.append(
                (DIMENSIONS[name], [(name, value, dimension_value_label(value)) for value in known])
            )
    return choices


def _describe(kpi: Kpi, row: KpiTarget, today: date) -> StoredTargetRow:
    status, may_end = "Applies", True
    if row.last_day is not None and row.last_day < row.first_day:
        status, may_end = "Never applied", False
    elif row.last_day is not None and row.last_day < today:
        status, may_end = "Ended", False
    elif row.first_day > today:
        status = "Planned"
    scope = scope_text(row.dimension, row.dimension_value)
    seen = fingerprint_of_values(values_by_label(row))
    return StoredTargetRow(row, format_target(kpi, row.value), scope, status, may_end, seen)


def values_by_label(row: KpiTarget) -> dict[str, str]:
    """What the form for ending a target changes."""
    return {LAST_DAY: row.last_day.isoformat() if row.last_day else ""}
