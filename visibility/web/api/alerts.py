"""Endpoints of the alert inbox: list and detail."""

from django.db.models import Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.models import Alert, AlertState, Severity
from visibility.screens.alerts.alert_columns import ALERT_LIST
from visibility.screens.alerts.grouping import alerts_in_group
from visibility.screens.alerts.inbox import annotate_sort_keys, visible_alerts
from visibility.screens.lists.list_definition import SORT_PARAMETER
from visibility.sla.rule import RuleSubject
from visibility.web.api.alert_detail_bulk_serializers import AlertDetailSerializer
from visibility.web.api.base import ApiView, is_integrator_only, user_permissions
from visibility.web.api.common_serializers import (
    AlertHistorySerializer,
    AlertSerializer,
    serialize,
    serialize_all,
)
from visibility.web.api.list_export import SortableApiListView, sort_parameter
from visibility.web.api.pagination import PAGING
from visibility.web.api.query_params import QueryParameter, enum_param
from visibility.web.api.request_body_serializers import (
    MAX_ID,
)
from visibility.web.permissions import Permission

MAX_HISTORY = 200
LIST_PARAMETERS = (
    enum_param("state", "Alert state.", AlertState, lookup="state"),
    enum_param("severity", "Alert severity.", Severity, lookup="severity"),
    QueryParameter("rule", "Code of the SLA rule.", lookup="rule__code"),
    enum_param("subject_kind", "What the alert is about.", RuleSubject, lookup="subject_kind"),
    QueryParameter("team", "Title or slug of the team that owns the alert."),
    QueryParameter("group", "Key of a group of `GET /alerts/groups`, whose alerts to list."),
    sort_parameter(ALERT_LIST),
    *PAGING,
)


@extend_schema_view(get=extend_schema(operation_id="alerts"))
class AlertListView(SortableApiListView):
    """List alerts, latest due time first by default."""

    list_definition = ALERT_LIST

    required_permissions = (Permission.ALERTS_SEE,)
    query_parameters = LIST_PARAMETERS
    serializer_class = AlertSerializer

    def get_queryset(self) -> QuerySet[Alert]:
        """The alerts that this user may see."""
        alerts = _visible_alerts(self.request).order_by("-due_at", "-pk")
        if "group" in self.params:
            contacts = Permission.CONTACTS in user_permissions(self.request)
            alerts = alerts_in_group(alerts, self.params["group"], contacts=contacts)
        if SORT_PARAMETER in self.params:
            alerts = annotate_sort_keys(alerts, database_now())
        team = self.params.get("team")
        return alerts.filter(Q(team=team) | Q(owner_team__slug=team)) if team else alerts


class AlertDetailView(ApiView):
    """`GET /alerts/<id>`."""

    required_permissions = (Permission.ALERTS_SEE,)

    @extend_schema(operation_id="alert", responses=AlertDetailSerializer)
    def get(self, request: Request, alert_id: int) -> Response:
        """Retrieve an alert with its history, newest entry first."""
        alert = visible_alert_or_404(request, alert_id)
        entries = alert.entries.select_related("user").order_by("-at", "-pk")[:MAX_HISTORY]
        return Response(
            serialize(AlertSerializer, alert, permissions=user_permissions(request))
            | {"history": serialize_all(AlertHistorySerializer, entries)}
        )


def visible_alert_or_404(request: Request, alert_id: int) -> Alert:
    """The alert, if this user may see it. Raises Http404."""
    alert = _visible_alerts(request).filter(pk=alert_id).first() if alert_id <= MAX_ID else None
    if alert is None:
        raise Http404
    return alert


def _visible_alerts(request: Request) -> QuerySet[Alert]:
    return visible_alerts(sources_only=is_integrator_only(request)).select_related(
        *AlertSerializer.related_fields
    )
