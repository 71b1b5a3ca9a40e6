"""Keyset pagination with signed, opaque cursors."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core import signing
from django.db.models import QuerySet
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.keyset import (
    condition_for_rows_after_sort_key,
    decode_sort_key_from_texts,
    encode_sort_key_as_texts,
)
from visibility.db.sorted_pages import SortOrder, load_sorted_rows
from visibility.web.api.base import ApiView
from visibility.web.api.problem_responses import InvalidInput
from visibility.web.api.query_params import InvalidValue, QueryParameter

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200


def _parse_page_size_capped_at_max(value: str) -> int:
    if not value.isascii() or not value.isdecimal() or int(value[:9]) < 1:
        raise InvalidValue("must be an integer of at least 1")
    return MAX_PAGE_SIZE if len(value) > 9 else min(int(value), MAX_PAGE_SIZE)


def _check_cursor_length(value: str) -> str:
    if len(value) > 1000:
        raise InvalidValue("is not a valid cursor")
    return value


CURSOR = QueryParameter("cursor", "The `next` value of the previous page.", _check_cursor_length)
PAGE_SIZE = QueryParameter(
    "page_size",
    f"Items per page. Default: {DEFAULT_PAGE_SIZE}. Maximum: {MAX_PAGE_SIZE}.",
    _parse_page_size_capped_at_max,
    openapi_format="integer",
)
PAGING = (CURSOR, PAGE_SIZE)


@dataclass(frozen=True, slots=True)
class KeysetRowLoader:
    """Rows that a function loads page by page: the counterpart of an ordered queryset.

    `load(limit, *sort_key)` returns up to `limit` rows, which follow the row with that sort key.
    """

    load: Callable[..., Sequence[Any]]
    sort_key: Callable[[Any], Sequence[Any]]

    @classmethod
    def from_queryset(cls, queryset: QuerySet[Any]) -> "KeysetRowLoader":
        """The rows of a queryset in its order, which must be total."""
        keys = [str(key) for key in queryset.query.order_by]

        def load(limit: int, *after: Any) -> list[Any]:
            rows = (
                queryset.filter(condition_for_rows_after_sort_key(keys, after))
                if after
                else queryset
            )
            return list(rows[:limit])

        return cls(load, lambda row: [getattr(row, key.removeprefix("-")) for key in keys])

    @classmethod
    def from_sort_order(cls, queryset: QuerySet[Any], order: SortOrder) -> "KeysetRowLoader":
        """The rows of a queryset in this order, rows without a value last."""

        def load(limit: int, *after: Any) -> list[Any]:
            sort_key = (
                decode_sort_key_from_texts(
                    list(after), order.types, is_first_nullable=order.is_first_nullable
                )
                if after
                else None
            )
            return load_sorted_rows(queryset, order, limit=limit, after=sort_key)

        return cls(load, lambda row: encode_sort_key_as_texts(order.sort_key_of(row)))


class KeysetPagination(BasePagination):
    """Pages by the sort key of the last row. A cursor is bound to its URL and filters."""

    next_cursor: str | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """One page of a queryset or of `KeysetRowLoader`. Raises InvalidInput."""
        rows = (
            queryset
            if isinstance(queryset, KeysetRowLoader)
            else KeysetRowLoader.from_queryset(queryset)
        )
        size = view.params.get(PAGE_SIZE.name, DEFAULT_PAGE_SIZE)
        page = list(rows.load(size + 1, *decode_cursor(request, view.params)))
        if len(page) > size:
            sort_key = [
                value.isoformat() if isinstance(value, date) else value
                for value in rows.sort_key(page[size - 1])
            ]
            self.next_cursor = _signer_bound_to_path_and_filters(request, view.params).sign_object(
                sort_key, compress=True
            )
        return page[:size]

    def get_paginated_response(self, data: Any) -> Response:
        """The items and the cursor of the next page, which is null on the last page."""
        return Response({"items": data, "next": self.next_cursor})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The response in the OpenAPI document."""
        return {
            "type": "object",
            "properties": {
                "items": schema,
                "next": {"type": ["string", "null"], "description": NEXT_DESCRIPTION},
            },
            "required": ["items", "next"],
        }


NEXT_DESCRIPTION = "The cursor of the next page; null on the last."


class PaginatedView(ApiView):
    """Base of the endpoints that return pages."""

    pagination_class = KeysetPagination

    def paginate_queryset(self, queryset: Any) -> list[Any]:
        """One page of a queryset in a total order or of `KeysetRowLoader`. Raises InvalidInput."""
        return super().paginate_queryset(queryset) or []


class ApiListView(PaginatedView, ListAPIView[Any]):
    """Base of the endpoints that list the rows of `get_queryset()`."""


def decode_cursor(request: Request, params: Mapping[str, Any]) -> list[Any]:
    """The sort key in the cursor; empty on the first page. Raises InvalidInput."""
    if CURSOR.name not in params:
        return []
    try:
        sort_key = _signer_bound_to_path_and_filters(request, params).unsign_object(
            params[CURSOR.name]
        )
    except (signing.BadSignature, ValueError, UnicodeError):
        raise InvalidInput(
            CURSOR.name, "is not a valid cursor for this list and these filters"
        ) from None
    assert isinstance(sort_key, list)
    return sort_key


def page_serializer(name: str, item: serializers.Serializer[Any]) -> serializers.Serializer[Any]:
    """The serializer of a page within an object, for the OpenAPI document."""
    return inline_serializer(
        name,
        {
            "items": item,
            "next": serializers.CharField(allow_null=True, help_text=NEXT_DESCRIPTION),
        },
    )


def _signer_bound_to_path_and_filters(
    request: Request, params: Mapping[str, Any]
) -> signing.Signer:
    filters = {name: params[name] for name in params if name not in {CURSOR.name, PAGE_SIZE.name}}
    content = json.dumps([request.path, filters], sort_keys=True, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return signing.Signer(salt=f"{__name__}.{digest}")
