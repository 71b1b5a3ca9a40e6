"""The filters of the list of unmatched records."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Exists, OuterRef, Q
from django.db.models.expressions import RawSQL

from connectors.sdk.event_term_descriptions import OBJECT_KINDS
from connectors.sdk.events import ObjectKind
from connectors.sdk.identifier_normalization import possible_normalized_values
from visibility.models import Identifier
from visibility.screens.lists.list_filters import (
    YES,
    FilterContext,
    FilterKind,
    ListFilter,
    by_name,
)
from visibility.screens.lists.sources_of_filters import source_title, why_unknown_source

MAX_NUMBERS = 200
MAX_SEARCH_LENGTH = 8_000
UNMATCHED_KINDS = (
    ObjectKind.SHIPMENT,
    ObjectKind.PACKAGE,
    ObjectKind.INVOICE,
    ObjectKind.RETURN,
    ObjectKind.ORDER_LINE,
)
EVENT_OF_RECORD = """
EXISTS (
    SELECT FROM visibility_eventobjectlink link
    JOIN visibility_event event ON event.id = link.event_id
        AND event.occurred_at = link.occurred_at AND NOT event.superseded
    WHERE link.object_id = visibility_unmatchedobject.object_id AND {}
)
"""
FROM_SOURCE = """event.source_id IN (
    SELECT id FROM visibility_source WHERE slug = ANY(%s::varchar[])
)"""
WITH_ITEM = """EXISTS (
    SELECT FROM jsonb_array_elements(event.data->'lines') line WHERE line->>'sku' = ANY(%s)
)"""
WITH_ATTRIBUTE = "event.data->'attributes'->>'{}' = ANY(%s)"
# Each part can use an index of its own.
WITH_LIKELY_ORDER = " OR ".join(
    f"""
EXISTS (
    SELECT FROM visibility_identifier mine
    JOIN visibility_identifier theirs ON theirs.value = mine.value AND {which} theirs.is_identity
        AND theirs.kind = 'order'
    JOIN visibility_order o ON o.object_id = theirs.object_id
    WHERE mine.object_id = visibility_unmatchedobject.object_id AND mine.scheme <> 'source_id'
        AND length(mine.value) > 3
)
"""
    for which in ("", "NOT")
)
FREQUENT_VALUES = """
SELECT attribute.name, attribute.value
FROM (SELECT object_id FROM visibility_unmatchedobject ORDER BY object_id LIMIT 300) record
CROSS JOIN LATERAL (
    SELECT event_id, occurred_at FROM visibility_eventobjectlink
    WHERE object_id = record.object_id LIMIT 3
) link
JOIN visibility_event event ON event.id = link.event_id
    AND event.occurred_at = link.occurred_at AND NOT event.superseded
CROSS JOIN LATERAL jsonb_each_text(event.data->'attributes') AS attribute (name, value)
WHERE attribute.name = ANY(%s) AND attribute.value <> ''
GROUP BY 1, 2 ORDER BY count(*) DESC, 2 LIMIT 150
"""
# No number contains these. Others may: a comma or a space separates only if nothing has the whole.
SEPARATORS = re.compile(r"[\r\n\t;]+")
INNER_SEPARATORS = re.compile(r"[\s,]+")


def split_pasted_numbers(text: str) -> list[str]:
    """The different numbers of a search, which may be a pasted column.

    One statement if a comma or a space may be part of a number.
    """
    entries = [entry.strip(" ,") for entry in SEPARATORS.split(text)]
    numbers: list[str] = []
    for entry in filter(None, entries):
        tokens = [token for token in INNER_SEPARATORS.split(entry) if token]
        is_number = (
            len(tokens) == 1
            or Identifier.objects.filter(value__in=possible_normalized_values(entry)).exists()
        )
        numbers += [entry] if is_number else tokens
        if len(numbers) > MAX_NUMBERS:
            break
    return list(dict.fromkeys(numbers))


def numbers_without_unmatched_record(numbers: Sequence[str]) -> list[str]:
    """Those of the numbers that no unmatched record has; one statement."""
    forms = {number: set(possible_normalized_values(number)) for number in numbers}
    stored = set(
        Identifier.objects.filter(
            value__in=set().union(*forms.values()), object__unmatchedobject__isnull=False
        ).values_list("value", flat=True)
    )
    return [number for number in numbers if not forms[number] & stored]


def frequent_values(attributes: Sequence[str]) -> Mapping[str, list[tuple[str, str]]]:
    """Values of each attribute among the oldest unmatched records, most frequent first."""
    values: dict[str, list[tuple[str, str]]] = {name: [] for name in attributes}
    with connection.cursor() as cursor:
        cursor.execute(FREQUENT_VALUES, [list(attributes)])
        for name, value in cursor.fetchall():
            values[name].append((value, value))
    return values


def _sql_condition(sql: str, *parameters: Any) -> Q:
    return Q(RawSQL(sql, parameters, output_field=BooleanField()))  # noqa: S611  # constants


def _by_events(condition: str) -> Callable[[Sequence[Any], FilterContext], Q]:
    return lambda values, _: _sql_condition(EVENT_OF_RECORD.format(condition), list(values))


def _has_number(values: Sequence[str], _: FilterContext) -> Q:
    forms = {
        form for n in split_pasted_numbers(values[0]) for form in possible_normalized_values(n)
    }
    return Q(Exists(Identifier.objects.filter(object_id=OuterRef("object_id"), value__in=forms)))


def _why_too_many_numbers(text: str) -> str:
    number = len(set(re.split(r"[\s,;]+", text)))
    return f"has more than {MAX_NUMBERS} numbers" if number > MAX_NUMBERS else ""


def _by_attribute(name: str, attribute: str, label: str) -> ListFilter:
    return ListFilter(
        name,
        label,
        f"{label} that an event of the record reports.",
        _by_events(WITH_ATTRIBUTE.format(attribute)),
        has_suggestions=True,
        is_free_text=True,
        is_repeatable=True,
    )


UNMATCHED_FILTERS = by_name(
    ListFilter(
        "q",
        "Numbers",
        f"Numbers of the records; up to {MAX_NUMBERS}, separated by line ends or semicolons.",
        _has_number,
        check=_why_too_many_numbers,
        max_length=MAX_SEARCH_LENGTH,
        value_label=lambda text: text if len(text) <= 40 else f"{text[:40]}…",
        is_in_form=False,
    ),
    ListFilter(
        "kind",
        "Record",
        "Kind of the record.",
        lambda values, _: Q(object__kind__in=list(values)),
        FilterKind.CHOICE,
        choices={kind.value: OBJECT_KINDS[kind].label.capitalize() for kind in UNMATCHED_KINDS},
        is_repeatable=True,
    ),
    ListFilter(
        "source",
        "Reported by",
        "Slug of a source that reports the record.",
        _by_events(FROM_SOURCE),
        value_label=source_title,
        check=why_unknown_source,
        has_suggestions=True,
        is_repeatable=True,
    ),
    ListFilter(
        "item",
        "Item",
        "SKU of an item of the record.",
        _by_events(WITH_ITEM),
        is_repeatable=True,
    ),
    _by_attribute("warehouse", "warehouse", "From warehouse"),
    _by_attribute("location", "location", "Location"),
    _by_attribute("carrier", "carrier", "Carrier"),
    ListFilter(
        "min_age",
        "Unmatched for at least",
        "Days since the record was first received, at least.",
        lambda values, context: Q(object__created_at__lte=context.now - timedelta(days=values[0])),
        FilterKind.DAYS,
    ),
    ListFilter(
        "likely",
        "Has a likely order",
        f"`{YES}`: an order has one of its numbers.",
        lambda _, __: _sql_condition(WITH_LIKELY_ORDER),
        FilterKind.SWITCH,
        choices={YES: "Has a likely order"},
    ),
)
