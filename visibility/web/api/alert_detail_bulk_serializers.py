"""Serializers of alert details and of bulk action results."""

from rest_framework import serializers

from visibility.models import AlertState
from visibility.web.api.common_serializers import (
    AlertHistorySerializer,
    AlertSerializer,
    EnumField,
    PermissionFilteredSerializer,
)


class AlertDetailSerializer(AlertSerializer):
    """An alert with its history."""

    history = AlertHistorySerializer(many=True)


class BulkResultSerializer(PermissionFilteredSerializer):
    """The result of a bulk action for one alert: its new state, or the reason for the failure."""

    id = serializers.IntegerField()
    status = serializers.IntegerField(help_text="The HTTP status of this item: 200, 404 or 409.")
    state = EnumField(AlertState, required=False)
    detail = serializers.CharField(required=False)


class BulkResponseSerializer(PermissionFilteredSerializer):
    """One result per id, in the order of the request."""

    results = BulkResultSerializer(many=True)
