"""Sentences about KPIs that fail for some orders."""

from collections.abc import Sequence
from dataclasses import dataclass

from visibility.formatting import count_with_noun
from visibility.kpi.record_kpi_errors_and_retry import kpi_failures_with_order_counts
from visibility.kpi.registry import kpi_registry


@dataclass(frozen=True, slots=True)
class KpiFailureNote:
    """A sentence for the page, and one of the orders."""

    text: str
    order_id: int


def kpi_failure_notes(code: str = "") -> Sequence[KpiFailureNote]:
    """The current failures of one KPI, or of all KPIs on the pages."""
    kpis = kpi_registry()
    return [
        KpiFailureNote(
            f"{kpis[failure.kpi].title} cannot be computed for "
            f"{count_with_noun(failure.orders, 'order')}, which are not counted: {failure.error}"
            if failure.orders > 1
            else f"{kpis[failure.kpi].title} cannot be computed for 1 order, which is not "
            f"counted: {failure.error}",
            failure.example_order_id,
        )
        for failure in kpi_failures_with_order_counts(code)
        if failure.kpi in kpis
    ]
