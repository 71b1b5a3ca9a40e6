"""Endpoints of notes on orders, of mentions, and of watching an order."""

from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request

from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.models import AlertEntry, OrderNote
from visibility.notify.publish_change_number import broadcast_change_number
from visibility.screens.alerts.mentions import entries_mentioning
from visibility.screens.orders.people_on_order import order_notes, watchers
from visibility.storage.order_notes_and_watches import (
    MAX_NOTE,
    NoteRejected,
    add_order_note,
    unwatch_order,
    watch_order,
)
from visibility.web.api.base import ApiView, current_user, is_integrator_only
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.orders import surviving_order_or_404
from visibility.web.api.pagination import PAGING, ApiListView
from visibility.web.api.problem_responses import ApiResponse, InvalidInput
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.mentionable_users import mentionable_users
from visibility.web.permissions import Permission


class OrderNoteSerializer(PermissionFilteredSerializer):
    """A note on an order, with the users whom it mentions."""

    id = serializers.IntegerField(source="pk")
    order = serializers.IntegerField(source="order_id")
    at = Rfc3339Field()
    user = UserSerializer()
    text = serializers.CharField()
    mentions = serializers.SerializerMethodField()

    def get_mentions(self, note: OrderNote) -> list[str]:
        """The usernames, in alphabetical order."""
        return sorted(mention.user.get_username() for mention in note.mentions.all())


class OrderNoteBody(RequestBody):
    """The text of a note. `@username` mentions a colleague."""

    text = serializers.CharField(max_length=MAX_NOTE)


class OrderWatchSerializer(PermissionFilteredSerializer):
    """Whether the user watches the order, and everyone who does."""

    watching = serializers.BooleanField()
    watchers = UserSerializer(many=True)


@extend_schema_view(get=extend_schema(operation_id="order_notes"))
class OrderNoteListView(ApiListView):
    """List the notes on an order, newest first."""

    required_permissions = (Permission.ORDERS, Permission.CONTACTS)
    query_parameters = PAGING
    serializer_class = OrderNoteSerializer

    def get_queryset(self) -> QuerySet[OrderNote]:
        """The notes on the order, and on the orders that were merged into it."""
        return order_notes(surviving_order_or_404(self.kwargs["order_id"]).pk)


class AddOrderNoteView(ApiView):
    """`POST /orders/<id>/note`."""

    required_permissions = (Permission.ORDERS_NOTE,)

    @extend_schema(
        operation_id="order_note", request=OrderNoteBody, responses={201: OrderNoteSerializer}
    )
    def post(self, request: Request, order_id: int) -> HttpResponse:
        """Add a note to an order. `@username` mentions a colleague."""
        body = read_body(request)

        def do() -> ApiResponse:
            fields: dict[str, Any] = parse_body(OrderNoteBody, body)
            order = surviving_order_or_404(order_id)
            try:
                note = add_order_note(
                    order.pk,
                    by=current_user(request),
                    text=fields["text"],
                    mentionable=mentionable_users(),
                    now=database_now(),
                )
            except NoteRejected as rejected:
                raise InvalidInput("text", str(rejected)) from None
            transaction.on_commit(_broadcast_order_change)
            return ApiResponse.with_json_body(serialize(OrderNoteSerializer, note), status=201)

        return run_idempotently(request, body, do)


class WatchOrderView(ApiView):
    """`POST /orders/<id>/watch`."""

    required_permissions = (Permission.ORDERS,)
    is_watched: ClassVar[bool] = True

    @extend_schema(operation_id="order_watch", request=EmptyBody, responses=OrderWatchSerializer)
    def post(self, request: Request, order_id: int) -> HttpResponse:
        """Watch an order."""
        return self.change_watch(request, order_id)

    def change_watch(self, request: Request, order_id: int) -> HttpResponse:
        """Change it once per Idempotency-Key."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            order, user = surviving_order_or_404(order_id), current_user(request)
            change = watch_order if self.is_watched else unwatch_order
            if change(order.pk, by=user, now=database_now()):
                transaction.on_commit(_broadcast_order_change)
            state = {"watching": self.is_watched, "watchers": watchers(order.pk)}
            return ApiResponse.with_json_body(serialize(OrderWatchSerializer, state))

        return run_idempotently(request, body, do)


class UnwatchOrderView(WatchOrderView):
    """`POST /orders/<id>/unwatch`."""

    is_watched = False

    @extend_schema(operation_id="order_unwatch", request=EmptyBody, responses=OrderWatchSerializer)
    def post(self, request: Request, order_id: int) -> HttpResponse:
        """Stop watching an order."""
        return self.change_watch(request, order_id)


@extend_schema_view(get=extend_schema(operation_id="mentions"))
class MentionListView(ApiListView):
    """List the notes that mention you, newest first."""

    required_permissions = (Permission.ORDERS, Permission.CONTACTS)
    query_parameters = PAGING
    serializer_class = OrderNoteSerializer

    def get_queryset(self) -> QuerySet[OrderNote]:
        """The notes with a mention of the user."""
        rows = OrderNote.objects.filter(mentions__user=current_user(self.request))
        return rows.select_related("user").prefetch_related("mentions__user").order_by("-at", "-pk")


class AlertNoteSerializer(PermissionFilteredSerializer):
    """A note on an alert, with the users whom it mentions."""

    id = serializers.IntegerField(source="pk")
    alert = serializers.IntegerField(source="alert_id")
    at = Rfc3339Field()
    user = UserSerializer()
    text = serializers.CharField()
    mentions = serializers.SerializerMethodField()

    def get_mentions(self, entry: AlertEntry) -> list[str]:
        """The usernames, in alphabetical order."""
        return sorted(mention.user.get_username() for mention in entry.mentions.all())


@extend_schema_view(get=extend_schema(operation_id="alert_mentions"))
class AlertMentionListView(ApiListView):
    """List the notes on alerts that mention you, newest first."""

    required_permissions = (Permission.ALERTS_SEE,)
    query_parameters = PAGING
    serializer_class = AlertNoteSerializer

    def get_queryset(self) -> QuerySet[AlertEntry]:
        """The notes with a mention of the user, on alerts that the user may see."""
        return entries_mentioning(
            current_user(self.request), sources_only=is_integrator_only(self.request)
        )


def _broadcast_order_change() -> None:
    broadcast_change_number(latest_change_number(), ["order"])
