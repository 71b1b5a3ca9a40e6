"""Endpoint about the retention of message payloads."""

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.screens.messages import body_retention
from visibility.screens.messages.body_retention import PayloadMonth, PayloadRetentionState
from visibility.web.api.base import ApiView
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize_all,
)
from visibility.web.permissions import Permission


class PayloadMonthSerializer(PermissionFilteredSerializer):
    """The payloads received in one month (UTC), as of `checked_at`."""

    month = serializers.CharField(help_text="The month as `2026-03`.")
    age_days = serializers.SerializerMethodField()
    messages = serializers.IntegerField(source="partition.message_count")
    bytes = serializers.IntegerField(source="partition.byte_count")
    state = EnumField(PayloadRetentionState)
    explanation = serializers.CharField()
    queued_messages = serializers.IntegerField(source="partition.waiting_count")
    parked_messages = serializers.IntegerField(source="partition.parked_count")
    open_orders = serializers.IntegerField(source="partition.open_order_count")
    open_order_ids = serializers.ListField(
        child=serializers.IntegerField(),
        source="partition.open_order_ids",
        help_text="The first of the open orders.",
    )
    checked_at = Rfc3339Field(source="partition.checked_at")
    removal_due_at = Rfc3339Field(source="partition.removal_due_at", allow_null=True)
    removed_at = Rfc3339Field(source="partition.removed_at", allow_null=True)

    def get_age_days(self, month: PayloadMonth) -> int:
        """Days since the end of the month; 0 for the current month."""
        return month.age.days


class MessageRetentionSerializer(PermissionFilteredSerializer):
    """The retention policy, and the months, newest first."""

    days = serializers.IntegerField(help_text="How long payloads are stored at least; 0: forever.")
    months = PayloadMonthSerializer(many=True)


class MessageRetentionView(ApiView):
    """`GET /messages/retention`."""

    required_permissions = (Permission.ADMINISTER,)

    @extend_schema(operation_id="message_retention", responses=MessageRetentionSerializer)
    def get(self, request: Request) -> Response:
        """List the stored payloads by month, with what keeps them and when they are removed."""
        days = settings.MESSAGE_BODY_DAYS
        months = body_retention.list_payload_months(now=database_now(), days=days)
        return Response({"days": days, "months": serialize_all(PayloadMonthSerializer, months)})
