"""The filters of the lists of mappings and other master data rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Exists, OuterRef, Q

from visibility.master_data.tables import MasterTable
from visibility.models import TermUsage
from visibility.models.master import TermKind, normalize_term
from visibility.screens.lists.list_filters import (
    FilterContext,
    FilterKind,
    ListFilter,
    by_name,
)
from visibility.screens.lists.sources_of_filters import source_title
from visibility.screens.mappings.labels_and_sentences import KIND_LABELS
from visibility.screens.mappings.term_and_row_queries import USED_WITHIN

MAX_OWNERS = 200
VALIDITIES = {"now": "Valid now", "ended": "No longer valid", "later": "Not yet valid"}
YES_OR_NO = {"yes": "Yes", "no": "No"}
SEARCHED_COLUMNS = frozenset({"title", "name", "canonical"})


def filters_of_table(table: MasterTable) -> Mapping[str, ListFilter]:
    """The filters of the list of a table."""
    return by_name(
        ListFilter(
            "q",
            "Search",
            "Text in a number, source value or title.",
            lambda values, _: contains_text_condition(table, values[0]),
            is_in_form=False,
        ),
        *(MAPPING_FILTERS if table.code == "mapping" else ()),
        ListFilter(
            "owner",
            "Owner",
            "The owner of the row.",
            lambda values, _: Q(owner__in=list(values)),
            has_suggestions=True,
            is_repeatable=True,
        ),
        ListFilter(
            "used",
            "Used in 30 days",
            "Whether an order used the row in the last 30 days.",
            lambda values, context: _used_condition(table, values, context),
            FilterKind.CHOICE,
            choices=YES_OR_NO,
        ),
        ListFilter(
            "validity",
            "Validity",
            "Whether the row is valid now.",
            _validity_condition,
            FilterKind.CHOICE,
            choices=VALIDITIES,
        ),
    )


def contains_text_condition(table: MasterTable, text: str) -> Q:
    """Rows whose number, source value or title contains the text."""
    condition = Q(key__contains=normalize_term(text))
    for column in table.own_columns:
        if column.name in SEARCHED_COLUMNS:
            condition |= Q(**{f"{column.name}__icontains": text.strip()})
    return condition


def suggested_owners(table: MasterTable) -> Sequence[tuple[str, str]]:
    """The owners of rows; one statement."""
    rows = table.model._base_manager.exclude(owner="")
    owners = rows.order_by("owner").values_list("owner", flat=True).distinct()[:MAX_OWNERS]
    return [(owner, owner) for owner in owners]


def _validity_condition(values: Sequence[str], context: FilterContext) -> Q:
    started = Q(valid_from=None) | Q(valid_from__lte=context.now)
    ended = Q(valid_to__lte=context.now)
    return {
        "now": started & (Q(valid_to=None) | Q(valid_to__gt=context.now)),
        "ended": ended,
        "later": Q(valid_from__gt=context.now),
    }[values[0]]


def _used_condition(table: MasterTable, values: Sequence[str], context: FilterContext) -> Q:
    """What counts is the same as in the numbers of `count_orders_using_rows`."""
    recent = TermUsage.objects.filter(last_at__gte=context.now - USED_WITHIN)
    if table.code == "mapping":
        of_kind = recent.filter(kind=OuterRef("kind"))
        conditions = [
            Q(Exists(of_kind.filter(**{name: OuterRef("term")}, source=OuterRef("source"))))
            | Q(Exists(of_kind.filter(**{name: OuterRef("term")})), source="")
            for name in ("term", "canonical")
        ]
    elif table.code == "unit":
        conditions = [
            Q(Exists(recent.filter(kind="item", **{name: OuterRef("item_key")}))) & ~Q(item_key="")
            | Q(Exists(recent.filter(kind="unit", **{name: OuterRef("unit")})), item_key="")
            for name in ("term", "canonical")
        ]
    else:
        conditions = [
            Q(Exists(recent.filter(kind=table.code, **{name: OuterRef("key")})))
            for name in ("term", "canonical")
        ]
    used = conditions[0] | conditions[1]
    return used if values[0] == "yes" else ~used


MAPPING_FILTERS: tuple[Any, ...] = (
    ListFilter(
        "kind",
        "Kind",
        "Kind of the source value.",
        lambda values, _: Q(kind__in=list(values)),
        FilterKind.CHOICE,
        choices={kind: KIND_LABELS[kind][0] for kind in TermKind.values},
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
)
