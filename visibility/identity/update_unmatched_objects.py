"""Unmatched objects: shipments, packages, invoices, returns and order lines without an order."""

from collections.abc import Collection

from visibility.db import bulk

INSERT_UNMATCHED = """
INSERT INTO visibility_unmatchedobject (object_id)
SELECT o.id FROM visibility_businessobject o
WHERE o.id = ANY(%s) AND o.kind IN ('shipment', 'package', 'invoice', 'return', 'order_line')
    AND o.merged_into_id IS NULL
    AND EXISTS (SELECT 1 FROM visibility_eventobjectlink link WHERE link.object_id = o.id)
    AND NOT EXISTS (SELECT 1 FROM visibility_objectrelation r WHERE r.child_id = o.id)
ORDER BY o.id ON CONFLICT DO NOTHING
"""


def replace_unmatched_objects(candidates: Collection[int], *, claimed: Collection[int]) -> None:
    """Remove the claimed objects from the list, then add the candidates that have no parent."""
    with bulk.server_bound_cursor() as cursor:
        if claimed:
            cursor.execute(
                "DELETE FROM visibility_unmatchedobject WHERE object_id = ANY(%s)",
                [sorted(set(claimed))],
            )
        if candidates:
            cursor.execute(INSERT_UNMATCHED, [sorted(candidates)])
