"""The list of unmatched records: its columns, sort orders and filters."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db import connection
from django.db.models import QuerySet
from django.http import QueryDict

from visibility.db.sorted_pages import SortOrder
from visibility.models import UnmatchedObject
from visibility.models.permission import Permission
from visibility.screens.identity.unmatched_filters import (
    UNMATCHED_FILTERS,
    UNMATCHED_KINDS,
    frequent_values,
)
from visibility.screens.identity.unmatched_records import UnmatchedRecord, load_unmatched_records
from visibility.screens.lists.list_definition import ListColumn, ListDefinition, Viewer
from visibility.screens.lists.list_filters import combined_condition
from visibility.screens.lists.load_page_and_count import COUNT_BOUND
from visibility.screens.lists.sources_of_filters import suggested_sources

COUNT_BY_KIND = """
SELECT kind, count(*)
FROM (SELECT object_id FROM visibility_unmatchedobject LIMIT %s) record
JOIN visibility_businessobject ON id = object_id GROUP BY kind
"""
# Objects get their ids in the order of their first event.
OLDEST_FIRST = SortOrder("since", ("object_id",), (int,))
BY_KIND = SortOrder("record", ("object__kind", "object_id"), (str, int))


def _likely_order(record: UnmatchedRecord, _: Viewer) -> str:
    return record.likely_order.number if record.likely_order else ""


UNMATCHED_COLUMNS = (
    ListColumn(
        "record",
        "Record",
        lambda record, _: record.label.capitalize(),
        BY_KIND,
        is_default=True,
        template="identity/cells/record.html",
    ),
    ListColumn(
        "numbers",
        "Numbers",
        lambda record, _: ", ".join(record.names),
        is_default=True,
        template="identity/cells/numbers.html",
    ),
    ListColumn(
        "items",
        "Items",
        lambda record, _: ", ".join(record.items),
        is_default=True,
        template="identity/cells/items.html",
    ),
    ListColumn(
        "route",
        "From, to",
        lambda record, _: record.route,
        is_default=True,
        template="identity/cells/route.html",
        leaves=1,
    ),
    ListColumn(
        "first_at",
        "Date",
        lambda record, _: record.first_at,
        is_default=True,
        template="identity/cells/first_at.html",
    ),
    ListColumn(
        "since",
        "Unmatched since",
        lambda record, _: record.since,
        OLDEST_FIRST,
        is_default=True,
        template="identity/cells/since.html",
        leaves=3,
    ),
    ListColumn(
        "sources",
        "Reported by",
        lambda record, _: ", ".join(record.sources),
        is_default=True,
        template="identity/cells/sources.html",
        leaves=2,
    ),
    ListColumn(
        "likely_order",
        "Likely order",
        _likely_order,
        is_default=True,
        template="identity/cells/likely_order.html",
    ),
    ListColumn("evidence", "Evidence", lambda record, _: record.reason),
    ListColumn("carrier", "Carrier", lambda record, _: record.carrier),
    ListColumn("events", "Events", lambda record, _: record.events, is_number=True),
)


class UnmatchedListDefinition(ListDefinition):
    """Shipments, packages, invoices, returns and order lines without an order."""

    code = "unmatched"
    title = "Unmatched records"
    url = "/joins"
    nouns = ("unmatched record", "unmatched records")
    permission = Permission.MATCHING_SEE
    columns = UNMATCHED_COLUMNS
    fixed_column = "record"
    filters = UNMATCHED_FILTERS
    parameters = frozenset(UNMATCHED_FILTERS)
    sort_texts: ClassVar = {"since": "oldest first", "-since": "newest first"}

    def default_sort(self, query: QueryDict) -> SortOrder:
        """The oldest first."""
        return OLDEST_FIRST

    def suggestions(self, viewer: Viewer) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Sources, and frequent attributes of the oldest records; two statements."""
        frequent = frequent_values(("warehouse", "location", "carrier"))
        return {"source": suggested_sources(), **frequent}

    def queryset(self, query: QueryDict, viewer: Viewer, now: datetime) -> QuerySet[Any]:
        """The records that match the filters."""
        condition = combined_condition(self.filters, self.applied_filters(query, viewer), now)
        return UnmatchedObject.objects.filter(condition).select_related("object")

    def rows_of_objects(
        self, objects: Sequence[Any], viewer: Viewer, now: datetime
    ) -> list[UnmatchedRecord]:
        """The records; five statements."""
        return load_unmatched_records([each.object_id for each in objects])


UNMATCHED_LIST = UnmatchedListDefinition()


def count_unmatched_by_kind() -> list[tuple[str, str, int | None]]:
    """Kind, label and number of unmatched records of each kind; None: too many to count."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_BY_KIND, [COUNT_BOUND + 1])
        numbers = dict(cursor.fetchall())
    is_complete = sum(numbers.values()) <= COUNT_BOUND
    labels = UNMATCHED_FILTERS["kind"].choices
    return [
        (kind, labels[kind], numbers.get(kind, 0) if is_complete else None)
        for kind in UNMATCHED_KINDS
        if kind in numbers or not is_complete
    ]
