"""Builder of KPI facts and their cells."""

from datetime import date
from typing import Any

from visibility.kpi import facts_and_cells
from visibility.models import BusinessObject, KpiFact, KpiRecomputeRequest


def create_fact(
    numerator: float | None = 1, denominator: int | None = 1, *, day: date, **fields: Any
) -> KpiFact:
    """Create the fact of one order; `fields` override the defaults."""
    wanted: dict[str, Any] = {
        "kpi": "fill_rate",
        "version": 1,
        "channel": "Web",
        "warehouse": "Dallas",
        "customer_group": "",
    } | fields
    if "order" not in wanted:
        wanted["order"] = BusinessObject.objects.create(kind="order")
    return KpiFact.objects.create(numerator=numerator, denominator=denominator, day=day, **wanted)


def recompute_cells() -> None:
    """Compute the cells of all facts."""
    for kpi, day in set(KpiFact.objects.values_list("kpi", "day")):
        KpiRecomputeRequest.objects.create(kpi=kpi, day=day)
    while facts_and_cells.recompute_requested_cells():
        continue
