"""Queries of the section *Matching*: comparisons, decision previews and identifiers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
from django.db import connection

from connectors.sdk.identifier_normalization import escape_invisible_and_lookalike
from visibility.formatting import count_with_noun
from visibility.models import (
    ACTIVE_ALERT_STATES,
    Alert,
    BusinessObject,
    Identifier,
    Order,
)
from visibility.screens.orders.number_and_customer_search import SCHEME_LABELS
from visibility.storage.load_events import scheme_rank

# Counts stop at this number.
MAX_COUNTED = 1_000
COUNT_EVENTS = """
WITH RECURSIVE reach (root, id) AS (
    SELECT id, id FROM unnest(%s::bigint[]) AS wanted (id)
    UNION SELECT reach.root, r.child_id FROM reach
    JOIN visibility_objectrelation r ON r.parent_id = reach.id
)
SELECT count(DISTINCT link.event_id) FROM reach
JOIN visibility_eventobjectlink link ON link.object_id = reach.id
"""
IDENTIFIER_MENTIONS = """
SELECT (event.data->'objects'->(link.ref::int)->'identifiers')::text, source.title, event.type,
    event.occurred_at, event.message_id
FROM visibility_eventobjectlink link
JOIN visibility_event event ON event.id = link.event_id AND event.occurred_at = link.occurred_at
    AND NOT event.superseded
JOIN visibility_source source ON source.id = event.source_id
WHERE link.object_id = %s ORDER BY link.occurred_at LIMIT 500
"""

# So many of each object that a page of objects has all of them.
IDENTIFIERS_OF_OBJECTS = """
SELECT i.object_id, i.scheme, i.issuer, i.value, i.raw FROM unnest(%s::bigint[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM visibility_identifier WHERE object_id = wanted.id AND NOT rejected LIMIT %s
) i
"""


@dataclass(frozen=True, slots=True)
class ComparedObject:
    """One side of a comparison: an order or an unmatched record."""

    id: int
    kind: str
    order: Order | None
    names: tuple[tuple[str, str, str], ...]
    events: int
    alerts: int


@dataclass(frozen=True, slots=True)
class DecisionPreview:
    """The effect of a decision: orders before and after, events and alerts affected."""

    before: int
    after: int
    events: int
    alerts: int
    numbers: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """`2 orders become 1: 14 events, 2 alerts.`"""
        affected = (
            f"{count_with_noun(self.events, 'event')}, {count_with_noun(self.alerts, 'alert')}"
        )
        if self.before == self.after:
            return f"{count_with_noun(self.after, 'order')} affected: {affected}."
        verb = "becomes" if self.before == 1 else "become"
        return f"{count_with_noun(self.before, 'order')} {verb} {self.after}: {affected}."


@dataclass(frozen=True, slots=True)
class IdentifierUsage:
    """One identifier of an order, with the number of events and the sources that report it."""

    scheme: str
    issuer: str
    value: str
    label: str
    spelling: str
    events: int
    sources: tuple[str, ...] = field(default=())

    @property
    def form_value(self) -> str:
        """The value of the form field."""
        return "|".join((self.scheme, self.issuer, self.value))


def format_identifiers_hiding_internal(names: Sequence[tuple[str, str, str]]) -> tuple[str, ...]:
    """The identifiers as text; internal IDs of systems only if there are no others."""
    others = [name for name in names if name[0] != SCHEME_LABELS["source_id"]]
    return tuple(f"{label} {number}" for label, _, number in others or names)


def identifiers_by_object(
    object_ids: Collection[int],
) -> dict[int, tuple[tuple[str, str, str], ...]]:
    """(scheme label, issuer, number) of each identifier by object, the best known first."""
    with connection.cursor() as cursor:
        cursor.execute(IDENTIFIERS_OF_OBJECTS, [list(object_ids), MAX_COUNTED])
        ordered = sorted(cursor.fetchall(), key=lambda row: (scheme_rank(row[1]), row[1:]))
    by_object: dict[int, list[tuple[str, str, str]]] = {object_id: [] for object_id in object_ids}
    for object_id, scheme, issuer, _, raw in ordered:
        by_object[object_id].append(
            (
                SCHEME_LABELS.get(scheme, scheme),
                issuer.rstrip("?"),
                escape_invisible_and_lookalike(raw),
            )
        )
    return {object_id: tuple(names) for object_id, names in by_object.items()}


def compared_objects(object_ids: Sequence[int]) -> list[ComparedObject]:
    """The sides of a comparison in the given order; IDs that do not exist are skipped."""
    objects = BusinessObject.objects.in_bulk(object_ids)
    orders, names = Order.objects.in_bulk(object_ids), identifiers_by_object(object_ids)
    return [
        ComparedObject(
            id=object_id,
            kind=objects[object_id].kind,
            order=orders.get(object_id),
            names=names[object_id],
            events=count_events_including_children([object_id]),
            alerts=count_active_alerts([object_id]),
        )
        for object_id in object_ids
        if object_id in objects
    ]


def count_events_including_children(object_ids: Collection[int]) -> int:
    """The number of events about these objects and everything below them."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_EVENTS, [sorted(object_ids)])
        return int(cursor.fetchone()[0])


def count_active_alerts(object_ids: Collection[int]) -> int:
    """The number of active alerts of these orders."""
    return Alert.objects.filter(order_id__in=object_ids, state__in=ACTIVE_ALERT_STATES).count()


def surviving_order_numbers(object_ids: Collection[int]) -> dict[int, str]:
    """{ID: number} of those orders that were not merged into another."""
    rows = Order.objects.filter(pk__in=object_ids, object__merged_into=None)
    return dict(rows.values_list("pk", "number"))


def measure_decision_effect(before: Collection[int], after: Collection[int]) -> DecisionPreview:
    """Compare the orders before and after. Call it after the decision was applied."""
    remaining = surviving_order_numbers(after)
    return DecisionPreview(
        before=len(before),
        after=len(remaining),
        events=count_events_including_children(remaining),
        alerts=count_active_alerts(remaining),
        numbers=tuple(sorted(remaining.values())),
    )


def list_order_identifiers_with_usage(order_id: int) -> list[IdentifierUsage]:
    """The identifiers of an order and who reports them, to choose those to split off."""
    rows = Identifier.objects.filter(object_id=order_id, is_identity=True)
    usage = _event_count_sources_by_identifier(order_id)
    identifiers = [
        IdentifierUsage(
            scheme=i.scheme,
            issuer=i.issuer,
            value=i.value,
            label=SCHEME_LABELS.get(i.scheme, i.scheme),
            spelling=escape_invisible_and_lookalike(i.raw),
            events=usage.get((i.scheme, i.raw), (0, frozenset()))[0],
            sources=tuple(sorted(usage.get((i.scheme, i.raw), (0, frozenset()))[1])),
        )
        for i in rows[:MAX_COUNTED]
    ]
    return sorted(identifiers, key=lambda n: (scheme_rank(n.scheme), n.scheme, n.value))


def _event_count_sources_by_identifier(
    order_id: int,
) -> Mapping[tuple[str, str], tuple[int, frozenset[str]]]:
    usage: dict[tuple[str, str], tuple[int, frozenset[str]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(IDENTIFIER_MENTIONS, [order_id])
        for identifiers, source, *_ in cursor.fetchall():
            for identifier in orjson.loads(identifiers):
                key = (identifier["scheme"], identifier["value"])
                count, reporters = usage.get(key, (0, frozenset()))
                usage[key] = (count + 1, reporters | {source})
    return usage


def is_order(object_id: int) -> bool:
    """Whether the object is, or was before a merge, an order."""
    return BusinessObject.objects.filter(pk=object_id, kind="order").exists()
