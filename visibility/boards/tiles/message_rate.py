"""Messages per minute over the last hour, and the typical rate."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db import connection

from visibility.boards.tile import Tile
from visibility.boards.tile_table import TileReader, TileTable

MINUTES = 60
WEEKS = 4
HEIGHT, STEP = 56, 5
# Query by source, so that the index on (source, received_at) is used.
COUNTS = """
SELECT date_trunc('minute', message.received_at) AS minute, count(*)
FROM visibility_source source CROSS JOIN LATERAL (
    SELECT received_at FROM visibility_inbound_message
    WHERE source_id = source.id AND received_at >= %s AND received_at < %s
) AS message
GROUP BY minute
"""


def count_messages_per_minute(start: datetime, end: datetime) -> dict[datetime, int]:
    """Message counts by minute."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, [start, end])
        return dict(cursor.fetchall())


@lru_cache(maxsize=2)
def message_counts_of_last_60_minutes(minute: datetime) -> tuple[int, ...]:
    """Counts of the hour before a minute. They no longer change, so the result is cached."""
    counts = count_messages_per_minute(minute - timedelta(minutes=MINUTES), minute)
    return tuple(counts.get(minute - timedelta(minutes=back), 0) for back in range(MINUTES, 0, -1))


@lru_cache(maxsize=2)
def mean_messages_per_minute_in_same_weekly_hour(hour: datetime) -> float | None:
    """Typical messages per minute for this hour and weekday, from the last four weeks, or None."""
    totals = []
    for week in range(1, WEEKS + 1):
        start = hour - timedelta(weeks=week)
        totals.append(sum(count_messages_per_minute(start, start + timedelta(hours=1)).values()))
    nonzero_totals = [total for total in totals if total]
    return sum(nonzero_totals) / len(nonzero_totals) / 60 if nonzero_totals else None


class MessageRate(Tile):
    """Messages per minute over the last hour, with the typical rate for this hour and weekday."""

    code = "message_rate"
    title = "Message volume"
    kinds = ("source", "order")
    is_about_orders = False
    href = "/messages"
    definition = (
        "Messages received per minute in the last 60 full minutes. Dashed: the mean rate of this "
        "hour and weekday in the last four weeks. The scale ends at the 95th percentile; a higher "
        "minute is cut off, and its value is written."
    )

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """The bars of the chart, the last full minute, and the typical rate."""
        minute = now.replace(second=0, microsecond=0)
        counts = message_counts_of_last_60_minutes(minute)
        expected = mean_messages_per_minute_in_same_weekly_hour(minute.replace(minute=0))
        top = scale_end(counts, expected)
        bars = [
            {
                "x": index * STEP,
                "y": round(HEIGHT - HEIGHT * min(count / top, 1), 1),
                "height": round(HEIGHT * min(count / top, 1), 1),
                "many": count,
                "is_capped": count > top,
            }
            for index, count in enumerate(counts)
        ]
        highest = max(counts)
        return {
            "bars": bars,
            "width": MINUTES * STEP,
            "height": HEIGHT,
            "last": counts[-1],
            "hour": sum(counts),
            "usual": round(expected, 1) if expected is not None else None,
            "usual_y": round(HEIGHT - HEIGHT * expected / top, 1) if expected else None,
            "counts": counts,
            "minute": minute,
            "highest": highest if highest > top else 0,
            "highest_at": minute - timedelta(minutes=MINUTES - counts.index(highest)),
            "top": round(top),
        }

    def build_table(self, context: Mapping[str, Any], reader: TileReader) -> TileTable:
        """The messages of each minute, the oldest first, beside the typical rate."""
        usual = None if context["usual"] is None else Decimal(str(context["usual"]))
        start = context["minute"] - timedelta(minutes=MINUTES)
        return TileTable(
            ("Minute", "Messages", "Typical per minute"),
            [
                [start + timedelta(minutes=index), count, usual]
                for index, count in enumerate(context["counts"])
            ],
        )


def scale_end(counts: Sequence[int], expected: float | None) -> float:
    """The 95th percentile of the minutes, or the typical rate if that is more.

    With messages in very few minutes, both are zero: then the highest minute.
    """
    percentile = sorted(counts)[math.ceil(0.95 * len(counts)) - 1]
    return max(percentile, expected or 0) or max(*counts, 1)
