"""The result of a replay: what became of its messages so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from visibility.formatting import count_with_noun, format_number
from visibility.models import MessageReplay, MessageState
from visibility.screens.messages.replay_preview import StillParked, count_orders_of_messages

LATEST = 5
# Of a stopped replay, a parked message that was not processed since its start was not reached.
OUTCOMES = """
SELECT state, reason, CASE WHEN state = 'parked' AND reason <> 'syntax' THEN detail ELSE '' END,
    count(*), max(processed_at),
    state = 'parked' AND %(is_stopped)s AND (processed_at IS NULL OR processed_at < %(since)s)
FROM visibility_inbound_message WHERE id = ANY(%(ids)s) GROUP BY 1, 2, 3, 6
ORDER BY 4 DESC, 2, 3
"""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The present state of the messages of one replay. `orders`: those that its events reach.

    `not_reached`: messages that still waited when the replay was stopped, and are parked as before.
    `discarded`: messages that were parked again, and discarded since then.
    """

    replay: MessageReplay
    applied: int
    waiting: int
    still_parked: Sequence[StillParked]
    orders: int
    last_processed_at: datetime | None
    not_reached: int = 0
    discarded: int = 0

    @property
    def total(self) -> int:
        """The number of messages that were queued."""
        return len(self.replay.message_ids)

    @property
    def parked(self) -> int:
        """The number of messages that are parked again."""
        return sum(group.count for group in self.still_parked)

    @property
    def done(self) -> int:
        """The number of messages that are no longer in the queue."""
        return self.applied + self.parked + self.discarded

    @property
    def is_finished(self) -> bool:
        """Whether no message waits."""
        return not self.waiting

    @property
    def sentence(self) -> str:
        """`4 applied, 2 parked again.`"""
        if not self.is_finished:
            total = count_with_noun(self.total, "message")
            return f"{format_number(self.done)} of {total} processed."
        counts = [f"{format_number(self.applied)} applied"]
        counts.append(f"{format_number(self.parked) if self.parked else 'none'} parked again")
        if self.not_reached:
            counts.append(f"{format_number(self.not_reached)} not processed")
        if self.discarded:
            counts.append(f"{format_number(self.discarded)} discarded")
        return f"{', '.join(counts)}."


def load_replay_result(replay_id: int) -> ReplayResult | None:
    """The result of a replay so far; None if there is no such replay."""
    replay = (
        MessageReplay.objects.select_related("requested_by", "stopped_by")
        .filter(pk=replay_id)
        .first()
    )
    if replay is None:
        return None
    with connection.cursor() as cursor:
        values: dict[str, Any] = {
            "is_stopped": replay.stopped_at is not None,
            "since": replay.requested_at,
            "ids": replay.message_ids,
        }
        cursor.execute(OUTCOMES, values)
        rows = cursor.fetchall()
    counts = dict.fromkeys(MessageState, 0)
    for state, _, _, count, _, is_not_reached in rows:
        counts[MessageState(state)] += 0 if is_not_reached else count
    return ReplayResult(
        replay=replay,
        applied=counts[MessageState.APPLIED],
        waiting=counts[MessageState.WAITING],
        still_parked=[
            StillParked(reason, detail, count)
            for state, reason, detail, count, _, is_not_reached in rows
            if state == MessageState.PARKED and not is_not_reached
        ],
        orders=count_orders_of_messages(replay.message_ids),
        last_processed_at=max((row[4] for row in rows if row[4] is not None), default=None),
        not_reached=sum(row[3] for row in rows if row[5]),
        discarded=counts[MessageState.DISCARDED],
    )


def latest_replays() -> list[MessageReplay]:
    """The latest replays, the newest first."""
    return list(MessageReplay.objects.select_related("requested_by").order_by("-pk")[:LATEST])
