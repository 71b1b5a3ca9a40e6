"""Bulk statements. Writing many rows in one statement takes a tenth of the time of the ORM."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from decimal import Decimal
from typing import Any, Self

import orjson
import psycopg
from django.db import connection, models
from psycopg import sql
from psycopg.abc import Params

Row = Mapping[str, object]
EMPTY_CLAUSE = sql.SQL("")
_uses_prepared_statements = ContextVar("uses_prepared_statements", default=False)


class ServerBoundCursor(psycopg.Cursor[tuple[Any, ...]]):
    """A cursor with server-side parameters that also adds its statements to Django's query log."""

    def execute(self, query: Any, params: Params | None = None, **options: Any) -> Self:
        if connection.queries_logged:
            connection.queries_log.append({"sql": str(query), "time": "0"})
        options.setdefault("prepare", _uses_prepared_statements.get())
        return super().execute(query, params, **options)


@contextmanager
def switch_prepared_statements(*, enabled: bool) -> Iterator[None]:
    """Prepare the statements of server-bound cursors once per connection, or not.

    PostgreSQL then plans a statement once and not each time, which is half of the cost of a
    statement on a few rows. With many rows, a plan for their number is better.
    """
    token = _uses_prepared_statements.set(enabled)
    try:
        yield
    finally:
        _uses_prepared_statements.reset(token)


@contextmanager
def server_bound_cursor() -> Iterator[ServerBoundCursor]:
    """Yield a cursor that sends its parameters separately from the SQL text, bound by the server.

    It works in the transaction of `connection.cursor()` and raises Django's database errors.
    """
    with (
        connection.cursor() as client_cursor,
        connection.wrap_database_errors,
        ServerBoundCursor(client_cursor.connection) as bound_cursor,
    ):
        yield bound_cursor


def insert_or_update_rows(
    model: type[models.Model], rows: Sequence[Row], *, conflict_columns: Sequence[str] = ()
) -> None:
    """Insert rows, given as {column: value}, in one statement. All rows need the same columns.

    With the columns of a unique constraint as the last argument, existing rows are updated.
    Raises Django's database errors.
    """
    writes = CombinedWrites()
    writes.insert_or_update(model, rows, conflict_columns=conflict_columns)
    writes.execute()


class CombinedWrites:
    """Collects writes of several tables, and executes them as one statement.

    All writes see the rows as they were before the statement, so no two may change the same row.
    """

    def __init__(self) -> None:
        self._writes: dict[str, sql.Composable] = {}
        self._parameters: list[object] = []

    def insert_or_update(
        self, model: type[models.Model], rows: Sequence[Row], *, conflict_columns: Sequence[str]
    ) -> None:
        """Insert rows, given as {column: value}; all need the same columns.

        Existing rows with the same values in `conflict_columns` are updated.
        """
        if rows:
            self._add_write_and_return_its_name(
                _insert_statement(model, rows, conflict_columns), _rows_to_json(rows)
            )

    def delete_by_ids_and_insert(
        self, model: type[models.Model], rows: Sequence[Row], *, of: tuple[str, Sequence[int]]
    ) -> None:
        """Delete the rows whose column has one of the ids, `of` (column, ids); insert others."""
        column, ids = of
        deleted = self._add_write_and_return_its_name(
            sql.SQL("DELETE FROM {} WHERE {} = ANY(%s) RETURNING 1").format(
                sql.Identifier(model._meta.db_table), sql.Identifier(column)
            ),
            list(ids),
        )
        if rows:
            # The insert reads the result of the deletion, and so starts after it.
            after = sql.SQL("WHERE (SELECT count(*) FROM {}) >= 0").format(sql.Identifier(deleted))
            self._add_write_and_return_its_name(
                _insert_statement(model, rows, (), after), _rows_to_json(rows)
            )

    def add(self, statement: str, *parameters: object) -> None:
        """Add an INSERT, UPDATE or DELETE with positional parameters."""
        self._add_write_and_return_its_name(sql.SQL(statement), *parameters)

    def add_write_as_named_cte(self, name: str, statement: str, *parameters: object) -> None:
        """Add a write whose RETURNING rows later writes and the final SELECT read by this name."""
        self._add_write_and_return_its_name(sql.SQL(statement), *parameters, name=name)

    def _add_write_and_return_its_name(
        self, statement: sql.Composable, *parameters: object, name: str = ""
    ) -> str:
        name = name or f"write_{len(self._writes)}"
        self._writes[name] = statement
        self._parameters += parameters
        return name

    def execute(self, select: str = "SELECT 1") -> tuple[Any, ...]:
        """Execute what was collected, and return the row of `select`. Nothing collected: ().

        Raises Django's database errors.
        """
        if not self._writes:
            return ()
        named = sql.SQL(", ").join(
            sql.SQL("{} AS ({})").format(sql.Identifier(name), write)
            for name, write in self._writes.items()
        )
        with server_bound_cursor() as bound_cursor:
            bound_cursor.execute(
                sql.SQL("WITH {} {}").format(named, sql.SQL(select)), self._parameters
            )
            return bound_cursor.fetchone() or ()


def _insert_statement(
    model: type[models.Model],
    rows: Sequence[Row],
    conflict_columns: Sequence[str],
    condition: sql.Composable = EMPTY_CLAUSE,
) -> sql.Composable:
    columns = list(rows[0])
    return sql.SQL(
        "INSERT INTO {table} ({names}) "
        "SELECT {names} FROM json_populate_recordset(NULL::{table}, %s::json) "
        "{condition} {on_conflict}"
    ).format(
        table=sql.Identifier(model._meta.db_table),
        names=sql.SQL(", ").join(map(sql.Identifier, columns)),
        condition=condition,
        on_conflict=_on_conflict_update_clause(columns, conflict_columns),
    )


def _rows_to_json(rows: Sequence[Row]) -> str:
    return orjson.dumps(rows, default=_json_default).decode()


def _on_conflict_update_clause(
    columns: Sequence[str], conflict_columns: Sequence[str]
) -> sql.Composable:
    if not conflict_columns:
        return EMPTY_CLAUSE
    return sql.SQL("ON CONFLICT ({target}) DO UPDATE SET {changes}").format(
        target=sql.SQL(", ").join(map(sql.Identifier, conflict_columns)),
        changes=sql.SQL(", ").join(
            sql.SQL("{name} = EXCLUDED.{name}").format(name=sql.Identifier(name))
            for name in columns
            if name not in conflict_columns
        ),
    )


def _json_default(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()  # a subclass: orjson serializes only the exact types
    raise TypeError(f"{type(value).__name__} cannot be stored in a column")
