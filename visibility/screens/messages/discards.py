"""What a discard of parked messages would affect, and what became of an earlier one."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from visibility.models import MessageDiscard, MessageState
from visibility.models.orders import Order
from visibility.screens.messages.replay_preview import MAX_ORDERS, order_ids_of_messages

PARKED_BY_SOURCE = """
SELECT source.title, count(*) FROM visibility_inbound_message m
JOIN visibility_source source ON source.id = m.source_id
WHERE m.id = ANY(%s) AND m.state = 'parked' GROUP BY 1 ORDER BY 2 DESC, 1
"""
# Retention may have removed the body: such a message stays discarded.
STATES = """
SELECT m.state, m.state = 'discarded' AND coalesce(b.body, m.body) IS NULL, count(*)
FROM visibility_inbound_message m
LEFT JOIN visibility_message_body b ON b.message_id = m.id AND b.received_at = m.received_at
WHERE m.id = ANY(%s) GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class DiscardPreview:
    """The parked messages of a selection by source, and the known orders that they are about.

    `orders` are the first of the `order_count` ones.
    """

    sources: Sequence[tuple[str, int]]
    order_count: int
    orders: Sequence[Order]

    @property
    def count(self) -> int:
        """The number of messages that are parked."""
        return sum(count for _, count in self.sources)


@dataclass(frozen=True, slots=True)
class DiscardResult:
    """A discard, and how many of its messages are still discarded; `without_body` for good."""

    discard: MessageDiscard
    discarded: int
    without_body: int

    @property
    def total(self) -> int:
        """The number of messages that were discarded."""
        return len(self.discard.message_ids)

    @property
    def can_be_undone(self) -> bool:
        """Whether some messages can be parked again."""
        return self.discard.undone_at is None and self.discarded > self.without_body


def preview_discard(message_ids: Sequence[int]) -> DiscardPreview:
    """What a discard of these messages would affect. Four statements at most."""
    with connection.cursor() as cursor:
        cursor.execute(PARKED_BY_SOURCE, [list(message_ids)])
        sources = cursor.fetchall()
    order_ids = order_ids_of_messages(message_ids) if sources else []
    orders = Order.objects.filter(object_id__in=order_ids).order_by("-last_event_at")[:MAX_ORDERS]
    return DiscardPreview(sources, len(order_ids), list(orders) if order_ids else [])


def load_discard_result(discard_id: int) -> DiscardResult | None:
    """A discard and the state of its messages now; None if there is no such discard."""
    discard = (
        MessageDiscard.objects.select_related("discarded_by", "undone_by")
        .filter(pk=discard_id)
        .first()
    )
    if discard is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(STATES, [discard.message_ids])
        rows = cursor.fetchall()
    return DiscardResult(
        discard=discard,
        discarded=sum(count for state, _, count in rows if state == MessageState.DISCARDED),
        without_body=sum(count for _, is_bodiless, count in rows if is_bodiless),
    )


def discard_of_message(message_id: int) -> MessageDiscard | None:
    """The discard that a discarded message belongs to."""
    return (
        MessageDiscard.objects.select_related("discarded_by")
        .filter(message_ids__contains=[message_id], undone_at=None)
        .order_by("-pk")
        .first()
    )
