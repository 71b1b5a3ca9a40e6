"""Customer hierarchy: the parents of a customer, and its orders with those of its branches.

A customer row names the parent during its validity. An order counts for the parents at the time of
the order, so moving a customer to another parent does not change earlier counts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from visibility.models.master import Customer, normalize_term

# Maximum depth, which also bounds cycles.
MAX_DEPTH = 32
# Orders are counted up to this number.
MAX_COUNTED = 10_000
SELECT_CHAIN = """
WITH RECURSIVE chain (depth, number, parent, seen) AS (
    SELECT 0, c.number, c.parent_key, ARRAY[c.key::text]
    FROM visibility_customer c
    WHERE c.key = %(key)s AND tstzrange(c.valid_from, c.valid_to) @> %(at)s
    UNION ALL
    SELECT chain.depth + 1, c.number, c.parent_key, chain.seen || c.key::text
    FROM chain JOIN visibility_customer c ON c.key = chain.parent
        AND tstzrange(c.valid_from, c.valid_to) @> %(at)s
    WHERE chain.parent <> '' AND chain.depth < %(depth)s AND NOT c.key = ANY(chain.seen)
)
SELECT number FROM chain ORDER BY depth
"""
# The term usage leads to the orders, because orders have no index by customer number. It also has
# customers that one system names and the order does not have; those are left out.
COUNT_ORDERS = r"""
WITH RECURSIVE branch (key, during, seen) AS (
    SELECT %(key)s::text, '(,)'::tstzrange, ARRAY[%(key)s::text]
    UNION ALL
    SELECT c.key::text, branch.during * tstzrange(c.valid_from, c.valid_to),
        branch.seen || c.key::text
    FROM branch JOIN visibility_customer c ON c.parent_key = branch.key AND c.parent_key <> ''
        AND tstzrange(c.valid_from, c.valid_to) && branch.during
    WHERE cardinality(branch.seen) <= %(depth)s AND NOT c.key = ANY(branch.seen)
)
SELECT count(DISTINCT object_id), count(*) FROM (
    SELECT placed.object_id FROM branch CROSS JOIN LATERAL (
        SELECT o.object_id
        FROM visibility_termusage use JOIN visibility_order o ON o.object_id = use.order_id
        WHERE use.kind = 'customer' AND use.canonical = branch.key
            AND upper(regexp_replace(trim(o.customer_no), '\s+', ' ', 'g')) = branch.key
            AND branch.during @> coalesce(o.ordered_at, o.last_event_at)
        LIMIT %(most)s
    ) placed LIMIT %(most)s
) counted
"""


@dataclass(frozen=True, slots=True)
class OrderCountOrLowerBound:
    """A number of orders; `is_lower_bound`: there are more, which were not counted."""

    orders: int
    is_lower_bound: bool = False


def customer_and_ancestors(number: str, at: datetime) -> tuple[str, ...]:
    """The customer and its ancestors at this time, bottom up.

    An unknown customer number has no ancestors. A cycle is cut where it closes.
    """
    with connection.cursor() as cursor:
        cursor.execute(SELECT_CHAIN, {"key": normalize_term(number), "at": at, "depth": MAX_DEPTH})
        return tuple(row[0] for row in cursor.fetchall()) or (number,)


def ancestors_at_nearest_valid_time(customer: Customer, now: datetime) -> tuple[str, ...]:
    """The ancestors of a customer row, at the time nearest to now at which the row is valid."""
    at = now
    if customer.valid_from and customer.valid_from > now:
        at = customer.valid_from
    elif customer.valid_to and customer.valid_to <= now:
        at = customer.valid_to - timedelta(microseconds=1)
    return customer_and_ancestors(customer.number, at)[1:]


def count_orders_with_branches(number: str) -> OrderCountOrLowerBound:
    """The number of orders of a customer and of all customers below it, up to `MAX_COUNTED`."""
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT_ORDERS,
            {"key": normalize_term(number), "depth": MAX_DEPTH, "most": MAX_COUNTED + 1},
        )
        orders, rows = cursor.fetchone()
    return OrderCountOrLowerBound(min(orders, MAX_COUNTED), is_lower_bound=rows > MAX_COUNTED)
