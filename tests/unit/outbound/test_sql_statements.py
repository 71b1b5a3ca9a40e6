"""The one statement that reads a view, as each kind of database understands it."""

from datetime import UTC, datetime
from importlib import import_module

import pytest

from connectors.sdk.sql_rows import DATABASE_KINDS, DatabaseAddress, RowQuery
from visibility.outbound.sql_rows import DRIVERS, build_select

ADDRESS = DatabaseAddress("postgresql", "db.example.com", 5432, "erp", "reader", "secret")
ORDER = ("changed_at", "order_no")


def statement(query: RowQuery, kind: str = "postgresql") -> str:
    dialect = import_module(f"sqlalchemy.dialects.{kind}").dialect()
    compiled = build_select(query).compile(dialect=dialect)
    return " ".join(str(compiled).split())


def test_rows_after_the_last_one_are_read_in_the_order_of_watermark_and_key() -> None:
    after = (datetime(2026, 3, 2, tzinfo=UTC), "SO-1")
    query = RowQuery(ADDRESS, "legacy.orders", ORDER, 100, ("order_no", "changed_at"), after)
    assert statement(query) == (
        "SELECT order_no, changed_at FROM legacy.orders "
        "WHERE changed_at > %(changed_at_1)s OR changed_at = %(changed_at_2)s "
        "AND order_no > %(order_no_1)s ORDER BY changed_at, order_no LIMIT %(param_1)s"
    )


def test_groups_are_read_by_their_values_also_if_one_is_null() -> None:
    query = RowQuery(ADDRESS, "orders", ORDER, 9, matching=(("order_no", "wh"), (("1", None),)))
    assert "WHERE order_no = %(order_no_1)s AND wh IS NULL" in statement(query)


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("mysql", "LIMIT %s"),
        ("mssql", "SELECT TOP"),
        ("oracle", "FETCH FIRST"),
    ],
)
def test_other_databases_limit_the_rows_in_their_own_words(kind: str, limit: str) -> None:
    query = RowQuery(ADDRESS, "legacy.orders", ORDER, 100, since=datetime(2026, 3, 2, tzinfo=UTC))
    assert limit in statement(query, kind)
    assert "changed_at >= " in statement(query, kind)


def test_each_kind_has_a_driver() -> None:
    assert set(DRIVERS) == set(DATABASE_KINDS)
    assert "secret" not in repr(ADDRESS)
