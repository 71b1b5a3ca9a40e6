"""Events that their source withdrew with a later event (`corrects`): they connect nothing.

Whether an event is corrected depends on the stored events only, whichever arrived first.
"""

from collections.abc import Callable, Collection, Iterable

from visibility.db import bulk

# Also the events that a correction withdrew before its newer version arrived.
OBJECTS_OF_EVENTS_CORRECTED_BY = """
SELECT DISTINCT link.object_id
FROM unnest(%s::bigint[], %b::text[]) AS t (source_id, key)
JOIN visibility_eventcorrection c ON c.source_id = t.source_id AND c.correcting_key = t.key
JOIN visibility_event event ON event.source_id = c.source_id AND event.key = c.key
JOIN visibility_eventobjectlink link ON link.event_id = event.id
"""
CORRECTED_EVENTS = """
SELECT event.id FROM visibility_event event
JOIN visibility_effective_event_correction c
    ON c.source_id = event.source_id AND c.key = event.key
WHERE event.id = ANY(%s)
"""


def resolve_objects_of_corrected_events(
    corrections: Iterable[tuple[int, str]], resolve: Callable[[Collection[int]], object]
) -> None:
    """Resolve the objects of the events that these events (source id, key) correct.

    The objects of the corrections must be locked. A corrected event that another transaction has
    just linked to one of them is visible only after the first resolution.
    """
    columns = [list(column) for column in zip(*sorted(set(corrections)), strict=True)]
    resolved: set[int] = set()
    while columns:
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(OBJECTS_OF_EVENTS_CORRECTED_BY, columns)
            object_ids = {row[0] for row in cursor.fetchall()} - resolved
        if not object_ids:
            return
        resolve(sorted(object_ids))
        resolved |= object_ids


def load_corrected_event_ids(event_ids: Collection[int]) -> set[int]:
    """Return those of these events that others withdraw."""
    if not event_ids:
        return set()
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(CORRECTED_EVENTS, [sorted(event_ids)])
        return {row[0] for row in cursor.fetchall()}
