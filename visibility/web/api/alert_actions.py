"""Endpoints that act on alerts, one alert or many at a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from visibility.alerts.actions import ActionRejected
from visibility.db.database_time import database_now
from visibility.models import Alert
from visibility.notify.publish_change_number import broadcast_change_number
from visibility.screens.alerts.inbox import visible_alerts
from visibility.web.alert_actions import (
    ALERT_ACTIONS,
    ActionFields,
    InvalidActionField,
    apply_alert_action,
    require_assignable,
    require_note_unless_optional,
)
from visibility.web.api.alert_detail_bulk_serializers import BulkResponseSerializer
from visibility.web.api.alerts import visible_alert_or_404
from visibility.web.api.base import ApiView, current_user, is_integrator_only, user_permissions
from visibility.web.api.common_serializers import (
    AlertSerializer,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import (
    ApiResponse,
    ConflictError,
    InvalidInput,
    problem_response_for_exception,
)
from visibility.web.api.request_body_serializers import (
    AssignBody,
    BulkActionBody,
    OptionalNoteBody,
    RequestBody,
    RequiredNoteBody,
    SnoozeBody,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission


class AlertActionView(ApiView):
    """Base of the `POST /alerts/<id>/<action>` endpoints."""

    action: ClassVar[str]
    body_type: ClassVar[type[RequestBody]]

    def run_alert_action(self, request: Request, alert_id: int) -> HttpResponse:
        """Run the action once per Idempotency-Key and return the updated alert."""
        body = read_body(request)

        def do() -> ApiResponse:
            fields = parse_action_fields(self.action, parse_body(self.body_type, body), request)
            visible_alert_or_404(request, alert_id)
            with transaction.atomic():
                _apply_or_raise_api_error(
                    self.action, alert_id, request, fields=fields, now=database_now()
                )
                _broadcast_change_after_commit()
            alert = visible_alert_or_404(request, alert_id)
            return ApiResponse.with_json_body(
                serialize(AlertSerializer, alert, permissions=user_permissions(request))
            )

        return run_idempotently(request, body, do)


class AcknowledgeAlertView(AlertActionView):
    """`POST /alerts/<id>/acknowledge`."""

    action, body_type = "acknowledge", OptionalNoteBody
    required_permissions = (ALERT_ACTIONS["acknowledge"].permission,)

    @extend_schema(
        operation_id="alert_acknowledge", request=OptionalNoteBody, responses=AlertSerializer
    )
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Acknowledge an alert. An unassigned alert is assigned to you."""
        return self.run_alert_action(request, alert_id)


class AssignAlertView(AlertActionView):
    """`POST /alerts/<id>/assign`."""

    action, body_type = "assign", AssignBody
    required_permissions = (ALERT_ACTIONS["assign"].permission,)

    @extend_schema(operation_id="alert_assign", request=AssignBody, responses=AlertSerializer)
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Assign an alert to a user who may act on it, or unassign it."""
        return self.run_alert_action(request, alert_id)


class SnoozeAlertView(AlertActionView):
    """`POST /alerts/<id>/snooze`."""

    action, body_type = "snooze", SnoozeBody
    required_permissions = (ALERT_ACTIONS["snooze"].permission,)

    @extend_schema(operation_id="alert_snooze", request=SnoozeBody, responses=AlertSerializer)
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Snooze an alert until a time at most 90 days ahead, or what else ends it."""
        return self.run_alert_action(request, alert_id)


class EscalateAlertView(AlertActionView):
    """`POST /alerts/<id>/escalate`."""

    action, body_type = "escalate", RequiredNoteBody
    required_permissions = (ALERT_ACTIONS["escalate"].permission,)

    @extend_schema(
        operation_id="alert_escalate", request=RequiredNoteBody, responses=AlertSerializer
    )
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Raise the severity of an alert by one level, and notify its subscribers."""
        return self.run_alert_action(request, alert_id)


class ResolveAlertView(AlertActionView):
    """`POST /alerts/<id>/resolve`."""

    action, body_type = "resolve", RequiredNoteBody
    required_permissions = (ALERT_ACTIONS["resolve"].permission,)

    @extend_schema(
        operation_id="alert_resolve", request=RequiredNoteBody, responses=AlertSerializer
    )
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Resolve an alert with its cause. It reopens while the SLA is still breached."""
        return self.run_alert_action(request, alert_id)


class AddAlertNoteView(AlertActionView):
    """`POST /alerts/<id>/note`."""

    action, body_type = "note", RequiredNoteBody
    required_permissions = (ALERT_ACTIONS["note"].permission,)

    @extend_schema(operation_id="alert_note", request=RequiredNoteBody, responses=AlertSerializer)
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Add a note to an alert's history."""
        return self.run_alert_action(request, alert_id)


class BulkAlertActionView(ApiView):
    """`POST /alerts/bulk`."""

    required_permissions = (Permission.ALERTS_NOTE,)

    @extend_schema(
        operation_id="alerts_bulk",
        request=BulkActionBody,
        responses={200: BulkResponseSerializer, 207: BulkResponseSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Apply one action to up to 200 alerts. Returns 207 if some of them were rejected."""
        body = read_body(request)

        def do() -> ApiResponse:
            fields = parse_body(BulkActionBody, body)
            what = fields.pop("action")
            self.required_permissions = (ALERT_ACTIONS[what].permission,)
            self.check_permissions(request)
            ids = list(dict.fromkeys(fields.pop("ids")))
            results = apply_action_to_alerts(
                what, ids, request, parse_action_fields(what, fields, request)
            )
            status = 200 if all(result["status"] == 200 for result in results) else 207
            return ApiResponse.with_json_body({"results": results}, status=status)

        return run_idempotently(request, body, do)


def parse_action_fields(action: str, body: Mapping[str, Any], request: Request) -> ActionFields:
    """The fields of an action from a validated body. Raises InvalidInput."""
    own_field = ALERT_ACTIONS[action].own_field
    for name in ("to", "until"):
        if name in body and name != own_field:
            raise InvalidInput(name, f"`{action}` does not take this field")
    if own_field and own_field not in body:
        raise InvalidInput(own_field, "This field is required.")
    try:
        require_note_unless_optional(action, body["note"])
        owner = _find_owner_by_me_or_user_id(body.get("to"), request)
    except InvalidActionField as error:
        raise InvalidInput(error.field, str(error)) from error
    return ActionFields(note=body["note"], owner=owner, until=body.get("until"))


def _find_owner_by_me_or_user_id(target: int | str | None, request: Request) -> User | None:
    """The user for `me`, an id, or None for nobody. Raises InvalidActionField."""
    if target is None or target == "me":
        return None if target is None else current_user(request)
    return require_assignable(User.objects.filter(pk=target).first())


def _apply_or_raise_api_error(
    action: str, alert_id: int, request: Request, *, fields: ActionFields, now: datetime
) -> Alert:
    """Run the action. Raises ConflictError if the alert's state forbids it, and InvalidInput."""
    try:
        return apply_alert_action(
            action, alert_id, by=current_user(request), fields=fields, now=now
        )
    except InvalidActionField as error:
        raise InvalidInput(error.field, str(error)) from error
    except ActionRejected as rejected:
        raise ConflictError(str(rejected)) from rejected


def apply_action_to_alerts(
    action: str, ids: Sequence[int], request: Request, fields: ActionFields
) -> list[dict[str, Any]]:
    """Run the action on each alert in one transaction; a result for each, refused ones too."""
    now, results = database_now(), []
    with transaction.atomic():
        # Lock all rows first, in id order, so that concurrent bulk requests cannot deadlock.
        alerts = (
            visible_alerts(sources_only=is_integrator_only(request))
            .filter(pk__in=ids)
            .order_by("pk")
        )
        visible_ids = {alert.pk for alert in alerts.select_for_update(of=("self",))}
        for alert_id in ids:
            try:
                if alert_id not in visible_ids:
                    raise Http404
                with transaction.atomic():
                    alert = _apply_or_raise_api_error(
                        action, alert_id, request, fields=fields, now=now
                    )
            except (Http404, ConflictError) as refused:
                problem = problem_response_for_exception(refused)
                detail = "This alert does not exist."
                detail = detail if problem.status == 404 else str(refused)
                results.append({"id": alert_id, "status": problem.status, "detail": detail})
            else:
                results.append({"id": alert_id, "status": 200, "state": str(alert.state)})
        if any(result["status"] == 200 for result in results):
            _broadcast_change_after_commit()
    return results


def _broadcast_change_after_commit() -> None:
    """Notify open pages after the commit. A lost notification delays them by two seconds."""
    transaction.on_commit(lambda: broadcast_change_number(0, ["alert"]), robust=True)
