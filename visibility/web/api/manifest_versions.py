"""Endpoints of the versions of a manifest: list, publish, roll back, compare with today."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.ingest.check_manifest_input import audit_manifest
from visibility.ingest.publish_manifest import CannotBePublished, publish_draft, roll_back
from visibility.screens.manifests import queries
from visibility.screens.manifests.compare_readings import compare_readings
from visibility.web.api.base import current_user
from visibility.web.api.common_serializers import serialize
from visibility.web.api.manifest_serializers import (
    CompareManifestBody,
    ManifestVersionSerializer,
    PublishManifestBody,
    ReadingComparisonSerializer,
    RollBackManifestBody,
)
from visibility.web.api.manifests import ManifestApiView
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import ApiResponse, InvalidInput
from visibility.web.api.request_body_serializers import parse_body, read_body
from visibility.web.manifest_lookup import manifest_or_404
from visibility.web.permissions import Permission
from visibility.web.source_lookup import source_or_404


class ManifestProblems(InvalidInput):
    """The draft has problems, each with its line and path."""

    def __init__(self, error: CannotBePublished) -> None:
        super().__init__("", str(error))
        self.errors = [
            {"path": f"line {problem.line}: {problem.path}", "detail": problem.sentence}
            for problem in error.check.problems
        ]


@extend_schema_view(get=extend_schema(operation_id="manifest_versions"))
class ManifestVersionListView(ApiListView, ManifestApiView):
    """List the versions of a manifest, newest first. The first one is live."""

    http_method_names = ["get", "head"]
    query_parameters = PAGING
    serializer_class = ManifestVersionSerializer

    def get_queryset(self) -> Any:
        """The versions, loaded page by page."""
        manifest = manifest_or_404(self.kwargs["slug"]).manifest
        return KeysetRowLoader(
            lambda limit, *before: queries.list_versions(
                manifest, before=before[0] if before else None, limit=limit
            ),
            lambda version: [version.number],
        )


class PublishManifestView(ManifestApiView):
    """`POST /manifests/<slug>/publish`."""

    @extend_schema(
        operation_id="manifest_publish",
        request=PublishManifestBody,
        responses={201: ManifestVersionSerializer},
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Make the draft the live version. All processes use it within seconds."""
        manifest = manifest_or_404(slug).manifest

        def do(values: dict[str, Any]) -> ApiResponse:
            try:
                version = publish_draft(
                    manifest,
                    revision=values.get("revision"),
                    note=values["note"],
                    by=current_user(request),
                    now=database_now(),
                )
            except CannotBePublished as error:
                raise ManifestProblems(error) from error
            content = serialize(ManifestVersionSerializer, version)
            return ApiResponse.with_json_body(content, status=201)

        return self.change(request, PublishManifestBody, do)


class RollBackManifestView(ManifestApiView):
    """`POST /manifests/<slug>/rollback`."""

    @extend_schema(
        operation_id="manifest_roll_back",
        request=RollBackManifestBody,
        responses={201: ManifestVersionSerializer},
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Make an earlier version live again, as a new version. The draft stays."""
        manifest = manifest_or_404(slug).manifest

        def do(values: dict[str, Any]) -> ApiResponse:
            version = roll_back(
                manifest,
                values["version"],
                note=values["note"],
                by=current_user(request),
                now=database_now(),
            )
            content = serialize(ManifestVersionSerializer, version)
            return ApiResponse.with_json_body(content, status=201)

        return self.change(request, RollBackManifestBody, do)


class CompareManifestView(ManifestApiView):
    """`POST /manifests/<slug>/compare`."""

    required_permissions: tuple[Permission, ...] = (
        Permission.SOURCES_EDIT,
        Permission.MESSAGE_BODIES,
    )

    @extend_schema(
        operation_id="manifest_compare",
        request=CompareManifestBody,
        responses=ReadingComparisonSerializer,
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Read the newest messages of a source with the draft, and as today. Nothing is stored."""
        manifest = manifest_or_404(slug).manifest
        source = source_or_404(parse_body(CompareManifestBody, read_body(request))["source"])
        comparison = compare_readings(manifest, source)
        detail = {"source": source.slug, "messages": comparison.examined}
        audit_manifest(
            "manifest.compared", manifest, detail, by=current_user(request), now=database_now()
        )
        return Response(serialize(ReadingComparisonSerializer, comparison))
