"""What the page of a list shows of its declared filters: chips, and the fields of the form."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, QueryDict

from visibility.screens.lists.list_definition import PAGE_PARAMETERS, ListDefinition, Viewer
from visibility.screens.lists.list_filters import FilterChip, FilterKind, ListFilter

INPUT_TYPES = {FilterKind.DAY: "date", FilterKind.DAYS: "number", FilterKind.AMOUNT: "text"}


@dataclass(frozen=True, slots=True)
class FilterField:
    """A field of the form. `kind`: select, list (text with suggestions), checkbox or input.

    `value`: what is entered now. Values of repeatable filters are hidden fields, and the field adds
    another one: `has_values`.
    """

    name: str
    label: str
    kind: str
    options: Sequence[tuple[str, str]]
    input_type: str
    value: str
    has_values: bool
    error: str


@dataclass(frozen=True, slots=True)
class FilterTools:
    """For `components/filter_chips.html` and `components/filter_form.html`.

    `chips`: each with the address without it. `hidden`: parameters that the form passes on.
    """

    code: str
    url: str
    chips: Sequence[tuple[FilterChip, str]]
    fields: Sequence[FilterField]
    hidden: Sequence[tuple[str, str]]
    # The same for a form that only searches: all parameters but `q`.
    hidden_in_search: Sequence[tuple[str, str]]


def build_filter_tools(
    request: HttpRequest, definition: ListDefinition, *, viewer: Viewer, without_chip: str = ""
) -> FilterTools:
    """The chips and fields; one statement if the list has suggestions.

    `without_chip`: a query string whose filters have no chip, because the page names them.
    """
    query = request.GET
    chips = definition.applied_filters(query, viewer).chips
    unnamed = without_chip.split("&")
    errors = {chip.name: chip.error for chip in chips if chip.error}
    suggested = definition.suggestions(viewer)
    fields = [
        _field(each, query, suggested.get(each.name, ()), errors.get(each.name, ""))
        for each in definition.filters.values()
        if each.is_in_form and viewer.may(each.permission)
    ]
    shown = {field.name for field in fields if not field.has_values}
    wrong = {(chip.name, chip.raw) for chip in chips if chip.error}
    return FilterTools(
        code=definition.code,
        url=definition.url,
        chips=[
            (chip, _url_without(query, chip.name, chip.raw))
            for chip in chips
            if f"{chip.name}={chip.raw}" not in unnamed
        ],
        fields=fields,
        hidden_in_search=[
            (name, value)
            for name, values in query.lists()
            if name not in {"q", *PAGE_PARAMETERS}
            for value in values
        ],
        hidden=[
            (name, value)
            for name, values in query.lists()
            if name not in shown | PAGE_PARAMETERS
            for value in values
            if (value or _accepts_empty(definition, name)) and (name, value) not in wrong
        ],
    )


def _accepts_empty(definition: ListDefinition, name: str) -> bool:
    return name in definition.filters and definition.filters[name].accepts_empty


def _field(
    declared: ListFilter, query: QueryDict, suggested: Sequence[tuple[str, str]], error: str
) -> FilterField:
    value = query.get(declared.name, "")
    kind, options = "input", suggested
    if declared.kind is FilterKind.SWITCH:
        kind = "checkbox"
    elif declared.kind is FilterKind.CHOICE:
        kind, options = "select", list(declared.choices.items())
    elif declared.has_suggestions:
        kind = "list" if declared.is_free_text else "select"
    has_values = declared.is_repeatable and bool(value)
    return FilterField(
        declared.name,
        declared.label,
        kind,
        options,
        INPUT_TYPES.get(declared.kind, "text"),
        "" if has_values else value,
        has_values,
        f"“{value[:40]}” {error}." if error and not has_values else "",
    )


def _url_without(query: QueryDict, name: str, raw: str) -> str:
    changed = query.copy()
    changed.setlist(name, [each for each in query.getlist(name) if raw not in {each, each.strip()}])
    for other in PAGE_PARAMETERS:
        changed.pop(other, None)
    return f"?{changed.urlencode()}"
