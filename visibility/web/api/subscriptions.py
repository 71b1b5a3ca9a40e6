"""Endpoints of subscriptions and of the channels that they can use."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.settings import SettingType
from visibility.db.database_time import database_now
from visibility.models import Severity
from visibility.notify import change_and_test_subscriptions
from visibility.notify.change_and_test_subscriptions import (
    CHANNEL,
    RULE,
    SEVERITIES,
    InvalidSubscription,
    SubscriptionChange,
    UnknownSubscription,
)
from visibility.screens.subscriptions import load_subscription_summaries as subscription_queries
from visibility.screens.subscriptions.load_subscription_summaries import SubscriptionSummary
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    AlertRuleSerializer,
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
    serialize,
    serialize_all,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import ApiResponse, InvalidInput
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission


class InvalidSubscriptionInput(InvalidInput):
    """Fields of a subscription are invalid, each with its sentence."""

    def __init__(self, error: InvalidSubscription) -> None:
        super().__init__("", " ".join(e.sentence for e in error.errors))
        own = {RULE, SEVERITIES, CHANNEL}
        paths = {e.name: e.name if e.name in own else f"settings.{e.name}" for e in error.errors}
        self.errors = [{"path": paths[e.name], "detail": e.sentence} for e in error.errors]


class ChannelSettingSerializer(PermissionFilteredSerializer):
    """A setting that a channel declares. A secret is written and never read."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # not the label of a DRF field
    help = serializers.CharField()
    type = EnumField(SettingType)
    default = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]  # not that of a DRF field
    choices = serializers.ListField(child=serializers.CharField())


class ChannelSerializer(PermissionFilteredSerializer):
    """A channel. `problem` says why no server accepts its messages; empty if one does."""

    code = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    problem = serializers.CharField(source="missing_server_sentence")
    settings = ChannelSettingSerializer(many=True)


class ChannelListSerializer(PermissionFilteredSerializer):
    """All channels."""

    items = ChannelSerializer(many=True)


class SubscriptionSerializer(PermissionFilteredSerializer):
    """A subscription without its secrets. `problem`: why no server can accept its messages."""

    id = serializers.IntegerField(source="subscription.pk")
    channel = serializers.CharField(source="subscription.channel")
    settings = serializers.DictField(child=serializers.CharField())
    has_secrets = serializers.BooleanField()
    rule = AlertRuleSerializer(source="subscription.rule", allow_null=True)
    severities = serializers.ListField(child=EnumField(Severity))
    enabled = serializers.BooleanField(source="subscription.enabled")
    user = UserSerializer(source="subscription.user")
    problem = serializers.CharField()
    accepted_at = Rfc3339Field(source="subscription.accepted_at", allow_null=True)
    delivery_error = serializers.CharField(source="subscription.delivery_error")


class SubscriptionTestResultSerializer(PermissionFilteredSerializer):
    """Whether a server accepted the test message, and what it answered."""

    accepted = serializers.BooleanField(source="is_accepted")
    detail = serializers.CharField()


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class SettingTextsField(serializers.DictField):
    """Settings of a channel as texts by name."""

    child = serializers.CharField(max_length=1_000, allow_blank=True)


class SubscriptionChangeBody(RequestBody):
    """The fields to change. A blank setting is removed; a blank secret stays."""

    settings = SettingTextsField(required=False)
    rule = serializers.CharField(required=False, allow_null=True, max_length=50)
    severities = serializers.ListField(
        child=serializers.CharField(max_length=20), required=False, max_length=20
    )
    enabled = serializers.BooleanField(required=False)


class SubscriptionBody(SubscriptionChangeBody):
    """A new subscription. `rule`: the code of a rule, or null for all rules."""

    channel = serializers.CharField(max_length=40)


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
                    _subscription_change_from_body(values),
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
                    _subscription_change_from_body(values),
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


def _subscription_change_from_body(values: dict[str, Any]) -> SubscriptionChange:
    """The change of a validated body. A rule of null means all rules."""
    if "rule" in values:
        values["rule"] = values["rule"] or ""
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
