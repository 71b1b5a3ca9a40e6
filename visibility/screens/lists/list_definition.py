"""The definition of a list: its columns, its sort orders, and how its rows are loaded."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import QueryDict

from visibility.db.sorted_pages import SortOrder
from visibility.models.permission import Permission
from visibility.screens.lists.list_filters import AppliedFilters, ListFilter, read_filters

# Parameters of a list page that are not filters.
SORT_PARAMETER = "sort"
# `row`, `in` and `preview` are the current row, its group and its preview, written by list.js.
PAGE_PARAMETERS = frozenset({"after", "also", "format", "record", "row", "in", "preview"})
MAX_QUERY_LENGTH = 2_000
MAX_VALUE_LENGTH = 250
ColumnValue = str | int | Decimal | datetime | date | None


class UnknownSort(ValueError):
    """The list cannot be sorted by this; the message says by what it can."""


class UnknownColumns(ValueError):
    """The list has no such column for this person; the message names the columns."""


class InvalidListQuery(ValueError):
    """A query string that the list does not accept; the message says why."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person who reads a list. `sources_only`: integrators see only alerts about sources."""

    user_id: int
    name: str
    permissions: frozenset[Permission]
    sources_only: bool = False

    def may(self, permission: Permission | None) -> bool:
        """Whether the person has the permission; None is no requirement."""
        return permission is None or permission in self.permissions


@dataclass(frozen=True, slots=True)
class ListColumn:
    """A column. `value`: what an export contains, from the row and the viewer.

    `leaves`: 1 to 4 if a narrow list hides the column, the higher the sooner, like the class of its
    cells; 0 if it stays.
    `sort`: the order of the first click on the header, or None. `permission` is needed to see the
    column, and `sort_permission` to sort by it, because an order of names tells about the names.
    """

    code: str
    title: str
    value: Callable[[Any, Viewer], ColumnValue]
    sort: SortOrder | None = None
    is_default: bool = False
    is_number: bool = False
    permission: Permission | None = None
    sort_permission: Permission | None = None
    template: str = "components/list_cell.html"
    leaves: int = 0


class ListDefinition(ABC):
    """A list. `parameters`: the names of its filters in the query string.

    With declared `filters`, their chips, errors and words follow from the declaration.
    """

    code: str
    title: str
    url: str
    # What one row is, in the singular and the plural.
    nouns: tuple[str, str]
    permission: Permission
    columns: Sequence[ListColumn]
    fixed_column: str
    parameters: frozenset[str]
    filters: Mapping[str, ListFilter] = MappingProxyType({})
    # Names of sort orders in links of earlier releases, and their codes.
    sort_aliases: ClassVar[Mapping[str, str]] = {}

    # Orders with words of their own, such as "oldest first".
    sort_texts: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def default_sort(self, query: QueryDict) -> SortOrder:
        """The order without the parameter `sort`."""

    def applied_filters(self, query: QueryDict, viewer: Viewer) -> AppliedFilters:
        """The declared filters of a query string."""
        return read_filters(self.filters, query, viewer.permissions)

    def filter_errors(self, query: QueryDict, viewer: Viewer) -> Sequence[str]:
        """A sentence for each filter whose value the list does not accept."""
        return [chip.sentence for chip in self.applied_filters(query, viewer).errors]

    def filter_texts(self, query: QueryDict, viewer: Viewer) -> Sequence[str]:
        """The active filters in words."""
        chips = self.applied_filters(query, viewer).chips
        return [chip.sentence for chip in chips if not chip.error]

    def suggestions(self, viewer: Viewer) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Frequent values of filters, each with its label, most frequent first."""
        return {}

    @abstractmethod
    def queryset(self, query: QueryDict, viewer: Viewer, now: datetime) -> QuerySet[Any]:
        """The rows that match the filters, without an order."""

    @abstractmethod
    def rows_of_objects(self, objects: Sequence[Any], viewer: Viewer, now: datetime) -> list[Any]:
        """The rows of loaded objects, by a number of statements that does not depend on theirs."""

    def export_refusal(self, viewer: Viewer) -> str:
        """A sentence if the person may not export the rows; empty if they may."""
        return ""

    def allowed_columns(self, viewer: Viewer) -> list[ListColumn]:
        """The columns that this person may see."""
        return [column for column in self.columns if viewer.may(column.permission)]

    def visible_columns(
        self, viewer: Viewer, chosen: Sequence[str] | None = None
    ) -> list[ListColumn]:
        """The chosen columns in the order of the choice, or the default ones.

        The fixed column leads to the row, and is always shown. A chosen column that the person may
        no longer see is left out.
        """
        allowed = {column.code: column for column in self.allowed_columns(viewer)}
        if chosen is None:
            return [column for column in allowed.values() if column.is_default]
        codes = chosen if self.fixed_column in chosen else [self.fixed_column, *chosen]
        return [allowed[code] for code in codes if code in allowed]

    def check_columns(self, viewer: Viewer, codes: Sequence[str]) -> list[str]:
        """The codes without repetition. Raises UnknownColumns."""
        allowed = [column.code for column in self.allowed_columns(viewer)]
        unknown = [code for code in codes if code not in allowed]
        if unknown:
            raise UnknownColumns(
                f"There is no column {unknown[0][:40]!r}. The columns are: {', '.join(allowed)}."
            )
        return list(dict.fromkeys(codes))

    def sort_orders(self, viewer: Viewer) -> dict[str, SortOrder]:
        """Each sort order by its code: `promised_at`, and `-promised_at` for descending."""
        orders: dict[str, SortOrder] = {}
        for column in self.columns:
            may_sort = viewer.may(column.permission) and viewer.may(column.sort_permission)
            if column.sort and may_sort:
                for order in (column.sort, column.sort.reversed()):
                    orders[order.code] = order
        return orders

    def sort_order(self, query: QueryDict, viewer: Viewer) -> SortOrder:
        """The order that the query string asks for. Raises UnknownSort."""
        code = query.get(SORT_PARAMETER, "")
        if not code:
            return self.default_sort(query)
        orders = self.sort_orders(viewer)
        code = self.sort_aliases.get(code, code)
        if code not in orders:
            known = ", ".join(sorted({c.removeprefix("-") for c in orders}))
            raise UnknownSort(
                f"{self.title} cannot be sorted by “{code[:40]}”. Sort by one of: {known}; "
                "a minus sign before it means descending."
            )
        return orders[code]

    def sort_text(self, order: SortOrder) -> str:
        """The order in words: `most recently updated first`, `sorted by promise date`."""
        titles = {
            code: column.title[:1].lower() + column.title[1:]
            for column in self.columns
            if column.sort
            for code in (column.sort.code, column.sort.reversed().code)
        }
        direction = ", descending" if order.code.startswith("-") else ""
        return self.sort_texts.get(order.code, f"sorted by {titles[order.code]}{direction}")

    def checked_query(self, text: str, viewer: Viewer) -> str:
        """The query string of a saved view without its page. Raises InvalidListQuery."""
        if len(text) > MAX_QUERY_LENGTH:
            raise InvalidListQuery(
                f"The filters are longer than {MAX_QUERY_LENGTH:,} characters. Use fewer."
            )
        query = QueryDict(text.removeprefix("?"), mutable=True)
        for name in PAGE_PARAMETERS:
            query.pop(name, None)
        known = self.parameters | {SORT_PARAMETER}
        for name, values in list(query.lists()):
            if name not in known:
                raise InvalidListQuery(f"{self.title} have no filter {name[:40]!r}.")
            if any(len(v) > MAX_VALUE_LENGTH or "\0" in v for v in values):
                raise InvalidListQuery(f"The value of the filter {name} is too long or not text.")
            may_be_empty = name in self.filters and self.filters[name].accepts_empty
            query.setlist(name, [value for value in values if value or may_be_empty])
        if errors := self.filter_errors(query, viewer):
            raise InvalidListQuery(" ".join(errors))
        try:
            self.sort_order(query, viewer)
        except UnknownSort as error:
            raise InvalidListQuery(str(error)) from error
        return query.urlencode()
