"""Customer hierarchy: the parents of a customer at a point in time, and rolled-up totals.

A customer row names the parent during its validity. An order counts for the parents at the time of
the order, so moving a customer to another parent does not change earlier totals.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connection

from visibility.models.master import normalize_term

# Maximum depth, which also bounds cycles.
MAX_DEPTH = 32
SELECT_ANCESTORS = """
WITH RECURSIVE asked AS (
    SELECT n, word, at
    FROM unnest(%s::text[], %s::timestamptz[]) WITH ORDINALITY AS a (word, at, n)
), chain (n, at, depth, key, number, parent, seen) AS (
    SELECT a.n, a.at, 0, c.key, c.number, c.parent_key, ARRAY[c.key::text]
    FROM asked a JOIN visibility_customer c ON c.key = a.word
        AND tstzrange(c.valid_from, c.valid_to) @> a.at
    UNION ALL
    SELECT chain.n, chain.at, chain.depth + 1, c.key, c.number, c.parent_key, seen || c.key::text
    FROM chain JOIN visibility_customer c ON c.key = chain.parent
        AND tstzrange(c.valid_from, c.valid_to) @> chain.at
    WHERE chain.parent <> '' AND chain.depth < %s AND NOT c.key = ANY(chain.seen)
)
SELECT n, number FROM chain ORDER BY n, depth
"""
COUNT_ORDERS = """
SELECT customer_no, ordered_at, count(*) FROM visibility_order
WHERE customer_no <> '' AND ordered_at >= %s AND ordered_at < %s
GROUP BY customer_no, ordered_at
"""
CustomerAt = tuple[str, datetime]


def customer_and_ancestors(customers: Collection[CustomerAt]) -> Mapping[CustomerAt, Sequence[str]]:
    """For each (customer number, time): the customer and its ancestors at that time, bottom up.

    An unknown customer number has no ancestors. A cycle is cut where it closes.
    """
    pairs = sorted(set(customers))
    with connection.cursor() as cursor:
        cursor.execute(
            SELECT_ANCESTORS,
            [[normalize_term(p[0]) for p in pairs], [p[1] for p in pairs], MAX_DEPTH],
        )
        numbers: dict[int, list[str]] = defaultdict(list)
        for n, number in cursor.fetchall():
            numbers[int(n)].append(number)
    return {pair: tuple(numbers.get(n, [pair[0]])) for n, pair in enumerate(pairs, 1)}


def roll_up_to_ancestors(amounts: Iterable[tuple[str, datetime, int]]) -> Mapping[str, int]:
    """Sum (customer, time, amount) for each customer and its ancestors at that time."""
    rows = list(amounts)
    levels_by_customer = customer_and_ancestors([(number, at) for number, at, _ in rows])
    sums: dict[str, int] = defaultdict(int)
    for number, at, amount in rows:
        for level in levels_by_customer[(number, at)]:
            sums[level] += amount
    return dict(sums)


def order_counts_with_descendants(*, since: datetime, until: datetime) -> Mapping[str, int]:
    """Number of orders per customer in [since, until), including those of its descendants."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_ORDERS, [since, until])
        return roll_up_to_ancestors(cursor.fetchall())
