"""The last notable things that happened."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from connectors.sdk.events import EventType, Flag
from visibility.boards.tile import Tile

SHOWN = 10
# How far back, in events of the last day, a quiet time is searched.
SEARCHED = 2_000
# type: what is said of the order, and its tone.
NOTABLE = {
    EventType.ORDER_REJECTED: ("was rejected", "late"),
    EventType.ORDER_CANCELLED: ("was cancelled", "late"),
    EventType.ORDER_HELD: ("was put on hold", "waiting"),
    EventType.LINE_SHORTED: ("is short of goods", "risk"),
    EventType.LINE_BACKORDERED: ("waits for stock", "waiting"),
    EventType.SHIPMENT_VOID: ("had its shipment voided", "risk"),
    EventType.ATTEMPTED: ("could not be delivered: nobody took it", "risk"),
    EventType.DELAYED: ("is delayed on the way", "risk"),
    EventType.SHIPMENT_EXCEPTION: ("has trouble on the way", "late"),
    EventType.SHIPMENT_RETURNED: ("goes back to the sender", "late"),
    EventType.RETURN_AUTHORISED: ("comes back: return authorised", "waiting"),
    EventType.RETURN_RECEIVED: ("came back to the warehouse", "waiting"),
    EventType.DOCUMENT_REJECTED: ("had a document refused", "late"),
    EventType.INVOICE_VOID: ("had its invoice voided", "risk"),
}
# Where a source tells no time, that of its message stands in: a week of returns told at once would
# all have happened just now. They come after those of which the time is known.
LAST = """
WITH RECURSIVE heard AS (
    SELECT recent.* FROM (
        SELECT id, type, occurred_at, source_id, data -> 'attributes' ->> 'reason' AS reason,
            coalesce(data -> 'flags' ? %s, false) AS untold
        FROM visibility_event WHERE NOT withdrawn AND occurred_at <= clock_timestamp()
            AND occurred_at > clock_timestamp() - interval '1 day'
        ORDER BY occurred_at DESC LIMIT %s
    ) AS recent
    WHERE recent.type = ANY(%s) ORDER BY recent.untold, recent.occurred_at DESC LIMIT %s
), reach (event_id, object_id, depth) AS (
    SELECT heard.id, link.object_id, 0
    FROM heard JOIN visibility_eventobject link ON link.event_id = heard.id
    UNION
    SELECT reach.event_id, relation.parent_id, reach.depth + 1
    FROM reach JOIN visibility_objectrelation relation ON relation.child_id = reach.object_id
    WHERE reach.depth < 3
)
SELECT DISTINCT ON (heard.untold, heard.occurred_at, heard.id)
    heard.id, heard.type, heard.occurred_at, heard.untold, heard.reason, source.title,
    o.object_id, o.number, o.customer_name, o.customer_no
FROM heard
JOIN visibility_source source ON source.id = heard.source_id
JOIN reach ON reach.event_id = heard.id
JOIN visibility_order o ON o.object_id = reach.object_id
ORDER BY heard.untold, heard.occurred_at DESC, heard.id DESC, o.object_id
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """One line of the stream."""

    id: int
    at: datetime
    # The source gave no time: `at` is when we heard of it.
    untold: bool
    order: int
    number: str
    customer_name: str
    customer_no: str
    words: str
    reason: str
    source: str
    tone: str


class Stream(Tile):
    """What happened last that somebody should know: holds, shortages, trouble, returns."""

    code = "notable_events"
    title = "Just happened"
    kinds = ("order",)
    href = "/orders"

    def data(self, now: datetime) -> Mapping[str, Any]:
        """The newest first, those without a time of their own last; one statement."""
        with connection.cursor() as cursor:
            kinds = [kind.value for kind in NOTABLE]
            cursor.execute(LAST, [Flag.TIME_RECEIVED.value, SEARCHED, kinds, SHOWN])
            rows = cursor.fetchall()
        heard = []
        for number, kind, at, untold, reason, source, order, order_no, name, no in rows:
            words, tone = NOTABLE[EventType(kind)]
            said = (words, reason or "", source, tone)
            heard.append(Heard(number, at, untold, order, order_no, name, no, *said))
        return {"heard": heard, "now": now}
