"""Refold all or all open orders: at once if they are few, else behind live work."""

from django.db import connection

# Up to this many orders are refolded at once.
DIRECT_LIMIT = 500
REFOLD_ALL = """
WITH orders AS (
    SELECT id FROM visibility_businessobject object
    WHERE kind = 'order' AND merged_into_id IS NULL AND (NOT %(only_open)s OR EXISTS (
        SELECT FROM visibility_order o WHERE o.object_id = object.id AND o.is_open
    ))
), counted AS (SELECT count(*) AS n FROM orders),
now AS (
    INSERT INTO visibility_refoldrequest (object_id)
    SELECT id FROM orders, counted WHERE n <= %(direct_limit)s
), later AS (
    INSERT INTO visibility_backfillrequest (object_id)
    SELECT id FROM orders, counted WHERE n > %(direct_limit)s AND NOT EXISTS (
        SELECT FROM visibility_backfillrequest pending WHERE pending.object_id = orders.id
    )
)
SELECT n FROM counted
"""


def request_refold_of_all_orders() -> int:
    """Request the refolds in the caller's transaction; return the number of orders."""
    return _request_refolds(only_open=False)


def request_refold_of_open_orders() -> int:
    """Request the refolds in the caller's transaction; return the number of open orders."""
    return _request_refolds(only_open=True)


def _request_refolds(*, only_open: bool) -> int:
    with connection.cursor() as cursor:
        cursor.execute(REFOLD_ALL, {"direct_limit": DIRECT_LIMIT, "only_open": only_open})
        return int(cursor.fetchone()[0])
