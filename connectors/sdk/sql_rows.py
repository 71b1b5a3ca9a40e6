"""Rows of database views: what a poller asks for. The product opens the connections."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DATABASE_KINDS = ("postgresql", "mysql", "mssql", "oracle")
DEFAULT_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433, "oracle": 1521}


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """A database and the account that reads it. `kind` is one of `DATABASE_KINDS`."""

    kind: str
    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RowQuery:
    """The next rows of a view in the order of these columns, of which the first is the watermark.

    `after`: the values of these columns in the last row that was read; () from the start. `since`:
    only rows whose watermark is this or later; None: all. `matching`: only rows that have one of
    these combinations of values in these columns; then `limit` rows are one too many.
    """

    database: DatabaseAddress
    view: str
    order: tuple[str, ...]
    limit: int
    columns: tuple[str, ...] = ()
    after: tuple[Any, ...] = ()
    since: Any = None
    matching: tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]] = ((), ())


ReadRows = Callable[[RowQuery], Sequence[Mapping[str, Any]]]
