"""Endpoints of the notifications of the person who is signed in."""

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.models import Subscription
from visibility.notify.change_and_test_subscriptions import InvalidSubscription, send_test_message
from visibility.notify.own_notifications import change_own_notifications, own_subscription
from visibility.screens.subscriptions.load_subscription_summaries import summarize_subscription
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import PermissionFilteredSerializer, serialize
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, ConflictError
from visibility.web.api.request_body_serializers import EmptyBody, parse_body, read_body
from visibility.web.api.subscription_serializers import (
    InvalidSubscriptionInput,
    SubscriptionChangeBody,
    SubscriptionSerializer,
    SubscriptionTestResultSerializer,
)
from visibility.web.api.subscriptions import subscription_change_from_body
from visibility.web.permissions import Permission


class OwnNotificationsSerializer(PermissionFilteredSerializer):
    """The subscription to the address of the own account; null until it is saved."""

    subscription = SubscriptionSerializer(allow_null=True)


class OwnNotificationsBody(SubscriptionChangeBody):
    """The fields to change. The address is that of the account, and there is no team."""

    settings = None  # type: ignore[assignment]  # removes the field
    team = None  # type: ignore[assignment]  # removes the field


class OwnNotificationsView(ApiView):
    """`/notifications`."""

    http_method_names = ["get", "head", "patch"]
    required_permissions = (Permission.ALERTS_SEE,)

    @extend_schema(operation_id="own_notifications", responses=OwnNotificationsSerializer)
    def get(self, request: Request) -> Response:
        """Retrieve which alerts are emailed to you."""
        return Response(_serialize_own(own_subscription(current_user(request))))

    @extend_schema(
        operation_id="own_notifications_change",
        request=OwnNotificationsBody,
        responses=OwnNotificationsSerializer,
    )
    def patch(self, request: Request) -> HttpResponse:
        """Change which alerts are emailed to you, and when. Fields that are not given stay."""
        body = read_body(request)

        def do() -> ApiResponse:
            change = subscription_change_from_body(parse_body(OwnNotificationsBody, body))
            user = current_user(request)
            try:
                change_own_notifications(user, change, now=database_now())
            except InvalidSubscription as error:
                raise InvalidSubscriptionInput(error) from error
            return ApiResponse.with_json_body(_serialize_own(own_subscription(user)))

        return run_idempotently(request, body, do)


class OwnNotificationsTestView(ApiView):
    """`POST /notifications/test`."""

    http_method_names = ["post"]
    required_permissions = (Permission.ALERTS_SEE,)

    @extend_schema(
        operation_id="own_notifications_test",
        request=EmptyBody,
        responses=SubscriptionTestResultSerializer,
    )
    def post(self, request: Request) -> HttpResponse:
        """Send a test message to the address of your account."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            user = current_user(request)
            stored = own_subscription(user)
            if stored is None:
                raise ConflictError("Save your notifications first.")
            result = send_test_message(stored.pk, by=user, now=database_now())
            return ApiResponse.with_json_body(serialize(SubscriptionTestResultSerializer, result))

        return run_idempotently(request, body, do)


def _serialize_own(stored: Subscription | None) -> dict[str, object]:
    summary = summarize_subscription(stored) if stored else None
    return {"subscription": serialize(SubscriptionSerializer, summary) if summary else None}
