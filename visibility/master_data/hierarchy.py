"""Customers and who is above them: levels as they were at a moment, and sums rolled up.

A customer's rows say its parent for their time. What was ordered before a customer moved to another
parent stays with the old one: each order is read with the hierarchy of its own day.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connection

from visibility.models.master import same

# A chain longer than this has gone in a circle.
DEEPEST = 32
ABOVE = """
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
ORDERED = """
SELECT customer_no, ordered_at, count(*) FROM visibility_order
WHERE customer_no <> '' AND ordered_at >= %s AND ordered_at < %s
GROUP BY customer_no, ordered_at
"""
Asked = tuple[str, datetime]


def levels(asked: Collection[Asked]) -> Mapping[Asked, Sequence[str]]:
    """For each (number, moment): the customer and all above it then, from below.

    A number that is no customer of ours is alone; a circle is left where it closes.
    """
    pairs = sorted(set(asked))
    with connection.cursor() as cursor:
        cursor.execute(ABOVE, [[same(p[0]) for p in pairs], [p[1] for p in pairs], DEEPEST])
        found: dict[int, list[str]] = defaultdict(list)
        for n, number in cursor.fetchall():
            found[int(n)].append(number)
    return {pair: tuple(found.get(n, [pair[0]])) for n, pair in enumerate(pairs, 1)}


def rolled_up(amounts: Iterable[tuple[str, datetime, int]]) -> Mapping[str, int]:
    """Amounts of customers, summed at each level; each counts for those above it at its moment."""
    given = list(amounts)
    above = levels([(number, at) for number, at, _ in given])
    sums: dict[str, int] = defaultdict(int)
    for number, at, amount in given:
        for level in above[(number, at)]:
            sums[level] += amount
    return dict(sums)


def orders_by_level(*, since: datetime, until: datetime) -> Mapping[str, int]:
    """How many orders each customer had within a time, those of all below it included."""
    with connection.cursor() as cursor:
        cursor.execute(ORDERED, [since, until])
        return rolled_up(cursor.fetchall())
