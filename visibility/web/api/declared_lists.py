"""What endpoints of a list need, made from its definition: parameters and pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework.request import Request

from visibility.db.database_time import database_now
from visibility.export.list_files import ListFileFormat
from visibility.screens.lists.list_definition import ListDefinition
from visibility.web.api.list_export import COLUMNS, requested_sort_order, sort_parameter
from visibility.web.api.list_filter_parameters import (
    filter_parameters,
    list_query,
    requested_filters,
)
from visibility.web.api.pagination import PAGING, KeysetRowLoader
from visibility.web.api.query_params import QueryParameter, enum_param
from visibility.web.list_page_context import viewer_of_request


def page_parameters(definition: ListDefinition) -> tuple[QueryParameter, ...]:
    """The parameters of the list: filters, `sort` and the page."""
    return (*filter_parameters(definition), sort_parameter(definition), *PAGING)


def export_parameters(definition: ListDefinition) -> tuple[QueryParameter, ...]:
    """The parameters of the export of the list: `format`, filters, `sort` and `columns`."""
    return (
        enum_param("format", "File format. Default: `csv`.", ListFileFormat),
        *filter_parameters(definition),
        sort_parameter(definition),
        COLUMNS,
    )


def requested_objects(
    definition: ListDefinition, request: Request, params: Mapping[str, Any]
) -> KeysetRowLoader:
    """The objects that match the filters, in the requested order. Raises InvalidInput."""
    viewer, now = viewer_of_request(request._request), database_now()
    requested_filters(definition, params, viewer)
    query = list_query(definition, params)
    return KeysetRowLoader.from_sort_order(
        definition.queryset(query, viewer, now), requested_sort_order(definition, query, viewer)
    )


def requested_rows(
    definition: ListDefinition, request: Request, params: Mapping[str, Any]
) -> KeysetRowLoader:
    """The rows of these objects, as the page shows them. Raises InvalidInput."""
    objects = requested_objects(definition, request, params)
    viewer, now = viewer_of_request(request._request), database_now()
    sort_keys: dict[int, Sequence[Any]] = {}

    def load(limit: int, *after: Any) -> Sequence[Any]:
        loaded = objects.load(limit, *after)
        rows = definition.rows_of_objects(loaded, viewer, now)
        for row, each in zip(rows, loaded, strict=True):
            sort_keys[id(row)] = objects.sort_key(each)
        return rows

    return KeysetRowLoader(load, lambda row: sort_keys[id(row)])
