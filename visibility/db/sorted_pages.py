"""Pages of a queryset in a chosen order: keyset pages, nulls last in both directions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet

from visibility.db.keyset import (
    InvalidCursor,
    condition_for_rows_after_sort_key,
    decode_cursor,
    encode_cursor,
)


@dataclass(frozen=True, slots=True)
class SortOrder:
    """A total order of the rows of a list.

    `keys`: fields, `-` before one means descending; the last one is unique. Only the first may be
    null. `types`: of the values of the keys, for the cursor.
    """

    code: str
    keys: Sequence[str]
    types: Sequence[type]
    is_first_nullable: bool = False

    def reversed(self) -> "SortOrder":
        """The opposite order; rows without a value are last in it, too."""
        return SortOrder(
            self.code.removeprefix("-") if self.code.startswith("-") else f"-{self.code}",
            [k.removeprefix("-") if k.startswith("-") else f"-{k}" for k in self.keys],
            self.types,
            self.is_first_nullable,
        )

    def sort_key_of(self, row: Any) -> list[Any]:
        """The values of the keys in a row."""
        return [_value_at(row, key) for key in self.keys]

    def cursor_after(self, row: Any) -> str:
        """The cursor of the page that follows this row."""
        return encode_cursor(self.sort_key_of(row))

    def sort_key_from_cursor(self, cursor: str) -> list[Any] | None:
        """The sort key in a cursor; None for the first page, "". Raises InvalidCursor."""
        if not cursor:
            return None
        return decode_cursor(cursor, self.types, is_first_nullable=self.is_first_nullable)

    def sort_key_or_none_from_cursor(self, cursor: str) -> list[Any] | None:
        """The sort key in a cursor; None, the first page, if it is not one of this order."""
        try:
            return self.sort_key_from_cursor(cursor)
        except InvalidCursor:
            return None


def sort_all_rows(rows: QuerySet[Any], order: SortOrder) -> QuerySet[Any]:
    """All rows in one statement, for reading them completely."""
    if not order.is_first_nullable:
        return rows.order_by(*order.keys)
    first = F(order.keys[0].removeprefix("-"))
    is_descending = order.keys[0].startswith("-")
    expression = first.desc(nulls_last=True) if is_descending else first.asc(nulls_last=True)
    return rows.order_by(expression, *order.keys[1:])


def load_sorted_rows(
    rows: QuerySet[Any], order: SortOrder, *, limit: int, after: Sequence[Any] | None = None
) -> list[Any]:
    """Up to `limit` rows that follow the row with the sort key `after`.

    Rows without a value in the first key are read by a second statement, and only on the last
    pages: so that an index on the key serves both directions.
    """
    keys = list(order.keys)
    if not order.is_first_nullable:
        return _rows_after(rows, keys, after, limit)
    name = keys[0].removeprefix("-")
    loaded: list[Any] = []
    if after is None or after[0] is not None:
        with_value = rows.filter(Q(**{f"{name}__isnull": False}))
        loaded = _rows_after(with_value, keys, after, limit)
        after = None
    if len(loaded) < limit:
        without_value = rows.filter(Q(**{f"{name}__isnull": True})).order_by(*keys)
        if after is not None:
            condition = condition_for_rows_after_sort_key(keys[1:], after[1:])
            without_value = without_value.filter(condition)
        loaded += without_value[: limit - len(loaded)]
    return loaded


def _rows_after(
    rows: QuerySet[Any], keys: Sequence[str], after: Sequence[Any] | None, limit: int
) -> list[Any]:
    if after is not None:
        rows = rows.filter(condition_for_rows_after_sort_key(keys, after))
    return list(rows.order_by(*keys)[:limit])


def _value_at(row: Any, key: str) -> Any:
    """The value of a field, also through relations."""
    for name in key.removeprefix("-").split("__"):
        row = getattr(row, name, None)
    return row


def count_rows_up_to(rows: QuerySet[Any], bound: int) -> int | None:
    """The exact number of rows; None if there are more than `bound`. One bounded statement."""
    number = rows.order_by()[: bound + 1].count()
    return number if number <= bound else None
