"""What the page of a list shows besides its rows: header cells, tools, count and exports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils.http import urlencode

from visibility.db.sorted_pages import SortOrder
from visibility.export.list_files import ListFileFormat
from visibility.formatting import format_date, format_number, format_timestamp
from visibility.preferences import saved_views
from visibility.preferences.list_columns import load_chosen_columns
from visibility.preferences.saved_views import ViewEditor
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
from visibility.screens.save_conflicts import fingerprint_of_values
from visibility.storage.organization import organization_time_zone
from visibility.web.permissions import (
    Permission,
    UserRole,
    granted_permissions,
    has_permission,
    roles,
    signed_in_user,
)
from visibility.web.saved_view_requests import stored_saved_view_values, view_editor

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
    leaves: int = 0


@dataclass(frozen=True, slots=True)
class ListCell:
    """A cell of a row: the template that renders it, and its text."""

    column: ListColumn
    row: Any
    viewer: Viewer

    @property
    def template(self) -> str:
        """The template of the column."""
        return self.column.template

    @property
    def text(self) -> str:
        """The value as text."""
        return display_text(self.column.value(self.row, self.viewer))


@dataclass(frozen=True, slots=True)
class ColumnOption:
    """A column of the menu. The fixed column of a list cannot be hidden."""

    code: str
    title: str
    is_visible: bool
    is_fixed: bool


@dataclass(frozen=True, slots=True)
class SavedViewItem:
    """A saved view of the menu. `is_current`: the page shows it."""

    id: int
    name: str
    team: str
    team_slug: str
    owner: str
    is_own: bool
    may_change: bool
    is_current: bool
    # The fingerprint of the values in the form.
    seen: str

    @property
    def url(self) -> str:
        """Opens the view; its query string is checked then."""
        return f"/saved-views/{self.id}"


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
    saved_views: Sequence[SavedViewItem]
    # Slug and title of each team that the person can share a view with.
    teams: Sequence[tuple[str, str]]
    problem: str = ""
    count_text: str = ""

    @property
    def sort_text(self) -> str:
        """The order in words."""
        return self.definition.sort_text(self.sort)

    def cells_of_row(self, row: Any) -> list[ListCell]:
        """The cells of a row in the order of the columns."""
        return [ListCell(column, row, self.viewer) for column in self.columns]


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
) -> ListTools:
    """The tools of a list for this request. Three statements: columns, saved views, teams."""
    sort, problem = sort_or_default_with_problem(definition, request.GET, viewer)
    query = query_without_page(request.GET)
    columns = visible_columns_of_viewer(definition, viewer)
    editor = view_editor(signed_in_user(request))
    visible = {column.code for column in columns}
    return ListTools(
        definition=definition,
        viewer=viewer,
        sort=sort,
        columns=columns,
        options=[
            ColumnOption(
                column.code,
                column.title,
                column.code in visible,
                column.code == definition.fixed_column,
            )
            for column in definition.allowed_columns(viewer)
        ],
        head=_header_cells(definition, columns, sort, query, viewer),
        query=query.urlencode(),
        exports=_export_links(request, definition, query, viewer),
        saved_views=_saved_view_items(editor, definition, query),
        teams=[(team.slug, team.title) for team in saved_views.teams_to_share_with(editor)],
        problem=problem,
        count_text=count_text(count, definition.nouns) if count else "",
    )


def visible_columns_of_viewer(definition: ListDefinition, viewer: Viewer) -> list[ListColumn]:
    """The columns that the person chose, or the default ones. One statement."""
    chosen = load_chosen_columns(viewer.user_id, definition.code)
    return definition.visible_columns(viewer, chosen)


def _saved_view_items(
    editor: ViewEditor, definition: ListDefinition, query: QueryDict
) -> list[SavedViewItem]:
    return [
        SavedViewItem(
            id=view.pk,
            name=view.name,
            team=view.team.title if view.team else "",
            team_slug=view.team.slug if view.team else "",
            owner=view.owner.get_full_name() or view.owner.get_username(),
            is_own=view.owner_id == editor.user.pk,
            may_change=saved_views.may_change_saved_view(view, editor),
            is_current=QueryDict(view.query) == query,
            seen=fingerprint_of_values(stored_saved_view_values(view)),
        )
        for view in saved_views.saved_views_of_menu(editor.user, definition.code)
    ]


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
        cells.append(
            HeaderCell(column.code, column.title, column.is_number, url, aria_sort, column.leaves)
        )
    return cells


def _url_with_sort(url: str, query: QueryDict, code: str) -> str:
    changed = query.copy()
    changed[SORT_PARAMETER] = code
    return f"{url}?{changed.urlencode()}"


def _export_links(
    request: HttpRequest, definition: ListDefinition, query: QueryDict, viewer: Viewer
) -> list[tuple[str, str]]:
    if not has_permission(request.user, Permission.EXPORT) or definition.export_refusal(viewer):
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
        return format_timestamp(value, organization_time_zone())
    if isinstance(value, date):
        return format_date(value, year=True)
    return format_number(value) if isinstance(value, int | Decimal) else value
