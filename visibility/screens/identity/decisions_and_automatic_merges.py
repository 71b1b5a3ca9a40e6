"""Queries of the section *Matching*: manual decisions and automatic merges."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from connectors.sdk.identifier_normalization import escape_invisible_and_lookalike
from visibility.models import IdentityDecision, Merge, Order
from visibility.screens.orders.number_and_customer_search import SCHEME_LABELS

MAX_DECISIONS = 50
EVIDENCE = """
SELECT event.id, event.type, event.occurred_at, event.message_id, source.title
FROM visibility_event event JOIN visibility_source source ON source.id = event.source_id
WHERE event.id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class AutomaticMerge:
    """An automatic merge: the order, the ID of the merged one, and the event that proves it."""

    order: Order
    merged_id: int
    at: datetime
    number: str
    event: str
    source: str
    occurred_at: datetime | None
    message_id: int | None


def manual_decisions() -> QuerySet[IdentityDecision]:
    """Manual decisions, newest first."""
    return IdentityDecision.objects.select_related("decided_by", "undone_by").order_by("-pk")


def identifiers_on_decision_side(
    decision: IdentityDecision, side: int
) -> list[tuple[str, str, str]]:
    """(scheme label, issuer, number) of each identifier on one side of a decision."""
    return [
        (
            SCHEME_LABELS.get(n.scheme, n.scheme),
            n.issuer.rstrip("?"),
            escape_invisible_and_lookalike(n.value),
        )
        for n in decision.identifiers.all()
        if n.side == side
    ]


def automatic_merges(*, limit: int = MAX_DECISIONS) -> list[AutomaticMerge]:
    """Automatic merges that are still in effect, newest first, with their evidence."""
    merges = list(
        Merge.objects.filter(decision=None, winner__kind="order", loser__merged_into__isnull=False)
        .select_related("loser")
        .order_by("-pk")[:limit]
    )
    with connection.cursor() as cursor:
        cursor.execute(EVIDENCE, [[m.event_id for m in merges]])
        events = {row[0]: row[1:] for row in cursor.fetchall()}
    orders = Order.objects.in_bulk({m.loser.merged_into_id for m in merges})
    seen: set[int] = set()
    results = []
    for m in merges:
        order = orders.get(m.loser.merged_into_id or 0)
        if order is None or m.loser_id in seen:
            continue
        seen.add(m.loser_id)
        kind, at, message_id, source = events.get(m.event_id, ("", None, None, ""))
        scheme, _, value = m.shared_identifier.partition(":")[2].partition(":")
        number_text = f"{SCHEME_LABELS.get(scheme, scheme)} {value.partition(':')[2]}".strip()
        results.append(
            AutomaticMerge(
                order,
                m.loser_id,
                m.merged_at,
                escape_invisible_and_lookalike(number_text),
                kind,
                source,
                at,
                message_id,
            )
        )
    return results
