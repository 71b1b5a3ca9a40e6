"""Endpoint of the batches of a source."""

from datetime import datetime

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.screens.sources.batches import BatchRow, load_batch_overview, load_batch_rows
from visibility.sla.batch_finding import BatchFindingKind
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
from visibility.web.api.pagination import (
    NEXT_DESCRIPTION,
    PAGING,
    KeysetPagination,
    KeysetRowLoader,
    PaginatedView,
)
from visibility.web.permissions import Permission
from visibility.web.source_lookup import source_or_404


class BatchFindingSerializer(PermissionFilteredSerializer):
    """What is wrong. `text` follows the name of the batch in a sentence."""

    kind = serializers.ChoiceField(choices=[kind.value for kind in BatchFindingKind])
    text = serializers.CharField()
    at = Rfc3339Field()


class LateBatchSerializer(PermissionFilteredSerializer):
    """An expected time for which no batch has arrived. It was due with its tolerance."""

    expected_at = Rfc3339Field()
    due_at = Rfc3339Field(source="at")


class SourceBatchSerializer(PermissionFilteredSerializer):
    """A batch that arrived. `expected_at`: null if it is not known, as for older batches."""

    message = serializers.CharField(source="batch.message_id")
    received_at = Rfc3339Field(source="batch.received_at")
    expected_at = Rfc3339Field(allow_null=True)
    is_late = serializers.BooleanField()
    file_name = serializers.CharField(source="batch.file_name", allow_blank=True)
    records = serializers.IntegerField(
        source="batch.records", allow_null=True, help_text="Null: it cannot be read."
    )
    series = serializers.CharField(
        source="batch.series",
        allow_blank=True,
        help_text="What the number belongs to, such as the sender and receiver of interchanges.",
    )
    number = serializers.CharField(source="batch.number", allow_blank=True)
    problem = serializers.CharField(source="batch.problem", allow_blank=True)
    findings = BatchFindingSerializer(many=True)


class SourceBatchListSerializer(PermissionFilteredSerializer):
    """The batches of a source. `expectation` is empty if it has no schedule."""

    expectation = serializers.CharField(allow_blank=True)
    next_expected_at = Rfc3339Field(allow_null=True)
    late = LateBatchSerializer(many=True)
    items = SourceBatchSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text=NEXT_DESCRIPTION)


class SourceBatchListView(PaginatedView):
    """`/sources/<slug>/batches`."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.SOURCES_SEE,)
    query_parameters = PAGING

    @extend_schema(operation_id="source_batches", responses=SourceBatchListSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """List the batches of a source with what is wrong with each, newest first."""
        source, now = source_or_404(slug), database_now()

        def load(limit: int, *after: str) -> list[BatchRow]:
            before = (datetime.fromisoformat(after[0]), int(after[1])) if after else None
            return load_batch_rows(source, now, limit, before)

        rows = self.paginate_queryset(
            KeysetRowLoader(load, lambda row: [row.batch.received_at, row.batch.message_id])
        )
        overview = load_batch_overview(source, now)
        assert isinstance(self.paginator, KeysetPagination)
        content = {
            "expectation": overview.expectation if overview else "",
            "next_expected_at": overview.next_expected_at if overview else None,
            "late": overview.late if overview else [],
            "items": rows,
            "next": self.paginator.next_cursor,
        }
        return Response(serialize(SourceBatchListSerializer, content))
