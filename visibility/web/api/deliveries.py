"""Endpoints of the delivery log of a subscription."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request

from visibility.db.database_time import database_now
from visibility.models import DeliveryAttempt, Subscription
from visibility.notify.change_and_test_subscriptions import (
    UnknownSubscription,
    load_subscription_not_removed,
)
from visibility.notify.delivery_log import CannotResend, resend_message
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import PermissionFilteredSerializer, Rfc3339Field
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import ApiResponse, ConflictError
from visibility.web.api.request_body_serializers import EmptyBody, parse_body, read_body
from visibility.web.permissions import Permission


class DeliveryAttemptSerializer(PermissionFilteredSerializer):
    """An attempt to send a message. `number`: from 1, and 0 for a test message."""

    id = serializers.IntegerField(source="pk")
    message_id = serializers.UUIDField()
    at = Rfc3339Field()
    number = serializers.IntegerField()
    alerts = serializers.IntegerField()
    accepted = serializers.BooleanField(source="is_accepted")
    code = serializers.CharField()
    answer = serializers.CharField()


class ResendResultSerializer(PermissionFilteredSerializer):
    """How many notifications will be sent again, in one message."""

    notifications = serializers.IntegerField()


@extend_schema_view(get=extend_schema(operation_id="subscription_deliveries"))
class DeliveryLogView(ApiListView):
    """List the attempts to send messages of a subscription, newest first."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.SUBSCRIPTIONS_SEE,)
    query_parameters = PAGING
    serializer_class = DeliveryAttemptSerializer

    def get_queryset(self) -> Any:
        """The attempts, loaded page by page."""
        subscription = _subscription_or_404(self.kwargs["subscription_id"])
        attempts = DeliveryAttempt.objects.filter(subscription=subscription).order_by("-pk")

        def load(limit: int, before: int = 0) -> list[DeliveryAttempt]:
            return list((attempts.filter(pk__lt=before) if before else attempts)[:limit])

        return KeysetRowLoader(load, lambda attempt: [attempt.pk])


class ResendView(ApiView):
    """`POST /subscriptions/<id>/deliveries/<attempt>/resend`."""

    http_method_names = ["post"]
    required_permissions = (Permission.SUBSCRIPTIONS_EDIT,)

    @extend_schema(
        operation_id="delivery_resend", request=EmptyBody, responses=ResendResultSerializer
    )
    def post(self, request: Request, subscription_id: int, attempt_id: int) -> HttpResponse:
        """Send the message of an attempt again, with the same id."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            subscription = _subscription_or_404(subscription_id)
            try:
                queued = resend_message(
                    subscription, attempt_id, by=current_user(request), now=database_now()
                )
            except CannotResend as error:
                raise ConflictError(str(error)) from error
            return ApiResponse.with_json_body({"notifications": queued})

        return run_idempotently(request, body, do)


def _subscription_or_404(number: int) -> Subscription:
    try:
        return load_subscription_not_removed(number)
    except UnknownSubscription:
        raise Http404 from None
