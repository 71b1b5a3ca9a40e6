"""Recent notable events of orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from connectors.sdk.events import EventType, Flag
from connectors.sdk.settings import Setting, SettingType
from visibility.boards.tile import Tile
from visibility.formatting import count_with_noun
from visibility.models.permission import Permission

# At most so many events of the period are searched.
MAX_SEARCHED = 2_000
# type: (sentence about the order, tone).
NOTABLE = {
    EventType.ORDER_REJECTED: ("was rejected", "late"),
    EventType.ORDER_CANCELLED: ("was cancelled", "late"),
    EventType.ORDER_HELD: ("was put on hold", "waiting"),
    EventType.LINE_SHORTED: ("has a short-shipped line", "risk"),
    EventType.LINE_BACKORDERED: ("has a back-ordered line", "waiting"),
    EventType.SHIPMENT_VOID: ("had a shipment voided", "risk"),
    EventType.ATTEMPTED: ("had a failed delivery attempt", "risk"),
    EventType.DELAYED: ("is delayed in transit", "risk"),
    EventType.SHIPMENT_EXCEPTION: ("has a delivery exception", "late"),
    EventType.SHIPMENT_RETURNED: ("is being returned to the sender", "late"),
    EventType.RETURN_AUTHORIZED: ("had a return authorized", "waiting"),
    EventType.RETURN_RECEIVED: ("was returned to the warehouse", "waiting"),
    EventType.DOCUMENT_REJECTED: ("had a document rejected", "late"),
    EventType.INVOICE_VOID: ("had an invoice voided", "risk"),
}
# What a reader can limit the list to: code: (label, types).
EVENT_GROUPS = {
    "holds": ("Holds", (EventType.ORDER_HELD,)),
    "shortages": ("Shortages", (EventType.LINE_SHORTED, EventType.LINE_BACKORDERED)),
    "delivery": (
        "Delivery exceptions",
        (EventType.ATTEMPTED, EventType.DELAYED, EventType.SHIPMENT_EXCEPTION),
    ),
    "returns": (
        "Returns",
        (
            EventType.SHIPMENT_RETURNED,
            EventType.RETURN_AUTHORIZED,
            EventType.RETURN_RECEIVED,
        ),
    ),
    "cancelled": (
        "Cancelled and rejected",
        (
            EventType.ORDER_REJECTED,
            EventType.ORDER_CANCELLED,
            EventType.SHIPMENT_VOID,
            EventType.DOCUMENT_REJECTED,
            EventType.INVOICE_VOID,
        ),
    ),
}
# Without an event time, `occurred_at` is the time received: a week of returns sent at once would
# all appear as new. Such events are sorted after those with a known time.
RECENT_EVENTS = """
WITH RECURSIVE notable AS (
    SELECT recent.* FROM (
        SELECT id, type, occurred_at, source_id, data -> 'attributes' ->> 'reason' AS reason,
            coalesce(data -> 'flags' ? %s, false) AS is_time_unknown
        FROM visibility_event WHERE NOT superseded AND occurred_at <= clock_timestamp()
            AND occurred_at > clock_timestamp() - %s * interval '1 hour'
        ORDER BY occurred_at DESC LIMIT %s
    ) AS recent
    WHERE recent.type = ANY(%s) ORDER BY recent.is_time_unknown, recent.occurred_at DESC LIMIT %s
), reach (event_id, object_id, depth) AS (
    SELECT notable.id, link.object_id, 0
    FROM notable JOIN visibility_eventobjectlink link ON link.event_id = notable.id
    UNION
    SELECT reach.event_id, relation.parent_id, reach.depth + 1
    FROM reach JOIN visibility_objectrelation relation ON relation.child_id = reach.object_id
    WHERE reach.depth < 3
)
SELECT DISTINCT ON (notable.is_time_unknown, notable.occurred_at, notable.id)
    notable.id, notable.type, notable.occurred_at, notable.is_time_unknown, notable.reason,
    source.title, o.object_id, o.number, o.customer_name, o.customer_no
FROM notable
JOIN visibility_source source ON source.id = notable.source_id
JOIN reach ON reach.event_id = notable.id
JOIN visibility_order o ON o.object_id = reach.object_id{scope}
ORDER BY notable.is_time_unknown, notable.occurred_at DESC, notable.id DESC, o.object_id
"""


@dataclass(frozen=True, slots=True)
class NotableEvent:
    """One event in the list."""

    id: int
    at: datetime
    # The source sent no event time: `at` is the time received.
    is_time_unknown: bool
    order: int
    number: str
    customer_name: str
    customer_no: str
    sentence: str
    reason: str
    source: str
    tone: str


class NotableEvents(Tile):
    """Recent holds, shortages, cancellations, delivery exceptions and returns."""

    code = "notable_events"
    title = "Recent events"
    kinds = ("order",)
    href = "/orders"
    is_filtered = True
    is_pausable = True
    definition = (
        "Holds, shortages, cancellations, delivery exceptions, returns and rejected documents, the "
        "newest first. An event whose source sent no time comes last, with the time received."
    )
    permission = Permission.ORDERS
    settings = (
        Setting(
            "limit",
            "The number of events.",
            SettingType.INTEGER,
            default="8",
            minimum=1,
            maximum=50,
        ),
        Setting(
            "hours",
            "How far to look back, in hours.",
            SettingType.INTEGER,
            default="24",
            minimum=1,
            maximum=168,
        ),
    )

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """The newest events first, those without an event time last. One SQL statement."""
        with connection.cursor() as cursor:
            chosen = self.board.events if self.board.events in EVENT_GROUPS else ""
            types = EVENT_GROUPS[chosen][1] if chosen else tuple(NOTABLE)
            kinds = [event_type.value for event_type in types]
            limit, hours = self.values.integer("limit"), self.values.integer("hours")
            flag = Flag.TIME_RECEIVED.value
            scope, values = self.board.orders.sql("o")
            # Events of other orders are dropped after the search, so a limited board searches more.
            searched = MAX_SEARCHED if self.board.orders else limit
            cursor.execute(
                RECENT_EVENTS.format(scope=scope),
                [flag, hours, MAX_SEARCHED, kinds, searched, *values],
            )
            rows = cursor.fetchall()[:limit]
        events = []
        for event_id, kind, at, is_time_unknown, reason, source, *order_fields in rows:
            sentence, tone = NOTABLE[EventType(kind)]
            order, number, customer_name, customer_no = order_fields
            events.append(
                NotableEvent(
                    id=event_id,
                    at=at,
                    is_time_unknown=is_time_unknown,
                    order=order,
                    number=number,
                    customer_name=customer_name,
                    customer_no=customer_no,
                    sentence=sentence,
                    reason=reason or "",
                    source=source,
                    tone=tone,
                )
            )
        choices = [("", "All"), *((code, label) for code, (label, _) in EVENT_GROUPS.items())]
        return {
            "events": events,
            "now": now,
            "period": count_with_noun(hours, "hour"),
            "choices": [(code, label, code == chosen) for code, label in choices],
            "chosen": chosen,
        }
