"""The figures of a tile as a table, for its page and its export."""

from collections.abc import Sequence
from dataclasses import dataclass

from visibility.screens.lists.list_definition import ColumnValue


@dataclass(frozen=True, slots=True)
class TileReader:
    """Who reads a tile: whether they may see prices, and the names of customers and people."""

    prices: bool = False
    contacts: bool = False


@dataclass(frozen=True, slots=True)
class TileTable:
    """The titles of the columns, and the rows; the first column names the row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[ColumnValue]]
