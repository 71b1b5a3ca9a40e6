"""How many orders are undelivered: the cycle time does not include them."""

from dataclasses import dataclass
from datetime import datetime

from visibility.formatting import count_with_noun
from visibility.kpi import query
from visibility.kpi.query import DaySpan, KpiDimensionFilters, KpiSummary
from visibility.kpi.registry import kpi_registry
from visibility.screens.kpis import value_and_comparison_texts as texts

UNDELIVERED = "undelivered_orders"


@dataclass(frozen=True, slots=True)
class UndeliveredBacklog:
    """The number of undelivered orders, and a sentence: cycle time does not include them."""

    orders: int
    text: str


def load_undelivered_backlog(
    span: DaySpan, filters: KpiDimensionFilters, now: datetime
) -> UndeliveredBacklog:
    """The undelivered orders at the end of a date range."""
    kpi = kpi_registry()[UNDELIVERED]
    return undelivered_order_count_and_age(query.summary(kpi, span, filters, now=now))


def undelivered_order_count_and_age(age: KpiSummary) -> UndeliveredBacklog:
    """The undelivered orders of a value of that KPI."""
    if not age.orders or age.median is None or age.oldest is None:
        return UndeliveredBacklog(0, "No undelivered orders")
    return UndeliveredBacklog(
        age.orders,
        f"{count_with_noun(age.orders, 'undelivered order')}, "
        f"median age {texts.format_kpi_duration(age.median)}, "
        f"oldest {texts.format_kpi_duration(age.oldest)}",
    )
