"""Endpoints of the alert inbox: list, detail, actions and bulk actions."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.clock import database_now
from visibility.models import Alert, AlertState, Severity
from visibility.notify.broadcast import publish_change
from visibility.screens.alerts.inbox import visible_alerts
from visibility.web.api.alert_actions import (
    ACTION_PERMISSIONS,
    apply_api_action,
    validate_action_fields,
)
from visibility.web.api.alert_serializers import AlertDetailSerializer, BulkResponseSerializer
from visibility.web.api.base import ApiView, current_user, sees_only_sources, user_permissions
from visibility.web.api.common_serializers import (
    AlertHistorySerializer,
    AlertSerializer,
    serialize,
    serialize_all,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, KeysetPage, page_serializer, parse_cursor_time
from visibility.web.api.problems import ApiResponse, ConflictError, problem_response
from visibility.web.api.query_params import QueryParameter, enum_param, openapi_params, parse_query
from visibility.web.api.requests import (
    MAX_ID,
    AssignBody,
    BulkActionBody,
    NoteBody,
    RequestBody,
    RequiredNoteBody,
    SnoozeBody,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission

MAX_HISTORY = 200
LIST_PARAMETERS = (
    enum_param("state", "Alert state.", AlertState),
    enum_param("severity", "Alert severity.", Severity),
    QueryParameter("rule", "Code of the SLA rule."),
    QueryParameter("team", "Team that owns the alert."),
    *PAGING,
)
FILTER_FIELDS = {"state": "state", "severity": "severity", "rule": "rule__code", "team": "team"}


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
        page = KeysetPage("alerts", params)
        alerts = visible_alerts(sources_only=sees_only_sources(request)).select_related(
            *AlertSerializer.related_fields
        )
        alerts = alerts.filter(
            **{FILTER_FIELDS[name]: params[name] for name in FILTER_FIELDS if name in params}
        )
        if after := page.cursor_values:
            due = parse_cursor_time(after[0])
            alerts = alerts.filter(Q(due_at__lt=due) | Q(pk__lt=after[1]), due_at__lte=due)
        rows = list(alerts.order_by("-due_at", "-pk")[: page.size + 1])
        shown = rows[: page.size]
        next_cursor = None
        if len(rows) > page.size:
            next_cursor = page.encode_cursor(shown[-1].due_at.isoformat(), shown[-1].pk)
        items = serialize_all(AlertSerializer, shown, permissions=user_permissions(request))
        return Response(page.content(items, next_cursor))


class AlertDetailView(ApiView):
    """`GET /alerts/<id>`."""

    required_permissions = (Permission.ALERTS_SEE,)

    @extend_schema(operation_id="alert", responses=AlertDetailSerializer)
    def get(self, request: Request, alert_id: int) -> Response:
        """Retrieve an alert with its history, newest entry first."""
        parse_query(request, ())
        alert = _alert_or_404(request, alert_id)
        entries = alert.entries.select_related("user").order_by("-at", "-pk")[:MAX_HISTORY]
        return Response(
            serialize(AlertSerializer, alert, permissions=user_permissions(request))
            | {"history": serialize_all(AlertHistorySerializer, entries)}
        )


class AlertActionView(ApiView):
    """Base of the `POST /alerts/<id>/<action>` endpoints."""

    action: ClassVar[str]
    body_type: ClassVar[type[RequestBody]]

    def run_alert_action(self, request: Request, alert_id: int) -> HttpResponse:
        """Run the action once per Idempotency-Key and return the updated alert."""
        parse_query(request, ())
        body = read_body(request)

        def do() -> ApiResponse:
            fields = parse_body(self.body_type, body)
            _alert_or_404(request, alert_id)
            with transaction.atomic():
                apply_api_action(
                    self.action,
                    alert_id,
                    by=current_user(request),
                    fields=fields,
                    now=database_now(),
                )
                _broadcast_after_commit()
            alert = _alert_or_404(request, alert_id)
            return ApiResponse.from_json(
                serialize(AlertSerializer, alert, permissions=user_permissions(request))
            )

        return run_idempotently(request, body, do)


class AcknowledgeAlertView(AlertActionView):
    """`POST /alerts/<id>/acknowledge`."""

    action, body_type, required_permissions = (
        "acknowledge",
        NoteBody,
        (ACTION_PERMISSIONS["acknowledge"],),
    )

    @extend_schema(operation_id="alert_acknowledge", request=NoteBody, responses=AlertSerializer)
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Acknowledge an alert. An unassigned alert is assigned to you."""
        return self.run_alert_action(request, alert_id)


class AssignAlertView(AlertActionView):
    """`POST /alerts/<id>/assign`."""

    action, body_type, required_permissions = "assign", AssignBody, (ACTION_PERMISSIONS["assign"],)

    @extend_schema(operation_id="alert_assign", request=AssignBody, responses=AlertSerializer)
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Assign an alert to a user who may act on it, or unassign it."""
        return self.run_alert_action(request, alert_id)


class SnoozeAlertView(AlertActionView):
    """`POST /alerts/<id>/snooze`."""

    action, body_type, required_permissions = "snooze", SnoozeBody, (ACTION_PERMISSIONS["snooze"],)

    @extend_schema(operation_id="alert_snooze", request=SnoozeBody, responses=AlertSerializer)
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Snooze an alert until a time at most 90 days ahead."""
        return self.run_alert_action(request, alert_id)


class ResolveAlertView(AlertActionView):
    """`POST /alerts/<id>/resolve`."""

    action, body_type, required_permissions = (
        "resolve",
        RequiredNoteBody,
        (ACTION_PERMISSIONS["resolve"],),
    )

    @extend_schema(
        operation_id="alert_resolve", request=RequiredNoteBody, responses=AlertSerializer
    )
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Resolve an alert with its cause. It reopens while the SLA is still breached."""
        return self.run_alert_action(request, alert_id)


class AddAlertNoteView(AlertActionView):
    """`POST /alerts/<id>/note`."""

    action, body_type, required_permissions = (
        "note",
        RequiredNoteBody,
        (ACTION_PERMISSIONS["note"],),
    )

    @extend_schema(operation_id="alert_note", request=RequiredNoteBody, responses=AlertSerializer)
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Add a note to an alert's history."""
        return self.run_alert_action(request, alert_id)


class BulkAlertView(ApiView):
    """`POST /alerts/bulk`."""

    required_permissions = (Permission.ALERTS_NOTE,)

    @extend_schema(
        operation_id="alerts_bulk",
        request=BulkActionBody,
        responses={200: BulkResponseSerializer, 207: BulkResponseSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Apply one action to up to 200 alerts. Returns 207 if some of them were rejected."""
        parse_query(request, ())
        body = read_body(request)

        def do() -> ApiResponse:
            fields = parse_body(BulkActionBody, body)
            what = fields.pop("action")
            self.required_permissions = (ACTION_PERMISSIONS[what],)
            self.check_permissions(request)
            ids = list(dict.fromkeys(fields.pop("ids")))
            results = _apply_to_each(what, ids, request, validate_action_fields(what, fields))
            status = 200 if all(result["status"] == 200 for result in results) else 207
            return ApiResponse.from_json({"results": results}, status=status)

        return run_idempotently(request, body, do)


def _apply_to_each(
    action: str, ids: Sequence[int], request: Request, fields: Mapping[str, Any]
) -> list[dict[str, Any]]:
    now, results = database_now(), []
    with transaction.atomic():
        # Lock all rows first, in id order, so that concurrent bulk requests cannot deadlock.
        alerts = (
            visible_alerts(sources_only=sees_only_sources(request))
            .filter(pk__in=ids)
            .order_by("pk")
        )
        visible_ids = {alert.pk for alert in alerts.select_for_update(of=("self",))}
        for alert_id in ids:
            try:
                if alert_id not in visible_ids:
                    raise Http404
                with transaction.atomic():
                    alert = apply_api_action(
                        action, alert_id, by=current_user(request), fields=fields, now=now
                    )
            except (Http404, ConflictError) as refused:
                problem = problem_response(refused)
                detail = "This alert does not exist."
                detail = detail if problem.status == 404 else str(refused)
                results.append({"id": alert_id, "status": problem.status, "detail": detail})
            else:
                results.append({"id": alert_id, "status": 200, "state": str(alert.state)})
        if any(result["status"] == 200 for result in results):
            _broadcast_after_commit()
    return results


def _broadcast_after_commit() -> None:
    """Notify open pages after the commit. A lost notification delays them by two seconds."""
    transaction.on_commit(lambda: publish_change(0, ["alert"]), robust=True)


def _alert_or_404(request: Request, alert_id: int) -> Alert:
    """The alert, if this user may see it. Raises Http404."""
    alerts = visible_alerts(sources_only=sees_only_sources(request)).select_related(
        *AlertSerializer.related_fields
    )
    alert = alerts.filter(pk=alert_id).first() if alert_id <= MAX_ID else None
    if alert is None:
        raise Http404
    return alert
