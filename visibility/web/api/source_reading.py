"""Endpoint of the reading report of a source."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.ingest.reading_findings import FindingKind
from visibility.screens.sources.reading_report import load_reading_report
from visibility.web.api.base import ApiView
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    serialize,
)
from visibility.web.permissions import Permission
from visibility.web.source_lookup import source_or_404


class FindingSerializer(PermissionFilteredSerializer):
    """One kind of finding. `setting`: the setting that mends it; empty if none does.

    `is_at_least`: counting stopped at this number.
    """

    kind = EnumField(FindingKind, source="finding.kind")
    title = serializers.CharField(source="finding.title")
    count = serializers.IntegerField(source="finding.count")
    is_at_least = serializers.BooleanField()
    example = serializers.CharField(source="finding.example")
    url = serializers.CharField()
    setting = serializers.CharField(source="finding.setting")
    remedy = serializers.CharField(source="finding.remedy")


class ReadingReportSerializer(PermissionFilteredSerializer):
    """What the examined messages of a source lack. `is_complete`: all messages were examined."""

    messages = serializers.IntegerField()
    events = serializers.IntegerField()
    is_complete = serializers.BooleanField()
    findings = FindingSerializer(many=True)


class ReadingReportView(ApiView):
    """`GET /sources/<slug>/reading`."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.SOURCES_SEE,)

    @extend_schema(operation_id="source_reading", responses=ReadingReportSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Report what the newest messages of a source lack, with examples and remedies."""
        source = source_or_404(slug)
        return Response(serialize(ReadingReportSerializer, load_reading_report(source)))
