"""Suggest pairs of orders that may be the same order, with the evidence and a confidence."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from connectors.sdk.identifier_normalization import escape_invisible_and_lookalike
from visibility.db.postgres_planner_settings import (
    PREFER_INDEXES,
    set_planner_settings_for_transaction,
)
from visibility.identity.pure.keys_and_reuse_windows import EXCLUSIVE_SCHEMES
from visibility.models import Order

# One order of a pair is among this many latest orders; the other may be older.
LATEST_ORDERS, LATEST_BY_DIGITS = 500, 50
DUPLICATE_SPAN = timedelta(days=2)
SIMILAR_SPAN = timedelta(days=7)
NON_DIGITS = re.compile(r"\D")
MIN_DIGITS = 5
SAME_PO = """
WITH latest AS (
    SELECT object_id FROM visibility_order
    ORDER BY last_event_at DESC, object_id DESC LIMIT %(latest)s
), po AS (
    SELECT DISTINCT i.object_id, i.value FROM latest
    JOIN visibility_identifier i ON i.object_id = latest.object_id
        AND i.scheme = 'customer_po' AND i.kind = 'order' AND NOT i.rejected
)
SELECT DISTINCT least(po.object_id, other.object_id), greatest(po.object_id, other.object_id),
    po.value
FROM po CROSS JOIN LATERAL (
    (SELECT object_id FROM visibility_identifier i WHERE i.is_identity AND i.value = po.value
        AND i.scheme = 'customer_po' AND i.kind = 'order' LIMIT 20)
    UNION ALL
    (SELECT object_id FROM visibility_identifier i WHERE NOT i.is_identity AND i.value = po.value
        AND i.scheme = 'customer_po' AND i.kind = 'order' AND NOT i.rejected LIMIT 20)
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
    FROM latest JOIN visibility_identifier i ON i.object_id = latest.object_id AND i.is_identity
        AND i.kind = 'order' AND i.scheme IN ('sales_order', 'web_order', 'order_number')
)
SELECT DISTINCT least(mine.object_id, other.object_id), greatest(mine.object_id, other.object_id),
    mine.value, other.value
FROM mine CROSS JOIN LATERAL (
    SELECT object_id, value, issuer, scheme FROM visibility_identifier i
    WHERE i.value LIKE '%%' || mine.core || '%%' AND i.is_identity AND i.kind = 'order'
        AND i.scheme IN ('sales_order', 'web_order', 'order_number') LIMIT 20
) other
WHERE length(mine.core) >= %(fewest)s AND other.object_id <> mine.object_id
    AND (other.issuer, other.scheme) <> (mine.issuer, mine.scheme)
LIMIT 1000
"""
SEPARATED_PAIRS = """
SELECT a.object_id, b.object_id
FROM visibility_identitydecision decision
JOIN visibility_decisionidentifier x ON x.decision_id = decision.id AND x.side = 0
JOIN visibility_identifier a ON a.is_identity AND a.value = x.value AND a.scheme = x.scheme
    AND a.issuer = x.issuer AND a.kind = x.kind AND a.object_id = ANY(%s)
JOIN visibility_decisionidentifier y ON y.decision_id = decision.id AND y.side = 1
JOIN visibility_identifier b ON b.is_identity AND b.value = y.value AND b.scheme = y.scheme
    AND b.issuer = y.issuer AND b.kind = y.kind AND b.object_id = ANY(%s)
WHERE decision.undone_at IS NULL AND decision.verdict IN ('split', 'distinct')
"""
# Pairs that one issuer gave different numbers of one kind.
NUMBERED_APART = """
SELECT DISTINCT pair.a, pair.b
FROM unnest(%(first)s::bigint[], %(second)s::bigint[]) AS pair (a, b)
JOIN visibility_identifier x ON x.object_id = pair.a AND x.is_identity AND x.kind = 'order'
    AND x.scheme = ANY(%(schemes)s)
JOIN visibility_identifier y ON y.object_id = pair.b AND y.is_identity AND y.kind = 'order'
    AND y.scheme = x.scheme AND y.issuer = x.issuer AND y.value <> x.value
"""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two orders that may be the same order; `confidence` is between 0 and 1."""

    left: Order
    right: Order
    rule: str
    evidence: str
    confidence: float

    @property
    def confidence_percent(self) -> int:
        """The confidence in percent."""
        return round(self.confidence * 100)


def find_suggestions(*, limit: int = 50) -> list[Suggestion]:
    """Return suggestions, highest confidence first, without pairs that a person separated."""
    with transaction.atomic(), connection.cursor() as cursor:
        set_planner_settings_for_transaction(cursor, PREFER_INDEXES)
        cursor.execute(SAME_PO, {"latest": LATEST_ORDERS})
        by_po = cursor.fetchall()
        cursor.execute(SAME_DIGITS, {"latest": LATEST_BY_DIGITS, "fewest": MIN_DIGITS})
        by_digits = cursor.fetchall()
    pairs = {(row[0], row[1]) for row in (*by_po, *by_digits)}
    orders = Order.objects.in_bulk({pk for pair in pairs for pk in pair})
    separated = _separated_pairs({pk for pair in pairs for pk in pair})
    numbered_apart = _pairs_with_different_numbers_of_an_issuer(
        sorted({(row[0], row[1]) for row in by_po})
    )
    best: dict[tuple[int, int], Suggestion] = {}
    for suggestion in (
        *_suggest_by_customer_po(by_po, orders, numbered_apart),
        *_suggest_by_digits(by_digits, orders),
    ):
        pair = (suggestion.left.pk, suggestion.right.pk)
        if frozenset(pair) not in separated and (
            pair not in best or best[pair].confidence < suggestion.confidence
        ):
            best[pair] = suggestion
    ordered = sorted(best.values(), key=lambda s: (-s.confidence, -s.right.pk, s.left.pk))
    return ordered[:limit]


def _separated_pairs(object_ids: Collection[int]) -> set[frozenset[int]]:
    ids = sorted(object_ids)
    with connection.cursor() as cursor:
        cursor.execute(SEPARATED_PAIRS, [ids, ids])
        return {frozenset(row) for row in cursor.fetchall()}


def _pairs_with_different_numbers_of_an_issuer(
    pairs: Sequence[tuple[int, int]],
) -> set[frozenset[int]]:
    parameters: dict[str, Any] = {
        "first": [first for first, _ in pairs],
        "second": [second for _, second in pairs],
        "schemes": sorted(scheme.value for scheme in EXCLUSIVE_SCHEMES),
    }
    with connection.cursor() as cursor:
        cursor.execute(NUMBERED_APART, parameters)
        return {frozenset(row) for row in cursor.fetchall()}


def _suggest_by_customer_po(
    rows: Iterable[tuple[int, int, str]],
    orders: dict[int, Order],
    numbered_apart: Collection[frozenset[int]],
) -> Iterable[Suggestion]:
    """Two orders of one ERP with one PO are suggested only if one may have been entered twice."""
    for a, b, po in rows:
        left, right = orders.get(a), orders.get(b)
        if left is None or right is None:
            continue
        same_customer = _same_customer_or_none_if_unknown(left, right)
        shared = f"Both have customer PO {escape_invisible_and_lookalike(po)}"
        if (
            same_customer
            and _same_total(left, right)
            and _ordered_within(left, right, DUPLICATE_SPAN)
        ):
            yield Suggestion(
                left,
                right,
                "Possible duplicate",
                f"{shared}, the same customer and the same total, ordered within 2 days.",
                0.95,
            )
        elif frozenset((a, b)) in numbered_apart:
            continue
        elif same_customer:
            yield Suggestion(
                left, right, "Same PO and customer", f"{shared} and the same customer.", 0.8
            )
        elif same_customer is None and (
            _same_total(left, right) or _ordered_within(left, right, SIMILAR_SPAN)
        ):
            yield Suggestion(
                left,
                right,
                "Same PO, similar order",
                f"{shared}. One customer is unknown; the total or the order date matches.",
                0.6,
            )


def _suggest_by_digits(
    rows: Iterable[tuple[int, int, str, str]], orders: dict[int, Order]
) -> Iterable[Suggestion]:
    for a, b, left_number, right_number in rows:
        left, right = orders.get(a), orders.get(b)
        if (
            left is None
            or right is None
            or _digits_without_leading_zeros(left_number)
            != _digits_without_leading_zeros(right_number)
        ):
            continue
        same_customer = _same_customer_or_none_if_unknown(left, right)
        if same_customer or (same_customer is None and _ordered_within(left, right, SIMILAR_SPAN)):
            yield Suggestion(
                left,
                right,
                "Similar number",
                f"{escape_invisible_and_lookalike(left_number)} and "
                f"{escape_invisible_and_lookalike(right_number)} "
                "have the same digits"
                + (", for the same customer." if same_customer else ", ordered within 7 days."),
                0.5 if same_customer else 0.4,
            )


def _digits_without_leading_zeros(number: str) -> str:
    return NON_DIGITS.sub("", number).lstrip("0")


def _same_customer_or_none_if_unknown(left: Order, right: Order) -> bool | None:
    """Return None if one of the customers is unknown."""
    if left.customer_no and right.customer_no:
        return left.customer_no == right.customer_no
    if left.customer_name and right.customer_name:
        return left.customer_name.casefold() == right.customer_name.casefold()
    return None


def _same_total(left: Order, right: Order) -> bool:
    return left.total is not None and (left.total, left.currency) == (right.total, right.currency)


def _ordered_within(left: Order, right: Order, span: timedelta) -> bool:
    if left.ordered_at is None or right.ordered_at is None:
        return False
    return abs(left.ordered_at - right.ordered_at) <= span
