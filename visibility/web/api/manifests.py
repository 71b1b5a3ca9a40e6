"""Endpoints of manifests: list, create, read, change, samples, check, delete."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.ingest import change_manifest
from visibility.ingest.check_manifest import check_manifest
from visibility.ingest.check_manifest_input import InvalidManifestInput, ManifestConflict
from visibility.ingest.publish_manifest import load_samples
from visibility.models.manifests import Manifest
from visibility.screens.manifests import queries
from visibility.screens.manifests.queries import ManifestSummary
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import serialize
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.manifest_serializers import (
    MAX_MANIFEST_BODY,
    ManifestCheckBody,
    ManifestCheckSerializer,
    ManifestDraftBody,
    ManifestSampleBody,
    ManifestSerializer,
    ManifestSummarySerializer,
    NewManifestBody,
)
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import ApiResponse, ConflictError, InvalidInput
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.manifest_lookup import manifest_or_404
from visibility.web.permissions import Permission


class InvalidManifestValues(InvalidInput):
    """Fields are invalid, each with its sentence."""

    def __init__(self, error: InvalidManifestInput) -> None:
        super().__init__("", str(error))
        self.errors = [{"path": name, "detail": text} for name, text in error.errors.items()]


class ManifestApiView(ApiView):
    """Base of the endpoints of one manifest."""

    required_permissions: tuple[Permission, ...] = (Permission.SOURCES_EDIT,)

    def change(
        self,
        request: Request,
        body_type: type[RequestBody],
        do: Callable[[dict[str, Any]], ApiResponse],
    ) -> HttpResponse:
        """Run a change with the values of the body. Its errors become problem responses."""
        body = read_body(request, limit=MAX_MANIFEST_BODY)

        def run() -> ApiResponse:
            try:
                return do(parse_body(body_type, body))
            except InvalidManifestInput as error:
                raise InvalidManifestValues(error) from error
            except ManifestConflict as error:
                raise ConflictError(str(error)) from error

        return run_idempotently(request, body, run)


@extend_schema_view(get=extend_schema(operation_id="manifests"))
class ManifestListView(ApiListView, ManifestApiView):
    """List the manifests in the order of their names."""

    http_method_names = ["get", "head", "post"]
    query_parameters = PAGING
    serializer_class = ManifestSummarySerializer

    def get_queryset(self) -> Any:
        """The manifests, loaded page by page."""
        return KeysetRowLoader(
            lambda limit, *after: queries.list_manifests(after="".join(after), limit=limit),
            lambda summary: [summary.manifest.slug],
        )

    @extend_schema(
        operation_id="manifest_create",
        request=NewManifestBody,
        responses={201: ManifestSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a draft from a sample, or from a copy of another manifest."""

        def do(values: dict[str, Any]) -> ApiResponse:
            created = change_manifest.create_manifest(
                values["slug"],
                sample=values["sample"].encode(errors="replace"),
                sample_name=values["sample_name"],
                copy_of=values["copy_of"],
                by=current_user(request),
                now=database_now(),
            )
            return manifest_answer(created.slug, status=201)

        return self.change(request, NewManifestBody, do)


class ManifestView(ManifestApiView):
    """`/manifests/<slug>`."""

    http_method_names = ["get", "head", "patch", "delete"]

    @extend_schema(operation_id="manifest", responses=ManifestSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Retrieve a manifest with the text of its draft."""
        return Response(_content(manifest_or_404(slug)))

    @extend_schema(
        operation_id="manifest_change", request=ManifestDraftBody, responses=ManifestSerializer
    )
    def patch(self, request: Request, slug: str) -> HttpResponse:
        """Store the text of the draft. It may have problems until it is published."""
        manifest = manifest_or_404(slug).manifest

        def do(values: dict[str, Any]) -> ApiResponse:
            change_manifest.save_draft(
                manifest,
                values["text"],
                revision=values.get("revision"),
                by=current_user(request),
                now=database_now(),
            )
            return manifest_answer(slug)

        return self.change(request, ManifestDraftBody, do)

    @extend_schema(operation_id="manifest_delete", request=EmptyBody, responses=ManifestSerializer)
    def delete(self, request: Request, slug: str) -> HttpResponse:
        """Delete a draft that was never published."""
        manifest = manifest_or_404(slug).manifest

        def do(_values: dict[str, Any]) -> ApiResponse:
            answer = manifest_answer(slug)
            change_manifest.delete_manifest(manifest, by=current_user(request), now=database_now())
            return answer

        return self.change(request, EmptyBody, do)


class ManifestSampleListView(ManifestApiView):
    """`POST /manifests/<slug>/samples`."""

    @extend_schema(
        operation_id="manifest_sample_add",
        request=ManifestSampleBody,
        responses={201: ManifestSerializer},
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Store a sample, or replace the one of this name."""
        manifest = manifest_or_404(slug).manifest

        def do(values: dict[str, Any]) -> ApiResponse:
            body = values["sample"].encode(errors="replace")
            change_manifest.add_sample(
                manifest, values["name"], body, by=current_user(request), now=database_now()
            )
            return manifest_answer(slug, status=201)

        return self.change(request, ManifestSampleBody, do)


class ManifestSampleView(ManifestApiView):
    """`DELETE /manifests/<slug>/samples/<name>`."""

    http_method_names = ["delete"]

    @extend_schema(
        operation_id="manifest_sample_remove", request=EmptyBody, responses=ManifestSerializer
    )
    def delete(self, request: Request, slug: str, name: str) -> HttpResponse:
        """Remove a sample."""
        manifest = manifest_or_404(slug).manifest

        def do(_values: dict[str, Any]) -> ApiResponse:
            if not change_manifest.remove_sample(
                manifest, name, by=current_user(request), now=database_now()
            ):
                raise Http404
            return manifest_answer(slug)

        return self.change(request, EmptyBody, do)


class ManifestCheckView(ManifestApiView):
    """`POST /manifests/<slug>/check`."""

    @extend_schema(
        operation_id="manifest_check",
        request=ManifestCheckBody,
        responses=ManifestCheckSerializer,
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Check the draft or another text: problems, and what samples and examples give.

        Nothing is stored.
        """
        manifest = manifest_or_404(slug).manifest
        values = parse_body(ManifestCheckBody, read_body(request, limit=MAX_MANIFEST_BODY))
        text = values.get("text", manifest.text)
        check = check_manifest(slug, text, load_samples(manifest), now=database_now())
        return Response(serialize(ManifestCheckSerializer, check))


def manifest_answer(slug: str, *, status: int = 200) -> ApiResponse:
    """The manifest as it is now."""
    return ApiResponse.with_json_body(_content(manifest_or_404(slug)), status=status)


def _content(summary: ManifestSummary) -> Any:
    return serialize(ManifestSerializer, _with_samples(summary, summary.manifest))


def _with_samples(summary: ManifestSummary, manifest: Manifest) -> SimpleNamespace:
    samples = load_samples(manifest).items()
    return SimpleNamespace(
        manifest=manifest,
        title=summary.title,
        live_number=summary.live_number,
        has_changes=summary.has_changes,
        sources=summary.sources,
        samples=[SimpleNamespace(name=name, bytes=len(body)) for name, body in samples],
    )
