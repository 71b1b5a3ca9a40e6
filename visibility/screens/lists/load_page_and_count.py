"""One page of a list in the chosen order, and the number of rows that match the filters."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict

from visibility.db.sorted_pages import count_rows_up_to
from visibility.formatting import count_with_noun, format_number
from visibility.screens.lists.list_definition import ListDefinition, Viewer

COUNT_BOUND = 10_000


@dataclass(frozen=True, slots=True)
class RowCount:
    """The number of rows; None if there are more than the bound."""

    number: int | None
    bound: int = COUNT_BOUND


def count_filtered_rows(rows: QuerySet[Any], *, bound: int = COUNT_BOUND) -> RowCount:
    """The exact number up to the bound. One bounded statement."""
    return RowCount(count_rows_up_to(rows, bound), bound)


def count_text(count: RowCount, nouns: tuple[str, str]) -> str:
    """`1 order`, `1,329 orders`, `more than 10,000 orders`."""
    if count.number is None:
        return f"more than {format_number(count.bound)} {nouns[1]}"
    return count_with_noun(count.number, *nouns)


def count_list(
    definition: ListDefinition, query: QueryDict, viewer: Viewer, now: datetime
) -> RowCount:
    """The number of rows of a list that match the filters."""
    return count_filtered_rows(definition.queryset(query, viewer, now))
