"""Refold all open orders: at once if they are few, else behind live work; and all others."""

from django.db import connection

# Up to this many orders go straight to the refold queue. More would delay orders just touched.
DIRECT_LIMIT = 500
REFOLD_OPEN = """
WITH orders AS (
    SELECT object_id AS id FROM visibility_order WHERE is_open
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
REFOLD_CLOSED = """
INSERT INTO visibility_backfillrequest (object_id)
SELECT object_id FROM visibility_order WHERE NOT is_open AND NOT EXISTS (
    SELECT FROM visibility_backfillrequest pending
    WHERE pending.object_id = visibility_order.object_id
)
"""


def request_refold_of_open_orders() -> int:
    """Request the refolds in the caller's transaction; return the number of open orders."""
    with connection.cursor() as cursor:
        cursor.execute(REFOLD_OPEN, {"direct_limit": DIRECT_LIMIT})
        return int(cursor.fetchone()[0])


def request_refold_of_all_orders() -> int:
    """Request the refolds, of closed orders behind live work; return the number of orders."""
    number = request_refold_of_open_orders()
    with connection.cursor() as cursor:
        cursor.execute(REFOLD_CLOSED)
        return number + int(cursor.rowcount)
