"""The quick views of the order list with their counts, and its sum."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.http import QueryDict

from visibility.models import Order
from visibility.screens.lists.list_definition import Viewer
from visibility.screens.orders.order_columns import ORDER_LIST
from visibility.screens.orders.order_filters import order_condition
from visibility.storage.organization import organization_currency

# Counts above the bound are shown as "10,000+".
COUNT_BOUND = 10_000
# Query string, label and tone of the count.
QUICK_VIEWS = (
    ("open=1", "All open", ""),
    ("due_today=1", "Due today", "risk"),
    ("at_risk=1", "At risk", "risk"),
    ("late=1", "Past promise date", "late"),
    ("state=backordered", "Lines back-ordered", ""),
    ("state=credit_review", "On credit hold", ""),
    ("state=stock_shortage", "Short on stock", ""),
    ("no_scan=1", "Shipped, no scan", ""),
    ("status=delivered", "Delivered, not invoiced", ""),
    ("state=returned&state=partially_returned&without=credited", "Returned, not credited", ""),
    ("state=conflict", "Systems disagree", ""),
    ("duplicate=1", "Possible duplicates", ""),
    ("unknown=1", "Status unknown", ""),
    ("status=unknown", "Order record not received", ""),
    ("undelivered=1", "Not yet delivered, oldest first", ""),
    ("", "All orders", ""),
)
SUM_BY_CURRENCY = """
SELECT currency, sum(total) FROM ({}) AS listed (currency, total)
WHERE total IS NOT NULL GROUP BY 1 ORDER BY currency = %s DESC, 2 DESC LIMIT 3
"""


@dataclass(frozen=True, slots=True)
class QuickView:
    """A view of the list. `count`: None if there are more than `COUNT_BOUND`."""

    query: str
    label: str
    tone: str
    count: int | None
    is_current: bool

    @property
    def url(self) -> str:
        """The address of the view."""
        return f"/orders?{self.query}" if self.query else "/orders"


def load_quick_views(query: QueryDict, viewer: Viewer, now: datetime) -> list[QuickView]:
    """The views with their counts; one statement, and those that read cut-offs and
    find silent sources.

    Current is the view with the most of the filters of the query.
    """
    chosen = {(name, value) for name, values in query.lists() for value in values}
    parsed = [QueryDict(text) for text, _, _ in QUICK_VIEWS]
    pairs = [{(n, v) for n, values in each.lists() for v in values} for each in parsed]
    current = max(
        (index for index, own in enumerate(pairs) if own <= chosen),
        key=lambda index: len(pairs[index]),
    )
    counts = _count_each(
        [
            Order.objects.filter(order_condition(ORDER_LIST.applied_filters(each, viewer), now))
            for each in parsed
        ]
    )
    return [
        QuickView(text, label, tone, count if count <= COUNT_BOUND else None, index == current)
        for index, ((text, label, tone), count) in enumerate(zip(QUICK_VIEWS, counts, strict=True))
    ]


def _count_each(querysets: Sequence[QuerySet[Order]]) -> Sequence[int]:
    """Count the rows of each queryset up to one more than the bound, in one statement."""
    texts: list[str] = []
    parameters: list[Any] = []
    for rows in querysets:
        sql, values = rows.order_by().values("pk")[: COUNT_BOUND + 1].query.sql_with_params()
        texts.append(f"(SELECT count(*) FROM ({sql}) AS counted)")  # noqa: S608  # from Django
        parameters += values
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(texts)}", parameters)
        counts: Sequence[int] = cursor.fetchone()
    return counts


def sum_values(rows: QuerySet[Any]) -> list[tuple[str, Decimal]]:
    """The order value of the rows by currency, that of the organization first; one statement."""
    sql, values = rows.order_by().values("currency", "total").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(SUM_BY_CURRENCY.format(sql), [*values, organization_currency()])
        sums: list[tuple[str, Decimal]] = cursor.fetchall()
    return sums
