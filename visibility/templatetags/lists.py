"""The template filter for the cells of a list."""

from collections.abc import Sequence
from typing import Any, Protocol

from django import template

register = template.Library()


class CellsOfRow(Protocol):
    """The tools of a list, as far as a row needs them."""

    def cells_of_row(self, row: Any) -> Sequence[Any]:
        """The cells of a row."""


@register.filter
def cells_of_row(list_tools: CellsOfRow, row: Any) -> Sequence[Any]:
    """The cells of a row in the order of the visible columns."""
    return list_tools.cells_of_row(row)
