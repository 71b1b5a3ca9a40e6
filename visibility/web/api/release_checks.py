"""Endpoints of release checks: request, progress, result, cancel, promote, roll back."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.models.release_checks import ReleaseCheck, ReleaseCheckOrder
from visibility.pipeline import job_functions
from visibility.release_checks import results
from visibility.release_checks.promote import CannotPromote, promote_check, roll_back_check
from visibility.release_checks.requests import CannotCheck, cancel_check, request_check
from visibility.release_checks.run_checks import JOB
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView
from visibility.web.api.problem_responses import ApiResponse, ConflictError, InvalidInput
from visibility.web.api.query_params import QueryParameter
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.manifest_lookup import manifest_or_404
from visibility.web.pages.release_checks import check_or_404
from visibility.web.permissions import Permission
from visibility.web.source_lookup import source_or_404

TAG = QueryParameter("tag", "Only orders with this tag of `summary.tags`.")
CHANGE = QueryParameter("change", "newly_parked, newly_read or other_reason.")


class NewReleaseCheckBody(RequestBody):
    """Which messages to read, and with what."""

    source = serializers.SlugField(max_length=60)  # type: ignore[assignment]  # not DRF's `source`
    manifest = serializers.SlugField(
        max_length=40,
        required=False,
        help_text="The manifest whose draft reads; without it, the installed connector.",
    )
    since = serializers.DateTimeField(required=False, help_text="Default: 7 days before `until`.")
    until = serializers.DateTimeField(required=False, help_text="Default: now.")


class ConfirmMessagesBody(RequestBody):
    """The number of messages that will be read again: `selected` of the check."""

    messages = serializers.IntegerField(min_value=0)


class ReleaseCheckSerializer(PermissionFilteredSerializer):
    """A check. `done` of `total` messages or orders of its `step` are finished."""

    id = serializers.CharField(source="pk")
    source_slug = serializers.CharField(source="source.slug")
    manifest = serializers.CharField(source="manifest.slug", default=None, allow_null=True)
    reader = serializers.CharField()
    since = Rfc3339Field()
    until = Rfc3339Field()
    state = serializers.CharField()
    detail = serializers.CharField()
    step = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    requested_at = Rfc3339Field()
    requested_by = UserSerializer(allow_null=True)
    finished_at = Rfc3339Field(allow_null=True)
    available = serializers.IntegerField(help_text="Messages of the period.")
    selected = serializers.IntegerField(help_text="Messages that were read.")
    without_body = serializers.IntegerField(help_text="Messages that cannot be read any more.")
    notes = serializers.SerializerMethodField(help_text="What the check left out, in words.")
    summary = serializers.DictField(
        help_text="orders, affected, newly_parked, newly_read, other_reason, tags and kpis."
    )
    version_before = serializers.IntegerField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)
    promoted_at = Rfc3339Field(allow_null=True)
    promotion_replay = serializers.CharField(source="promotion_replay_id", allow_null=True)
    rolled_back_at = Rfc3339Field(allow_null=True)
    rollback_replay = serializers.CharField(source="rollback_replay_id", allow_null=True)

    def get_notes(self, check: ReleaseCheck) -> list[str]:
        """What the check left out."""
        return results.limit_sentences(check)


class OrderDifferenceSerializer(PermissionFilteredSerializer):
    """One difference of an order."""

    kind = serializers.CharField()
    item = serializers.CharField()
    field = serializers.CharField()
    change = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()


class ReleaseCheckOrderSerializer(PermissionFilteredSerializer):
    """An order that differs. `order` is null if it would be new."""

    position = serializers.IntegerField()
    order = serializers.CharField(source="object_id", allow_null=True)
    number = serializers.CharField()
    identity = serializers.CharField(help_text="What becomes of its numbers, in words.")
    tags = serializers.ListField(child=serializers.CharField())
    differences = serializers.SerializerMethodField()
    messages = serializers.ListField(child=serializers.CharField(), source="message_ids")

    @extend_schema_field(OrderDifferenceSerializer(many=True))
    def get_differences(self, row: ReleaseCheckOrder) -> list[dict[str, Any]]:
        """The differences of the order."""
        return [
            serialize(OrderDifferenceSerializer, each) for each in results.differences_of_order(row)
        ]


class ReleaseCheckMessageSerializer(PermissionFilteredSerializer):
    """A message that would be parked otherwise than today."""

    message = serializers.CharField(source="message_id")
    change = serializers.CharField()
    reason_before = serializers.CharField()
    detail_before = serializers.CharField()
    reason = serializers.CharField()
    detail = serializers.CharField()


class ReleaseCheckApiView(ApiView):
    """Base of the endpoints of checks."""

    required_permissions: tuple[Permission, ...] = (
        Permission.SOURCES_EDIT,
        Permission.MESSAGE_BODIES,
    )


@extend_schema_view(get=extend_schema(operation_id="release_checks"))
class ReleaseCheckListView(ApiListView, ReleaseCheckApiView):
    """List the checks, newest first."""

    http_method_names = ["get", "head", "post"]
    query_parameters = PAGING
    serializer_class = ReleaseCheckSerializer

    def get_queryset(self) -> Any:
        """The checks."""
        return results.all_checks()

    @extend_schema(
        operation_id="release_check_create",
        request=NewReleaseCheckBody,
        responses={202: ReleaseCheckSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Request a check. Nothing changes; the result is ready within seconds to minutes."""
        body = read_body(request)

        def do() -> ApiResponse:
            values: dict[str, Any] = parse_body(NewReleaseCheckBody, body)
            slug = values.get("manifest")
            try:
                check = request_check(
                    source_or_404(values["source"]),
                    manifest_or_404(slug).manifest if slug else None,
                    since=values.get("since"),
                    until=values.get("until"),
                    by=current_user(request),
                    now=database_now(),
                )
            except CannotCheck as error:
                raise InvalidInput(error.field, str(error)) from error
            return ApiResponse.with_json_body(serialize(ReleaseCheckSerializer, check), status=202)

        response = run_idempotently(request, body, do)
        job_functions.ask_worker_to_run_job_now(JOB)
        return response


class ReleaseCheckView(ReleaseCheckApiView):
    """`/release-checks/<id>`."""

    @extend_schema(operation_id="release_check", responses=ReleaseCheckSerializer)
    def get(self, request: Request, check_id: int) -> Response:
        """Retrieve how far a check is, and the sums of its result."""
        return Response(serialize(ReleaseCheckSerializer, check_or_404(check_id)))


@extend_schema_view(get=extend_schema(operation_id="release_check_orders"))
class ReleaseCheckOrderListView(ApiListView, ReleaseCheckApiView):
    """List the orders that differ, with their differences."""

    query_parameters = (*PAGING, TAG)
    serializer_class = ReleaseCheckOrderSerializer

    def get_queryset(self) -> Any:
        """The orders of the check in the address."""
        return results.check_orders(
            check_or_404(self.kwargs["check_id"]), self.params.get("tag", "")
        )


@extend_schema_view(get=extend_schema(operation_id="release_check_messages"))
class ReleaseCheckMessageListView(ApiListView, ReleaseCheckApiView):
    """List the messages that would be parked otherwise than today."""

    query_parameters = (*PAGING, CHANGE)
    serializer_class = ReleaseCheckMessageSerializer

    def get_queryset(self) -> Any:
        """The messages of the check in the address."""
        check = check_or_404(self.kwargs["check_id"])
        return results.check_messages(check, self.params.get("change", ""))


class CancelReleaseCheckView(ReleaseCheckApiView):
    """`POST /release-checks/<id>/cancel`."""

    @extend_schema(
        operation_id="release_check_cancel", request=EmptyBody, responses=ReleaseCheckSerializer
    )
    def post(self, request: Request, check_id: int) -> HttpResponse:
        """Cancel a check that waits or runs. Returns 409 if it has ended."""
        check, body = check_or_404(check_id), read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            if not cancel_check(check, by=current_user(request), now=database_now()):
                raise ConflictError("The check has ended.")
            return _answer(check_id)

        return run_idempotently(request, body, do)


class PromoteReleaseCheckView(ReleaseCheckApiView):
    """`POST /release-checks/<id>/promote`."""

    required_permissions = (Permission.SOURCES_EDIT, Permission.PARKED_REPLAY)

    @extend_schema(
        operation_id="release_check_promote",
        request=ConfirmMessagesBody,
        responses={202: ReleaseCheckSerializer},
    )
    def post(self, request: Request, check_id: int) -> HttpResponse:
        """Publish the draft that was checked, and read the messages of the check again."""
        return _confirm_and_run(request, check_id, promote_check)


class RollBackReleaseCheckView(ReleaseCheckApiView):
    """`POST /release-checks/<id>/rollback`."""

    required_permissions = (Permission.SOURCES_EDIT, Permission.PARKED_REPLAY)

    @extend_schema(
        operation_id="release_check_roll_back",
        request=ConfirmMessagesBody,
        responses={202: ReleaseCheckSerializer},
    )
    def post(self, request: Request, check_id: int) -> HttpResponse:
        """Make the version before the promotion live, and read the messages again with it."""
        return _confirm_and_run(request, check_id, roll_back_check)


def _confirm_and_run(request: Request, check_id: int, run: Any) -> HttpResponse:
    check, body = check_or_404(check_id), read_body(request)

    def do() -> ApiResponse:
        messages = parse_body(ConfirmMessagesBody, body)["messages"]
        try:
            run(check, messages=messages, by=current_user(request), now=database_now())
        except CannotPromote as error:
            raise ConflictError(str(error)) from error
        return _answer(check_id, status=202)

    response = run_idempotently(request, body, do)
    job_functions.ask_worker_to_run_job_now("process")
    return response


def _answer(check_id: int, *, status: int = 200) -> ApiResponse:
    content = serialize(ReleaseCheckSerializer, check_or_404(check_id))
    return ApiResponse.with_json_body(content, status=status)
