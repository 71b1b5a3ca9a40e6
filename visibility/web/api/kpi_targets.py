"""Endpoints of the targets of KPIs."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request

from visibility.db.database_time import database_now
from visibility.kpi.change_targets import (
    InvalidKpiTarget,
    KpiTargetValues,
    add_kpi_target,
    end_kpi_target,
)
from visibility.kpi.dimensions import DIMENSIONS
from visibility.kpi.registry import kpi_registry
from visibility.models.kpi_targets import KpiTarget
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    DecimalTextField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView
from visibility.web.api.problem_responses import ApiResponse, InvalidFieldsInput
from visibility.web.api.query_params import QueryParameter
from visibility.web.api.request_body_serializers import RequestBody, parse_body, read_body
from visibility.web.permissions import Permission


class KpiTargetSerializer(PermissionFilteredSerializer):
    """A target on the days `first_day` to `last_day`, null without an end.

    One with `last_day` before `first_day` was replaced or ended before it applied.
    """

    id = serializers.IntegerField(source="pk")
    kpi = serializers.CharField()
    value = DecimalTextField(help_text="A ratio from 0 to 1, or a duration in seconds.")
    dimension = serializers.CharField(
        allow_blank=True, help_text="What it applies to: a dimension; empty for the whole KPI."
    )
    dimension_value = serializers.CharField(
        allow_blank=True, help_text="The value of the dimension, such as `Dallas`."
    )
    first_day = serializers.DateField()
    last_day = serializers.DateField(allow_null=True)
    created_by = UserSerializer()
    created_at = Rfc3339Field()
    ended_by = UserSerializer(allow_null=True)
    ended_at = Rfc3339Field(allow_null=True)


class KpiTargetBody(RequestBody):
    """A new target, a ratio from 0 to 1 or seconds; without a dimension for the whole KPI."""

    kpi = serializers.CharField(max_length=60)
    value = serializers.DecimalField(max_digits=20, decimal_places=6)
    first_day = serializers.DateField()
    dimension = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=20,
        help_text=f"A dimension of the KPI: {', '.join(DIMENSIONS)}.",
    )
    dimension_value = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=250
    )


class KpiTargetEndBody(RequestBody):
    """The last day on which the target applies. Default: yesterday."""

    last_day = serializers.DateField(required=False)


@extend_schema_view(get=extend_schema(operation_id="kpi_targets"))
class KpiTargetListView(ApiListView):
    """List the targets of KPIs that administrators set, past ones too, the newest first."""

    http_method_names = ["get", "head", "post"]
    serializer_class = KpiTargetSerializer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.required_permissions = _permissions(request)
        super().initial(request, *args, **kwargs)

    def declared_query_parameters(self) -> tuple[QueryParameter, ...]:
        """The KPI, for reading."""
        if self.request.method == "POST":
            return ()
        only = QueryParameter("kpi", "Only targets of this KPI.", choices=(*kpi_registry(),))
        return (only, *PAGING)

    def get_queryset(self) -> Any:
        """The targets that the parameters select."""
        targets = KpiTarget.objects.select_related("created_by", "ended_by").order_by("-pk")
        return targets.filter(kpi=self.params["kpi"]) if "kpi" in self.params else targets

    @extend_schema(
        operation_id="kpi_target_add", request=KpiTargetBody, responses={201: KpiTargetSerializer}
    )
    def post(self, request: Request) -> HttpResponse:
        """Add a target. It ends the earlier one of the same scope the day before it begins."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = KpiTargetValues(**parse_body(KpiTargetBody, body))
            try:
                target = add_kpi_target(values, user=current_user(request), now=database_now())
            except InvalidKpiTarget as error:
                raise InvalidFieldsInput(error.errors) from error
            return ApiResponse.with_json_body(serialize(KpiTargetSerializer, target), status=201)

        return run_idempotently(request, body, do)


class KpiTargetView(ApiView):
    """`/kpi-targets/<id>`."""

    http_method_names = ["delete"]
    required_permissions = (Permission.KPIS, Permission.ADMINISTER)

    @extend_schema(
        operation_id="kpi_target_end",
        request=KpiTargetEndBody,
        responses={200: KpiTargetSerializer},
    )
    def delete(self, request: Request, target_id: int) -> HttpResponse:
        """End a target after `last_day`. It stays in the list, and past days keep it."""
        body = read_body(request)

        def do() -> ApiResponse:
            last_day = parse_body(KpiTargetEndBody, body).get("last_day")
            try:
                target = end_kpi_target(
                    target_id, last_day, user=current_user(request), now=database_now()
                )
            except InvalidKpiTarget as error:
                raise InvalidFieldsInput(error.errors) from error
            if target is None:
                raise Http404
            return ApiResponse.with_json_body(serialize(KpiTargetSerializer, target))

        return run_idempotently(request, body, do)


def _permissions(request: Request) -> tuple[Permission, ...]:
    is_read = request.method in {"GET", "HEAD"}
    return (Permission.KPIS,) if is_read else (Permission.KPIS, Permission.ADMINISTER)
