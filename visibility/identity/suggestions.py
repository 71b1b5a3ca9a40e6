"""Orders that look like one: the rule by which, the evidence, and how sure it is."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction

from connectors.sdk.normalization import visible
from visibility.db.planner import STEPWISE, planned
from visibility.models import Order

# Among the orders last heard of; each side may be older.
LATEST, LATEST_BY_NUMBER = 500, 50
TWICE = timedelta(days=2)
NEAR = timedelta(days=7)
DIGITS = re.compile(r"\D")
FEWEST_DIGITS = 5
SAME_PO = """
WITH latest AS (
    SELECT object_id FROM visibility_order
    ORDER BY last_event_at DESC, object_id DESC LIMIT %(latest)s
), po AS (
    SELECT DISTINCT i.object_id, i.value FROM latest
    JOIN visibility_identifier i ON i.object_id = latest.object_id
        AND i.scheme = 'customer_po' AND i.kind = 'order' AND NOT i.refused
)
SELECT DISTINCT least(po.object_id, other.object_id), greatest(po.object_id, other.object_id),
    po.value
FROM po CROSS JOIN LATERAL (
    (SELECT object_id FROM visibility_identifier i WHERE i.strong AND i.value = po.value
        AND i.scheme = 'customer_po' AND i.kind = 'order' LIMIT 20)
    UNION ALL
    (SELECT object_id FROM visibility_identifier i WHERE NOT i.strong AND i.value = po.value
        AND i.scheme = 'customer_po' AND i.kind = 'order' AND NOT i.refused LIMIT 20)
) other
WHERE other.object_id <> po.object_id
LIMIT 1000
"""
SAME_DIGITS = """
WITH latest AS (
    SELECT object_id FROM visibility_order
    ORDER BY last_event_at DESC, object_id DESC LIMIT %(latest)s
), mine AS (
    SELECT i.object_id, i.scheme, i.issuer, i.value,
        ltrim(regexp_replace(i.value, '[^0-9]', '', 'g'), '0') AS core
    FROM latest JOIN visibility_identifier i ON i.object_id = latest.object_id AND i.strong
        AND i.kind = 'order' AND i.scheme IN ('sales_order', 'web_order', 'order_number')
)
SELECT DISTINCT least(mine.object_id, other.object_id), greatest(mine.object_id, other.object_id),
    mine.value, other.value
FROM mine CROSS JOIN LATERAL (
    SELECT object_id, value, issuer, scheme FROM visibility_identifier i
    WHERE i.value LIKE '%%' || mine.core || '%%' AND i.strong AND i.kind = 'order'
        AND i.scheme IN ('sales_order', 'web_order', 'order_number') LIMIT 20
) other
WHERE length(mine.core) >= %(fewest)s AND other.object_id <> mine.object_id
    AND (other.issuer, other.scheme) <> (mine.issuer, mine.scheme)
LIMIT 1000
"""
APART = """
SELECT a.object_id, b.object_id
FROM visibility_joinact act
JOIN visibility_joinnumber x ON x.act_id = act.id AND x.side = 0
JOIN visibility_identifier a ON a.strong AND a.value = x.value AND a.scheme = x.scheme
    AND a.issuer = x.issuer AND a.kind = x.kind AND a.object_id = ANY(%s)
JOIN visibility_joinnumber y ON y.act_id = act.id AND y.side = 1
JOIN visibility_identifier b ON b.strong AND b.value = y.value AND b.scheme = y.scheme
    AND b.issuer = y.issuer AND b.kind = y.kind AND b.object_id = ANY(%s)
WHERE act.undone_at IS NULL AND act.verdict IN ('split', 'distinct')
"""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two orders that may be one; `confidence` is from 0 to 1."""

    left: Order
    right: Order
    rule: str
    evidence: str
    confidence: float

    @property
    def percent(self) -> int:
        """The confidence as people read it."""
        return round(self.confidence * 100)


def suggestions(*, limit: int = 50) -> list[Suggestion]:
    """The surest first; what people told apart is left out."""
    with transaction.atomic(), connection.cursor() as cursor:
        planned(cursor, STEPWISE)
        cursor.execute(SAME_PO, {"latest": LATEST})
        by_po = cursor.fetchall()
        cursor.execute(SAME_DIGITS, {"latest": LATEST_BY_NUMBER, "fewest": FEWEST_DIGITS})
        by_digits = cursor.fetchall()
    pairs = {(row[0], row[1]) for row in (*by_po, *by_digits)}
    orders = Order.objects.in_bulk({pk for pair in pairs for pk in pair})
    parted = _apart({pk for pair in pairs for pk in pair})
    best: dict[tuple[int, int], Suggestion] = {}
    for found in (*_by_po(by_po, orders), *_by_digits(by_digits, orders)):
        pair = (found.left.pk, found.right.pk)
        if frozenset(pair) not in parted and (
            pair not in best or best[pair].confidence < found.confidence
        ):
            best[pair] = found
    ordered = sorted(best.values(), key=lambda s: (-s.confidence, -s.right.pk, s.left.pk))
    return ordered[:limit]


def _apart(object_ids: Collection[int]) -> set[frozenset[int]]:
    ids = sorted(object_ids)
    with connection.cursor() as cursor:
        cursor.execute(APART, [ids, ids])
        return {frozenset(row) for row in cursor.fetchall()}


def _by_po(rows: Iterable[tuple[int, int, str]], orders: dict[int, Order]) -> Iterable[Suggestion]:
    for a, b, po in rows:
        left, right = orders.get(a), orders.get(b)
        if left is None or right is None:
            continue
        same = _same_customer(left, right)
        told = f"Both carry the customer PO {visible(po)}"
        if same and _same_total(left, right) and _near(left, right, TWICE):
            yield Suggestion(
                left,
                right,
                "Entered twice?",
                f"{told}, the same customer and total, ordered within 2 days.",
                0.95,
            )
        elif same:
            yield Suggestion(
                left, right, "Same PO and customer", f"{told} and the same customer.", 0.8
            )
        elif same is None and (_same_total(left, right) or _near(left, right, NEAR)):
            yield Suggestion(
                left,
                right,
                "Same PO, alike",
                f"{told}; one customer is unknown, and the total or the date agrees.",
                0.6,
            )


def _by_digits(
    rows: Iterable[tuple[int, int, str, str]], orders: dict[int, Order]
) -> Iterable[Suggestion]:
    for a, b, mine, theirs in rows:
        left, right = orders.get(a), orders.get(b)
        if left is None or right is None or _core(mine) != _core(theirs):
            continue
        same = _same_customer(left, right)
        if same or (same is None and _near(left, right, NEAR)):
            yield Suggestion(
                left,
                right,
                "Similar number",
                f"{visible(mine)} and {visible(theirs)} of two systems differ in letters alone"
                + (", for the same customer." if same else ", ordered within 7 days."),
                0.5 if same else 0.4,
            )


def _core(number: str) -> str:
    return DIGITS.sub("", number).lstrip("0")


def _same_customer(left: Order, right: Order) -> bool | None:
    """None: one of the two is unknown."""
    if left.customer_no and right.customer_no:
        return left.customer_no == right.customer_no
    if left.customer_name and right.customer_name:
        return left.customer_name.casefold() == right.customer_name.casefold()
    return None


def _same_total(left: Order, right: Order) -> bool:
    return left.total is not None and (left.total, left.currency) == (right.total, right.currency)


def _near(left: Order, right: Order, span: timedelta) -> bool:
    if left.ordered_at is None or right.ordered_at is None:
        return False
    return abs(left.ordered_at - right.ordered_at) <= span
