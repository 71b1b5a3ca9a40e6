"""Select the orders that a source reported on, directly or through what belongs to them."""

from django.db.models.expressions import RawSQL

ORDER_IDS_OF_SOURCE = """
WITH RECURSIVE reached (id) AS (
    SELECT link.object_id FROM visibility_source source
    JOIN visibility_event event ON event.source_id = source.id
    JOIN visibility_eventobjectlink link
        ON link.event_id = event.id AND link.occurred_at = event.occurred_at
    WHERE source.slug = %s
    UNION
    SELECT relation.parent_id
    FROM reached JOIN visibility_objectrelation relation ON relation.child_id = reached.id
)
SELECT id FROM reached
"""


def ids_of_orders_with_events_of_source(slug: str) -> RawSQL:
    """The ids of these orders, and of other objects, for a filter `id__in`."""
    return RawSQL(ORDER_IDS_OF_SOURCE, [slug])  # noqa: S611  # the slug is a parameter
