"""The lists of mappings and other master data rows: one for each table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict

from visibility.db.sorted_pages import SortOrder
from visibility.master_data.cell_conversion import MasterColumn
from visibility.master_data.status_terms import canonical_label
from visibility.master_data.tables import TABLES, MasterTable
from visibility.models.master import Versioned
from visibility.models.permission import Permission
from visibility.screens.lists.list_definition import ListColumn, ListDefinition, Viewer
from visibility.screens.lists.list_filters import combined_condition
from visibility.screens.lists.sources_of_filters import suggested_sources
from visibility.screens.mappings.master_row_filters import filters_of_table, suggested_owners
from visibility.screens.mappings.term_and_row_queries import count_orders_using_rows


@dataclass(frozen=True, slots=True)
class MasterRowOfList:
    """A row with its cells as text. `used`: orders that used it in the last 30 days."""

    row: Versioned
    cells: Mapping[str, str]
    used: int

    @property
    def id(self) -> int:
        """The id of the row."""
        return int(self.row.pk)

    @property
    def validity(self) -> str:
        """`valid from 2026-01-01 until 2026-02-01`, or `always valid`."""
        limits = [
            f"{preposition} {self.cells[name]}"
            for preposition, name in (("from", "valid_from"), ("until", "valid_to"))
            if self.cells[name]
        ]
        return f"valid {' '.join(limits)}" if limits else "always valid"

    @property
    def changed_by(self) -> str:
        """Who changed it last; empty for the command line."""
        return self.row.changed_by.get_username() if self.row.changed_by else ""


class MasterRowListDefinition(ListDefinition):
    """The rows of a master data table."""

    permission = Permission.MAPPINGS_SEE

    def __init__(self, table: MasterTable) -> None:
        self.table = table
        self.code = f"{table.code}-rows"
        self.title = table.title
        self.url = f"/mappings/{table.code}"
        self.nouns = (table.singular, f"{table.singular}s")
        self.fixed_column = "external" if table.code == "mapping" else table.own_columns[0].name
        self.columns = _columns_of_table(table, self.fixed_column)
        self.filters = filters_of_table(table)
        self.parameters = frozenset(self.filters)

    def default_sort(self, query: QueryDict) -> SortOrder:
        """By the first column."""
        return _order_of_first_column(self.table, self.fixed_column)

    def suggestions(self, viewer: Viewer) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Owners, and for mappings the sources; up to two statements."""
        sources = {"source": suggested_sources()} if self.table.code == "mapping" else {}
        return {"owner": suggested_owners(self.table), **sources}

    def queryset(self, query: QueryDict, viewer: Viewer, now: datetime) -> QuerySet[Any]:
        """The rows that match the filters."""
        condition = combined_condition(self.filters, self.applied_filters(query, viewer), now)
        rows: QuerySet[Any] = self.table.model._base_manager.filter(condition)
        return rows.select_related("changed_by")

    def rows_of_objects(
        self, objects: Sequence[Any], viewer: Viewer, now: datetime
    ) -> list[MasterRowOfList]:
        """The rows with their usage; one statement."""
        used = count_orders_using_rows(self.table, objects, now=now)
        return [
            MasterRowOfList(row, self.table.format_cells(row), used.get(row.pk, 0))
            for row in objects
        ]


def _order_of_first_column(table: MasterTable, name: str) -> SortOrder:
    key = "term" if table.code == "mapping" else "key"
    return SortOrder(name, (key, "id"), (str, int))


def _columns_of_table(table: MasterTable, first: str) -> Sequence[ListColumn]:
    own = sorted(table.own_columns, key=lambda column: column.name != first)
    return (
        *(_own_column(table, column, first) for column in own),
        ListColumn("validity", "Validity period", lambda item, _: item.validity, is_default=True),
        ListColumn(
            "owner",
            "Owner",
            lambda item, _: item.row.owner,
            SortOrder("owner", ("owner", "id"), (str, int)),
            is_default=True,
        ),
        ListColumn(
            "used", "Orders, 30 days", lambda item, _: item.used, is_default=True, is_number=True
        ),
        ListColumn(
            "changed_at",
            "Last change",
            lambda item, _: item.row.changed_at,
            SortOrder("changed_at", ("changed_at", "id"), (datetime, int)).reversed(),
            is_default=True,
            template="mappings/cells/changed_at.html",
        ),
        ListColumn("changed_by", "Changed by", lambda item, _: item.changed_by),
        ListColumn("note", "Note", lambda item, _: item.row.note),
    )


def _own_cell(name: str, item: MasterRowOfList, _: Viewer) -> str:
    return canonical_label(item.cells, name)


def _own_column(table: MasterTable, column: MasterColumn, first: str) -> ListColumn:
    is_first = column.name == first
    return ListColumn(
        column.name,
        column.title,
        partial(_own_cell, column.name),
        _order_of_first_column(table, first) if is_first else None,
        is_default=True,
        is_number=column.is_number,
        template="mappings/cells/first.html" if is_first else "components/list_cell.html",
    )


MASTER_ROW_LISTS: Mapping[str, MasterRowListDefinition] = {
    table.code: MasterRowListDefinition(table) for table in TABLES.values()
}
