"""Endpoints of subscriptions and of the channels that they can use."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.notify import change_and_test_subscriptions
from visibility.notify.change_and_test_subscriptions import (
    InvalidSubscription,
    UnknownSubscription,
)
from visibility.notify.check_selection import SubscriptionChange
from visibility.screens.subscriptions import load_subscription_summaries as subscription_queries
from visibility.screens.subscriptions.load_subscription_summaries import SubscriptionSummary
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    serialize,
    serialize_all,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import ApiResponse
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    parse_body,
    read_body,
)
from visibility.web.api.subscription_serializers import (
    ChannelListSerializer,
    ChannelSerializer,
    InvalidSubscriptionInput,
    SubscriptionBody,
    SubscriptionChangeBody,
    SubscriptionSerializer,
    SubscriptionTestResultSerializer,
)
from visibility.web.permissions import Permission


@extend_schema_view(get=extend_schema(operation_id="subscriptions"))
class SubscriptionListView(ApiListView):
    """List the subscriptions in the order in which they were added."""

    http_method_names = ["get", "head", "post"]
    query_parameters = PAGING
    serializer_class = SubscriptionSerializer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.required_permissions = (permission_for(request),)
        super().initial(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        """The subscriptions, loaded page by page."""
        return KeysetRowLoader(
            lambda limit, after=0: subscription_queries.list_subscriptions(
                after=after, limit=limit
            ),
            lambda summary: [summary.subscription.pk],
        )

    @extend_schema(
        operation_id="subscription_add",
        request=SubscriptionBody,
        responses={201: SubscriptionSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Add a subscription of the signed-in user."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(SubscriptionBody, body)
            channel = values.pop("channel")
            try:
                created = change_and_test_subscriptions.add_subscription(
                    channel,
                    subscription_change_from_body(values),
                    by=current_user(request),
                    now=database_now(),
                )
            except InvalidSubscription as error:
                raise InvalidSubscriptionInput(error) from error
            return ApiResponse.with_json_body(_serialize_subscription(created.pk), status=201)

        return run_idempotently(request, body, do)


class SubscriptionView(ApiView):
    """`/subscriptions/<id>`."""

    http_method_names = ["get", "head", "patch", "delete"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.required_permissions = (permission_for(request),)
        super().initial(request, *args, **kwargs)

    @extend_schema(operation_id="subscription", responses=SubscriptionSerializer)
    def get(self, request: Request, subscription_id: int) -> Response:
        """Retrieve a subscription."""
        return Response(_serialize_subscription(subscription_id))

    @extend_schema(
        operation_id="subscription_change",
        request=SubscriptionChangeBody,
        responses=SubscriptionSerializer,
    )
    def patch(self, request: Request, subscription_id: int) -> HttpResponse:
        """Change a subscription. Fields and settings that are not given stay."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(SubscriptionChangeBody, body)
            _summary_or_404(subscription_id)
            try:
                change_and_test_subscriptions.change_subscription(
                    subscription_id,
                    subscription_change_from_body(values),
                    by=current_user(request),
                    now=database_now(),
                )
            except InvalidSubscription as error:
                raise InvalidSubscriptionInput(error) from error
            return ApiResponse.with_json_body(_serialize_subscription(subscription_id))

        return run_idempotently(request, body, do)

    @extend_schema(
        operation_id="subscription_remove",
        request=EmptyBody,
        responses={200: SubscriptionSerializer},
    )
    def delete(self, request: Request, subscription_id: int) -> HttpResponse:
        """Remove a subscription and its secrets. Returns it as it was."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            removed = _serialize_subscription(subscription_id)
            change_and_test_subscriptions.remove_subscription(
                subscription_id, by=current_user(request), now=database_now()
            )
            return ApiResponse.with_json_body(removed)

        return run_idempotently(request, body, do)


class SubscriptionTestView(ApiView):
    """`POST /subscriptions/<id>/test`."""

    required_permissions = (Permission.SUBSCRIPTIONS_EDIT,)

    @extend_schema(
        operation_id="subscription_test",
        request=EmptyBody,
        responses=SubscriptionTestResultSerializer,
    )
    def post(self, request: Request, subscription_id: int) -> HttpResponse:
        """Send a test message now. `accepted` is true only if a server accepted it."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            _summary_or_404(subscription_id)
            result = change_and_test_subscriptions.send_test_message(
                subscription_id, by=current_user(request), now=database_now()
            )
            return ApiResponse.with_json_body(serialize(SubscriptionTestResultSerializer, result))

        return run_idempotently(request, body, do)


class ChannelListView(ApiView):
    """`GET /channels`."""

    required_permissions = (Permission.SUBSCRIPTIONS_SEE,)

    @extend_schema(operation_id="channels", responses=ChannelListSerializer)
    def get(self, request: Request) -> Response:
        """List the channels with the settings that they declare."""
        return Response(
            {"items": serialize_all(ChannelSerializer, subscription_queries.list_channels())}
        )


def permission_for(request: Request) -> Permission:
    """The permission to read, or to change, subscriptions."""
    is_read = request.method in {"GET", "HEAD"}
    return Permission.SUBSCRIPTIONS_SEE if is_read else Permission.SUBSCRIPTIONS_EDIT


def subscription_change_from_body(values: dict[str, Any]) -> SubscriptionChange:
    """The change of a validated body. A rule of null means all rules."""
    for name in ("rule", "team", "quiet_from", "quiet_until", "digest_at"):
        if name in values:
            values[name] = values[name] or ""
    return SubscriptionChange(**values)


def _summary_or_404(number: int) -> SubscriptionSummary:
    try:
        return subscription_queries.summarize_subscription(
            change_and_test_subscriptions.load_subscription_not_removed(number)
        )
    except UnknownSubscription:
        raise Http404 from None


def _serialize_subscription(number: int) -> dict[str, Any]:
    return serialize(SubscriptionSerializer, _summary_or_404(number))
