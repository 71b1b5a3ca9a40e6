"""Private copies of rows, in which the real code stores and links events without writing anything.

Temporary tables have the names of the real ones, and PostgreSQL looks for temporary tables first.
The transaction is then made read-only, so PostgreSQL itself refuses a write to any other table. It
is rolled back at the end, and the temporary tables disappear with it.

Use a connection of its own. Statements that it prepared before are planned again.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from django.db import connection, transaction

# A new row has an id above this, so it is never taken for a copied one.
FIRST_NEW_ID = 2**61
VIEW = "visibility_effective_event_correction"
# The tables to which storing and linking events writes.
TABLES = (
    "visibility_businessobject",
    "visibility_identifier",
    "visibility_objectrelation",
    "visibility_event",
    "visibility_eventreader",
    "visibility_eventobjectlink",
    "visibility_eventcorrection",
    "visibility_unmatchedobject",
    "visibility_refoldrequest",
    "visibility_merge",
    "visibility_alert",
    "visibility_alertentry",
    "visibility_movedalert",
    "visibility_movedalertentry",
    "visibility_slaclock",
    "visibility_failedclock",
    "visibility_failedkpi",
    "visibility_kpifact",
    "visibility_orderline",
    "visibility_shipment",
    "visibility_milestone",
    "visibility_conflict",
    "visibility_order",
)
HAS_ID = """
SELECT EXISTS (SELECT FROM pg_attribute
    WHERE attrelid = %s::regclass AND attname = 'id' AND NOT attisdropped)
"""


@contextmanager
def read_only_with_shadow_tables(
    contents: Mapping[str, tuple[str, Sequence[Sequence[int]]]],
) -> Iterator[None]:
    """Shadow the tables, and fill them: {table: (condition on its rows `r`, lists of ids)}.

    Tables without contents are empty. Call it in a transaction of its own; afterwards only a
    rollback is possible.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_viewdef(%s::regclass)", [VIEW])
        (definition,) = cursor.fetchone()
        cursor.execute(f"CREATE TEMPORARY SEQUENCE shadow_id START {FIRST_NEW_ID}")
        for table in TABLES:
            cursor.execute(
                f"CREATE TEMPORARY TABLE {table} (LIKE public.{table} INCLUDING DEFAULTS "
                "INCLUDING INDEXES) ON COMMIT DROP"
            )
            cursor.execute(HAS_ID, [f"pg_temp.{table}"])
            if cursor.fetchone()[0]:
                cursor.execute(
                    f"ALTER TABLE pg_temp.{table} ALTER COLUMN id "
                    "SET DEFAULT nextval('pg_temp.shadow_id')"
                )
            if table in contents:
                condition, parameters = contents[table]
                cursor.execute(
                    f"INSERT INTO pg_temp.{table} "  # noqa: S608  # constant SQL
                    f"SELECT r.* FROM public.{table} r WHERE {condition}",
                    [list(ids) for ids in parameters],
                )
                cursor.execute(f"ANALYZE pg_temp.{table}")
        cursor.execute(f"CREATE TEMPORARY VIEW {VIEW} AS {definition}")
        cursor.execute("DISCARD PLANS")
        cursor.execute("SET TRANSACTION READ ONLY")
    yield
    transaction.set_rollback(True)
