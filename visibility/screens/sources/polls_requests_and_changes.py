"""The polls of a source, the requests they sent, and the changes of its settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum

from visibility.formatting import count_with_noun
from visibility.ingest.limited_requests import count_requests
from visibility.models import AuditEntry, OutgoingRequest, PollRound, Source

SHOWN = 50
DAY = timedelta(days=1)
# Orders are counted in so many of the newest messages.
MAX_MESSAGES_READ = 20_000
ORDERS_OF_SOURCE = """
SELECT count(DISTINCT folded.object_id) FROM (
    SELECT m.id FROM visibility_inbound_message m
    WHERE m.source_id = %s AND m.received_at > %s ORDER BY m.received_at DESC LIMIT %s
) recent
JOIN visibility_event event ON event.message_id = recent.id
JOIN visibility_eventobjectlink link ON link.event_id = event.id
JOIN visibility_order folded ON folded.object_id = link.object_id
"""
Row = TypeVar("Row", PollRound, OutgoingRequest, AuditEntry)


@dataclass(frozen=True, slots=True)
class HistoryPage(Generic[Row]):
    """The newest rows, or those before one. `older`: the ID before which the next page begins."""

    rows: Sequence[Row]
    older: int | None


def polls_of_source(source: Source) -> QuerySet[PollRound]:
    """The polls that ended, the newest first."""
    return PollRound.objects.filter(source=source).order_by("-id")


def outgoing_requests_of_source(source: Source) -> QuerySet[OutgoingRequest]:
    """The stored requests of its polls, the newest first."""
    return OutgoingRequest.objects.filter(source=source).order_by("-id")


def changes_of_source(source: Source) -> QuerySet[AuditEntry]:
    """Who added or changed the source, replaced its secret or tested it, the newest first."""
    entries = AuditEntry.objects.filter(object=source.slug, action__startswith="source.")
    return entries.select_related("user").order_by("-id")


def load_polls(source: Source, *, before: int | None) -> HistoryPage[PollRound]:
    """The polls that ended, the newest first."""
    return _page(polls_of_source(source), before)


def load_outgoing_requests(source: Source, *, before: int | None) -> HistoryPage[OutgoingRequest]:
    """The stored requests of its polls, the newest first."""
    return _page(outgoing_requests_of_source(source), before)


def load_changes(source: Source, *, before: int | None) -> HistoryPage[AuditEntry]:
    """Who added or changed the source, replaced its secret or tested it, the newest first."""
    return _page(changes_of_source(source), before)


def polls_sentence(source: Source, now: datetime) -> str:
    """`96 polls in the last 24 hours: 2 failed, 1 rate limited, 314 new messages.`"""
    counts = PollRound.objects.filter(source=source, ended_at__gt=now - DAY).aggregate(
        polls=Count("pk"),
        failed=Count("pk", filter=~Q(error="") & Q(is_throttled=False)),
        throttled=Count("pk", filter=Q(is_throttled=True)),
        new=Sum("new_count"),
    )
    if not counts["polls"]:
        return "No polls in the last 24 hours."
    clauses = [f"{counts['failed']} failed"]
    if counts["throttled"]:
        clauses.append(f"{counts['throttled']} rate limited")
    if counts["new"] is not None:
        clauses.append(count_with_noun(counts["new"], "new message"))
    polls = count_with_noun(counts["polls"], "poll")
    return f"{polls} in the last 24 hours: {', '.join(clauses)}."


def requests_sentence(source: Source, now: datetime) -> str:
    """`1,204 requests in the last 24 hours for 310 orders: 3.9 for each order.`"""
    sent = count_requests([source], now - DAY)
    if not sent:
        return ""
    with connection.cursor() as cursor:
        cursor.execute(ORDERS_OF_SOURCE, [source.pk, now - DAY, MAX_MESSAGES_READ])
        (orders,) = cursor.fetchone()
    text = f"{count_with_noun(sent, 'request')} in the last 24 hours"
    if not orders:
        return f"{text}, and no order was reported."
    each = f"{sent / orders:,.1f}"
    return f"{text} for {count_with_noun(orders, 'order')}: {each} for each order."


def _page(rows: QuerySet[Row, Any], before: int | None) -> HistoryPage[Row]:
    if before is not None:
        rows = rows.filter(pk__lt=before)
    stored = list(rows[: SHOWN + 1])
    older = stored[SHOWN - 1].pk if len(stored) > SHOWN else None
    return HistoryPage(stored[:SHOWN], older)
