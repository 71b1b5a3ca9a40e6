"""Select the orders that a source reported on, directly or through what belongs to them."""

from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

# All at once, and other objects: for reading the orders of a source completely.
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
# From each order down: a page of a list stops after its rows, however many events the source has.
SOURCE_REPORTED_ON_ORDER = """
EXISTS (
    WITH RECURSIVE below (id) AS (
        SELECT visibility_order.object_id
        UNION
        SELECT relation.child_id
        FROM below JOIN visibility_objectrelation relation ON relation.parent_id = below.id
    )
    SELECT FROM below
    JOIN visibility_eventobjectlink link ON link.object_id = below.id
    JOIN visibility_event event ON event.id = link.event_id
        AND event.occurred_at = link.occurred_at
    JOIN visibility_source source ON source.id = event.source_id
    WHERE source.slug = ANY(%s::varchar[])
)
"""


def reported_by_source_condition(slugs: list[str]) -> Q:
    """The condition for orders on which one of the sources reported."""
    return Q(
        RawSQL(SOURCE_REPORTED_ON_ORDER, [slugs], output_field=BooleanField())  # noqa: S611  # the slugs are a parameter
    )
