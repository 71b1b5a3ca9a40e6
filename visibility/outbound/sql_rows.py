"""Read rows of views in other databases: read only, within limits, from allowed addresses.

SQLAlchemy Core writes the statement for each kind of database. It only ever sends this one SELECT.
"""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from connectors.sdk.sql_rows import DatabaseAddress, RowQuery
from connectors.sdk.webhook_and_poll_types import PollError
from visibility.outbound.address_guard import resolve_to_allowed_ip_addresses

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 30
MAX_ERROR_LENGTH = 300
DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mssql": "mssql+pymssql",
    "oracle": "oracle+oracledb",
}
# The extra that installs the driver; psycopg is always installed.
EXTRAS = {"mysql": "mysql", "mssql": "mssql", "oracle": "oracle"}
# Sent first in each transaction. SQL Server has no transactions that only read.
READ_ONLY = {
    "postgresql": "SET TRANSACTION READ ONLY",
    "mysql": "SET TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}


class DatabaseRows:
    """Reads rows for one poll. It keeps the connection open until the end of the block."""

    def __init__(self) -> None:
        self._address: DatabaseAddress | None = None
        self._engine: sa.Engine | None = None
        self._connection: sa.Connection | None = None

    def __enter__(self) -> "DatabaseRows":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if self._engine is not None:
            self._engine.dispose()
        self._engine = self._address = None

    def read(self, query: RowQuery) -> Sequence[Mapping[str, Any]]:
        """Return the next rows. Raises ConnectionError or PollError, without the password."""
        address = query.database
        try:
            connection = self._connect(address)
            with connection.begin():
                if statement := READ_ONLY.get(address.kind):
                    connection.execute(sa.text(statement))
                rows = connection.execute(build_select(query)).mappings().fetchall()
        except SQLAlchemyError as error:
            self.close()
            raise ConnectionError(_describe(error, address)) from None
        return [dict(row) for row in rows]

    def _connect(self, address: DatabaseAddress) -> sa.Connection:
        if self._connection is not None and self._address == address:
            return self._connection
        self.close()
        (ip, *_) = resolve_to_allowed_ip_addresses(address.host, address.port)
        is_postgresql = address.kind == "postgresql"
        url = sa.URL.create(
            DRIVERS[address.kind],
            username=address.user,
            password=address.password,
            # The certificate of PostgreSQL is checked by name; `hostaddr` is where it connects to.
            host=address.host if is_postgresql else ip,
            port=address.port,
            database=None if address.kind == "oracle" else address.name,
            query={"service_name": address.name} if address.kind == "oracle" else {},
        )
        try:
            self._engine = sa.create_engine(
                url, poolclass=NullPool, connect_args=_connect_arguments(address.kind, ip)
            )
        except ImportError:
            raise PollError(
                f"the driver for {address.kind} is not installed: "
                f"pip install 'throughline[{EXTRAS.get(address.kind, '')}]'"
            ) from None
        self._connection = self._engine.connect()
        self._address = address
        return self._connection


def build_select(query: RowQuery) -> sa.Select[Any]:
    """The statement of a query: rows after the last one, in keyset order."""
    schema, _, name = query.view.rpartition(".")
    chosen: list[sa.ColumnElement[Any]] = [*(sa.column(column) for column in query.columns)] or [
        sa.literal_column("*")
    ]
    view = sa.table(name, schema=schema or None)
    order: list[sa.ColumnClause[Any]] = [sa.column(column) for column in query.order]
    select = sa.select(*chosen).select_from(view).order_by(*order).limit(query.limit)
    if query.since is not None:
        select = select.where(order[0] >= query.since)
    if query.after:
        select = select.where(_is_after(order, query.after))
    columns, combinations = query.matching
    if columns:
        select = select.where(
            sa.or_(
                *(
                    sa.and_(*(_equals(sa.column(c), v) for c, v in zip(columns, row, strict=True)))
                    for row in combinations
                )
            )
        )
    return select


def _is_after(
    order: Sequence[sa.ColumnClause[Any]], values: Sequence[Any]
) -> sa.ColumnElement[bool]:
    """`(a, b) > (1, 2)` in the form that every database understands."""
    alternatives = [
        sa.and_(
            *(earlier == value for earlier, value in zip(order[:index], values, strict=False)),
            order[index] > values[index],
        )
        for index in range(len(order))
    ]
    return sa.or_(*alternatives)


def _equals(column: sa.ColumnClause[Any], value: Any) -> sa.ColumnElement[bool]:
    return column.is_(None) if value is None else column == value


def _connect_arguments(kind: str, ip: str) -> dict[str, Any]:
    if kind == "postgresql":
        return {
            "hostaddr": ip,
            "connect_timeout": CONNECT_SECONDS,
            "options": f"-c statement_timeout={int(STATEMENT_SECONDS * 1000)}",
            # A proxy that pools connections does not keep prepared statements.
            "prepare_threshold": None,
            "application_name": "throughline",
        }
    if kind == "mysql":
        return {"connect_timeout": CONNECT_SECONDS, "read_timeout": STATEMENT_SECONDS}
    if kind == "mssql":
        return {"login_timeout": CONNECT_SECONDS, "timeout": STATEMENT_SECONDS}
    return {"tcp_connect_timeout": CONNECT_SECONDS}


def _describe(error: SQLAlchemyError, address: DatabaseAddress) -> str:
    """What the driver says, in one line and without the password."""
    cause = getattr(error, "orig", None) or error
    text = " ".join(str(cause).split())
    if address.password:
        text = text.replace(address.password, "(hidden)")
    return f"the database answered: {text[:MAX_ERROR_LENGTH]}"
