"""The list of messages: its columns, sort orders and filters."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Q, QuerySet
from django.http import QueryDict

from connectors.sdk.identifier_normalization import possible_normalized_values
from connectors.sdk.payload import ParkReason
from visibility.db.parse_id_and_time import parse_row_id
from visibility.db.sorted_pages import SortOrder
from visibility.models import Event, InboundMessage, MessageState, Source
from visibility.models.permission import Permission
from visibility.screens.lists.list_definition import ListColumn, ListDefinition, Viewer
from visibility.screens.lists.list_filters import (
    FilterContext,
    FilterKind,
    ListFilter,
    by_name,
    combined_condition,
)
from visibility.screens.lists.sources_of_filters import (
    source_title,
    suggested_sources,
    why_unknown_source,
)
from visibility.screens.messages.message_queries import (
    MessageRow,
    find_message_ids_by_id_key_or_event_number,
)
from visibility.screens.messages.message_selections import (
    message_ids_of_discard,
    message_ids_of_replay,
)
from visibility.screens.messages.parked import cause_and_remedy_of_park_reason
from visibility.screens.relative_and_absolute_time import format_time_from_start_to_end

STATE_LABELS = {
    MessageState.APPLIED: ("Processed", "ok"),
    MessageState.PARKED: ("Parked", "late"),
    MessageState.DISCARDED: ("Discarded", "unknown"),
    MessageState.WAITING: ("Queued", "waiting"),
}
MAX_DETAIL_LENGTH = 5_000
# Messages get their ids in the order of their receipt. Those of one source have an index by time.
NEWEST_FIRST = SortOrder("received_at", ("id",), (int,)).reversed()
NEWEST_OF_SOURCE_FIRST = SortOrder("received_at", ("received_at", "id"), (datetime, int)).reversed()
SHOWN_FIELDS = (
    *("id", "source_id", "received_at", "dedupe_key", "state", "reason", "detail"),
    *("attempts", "processed_at"),
)


def problem_of_message(row: MessageRow) -> str:
    """Why the message is parked, or what was noted when it was processed."""
    was_parked = row.state in {MessageState.PARKED, MessageState.DISCARDED}
    return cause_and_remedy_of_park_reason(row.reason)[0] if was_parked else row.detail


def _result(row: MessageRow, _: Viewer) -> str:
    label = STATE_LABELS[MessageState(row.state)][0]
    problem = problem_of_message(row)
    return f"{label}: {problem}" if problem else label


def _matches_number(values: Sequence[str], _: FilterContext) -> Q:
    text = values[0]
    ids = find_message_ids_by_id_key_or_event_number(text, possible_normalized_values(text))
    return Q(id__in=ids)


def _of_replay(values: Sequence[str], _: FilterContext) -> Q:
    return Q(id__in=message_ids_of_replay(int(values[0])))


def _of_discard(values: Sequence[str], _: FilterContext) -> Q:
    return Q(id__in=message_ids_of_discard(int(values[0])))


def _of_source(values: Sequence[str], _: FilterContext) -> Q:
    return Q(source_id=Source.objects.values_list("pk", flat=True).get(slug=values[0]))


MESSAGE_COLUMNS = (
    ListColumn(
        "message",
        "Message",
        lambda row, _: str(row.id),
        is_default=True,
        template="sources/cells/message.html",
    ),
    ListColumn(
        "source",
        "Source",
        lambda row, _: row.title,
        is_default=True,
        template="sources/cells/source.html",
    ),
    ListColumn(
        "received_at",
        "Received",
        lambda row, _: row.received_at,
        NEWEST_FIRST,
        is_default=True,
        template="sources/cells/received_at.html",
    ),
    ListColumn(
        "result",
        "Processing result",
        _result,
        is_default=True,
        template="sources/cells/result.html",
    ),
    ListColumn(
        "types",
        "Types of events created",
        lambda row, _: ", ".join(row.types),
        is_default=True,
        template="sources/cells/types.html",
        leaves=1,
    ),
    ListColumn(
        "dedupe_key",
        "Sender's message ID",
        lambda row, _: row.dedupe_key,
        is_default=True,
        template="sources/cells/dedupe_key.html",
        leaves=3,
    ),
    ListColumn(
        "took",
        "Time to process",
        lambda row, _: format_time_from_start_to_end(row.processed_at, row.received_at),
        is_default=True,
        is_number=True,
    ),
    ListColumn("attempts", "Processing attempts", lambda row, _: row.attempts, is_number=True),
    ListColumn("processed_at", "Processed", lambda row, _: row.processed_at),
    ListColumn("detail", "Error detail", lambda row, _: row.detail),
)
MESSAGE_FILTERS = by_name(
    ListFilter(
        "q",
        "Search",
        "Number of an order, shipment and so on, the sender's message ID, or the ID of a message.",
        _matches_number,
        is_in_form=False,
    ),
    ListFilter(
        "source",
        "Source",
        "Slug of the source.",
        _of_source,
        value_label=source_title,
        check=why_unknown_source,
        has_suggestions=True,
    ),
    ListFilter(
        "state",
        "Processing result",
        "Message state.",
        lambda values, _: Q(state=values[0]),
        FilterKind.CHOICE,
        choices={state.value: label for state, (label, _) in STATE_LABELS.items()},
    ),
    ListFilter(
        "reason",
        "Cause",
        "Why the message is parked.",
        lambda values, _: Q(reason=values[0]),
        FilterKind.CHOICE,
        choices={code.value: cause_and_remedy_of_park_reason(code)[0] for code in ParkReason},
    ),
    ListFilter(
        "detail",
        "Error detail",
        "Exact error detail; empty: messages without one.",
        lambda values, _: Q(detail=values[0]),
        value_label=lambda text: text or "none",
        accepts_empty=True,
        max_length=MAX_DETAIL_LENGTH,
        is_in_form=False,
    ),
    ListFilter(
        "discard",
        "Discard",
        "ID of a discard.",
        _of_discard,
        check=lambda text: "" if parse_row_id(text) else "is not the ID of a discard",
        is_in_form=False,
    ),
    ListFilter(
        "replay",
        "Replay",
        "ID of a replay.",
        _of_replay,
        check=lambda text: "" if parse_row_id(text) else "is not the ID of a replay",
        is_in_form=False,
    ),
)


class MessageListDefinition(ListDefinition):
    """The messages of all sources, without their payloads."""

    code = "messages"
    title = "Messages"
    url = "/messages"
    nouns = ("message", "messages")
    permission = Permission.SOURCES_SEE
    columns = MESSAGE_COLUMNS
    fixed_column = "message"
    filters = MESSAGE_FILTERS
    parameters = frozenset(MESSAGE_FILTERS)
    sort_texts: ClassVar = {"-received_at": "newest first", "received_at": "oldest first"}

    def default_sort(self, query: QueryDict) -> SortOrder:
        """The newest first."""
        return NEWEST_OF_SOURCE_FIRST if query.get("source") else NEWEST_FIRST

    def sort_order(self, query: QueryDict, viewer: Viewer) -> SortOrder:
        """By time within a source, else by id. Raises UnknownSort."""
        order, default = super().sort_order(query, viewer), self.default_sort(query)
        return default if order.code == default.code else default.reversed()

    def suggestions(self, viewer: Viewer) -> Mapping[str, Sequence[tuple[str, str]]]:
        """The sources; one statement."""
        return {"source": suggested_sources()}

    def queryset(self, query: QueryDict, viewer: Viewer, now: datetime) -> QuerySet[Any]:
        """The messages that match the filters."""
        condition = combined_condition(self.filters, self.applied_filters(query, viewer), now)
        return InboundMessage.objects.filter(condition).only(*SHOWN_FIELDS)

    def rows_of_objects(self, objects: Sequence[Any], viewer: Viewer, now: datetime) -> list[Any]:
        """The rows with sources and types of events; two statements."""
        sources = Source.objects.in_bulk({message.source_id for message in objects})
        types = dict(
            Event.objects.filter(message_id__in=[message.id for message in objects])
            .values("message_id")
            .annotate(types=ArrayAgg("type", distinct=True))
            .values_list("message_id", "types")
        )
        return [
            MessageRow(
                id=message.id,
                slug=sources[message.source_id].slug,
                title=sources[message.source_id].title,
                received_at=message.received_at,
                dedupe_key=message.dedupe_key[:200],
                state=message.state,
                reason=message.reason,
                detail=message.detail,
                attempts=message.attempts,
                processed_at=message.processed_at,
                types=sorted(types.get(message.id, [])),
            )
            for message in objects
        ]


MESSAGE_LIST = MessageListDefinition()
