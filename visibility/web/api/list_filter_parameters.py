"""The declared filters of a list as query parameters of the API."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import QueryDict

from visibility.screens.lists.list_definition import SORT_PARAMETER, ListDefinition, Viewer
from visibility.screens.lists.list_filters import (
    AppliedFilters,
    FilterKind,
    InvalidFilterValue,
    ListFilter,
)
from visibility.web.api.problem_responses import InvalidInput
from visibility.web.api.query_params import InvalidValue, QueryParameter

OPENAPI_FORMATS = {
    FilterKind.DAY: "date",
    FilterKind.DAYS: "integer",
    FilterKind.AMOUNT: "decimal",
    FilterKind.TIME: "date-time",
}


def filter_parameters(definition: ListDefinition) -> tuple[QueryParameter, ...]:
    """A query parameter for each declared filter; its value is the checked text."""
    return tuple(_filter_parameter(each) for each in definition.filters.values())


def _filter_parameter(declared: ListFilter) -> QueryParameter:
    def parse(text: str) -> str:
        try:
            declared.parse(text)
        except InvalidFilterValue as error:
            raise InvalidValue(str(error)) from None
        return text

    return QueryParameter(
        declared.name,
        declared.description,
        parse,
        choices=tuple(declared.choices),
        openapi_format=OPENAPI_FORMATS.get(declared.kind, ""),
        is_repeatable=declared.is_repeatable,
        accepts_empty=declared.accepts_empty,
    )


def list_query(definition: ListDefinition, params: Mapping[str, Any]) -> QueryDict:
    """The filters and the order as the query string of the page."""
    query = QueryDict(mutable=True)
    for name in (*definition.parameters, SORT_PARAMETER):
        if name in params:
            query.setlist(name, parameter_texts(params[name]))
    return query


def parameter_texts(value: Any) -> Sequence[str]:
    """The values of a parameter as texts."""
    return [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]


def requested_filters(
    definition: ListDefinition, params: Mapping[str, Any], viewer: Viewer
) -> AppliedFilters:
    """The filters of the parameters. Raises InvalidInput, also for a filter of other roles."""
    applied = definition.applied_filters(list_query(definition, params), viewer)
    for chip in applied.errors:
        raise InvalidInput(chip.name, chip.error)
    return applied
