"""Read the ids of all orders in the order of their canonical keys, without holding them all."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection
from django.db.models.expressions import RawSQL
from psycopg import sql

from visibility.models.objects_and_identifiers import BusinessObject
from visibility.storage.load_events import load_keys_of_objects
from visibility.storage.orders_with_events_of_source import ORDER_IDS_OF_SOURCE

KEYS_PER_STATEMENT = 1_000


@contextmanager
def order_ids_sorted_by_key(source: str, *, chunk_size: int) -> Iterator[Iterator[Sequence[int]]]:
    """The ids of surviving orders in chunks, sorted by key as Unicode code points.

    `source`: leave out orders on which the source with this slug never reported. The database sorts
    them in a temporary table of the session, which is dropped at the end.
    """
    suffix = secrets.token_hex(8)
    table = sql.Identifier(f"order_by_key_{suffix}")
    of_source = sql.Identifier(f"order_of_source_{suffix}")
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL('CREATE TEMPORARY TABLE {} (key text COLLATE "C", id bigint)').format(table)
        )
        cursor.execute(sql.SQL("CREATE TEMPORARY TABLE {} (id bigint)").format(of_source))
    try:
        if source:
            _insert_orders_of_source(of_source, source)
        _insert_keys(table, of_source if source else None)
        yield _read_chunks(table, chunk_size)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}, {}").format(table, of_source))


def _insert_orders_of_source(table: sql.Identifier, source: str) -> None:
    """Find them once: the query reads all events of the source."""
    insert = sql.SQL("INSERT INTO {} {}").format(table, sql.SQL(ORDER_IDS_OF_SOURCE))
    with connection.cursor() as cursor:
        cursor.execute(insert, [source])
        cursor.execute(sql.SQL("CREATE INDEX ON {} (id)").format(table))
        cursor.execute(sql.SQL("ANALYZE {}").format(table))


def _insert_keys(table: sql.Identifier, only: sql.Identifier | None) -> None:
    """Insert all orders, or those whose ids are in the table `only`."""
    orders = BusinessObject.objects.filter(kind="order", merged_into__isnull=True)
    if only is not None:
        ids_of_source = sql.SQL("SELECT id FROM {}").format(only).as_string()
        orders = orders.filter(pk__in=RawSQL(ids_of_source, []))  # noqa: S611  # own table name
    insert = sql.SQL("INSERT INTO {} SELECT * FROM unnest(%s::text[], %s::bigint[])").format(table)
    last_id = 0
    with connection.cursor() as cursor:
        while True:
            following = orders.filter(pk__gt=last_id).order_by("pk").values_list("pk", flat=True)
            ids = list(following[:KEYS_PER_STATEMENT])
            if not ids:
                break
            keys = load_keys_of_objects(ids)
            cursor.execute(insert, [[keys.get(order_id, "") for order_id in ids], ids])
            last_id = ids[-1]
        cursor.execute(sql.SQL("CREATE INDEX ON {} (key, id)").format(table))
        cursor.execute(sql.SQL("ANALYZE {}").format(table))


def _read_chunks(table: sql.Identifier, chunk_size: int) -> Iterator[Sequence[int]]:
    query = sql.SQL(
        "SELECT key, id FROM {} WHERE (key, id) > (%s, %s) ORDER BY key, id LIMIT %s"
    ).format(table)
    after: tuple[str, int] = ("", 0)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(query, [*after, chunk_size])
            rows = cursor.fetchall()
        if not rows:
            return
        yield [order_id for _, order_id in rows]
        after = rows[-1]
