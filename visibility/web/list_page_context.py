"""What the page of a list shows besides its rows: header cells, tools, count and exports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import HttpRequest, QueryDict
from django.utils.http import urlencode

from visibility.db.sorted_pages import SortOrder
from visibility.export.list_files import ListFileFormat
from visibility.formatting import format_date, format_number, format_timestamp
from visibility.screens.lists.list_definition import (
    PAGE_PARAMETERS,
    SORT_PARAMETER,
    ColumnValue,
    ListColumn,
    ListDefinition,
    UnknownSort,
    Viewer,
)
from visibility.screens.lists.load_page_and_count import RowCount, count_text
from visibility.web.permissions import (
    Permission,
    UserRole,
    granted_permissions,
    has_permission,
    roles,
)

NO_VALUE = "\u2013"
EXPORT_TITLES = {ListFileFormat.CSV: "CSV, any number of rows", ListFileFormat.XLSX: "Excel (XLSX)"}


@dataclass(frozen=True, slots=True)
class HeaderCell:
    """A header cell. `url` sorts by the column, or is empty; `aria_sort` is empty if not sorted."""

    code: str
    title: str
    is_number: bool
    url: str
    aria_sort: str


@dataclass(frozen=True, slots=True)
class ListCell:
    """A cell of a row: the template that renders it, and its text."""

    column: ListColumn
    text: str

    @property
    def template(self) -> str:
        """The template of the column."""
        return self.column.template


@dataclass(frozen=True, slots=True)
class ColumnOption:
    """A column of the menu. The first column of a list cannot be hidden."""

    code: str
    title: str
    is_visible: bool
    is_fixed: bool


@dataclass(frozen=True, slots=True)
class ListTools:
    """The header cells and tools of a list, for `components/list_head.html` and `list_tools.html`.

    `query`: the filters and the order without the page. `problem`: why the list is not sorted as
    asked; empty if it is.
    """

    definition: ListDefinition
    viewer: Viewer
    sort: SortOrder
    columns: Sequence[ListColumn]
    options: Sequence[ColumnOption]
    head: Sequence[HeaderCell]
    query: str
    exports: Sequence[tuple[str, str]]
    problem: str = ""
    count_text: str = ""

    @property
    def sort_text(self) -> str:
        """The order in words."""
        return self.definition.sort_text(self.sort)

    def cells_of_row(self, row: Any) -> list[ListCell]:
        """The cells of a row in the order of the columns."""
        return [
            ListCell(column, display_text(column.value(row, self.viewer)))
            for column in self.columns
        ]


def viewer_of_request(request: HttpRequest) -> Viewer:
    """The signed-in person with their permissions."""
    user = request.user
    return Viewer(
        user_id=user.pk or 0,
        name=user.get_full_name() or user.get_username() if user.is_authenticated else "",
        permissions=granted_permissions(user),
        sources_only=roles(user) == {UserRole.INTEGRATOR},
    )


def query_without_page(query: QueryDict) -> QueryDict:
    """The filters and the order of a query string."""
    copy = query.copy()
    for name in PAGE_PARAMETERS:
        copy.pop(name, None)
    return copy


def sort_or_default_with_problem(
    definition: ListDefinition, query: QueryDict, viewer: Viewer
) -> tuple[SortOrder, str]:
    """The order that the query string asks for; with an unknown one the default and a sentence."""
    try:
        return definition.sort_order(query, viewer), ""
    except UnknownSort as error:
        return definition.default_sort(query), str(error)


def build_list_tools(
    request: HttpRequest,
    definition: ListDefinition,
    *,
    viewer: Viewer,
    count: RowCount | None = None,
    chosen: Sequence[str] | None = None,
) -> ListTools:
    """The tools of a list for this request."""
    sort, problem = sort_or_default_with_problem(definition, request.GET, viewer)
    query = query_without_page(request.GET)
    columns = definition.visible_columns(viewer, chosen)
    visible = {column.code for column in columns}
    return ListTools(
        definition=definition,
        viewer=viewer,
        sort=sort,
        columns=columns,
        options=[
            ColumnOption(
                column.code, column.title, column.code in visible, column is definition.columns[0]
            )
            for column in definition.allowed_columns(viewer)
        ],
        head=_header_cells(definition, columns, sort, query, viewer),
        query=query.urlencode(),
        exports=_export_links(request, definition, query),
        problem=problem,
        count_text=count_text(count, definition.nouns) if count else "",
    )


def _header_cells(
    definition: ListDefinition,
    columns: Sequence[ListColumn],
    sort: SortOrder,
    query: QueryDict,
    viewer: Viewer,
) -> list[HeaderCell]:
    orders = definition.sort_orders(viewer)
    cells = []
    for column in columns:
        url, aria_sort = "", ""
        if column.sort and column.sort.code in orders:
            is_sorted = sort.code.removeprefix("-") == column.sort.code.removeprefix("-")
            if is_sorted:
                aria_sort = "descending" if sort.code.startswith("-") else "ascending"
            following = sort.reversed() if is_sorted else column.sort
            url = _url_with_sort(definition.url, query, following.code)
        cells.append(HeaderCell(column.code, column.title, column.is_number, url, aria_sort))
    return cells


def _url_with_sort(url: str, query: QueryDict, code: str) -> str:
    changed = query.copy()
    changed[SORT_PARAMETER] = code
    return f"{url}?{changed.urlencode()}"


def _export_links(
    request: HttpRequest, definition: ListDefinition, query: QueryDict
) -> list[tuple[str, str]]:
    if not has_permission(request.user, Permission.EXPORT):
        return []
    text = query.urlencode()
    return [
        (
            EXPORT_TITLES[kind],
            f"{definition.url}/export?{urlencode({'format': kind.value})}"
            + (f"&{text}" if text else ""),
        )
        for kind in ListFileFormat
    ]


def display_text(value: ColumnValue) -> str:
    """The value as a page shows it; a dash without a value."""
    if value is None or value == "":
        return NO_VALUE
    if isinstance(value, datetime):
        return format_timestamp(value, settings.TIME_ZONE)
    if isinstance(value, date):
        return format_date(value, year=True)
    return format_number(value) if isinstance(value, int | Decimal) else value
