"""The list of unmapped source values: its columns, sort orders and filters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

from django.db.models import BooleanField, Count, Max, Min, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.query import ValuesIterable
from django.http import QueryDict

from visibility.db.sorted_pages import SortOrder
from visibility.models import TermUsage
from visibility.models.master import TermKind, normalize_term
from visibility.models.permission import Permission
from visibility.screens.lists.list_definition import ListColumn, ListDefinition, Viewer
from visibility.screens.lists.list_filters import (
    YES,
    FilterKind,
    ListFilter,
    by_name,
    combined_condition,
)
from visibility.screens.lists.sources_of_filters import source_title, suggested_sources
from visibility.screens.mappings.canonical_record_suggestions import suggest_canonical_records
from visibility.screens.mappings.labels_and_sentences import KIND_LABELS
from visibility.screens.mappings.term_and_row_queries import (
    OPEN_CONDITION,
    USED_WITHIN,
    UnmappedTerm,
)

OPEN_USAGE = OPEN_CONDITION.format(use="visibility_termusage")
NAME = ("kind", "source", "term")
MOST_ORDERS_FIRST = SortOrder("orders", ("orders", *NAME), (int, str, str, str)).reversed()
BY_TERM = SortOrder("term", ("term", "kind", "source"), (str, str, str))
LAST_SEEN_FIRST = SortOrder("last_at", ("latest_at", *NAME), (datetime, str, str, str)).reversed()


def _suggestion(term: UnmappedTerm, _: Viewer) -> str:
    best = next(iter(term.suggestions), None)
    return f"{best.canonical} ({best.certainty}%)" if best else ""


UNMAPPED_COLUMNS = (
    ListColumn(
        "term",
        "Source value",
        lambda term, _: term.raw,
        BY_TERM,
        is_default=True,
        template="mappings/cells/term.html",
    ),
    ListColumn("kind", "Kind", lambda term, _: KIND_LABELS[term.kind][1], is_default=True),
    ListColumn("source", "Source", lambda term, _: term.source, is_default=True),
    ListColumn(
        "orders",
        "Orders affected",
        lambda term, _: term.orders,
        MOST_ORDERS_FIRST,
        is_default=True,
        is_number=True,
        template="mappings/cells/orders.html",
    ),
    ListColumn("first_at", "First seen", lambda term, _: term.first_at),
    ListColumn(
        "last_at", "Last seen", lambda term, _: term.last_at, LAST_SEEN_FIRST, is_default=True
    ),
    ListColumn("suggestion", "Best suggestion", _suggestion, is_default=True),
    ListColumn("description", "Description", lambda term, _: term.description),
)
UNMAPPED_FILTERS = by_name(
    ListFilter(
        "q",
        "Search",
        "Text in the source value or its description.",
        lambda values, _: (
            Q(term__contains=normalize_term(values[0])) | Q(description__icontains=values[0])
        ),
        is_in_form=False,
    ),
    ListFilter(
        "kind",
        "Kind",
        "Kind of the source value.",
        lambda values, _: Q(kind__in=list(values)),
        FilterKind.CHOICE,
        choices={kind: KIND_LABELS[kind][0] for kind in TermKind.values},
        is_repeatable=True,
    ),
    ListFilter(
        "source",
        "Source",
        "Slug of the source.",
        lambda values, _: Q(source__in=list(values)),
        value_label=source_title,
        has_suggestions=True,
        is_repeatable=True,
    ),
    ListFilter(
        "recent",
        "Used in 30 days",
        f"`{YES}`: only usage in the last 30 days.",
        lambda _, context: Q(last_at__gte=context.now - USED_WITHIN),
        FilterKind.SWITCH,
        choices={YES: "Used in 30 days"},
    ),
    ListFilter(
        "min_age",
        "Used since at least",
        "Days since the value was first used, at least.",
        lambda values, context: Q(first_at__lte=context.now - timedelta(days=values[0])),
        FilterKind.DAYS,
    ),
)


class RowsWithAttributes(ValuesIterable):
    """The values of a row as attributes, like those of a model."""

    def __iter__(self) -> Iterator[Any]:
        for values in super().__iter__():
            yield SimpleNamespace(**values)


class UnmappedListDefinition(ListDefinition):
    """Source values that must be mapped and are not, with the orders that use them."""

    code = "unmapped-values"
    title = "Unmapped values"
    url = "/mappings/unmapped"
    nouns = ("unmapped value", "unmapped values")
    permission = Permission.MAPPINGS_SEE
    columns = UNMAPPED_COLUMNS
    fixed_column = "term"
    filters = UNMAPPED_FILTERS
    parameters = frozenset(UNMAPPED_FILTERS)
    sort_texts: ClassVar = {"-orders": "most affected orders first"}

    def default_sort(self, query: QueryDict) -> SortOrder:
        """Those with the most affected orders first."""
        return MOST_ORDERS_FIRST

    def suggestions(self, viewer: Viewer) -> Mapping[str, Sequence[tuple[str, str]]]:
        """The sources; one statement."""
        return {"source": suggested_sources()}

    def queryset(self, query: QueryDict, viewer: Viewer, now: datetime) -> QuerySet[Any]:
        """One row for each value that matches the filters, from the usage by orders."""
        condition = combined_condition(self.filters, self.applied_filters(query, viewer), now)
        is_open = RawSQL(OPEN_USAGE, (), output_field=BooleanField())  # noqa: S611  # a constant
        usage = TermUsage.objects.filter(Q(is_open), condition).values(*NAME)
        rows: QuerySet[Any] = usage.annotate(
            spelling=Min("raw"),
            text=Max("description"),
            seen_at=Min("first_at"),
            latest_at=Max("last_at"),
            orders=Count("order_id", distinct=True),
            example=Min("order_id"),
        )
        rows._iterable_class = RowsWithAttributes
        return rows

    def rows_of_objects(
        self, objects: Sequence[Any], viewer: Viewer, now: datetime
    ) -> list[UnmappedTerm]:
        """The values with their suggestions; one statement."""
        terms = [
            UnmappedTerm(
                kind=each.kind,
                source=each.source,
                term=each.term,
                raw=each.spelling,
                description=each.text,
                first_at=each.seen_at,
                last_at=each.latest_at,
                orders=each.orders,
                example=each.example,
            )
            for each in objects
        ]
        return [
            replace(term, suggestions=tuple(candidates))
            for term, candidates in zip(terms, suggest_canonical_records(terms), strict=True)
        ]


UNMAPPED_LIST = UnmappedListDefinition()
