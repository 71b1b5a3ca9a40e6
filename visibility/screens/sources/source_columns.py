"""The list of sources: its columns, sort orders and filters.

The health of a source is worked out for all sources at once (`health.py`), of which an installation
has at most some hundreds. So sort orders and filters by health compare what was worked out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db.models import BigIntegerField, DateTimeField, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.query import ModelIterable
from django.http import QueryDict

from visibility.db.sorted_pages import SortOrder
from visibility.formatting import format_duration
from visibility.models import Source
from visibility.models.permission import Permission
from visibility.screens.lists.list_definition import (
    ListColumn,
    ListDefinition,
    UnknownSort,
    Viewer,
)
from visibility.screens.lists.list_filters import combined_condition
from visibility.screens.sources.health import HealthReport, load_source_health_reports
from visibility.screens.sources.source_filters import SOURCE_FILTERS, matches_health_filters

WORST_FIRST = SortOrder("status", ("health_rank", "id"), (int, int))
BY_TITLE = SortOrder("source", ("title", "id"), (str, int))
VALUE_OF_SOURCE = """(
    SELECT known.value FROM unnest(%s::bigint[], %s::{}[]) AS known (id, value)
    WHERE known.id = visibility_source.id
)"""


def _by_health(code: str, key: str, kind: type = int, *, nullable: bool = False) -> SortOrder:
    return SortOrder(code, (key, "id"), (kind, int), nullable).reversed()


# What a sort order by health compares: from the position of a report, the worst first, and the
# report; with its type in PostgreSQL.
HEALTH_KEYS: Mapping[str, tuple[Callable[[int, HealthReport], Any], str, Any]] = {
    "health_rank": (lambda index, _: index, "bigint", BigIntegerField()),
    "last_at": (lambda _, report: report.last_at, "timestamptz", DateTimeField()),
    "last_day": (lambda _, report: report.last_day, "bigint", BigIntegerField()),
    "delay_ms": (lambda _, report: _milliseconds(report.delay), "bigint", BigIntegerField()),
    "parked": (lambda _, report: report.parked, "bigint", BigIntegerField()),
    "duplicates": (lambda _, report: report.duplicates, "bigint", BigIntegerField()),
    "rejected": (lambda _, report: report.rejected, "bigint", BigIntegerField()),
}


def _milliseconds(delay: timedelta | None) -> int | None:
    return None if delay is None else delay // timedelta(milliseconds=1)


def _delay(report: HealthReport, _: Viewer) -> str:
    return "" if report.delay is None else format_duration(report.delay)


def _expected_by(report: HealthReport, _: Viewer) -> datetime | None:
    return report.expected_at


SOURCE_COLUMNS = (
    ListColumn(
        "source",
        "Source",
        lambda report, _: report.source.title,
        BY_TITLE,
        is_default=True,
        template="sources/cells/title.html",
    ),
    ListColumn(
        "system",
        "System",
        lambda report, _: report.system,
        is_default=True,
        template="sources/cells/system.html",
        leaves=4,
    ),
    ListColumn(
        "status",
        "Status",
        lambda report, _: report.state.value,
        WORST_FIRST,
        is_default=True,
        template="sources/cells/status.html",
    ),
    ListColumn(
        "last_at",
        "Last message",
        lambda report, _: report.last_at,
        _by_health("last_at", "last_at", datetime, nullable=True),
        is_default=True,
        template="sources/cells/last_at.html",
    ),
    ListColumn(
        "expected_at",
        "Expected by",
        _expected_by,
        is_default=True,
        template="sources/cells/expected_at.html",
        leaves=1,
    ),
    ListColumn(
        "hours",
        "24 hours, by hour",
        lambda report, _: " ".join(map(str, report.hours)),
        is_default=True,
        template="sources/cells/hours.html",
        leaves=1,
    ),
    ListColumn(
        "messages",
        "Messages",
        lambda report, _: report.last_day,
        _by_health("messages", "last_day"),
        is_default=True,
        is_number=True,
    ),
    ListColumn(
        "delay",
        "Delay",
        _delay,
        _by_health("delay", "delay_ms", nullable=True),
        is_default=True,
        is_number=True,
        template="sources/cells/delay.html",
        leaves=2,
    ),
    ListColumn(
        "parked",
        "Parked",
        lambda report, _: report.parked,
        _by_health("parked", "parked"),
        is_default=True,
        is_number=True,
        template="sources/cells/parked.html",
    ),
    ListColumn(
        "duplicates",
        "Duplicates",
        lambda report, _: report.duplicates,
        _by_health("duplicates", "duplicates"),
        is_default=True,
        is_number=True,
        template="sources/cells/duplicates.html",
        leaves=1,
    ),
    ListColumn(
        "rejected",
        "Rejected",
        lambda report, _: report.rejected,
        _by_health("rejected", "rejected"),
        is_default=True,
        is_number=True,
    ),
    ListColumn("owner", "Owner", lambda report, _: report.source.owner_label),
    ListColumn("slug", "Slug", lambda report, _: report.source.slug),
    ListColumn("connector", "Connector", lambda report, _: report.source.connector),
    ListColumn("reason", "Reason of the status", lambda report, _: report.explanation),
    ListColumn("waiting", "In queue", lambda report, _: report.waiting, is_number=True),
    ListColumn("silence_limit", "Silence limit", lambda report, _: report.silence_limit.text),
)


class SourceListDefinition(ListDefinition):
    """The sources in use, or the archived ones."""

    code = "sources"
    title = "Sources"
    url = "/sources"
    nouns = ("source", "sources")
    permission = Permission.SOURCES_SEE
    columns = SOURCE_COLUMNS
    fixed_column = "source"
    filters = SOURCE_FILTERS
    parameters = frozenset(SOURCE_FILTERS)
    sort_texts: ClassVar = {"status": "worst first", "-status": "best first"}

    def default_sort(self, query: QueryDict) -> SortOrder:
        """The worst first."""
        return WORST_FIRST

    def suggestions(self, viewer: Viewer) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Connectors and owners that sources have; one statement."""
        sources = list(Source.objects.select_related("owner_user")[:500])
        return {
            name: [(value, value) for value in sorted(set(values) - {""})]
            for name, values in (
                ("connector", [source.connector for source in sources]),
                ("owner", [source.owner_label for source in sources]),
            )
        }

    def queryset(self, query: QueryDict, viewer: Viewer, now: datetime) -> QuerySet[Any]:
        """The sources that match the filters, each with its `report`."""
        applied = self.applied_filters(query, viewer)
        is_archived = applied.values.get("archived") == ["yes"]
        condition = combined_condition(self.filters, applied, now)
        listed = Source.objects.filter(condition, archived_at__isnull=not is_archived)
        reports = load_source_health_reports(now, listed.select_related("owner_user")[:500])
        matching = [each for each in reports if matches_health_filters(each, applied)]
        try:
            order = self.sort_order(query, viewer)
        except UnknownSort:
            order = WORST_FIRST
        return _sources_with_reports(matching, key=order.keys[0].removeprefix("-"))

    def rows_of_objects(
        self, objects: Sequence[Any], viewer: Viewer, now: datetime
    ) -> list[HealthReport]:
        """The reports of the sources; no statement."""
        return [source.report for source in objects]


def _sources_with_reports(reports: Sequence[HealthReport], *, key: str) -> QuerySet[Any]:
    """The sources of the reports. `key`: what they are sorted by, if it is a value of reports."""
    by_id = {report.source.pk: report for report in reports}

    class SourcesWithReports(ModelIterable):  # type: ignore[type-arg]  # not generic at run time
        """Sets the `report` of each source."""

        def __iter__(self) -> Iterator[Any]:
            for source in super().__iter__():
                source.report = by_id[source.pk]
                yield source

    sources: QuerySet[Any] = Source.objects.filter(pk__in=by_id)
    sources._iterable_class = SourcesWithReports
    if key not in HEALTH_KEYS:
        return sources
    value_of, kind, output = HEALTH_KEYS[key]
    values = [value_of(index, report) for index, report in enumerate(by_id.values())]
    value = RawSQL(VALUE_OF_SOURCE.format(kind), [list(by_id), values], output_field=output)  # noqa: S611  # constant types
    annotated: QuerySet[Any] = sources.annotate(**{key: value})
    return annotated


SOURCE_LIST = SourceListDefinition()
