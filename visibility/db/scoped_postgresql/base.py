"""The database backend that applies the active `DataScope` to its connection.

Before a cursor is created, the connection gets the scope of the current context, if it has another
one. With a scope, `search_path` names only the schema of limited views: a table without a view
there does not exist. A connection returns to the pool without a scope, or closed.
"""

from collections.abc import Sequence
from typing import Any, LiteralString

from django.db.backends.postgresql import base
from django.db.backends.postgresql.features import DatabaseFeatures as PostgresFeatures
from django.db.models import Model
from psycopg import sql
from psycopg.pq import TransactionStatus

from visibility.db.data_scope import DataScope, active_scope
from visibility.db.scoped_views import SCHEMA, SETTINGS


class DatabaseFeatures(PostgresFeatures):
    """With a scope, models read views, whose other columns do not depend on the primary key."""

    def allows_group_by_selected_pks_on_model(self, model: type[Model]) -> bool:
        is_allowed: bool = super().allows_group_by_selected_pks_on_model(model)
        return is_allowed and active_scope() is None


class _Unknown:
    """A transaction that changed the scope of the connection may have been rolled back."""


UNKNOWN = _Unknown()


class DatabaseWrapper(base.DatabaseWrapper):
    """Applies the active scope. Without one, and for connections that had none, it does nothing."""

    features_class = DatabaseFeatures

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._applied: DataScope | _Unknown | None = None
        # The `search_path` before the first scope of the connection; empty: it had none.
        self._own_path: LiteralString = ""
        self._is_rolling_back = False

    def get_new_connection(self, conn_params: Any) -> Any:
        self._applied, self._own_path = None, ""
        return super().get_new_connection(conn_params)

    def create_cursor(self, name: str | None = None) -> Any:
        """A cursor in the active scope. Raises an error of the database if it cannot be set."""
        wanted = active_scope()
        if self._applied != wanted and not self._is_rolling_back:
            self._apply(wanted)
        return super().create_cursor(name)

    def _apply(self, scope: DataScope | None) -> None:
        self._applied = UNKNOWN
        with self.wrap_database_errors:
            if not self._own_path:
                self._own_path = self.connection.execute("SHOW search_path").fetchone()[0]
            self.connection.execute(_statements(scope, self._own_path))
        self._applied = scope

    def _rollback(self) -> Any:
        self._forget_applied_scope()
        return super()._rollback()  # type: ignore[misc]  # not in the stubs

    def _savepoint_rollback(self, sid: str) -> None:
        # An error may have aborted the transaction: until the rollback, SET would fail.
        self._is_rolling_back = True
        try:
            super()._savepoint_rollback(sid)  # type: ignore[misc]  # not in the stubs
        finally:
            self._is_rolling_back = False
            self._forget_applied_scope()

    def _forget_applied_scope(self) -> None:
        """A rollback also takes back a scope that was set in the transaction."""
        if self._own_path:
            self._applied = UNKNOWN

    def _close(self) -> Any:
        if self.connection is not None and self._own_path:
            self._remove_scope_or_close()
        return super()._close()  # type: ignore[misc]  # not in the stubs

    def _remove_scope_or_close(self) -> None:
        """Without a scope, the connection can be used for anybody. The pool drops a closed one."""
        raw = self.connection
        try:
            if raw.info.transaction_status != TransactionStatus.IDLE:
                raw.rollback()
            raw.execute(_statements(None, self._own_path))
            if raw.info.transaction_status != TransactionStatus.IDLE:
                raw.commit()
        except Exception:  # whatever it is: nobody else may get this connection
            raw.close()
        self._applied, self._own_path = None, ""


def _statements(scope: DataScope | None, own_path: LiteralString) -> sql.Composable:
    """SET takes no snapshot, so it may come before SET TRANSACTION ISOLATION LEVEL."""
    values: Sequence[str] = [""] * len(SETTINGS)
    path: sql.Composable = sql.SQL("SET search_path TO ") + sql.SQL(own_path)
    if scope is not None:
        values = (str(scope.user_id), *map(_array_literal, scope.by_dimension().values()))
        path = sql.SQL("SET search_path TO {}").format(sql.Identifier(SCHEMA))
    settings = [
        sql.SQL("SET {} TO {}").format(sql.SQL(name), sql.Literal(value))
        for name, value in zip(SETTINGS, values, strict=True)
    ]
    return sql.SQL("; ").join([path, *settings])


def _array_literal(values: Sequence[str]) -> str:
    """The text of an array of PostgreSQL."""
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"
