"""Does what must always hold, hold? Each check returns the sentences of what is broken."""

import random
from collections.abc import Callable, Mapping

from django.db import connection

from visibility.db.clock import database_now
from visibility.models import audit
from visibility.storage.events import spoken_of
from visibility.storage.timelines import dictionary_of
from visibility.timeline import fold

SAMPLE = 200
BALANCE = """
SELECT s.slug, count(m.id) FILTER (WHERE m.state NOT IN ('applied', 'parked', 'waiting')),
    count(m.id), (SELECT count(*) FROM visibility_messagekey k WHERE k.source_id = s.id)
FROM visibility_source s LEFT JOIN visibility_inbound_message m ON m.source_id = s.id
GROUP BY s.id, s.slug
"""
LATE = """
SELECT count(*) FROM visibility_slaclock
WHERE state = 'running' AND stopped_at IS NULL AND due_at < clock_timestamp() - interval '2 minutes'
"""
UNTOLD = """
SELECT count(*) FROM visibility_slaclock c
WHERE c.state = 'breached' AND NOT EXISTS (SELECT 1 FROM visibility_alert a
    WHERE a.order_id = c.order_id AND a.rule_id = c.rule_id AND a.obligation = c.obligation)
"""
STALE = """
SELECT count(*) FROM visibility_inbound_message
WHERE state = 'waiting' AND received_at < clock_timestamp() - interval '2 minutes' AND attempts = 0
"""
GONE = """
SELECT o.id, o.merged_into_id FROM visibility_businessobject o
WHERE o.merged_into_id IS NOT NULL AND (
    EXISTS (SELECT FROM visibility_identifier i WHERE i.object_id = o.id)
    OR EXISTS (SELECT FROM visibility_objectrelation r WHERE r.parent_id = o.id)
    OR EXISTS (SELECT FROM visibility_objectrelation r WHERE r.child_id = o.id))
ORDER BY o.id LIMIT 20
"""


def one_fate() -> list[str]:
    """I4: every message kept has one fate, and every key its message."""
    with connection.cursor() as cursor:
        cursor.execute(BALANCE)
        return [
            f"{slug}: {kept} messages but {keys} keys, {lost} without a fate"
            for slug, lost, kept, keys in cursor.fetchall()
            if lost or kept > keys
        ]


def order_of_arrival() -> list[str]:
    """I2, on a sample: shuffled and doubled events fold to the same timeline."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT object_id FROM visibility_order ORDER BY random() LIMIT %s",
            [SAMPLE],
        )
        ids = [row[0] for row in cursor.fetchall()]
    now, broken = database_now(), []
    for key, events in spoken_of(ids).values():
        shuffled = [*events, *events[: len(events) // 2]]
        random.shuffle(shuffled)
        words = dictionary_of(events)
        one, other = (fold(e, key=key, as_of=now, dictionary=words) for e in (events, shuffled))
        if one != other:
            broken.append(f"{key}: the timeline depends on the order of arrival")
    return broken


def judged() -> list[str]:
    """I3: what is due is judged, and every breach has its alert."""
    with connection.cursor() as cursor:
        cursor.execute(LATE)
        late = cursor.fetchone()[0]
        cursor.execute(UNTOLD)
        untold = cursor.fetchone()[0]
    found = [f"{late} clocks are due and not judged"] if late else []
    return found + ([f"{untold} breaches have no alert"] if untold else [])


def working() -> list[str]:
    """I8: nothing waits that nobody has tried."""
    with connection.cursor() as cursor:
        cursor.execute(STALE)
        count = cursor.fetchone()[0]
    return [f"{count} messages wait for more than two minutes"] if count else []


def chained() -> list[str]:
    """I26: the audit's chain is whole."""
    return [f"audit entry {entry} does not fit the chain" for entry in audit.broken()]


def numbers_lead_on() -> list[str]:
    """Numbers and relations name the objects that stand, none that went into another."""
    with connection.cursor() as cursor:
        cursor.execute(GONE)
        return [
            f"object {gone} went into {winner} and still has numbers or relations"
            for gone, winner in cursor.fetchall()
        ]


CHECKS: Mapping[str, Callable[[], list[str]]] = {
    "one_fate": one_fate,
    "order_of_arrival": order_of_arrival,
    "judged": judged,
    "numbers_lead_on": numbers_lead_on,
    "working": working,
    "audit": chained,
}
