"""Messages a minute: now, the last hour, and the usual."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import connection

from visibility.boards.tile import Tile

MINUTES = 60
WEEKS = 4
HEIGHT, STEP = 56, 5
# By source, because that is what the index knows.
COUNTS = """
SELECT date_trunc('minute', heard.received_at) AS minute, count(*)
FROM visibility_source source CROSS JOIN LATERAL (
    SELECT received_at FROM visibility_inbound_message
    WHERE source_id = source.id AND received_at >= %s AND received_at < %s
) AS heard
GROUP BY minute
"""


def counted(start: datetime, end: datetime) -> dict[datetime, int]:
    """Messages by minute."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, [start, end])
        return dict(cursor.fetchall())


@lru_cache(maxsize=2)
def past(minute: datetime) -> tuple[int, ...]:
    """The hour before a minute: it does not change any more, so one reading serves all."""
    found = counted(minute - timedelta(minutes=MINUTES), minute)
    return tuple(found.get(minute - timedelta(minutes=back), 0) for back in range(MINUTES, 0, -1))


@lru_cache(maxsize=2)
def usual(hour: datetime) -> float | None:
    """Messages a minute in this hour of this weekday, by the last four weeks; None: no history."""
    totals = []
    for week in range(1, WEEKS + 1):
        start = hour - timedelta(weeks=week)
        totals.append(sum(counted(start, start + timedelta(hours=1)).values()))
    heard = [total for total in totals if total]
    return sum(heard) / len(heard) / 60 if heard else None


class Pulse(Tile):
    """Messages heard a minute over the last hour, beside the usual for this hour and weekday."""

    code = "message_rate"
    title = "Pulse"
    kinds = ("source", "order")
    href = "/sources"

    def data(self, now: datetime) -> Mapping[str, Any]:
        """The bars of the drawing, the last full minute, and the usual."""
        minute = now.replace(second=0, microsecond=0)
        counts = past(minute)
        expected = usual(minute.replace(minute=0))
        top = max(*counts, expected or 0, 1)
        bars = [
            {"x": place * STEP, "y": HEIGHT - round(HEIGHT * many / top, 1), "many": many}
            for place, many in enumerate(counts)
        ]
        for bar in bars:
            bar["height"] = HEIGHT - bar["y"]
        return {
            "bars": bars,
            "width": MINUTES * STEP,
            "height": HEIGHT,
            "last": counts[-1],
            "hour": sum(counts),
            "usual": round(expected, 1) if expected is not None else None,
            "usual_y": round(HEIGHT - HEIGHT * expected / top, 1) if expected else None,
            "counts": counts,
        }
