"""The values that the filters of the order list suggest."""

from collections.abc import Mapping, Sequence

from django.db import connection

from visibility.screens.lists.list_filters import ListFilter

# The values are those of so many of the latest orders; the items, of fewer.
RECENT_ORDERS, RECENT_ORDERS_WITH_ITEMS = 2_000, 300
MAX_VALUES, MAX_CUSTOMERS = 60, 200
VALUES_OF_RECENT_ORDERS = """
WITH latest AS MATERIALIZED (
    SELECT object_id, channel, warehouse, carrier, customer_group, customer_name, customer_no
    FROM visibility_order
    WHERE last_event_at IS NOT NULL ORDER BY last_event_at DESC LIMIT %(orders)s
)
(SELECT 'channel', channel, '' FROM latest WHERE channel <> ''
    GROUP BY 2 ORDER BY count(*) DESC, 2 LIMIT %(most)s)
UNION ALL
(SELECT 'warehouse', warehouse, '' FROM latest WHERE warehouse <> ''
    GROUP BY 2 ORDER BY count(*) DESC, 2 LIMIT %(most)s)
UNION ALL
(SELECT 'carrier', carrier, '' FROM latest WHERE carrier <> ''
    GROUP BY 2 ORDER BY count(*) DESC, 2 LIMIT %(most)s)
UNION ALL
(SELECT 'customer', CASE WHEN %(names)s THEN customer_name ELSE customer_no END, ''
    FROM latest
    WHERE customer_name <> '' OR customer_no <> ''
    GROUP BY 2 ORDER BY count(*) DESC, 2 LIMIT %(customers)s)
UNION ALL
(SELECT 'group', customer_group, '' FROM latest WHERE customer_group <> ''
    GROUP BY 2 ORDER BY count(*) DESC, 2 LIMIT %(most)s)
UNION ALL
(SELECT 'item', line.sku, ''
    FROM (SELECT object_id FROM latest LIMIT %(item_orders)s) few
    JOIN visibility_orderline line ON line.order_id = few.object_id WHERE line.sku <> ''
    GROUP BY 2 ORDER BY count(*) DESC, 2 LIMIT %(customers)s)
UNION ALL
(SELECT 'source', slug, title FROM visibility_source ORDER BY title LIMIT %(customers)s)
"""


def load_filter_values(
    filters: Mapping[str, ListFilter], *, viewer_sees_names: bool
) -> Mapping[str, Sequence[tuple[str, str]]]:
    """The values of each filter with their labels, most frequent first; one statement."""
    parameters = {
        "orders": RECENT_ORDERS,
        "item_orders": RECENT_ORDERS_WITH_ITEMS,
        "most": MAX_VALUES,
        "customers": MAX_CUSTOMERS,
        "names": viewer_sees_names,
    }
    values: dict[str, list[tuple[str, str]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(VALUES_OF_RECENT_ORDERS, parameters)
        for name, value, label in cursor.fetchall():
            if value:
                text = label or filters[name].value_label(value)
                values.setdefault(name, []).append((value, text))
    return values
