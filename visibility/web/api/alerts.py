"""Endpoints of the alert inbox: list and detail."""

from django.db.models import Q
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.models import Alert, AlertState, Severity
from visibility.screens.alerts.inbox import visible_alerts
from visibility.sla.rule import RuleSubject
from visibility.web.api.alert_serializers import AlertDetailSerializer
from visibility.web.api.base import ApiView, is_integrator_only, user_permissions
from visibility.web.api.common_serializers import (
    AlertHistorySerializer,
    AlertSerializer,
    serialize,
    serialize_all,
)
from visibility.web.api.pagination import (
    PAGING,
    KeysetPageRequest,
    page_serializer,
    parse_cursor_time,
)
from visibility.web.api.query_params import QueryParameter, enum_param, openapi_params, parse_query
from visibility.web.api.request_bodies import (
    MAX_ID,
)
from visibility.web.permissions import Permission

MAX_HISTORY = 200
LIST_PARAMETERS = (
    enum_param("state", "Alert state.", AlertState),
    enum_param("severity", "Alert severity.", Severity),
    QueryParameter("rule", "Code of the SLA rule."),
    enum_param("subject_kind", "What the alert is about.", RuleSubject),
    QueryParameter("team", "Title or slug of the team that owns the alert."),
    *PAGING,
)
FILTER_FIELDS = {
    "state": "state",
    "severity": "severity",
    "rule": "rule__code",
    "subject_kind": "subject_kind",
}


class AlertListView(ApiView):
    """`GET /alerts`."""

    required_permissions = (Permission.ALERTS_SEE,)

    @extend_schema(
        operation_id="alerts",
        parameters=openapi_params(LIST_PARAMETERS),
        responses=page_serializer("Alerts", AlertSerializer(many=True)),
    )
    def get(self, request: Request) -> Response:
        """List alerts, latest due time first."""
        params = parse_query(request, LIST_PARAMETERS)
        page = KeysetPageRequest("alerts", params)
        alerts = visible_alerts(sources_only=is_integrator_only(request)).select_related(
            *AlertSerializer.related_fields
        )
        alerts = alerts.filter(
            **{FILTER_FIELDS[name]: params[name] for name in FILTER_FIELDS if name in params}
        )
        if "team" in params:
            team = params["team"]
            alerts = alerts.filter(Q(team=team) | Q(owner_team__slug=team))
        if after := page.decoded_cursor:
            due = parse_cursor_time(after[0])
            alerts = alerts.filter(Q(due_at__lt=due) | Q(pk__lt=after[1]), due_at__lte=due)
        rows = list(alerts.order_by("-due_at", "-pk")[: page.size + 1])
        shown = rows[: page.size]
        next_cursor = None
        if len(rows) > page.size:
            next_cursor = page.encode_cursor(shown[-1].due_at.isoformat(), shown[-1].pk)
        items = serialize_all(AlertSerializer, shown, permissions=user_permissions(request))
        return Response(page.build_page_content(items, next_cursor))


class AlertDetailView(ApiView):
    """`GET /alerts/<id>`."""

    required_permissions = (Permission.ALERTS_SEE,)

    @extend_schema(operation_id="alert", responses=AlertDetailSerializer)
    def get(self, request: Request, alert_id: int) -> Response:
        """Retrieve an alert with its history, newest entry first."""
        parse_query(request, ())
        alert = visible_alert_or_404(request, alert_id)
        entries = alert.entries.select_related("user").order_by("-at", "-pk")[:MAX_HISTORY]
        return Response(
            serialize(AlertSerializer, alert, permissions=user_permissions(request))
            | {"history": serialize_all(AlertHistorySerializer, entries)}
        )


def visible_alert_or_404(request: Request, alert_id: int) -> Alert:
    """The alert, if this user may see it. Raises Http404."""
    alerts = visible_alerts(sources_only=is_integrator_only(request)).select_related(
        *AlertSerializer.related_fields
    )
    alert = alerts.filter(pk=alert_id).first() if alert_id <= MAX_ID else None
    if alert is None:
        raise Http404
    return alert
